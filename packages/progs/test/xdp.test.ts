import { XDP_STATE } from "@tsbpf/abi";
import { InputError } from "@tsbpf/base";
import { LinearMemory } from "@tsbpf/memory";
import type { RunInput } from "@tsbpf/plugin";
import { describe, expect, it } from "vitest";
import { xdp } from "../src/index.ts";

const makeContext = (isTestRun: boolean, maxPacketBytes = 100_000) => {
  const memory = new LinearMemory();
  const ctx = xdp.createContext({ memory, maxPacketBytes, isTestRun });
  return { memory, ctx, packet: ctx.packet! };
};

/** Packs xdp_md: data, data_end, data_meta, ingress_ifindex, rx_queue_index, egress_ifindex. */
const md = (...words: number[]): Uint8Array =>
  new Uint8Array(Uint32Array.from({ length: 6 }, (_, i) => words[i] ?? 0).buffer);
const frame = (bytes: number): Uint8Array => Uint8Array.from({ length: bytes }, (_, i) => i & 255);

function errnoOf(load: () => void): number {
  try {
    load();
  } catch (error) {
    expect(error).toBeInstanceOf(InputError);
    expect((error as InputError).code).toBe("RUN_INPUT");
    return (error as InputError).details.errno as number;
  }
  return 0;
}

describe("xdp test runs", () => {
  const { ctx, memory, packet } = makeContext(true);
  const load = (input: RunInput) => errnoOf(() => ctx.load(input));

  it("reads the loopback interface and queue 0 by default (T-12)", () => {
    ctx.load({ packet: frame(64) });
    expect(memory.view.getUint32(ctx.address + 12, true)).toBe(1);
    expect(memory.view.getUint32(ctx.address + 16, true)).toBe(0);
    expect(packet.metaStart).toBe(packet.dataStart);
    expect(packet.dataStart - packet.start).toBe(256);
    expect(packet.tailEnd - packet.dataStart).toBe(3520);
    expect(ctx.readPacket()).toEqual(frame(64));
  });

  it.each([
    [13, 22],
    [14, 0],
    [3520, 0],
    [73_152, 0],
    [73_153, 12],
  ])("answers a packet of %i bytes with errno %i (T-10)", (bytes, errno) => {
    expect(load({ packet: frame(bytes) })).toBe(errno);
  });

  it("puts what does not fit into fragments (T-10, T-11)", () => {
    ctx.load({ packet: frame(5000) });
    expect(packet.lengthBytes).toBe(3520);
    expect(memory.view.getUint32(ctx.address + XDP_STATE.fragBytes, true)).toBe(1480);
    expect(ctx.readPacket()).toEqual(frame(5000));
    ctx.load({ packet: frame(300), ctx: md(0, 100) });
    expect(packet.lengthBytes).toBe(100);
    expect(memory.view.getUint32(ctx.address + XDP_STATE.fragBytes, true)).toBe(200);
  });

  it("takes metadata from the front of the input (T-11, T-13)", () => {
    ctx.load({ packet: frame(64), ctx: md(8, 64) });
    expect(packet.dataStart - packet.metaStart).toBe(8);
    expect(packet.lengthBytes).toBe(56);
    expect(ctx.readPacket()).toEqual(frame(64));
    expect(ctx.readCtx()).toEqual(md(8, 64));
  });

  it.each([
    ["metadata that is no multiple of 4", md(3, 64), 22],
    ["216 bytes of metadata", md(216, 300), 0],
    ["220 bytes of metadata", md(220, 300), 22],
    ["data_meta", md(0, 64, 1), 22],
    ["data_end past the input", md(0, 301), 22],
    ["data past data_end", md(8, 4), 22],
    ["egress_ifindex", md(0, 64, 0, 0, 0, 1), 22],
    ["a queue without interface", md(0, 64, 0, 0, 1), 22],
    ["an interface that does not exist", md(0, 64, 0, 99), 19],
    ["a second queue", md(0, 64, 0, 1, 1), 22],
    ["a longer context of zeros", new Uint8Array([...md(0, 64), 0, 0]), 0],
    ["a longer context", new Uint8Array([...md(0, 64), 0, 1]), 7],
  ])("answers %s (T-4, T-11)", (_, given, errno) => {
    expect(load({ packet: frame(300), ctx: given })).toBe(errno);
  });
});

describe("xdp replays", () => {
  it("keeps large packets in one piece", () => {
    const { ctx, packet } = makeContext(false);
    ctx.load({ packet: frame(70_000) });
    expect(packet.lengthBytes).toBe(70_000);
    expect(ctx.readPacket()).toEqual(frame(70_000));
    expect(errnoOf(() => ctx.load({ packet: frame(100_001) }))).toBe(22);
  });

  it("gives small packets the tailroom of the test run", () => {
    const { ctx, packet } = makeContext(false);
    ctx.load({ packet: frame(64) });
    expect(packet.tailEnd - packet.dataStart).toBe(3520);
    ctx.load({ packet: frame(3521) });
    expect(packet.tailEnd - packet.dataStart).toBe(3520 + 4096);
  });

  it("takes any interface, queue and named field", () => {
    const { ctx, memory } = makeContext(false);
    ctx.load({ packet: frame(64), ctx: md(0, 64, 0, 7, 3, 9) });
    expect(ctx.readCtx()).toEqual(md(0, 64, 0, 7, 3, 9));
    ctx.load({ packet: frame(64), fields: { ingress_ifindex: 5, rx_queue_index: 2n } });
    expect(memory.view.getUint32(ctx.address + 12, true)).toBe(5);
    expect(ctx.readCtx()).toEqual(md(0, 64, 0, 5, 2));
  });

  it.each([[{ no_such: 1 }], [{ data: 1 }], [{ ingress_ifindex: 1.5 }]])(
    "refuses the fields %j",
    (fields) => {
      const { ctx } = makeContext(false);
      expect(() => ctx.load({ packet: frame(64), fields })).toThrow(
        expect.objectContaining({ code: "RUN_FIELD" }),
      );
    },
  );

  it("leaves nothing of the last packet in the headroom", () => {
    const { ctx, memory, packet } = makeContext(false);
    ctx.load({ packet: frame(300), ctx: md(200, 300) });
    ctx.load({ packet: frame(64) });
    expect(memory.bytesAt(packet.start, 256).every((byte) => byte === 0)).toBe(true);
  });
});

it("names actions, and no others", () => {
  expect([0, 1, 2, 3, 4].map((r0) => xdp.verdictName(r0))).toEqual([
    "XDP_ABORTED",
    "XDP_DROP",
    "XDP_PASS",
    "XDP_TX",
    "XDP_REDIRECT",
  ]);
  expect(xdp.verdictName(5)).toBeUndefined();
  expect(xdp.verdictName(-1)).toBeUndefined();
});
