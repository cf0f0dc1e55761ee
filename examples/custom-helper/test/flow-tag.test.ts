import { readFileSync } from "node:fs";
import { kernelHelpers } from "@tsbpf/helpers";
import { createVm, type EngineName } from "@tsbpf/vm";
import { describe, expect, it } from "vitest";
import { flowTag } from "../src/flow-tag.ts";

const object = readFileSync(new URL("../prog/tag.bpf.o", import.meta.url));

/** An Ethernet frame with an IPv4 header from 10.0.0.`host`. */
function packetFrom(host: number): Uint8Array {
  const packet = new Uint8Array(64);
  packet.set([0x08, 0x00], 12);
  packet[14] = 0x45;
  packet.set([10, 0, 0, host], 26);
  return packet;
}

function load(engine: EngineName) {
  const vm = createVm({ helpers: [...kernelHelpers, flowTag] });
  const prog = vm.load(new Uint8Array(object), { engine });
  vm.maps.get("tags")?.set(new Uint8Array([10, 0, 0, 7]), new TextEncoder().encode("deny\0\0\0\0"));
  return prog;
}

describe.each<EngineName>(["interpreter", "jit"])("flow_tag on the %s", (engine) => {
  it("drops a packet whose source is tagged, and counts it", () => {
    const result = load(engine).run({ packet: packetFrom(7) });
    expect(result).toMatchObject({ verdict: "XDP_DROP" });
    expect(result.effects).toContainEqual({ kind: "count", name: "flow_tag.hit", value: 1 });
  });

  it("passes a packet whose source has no tag", () => {
    expect(load(engine).run({ packet: packetFrom(8) })).toMatchObject({ verdict: "XDP_PASS", effects: [] });
  });

  it("is refused by the verifier when its flags are not provably zero", () => {
    const vm = createVm({
      helpers: [...kernelHelpers, flowTag],
      maps: { tags: { type: "hash", keySize: 4, valueSize: 8, maxEntries: 16 } },
    });
    const source = `
      r6 = r1
      *(u32 *)(r10 - 4) = 0
      r1 = map[tags] ll
      r2 = r10
      r2 += -4
      r3 = r10
      r3 += -16
      r4 = 8
      r5 = *(u32 *)(r6 + 12)
      call flow_tag
      r0 = 2
      exit`;
    expect(() => vm.load(source, { engine })).toThrow(/flags/);
  });
});
