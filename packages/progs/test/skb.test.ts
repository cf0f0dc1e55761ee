import type { InputError } from "@tsbpf/base";
import { LinearMemory } from "@tsbpf/memory";
import type { NetDevice, ProgTypePlugin, RunInput } from "@tsbpf/plugin";
import { describe, expect, it } from "vitest";
import { cgroupSkb, kernelProgTypes, schedCls, socketFilter } from "../src/index.ts";

const OFFSET = {
  len: 0,
  pktType: 4,
  mark: 8,
  protocol: 16,
  ifindex: 40,
  family: 88,
  remoteIp4: 92,
  localIp4: 96,
  wireLen: 160,
};
const ETH0: NetDevice = { ifindex: 2, name: "eth0", mtu: 1500, mac: "02:00:00:00:00:02" };

const makeContext = (progType: ProgTypePlugin, isTestRun = true) => {
  const memory = new LinearMemory();
  const ctx = progType.createContext({ memory, maxPacketBytes: 100_000, isTestRun, devices: [ETH0] });
  const field = (offset: number) => memory.view.getUint32(ctx.address + offset, true);
  return { memory, ctx, packet: ctx.packet!, field };
};

const bytes = (hex: string): Uint8Array =>
  Uint8Array.from(hex.match(/../g) ?? [], (two) => Number.parseInt(two, 16));
const ethernet = (dst: string, type: string, payload: Uint8Array): Uint8Array =>
  new Uint8Array([...bytes(dst), ...bytes("020000000009"), ...bytes(type), ...payload]);
const ipv4 = (extra = 6): Uint8Array =>
  new Uint8Array([...bytes("450000140001000040110000"), 10, 0, 0, 1, 10, 0, 0, 2, ...new Uint8Array(extra)]);
const TO_LO = "000000000000";

function errnoOf(load: () => void): number {
  try {
    load();
  } catch (error) {
    expect((error as InputError).code).toBe("RUN_INPUT");
    return (error as InputError).details.errno as number;
  }
  return 0;
}

/** A `__sk_buff` with some u32 words set. */
const skb = (words: Readonly<Record<number, number>>, size = 192): Uint8Array => {
  const ctx = new Uint8Array(size);
  for (const [offset, value] of Object.entries(words))
    new DataView(ctx.buffer).setUint32(Number(offset), value, true);
  return ctx;
};

describe("skb test runs", () => {
  it("hides the Ethernet header from socket filters and gives zeros back (T-23)", () => {
    const { ctx, field, packet } = makeContext(socketFilter);
    const input = ethernet(TO_LO, "0800", ipv4());
    ctx.load({ packet: input });
    expect(field(OFFSET.len)).toBe(26);
    expect(packet.bytes()).toEqual(ipv4());
    expect(ctx.readPacket()).toEqual(new Uint8Array([...new Uint8Array(14), ...ipv4()]));
  });

  it("shows traffic control programs the whole packet (T-23, T-27)", () => {
    const { ctx, field, packet } = makeContext(schedCls);
    const input = ethernet(TO_LO, "0800", ipv4());
    ctx.load({ packet: input });
    expect(field(OFFSET.len)).toBe(40);
    expect(field(OFFSET.ifindex)).toBe(1);
    expect(field(OFFSET.wireLen)).toBe(0);
    expect(packet.bytes()).toEqual(input);
    expect(ctx.readPacket()).toEqual(input);
  });

  it.each([
    [13, 22],
    [14, 0],
    [3712, 0],
    [3713, 22],
  ])("answers a packet of %i bytes with errno %i (T-20)", (size, errno) => {
    const { ctx } = makeContext(socketFilter);
    expect(errnoOf(() => ctx.load({ packet: new Uint8Array(size) }))).toBe(errno);
  });

  it.each([
    ["0800", 19, 22],
    ["0800", 20, 0],
    ["86dd", 39, 22],
    ["86dd", 40, 0],
    ["0806", 0, 0],
  ])("answers ethertype %s with %i bytes after it by errno %i (T-22)", (type, size, errno) => {
    const { ctx } = makeContext(schedCls);
    expect(errnoOf(() => ctx.load({ packet: ethernet(TO_LO, type, new Uint8Array(size)) }))).toBe(errno);
  });

  it.each([
    ["0800", "", 0x0008],
    ["8100", "", 0x0081],
    ["05ff", "ffff", 0x0100],
    ["05ff", "aaaa", 0x0400],
    ["05ff", "ff", 0x0400],
    ["0600", "", 0x0006],
  ])("reads ethertype %s before %s as protocol %i (T-21)", (type, next, protocol) => {
    const { ctx, field } = makeContext(schedCls);
    const payload = type === "0800" ? ipv4() : bytes(next);
    ctx.load({ packet: ethernet(TO_LO, type, payload) });
    expect(field(OFFSET.protocol)).toBe(protocol);
  });

  it.each([
    [TO_LO, 1, 0],
    ["ffffffffffff", 1, 2],
    ["01005e000001", 1, 2],
    ["020000000002", 1, 3],
    ["020000000002", 2, 0],
    ["ffffffffffff", 2, 1],
  ])("gives a packet to %s on interface %i the type %i (T-21)", (dst, ifindex, type) => {
    const { ctx, field } = makeContext(schedCls);
    ctx.load({ packet: ethernet(dst, "0806", new Uint8Array(28)), ctx: skb({ [OFFSET.ifindex]: ifindex }) });
    expect(field(OFFSET.pktType)).toBe(type);
  });

  it("gives cgroup programs the addresses of the packet (T-22)", () => {
    const { ctx, field } = makeContext(cgroupSkb);
    ctx.load({ packet: ethernet(TO_LO, "0800", ipv4()) });
    expect(field(OFFSET.family)).toBe(2);
    expect(field(OFFSET.localIp4)).toBe(0x0100_000a);
    expect(field(OFFSET.remoteIp4)).toBe(0x0200_000a);
  });

  it("takes some fields and gives them back (T-24, T-25)", () => {
    const { ctx, field } = makeContext(schedCls);
    const given = skb({ 8: 7, 32: 9, 36: 5, 40: 2, 48: 1, 152: 3, 160: 100, 164: 2, 176: 50, 184: 4 });
    ctx.load({ packet: ethernet(TO_LO, "0800", ipv4()), ctx: given });
    expect(field(OFFSET.mark)).toBe(7);
    expect(field(OFFSET.wireLen)).toBe(100);
    expect(ctx.readCtx()).toEqual(given);
    ctx.load({ packet: ethernet(TO_LO, "0800", ipv4()), ctx: skb({}) });
    expect(ctx.readCtx()).toEqual(skb({ 40: 1, 160: 40 }));
  });

  it.each([
    ["len", { 0: 1 }, 22],
    ["protocol", { 16: 8 }, 22],
    ["hash", { 68: 1 }, 22],
    ["sk", { 168: 1 }, 22],
    ["wire_len below the length", { 160: 39 }, 22],
    ["wire_len of 65536", { 160: 65_536 }, 0],
    ["wire_len of 65537", { 160: 65_537 }, 22],
    ["gso_segs of 65536", { 164: 65_536 }, 22],
    ["an interface that does not exist", { 40: 99 }, 19],
  ])("answers %s (T-24)", (_, words, errno) => {
    const { ctx } = makeContext(schedCls);
    const input: RunInput = {
      packet: ethernet(TO_LO, "0800", ipv4()),
      ctx: skb(words as Record<number, number>),
    };
    expect(errnoOf(() => ctx.load(input))).toBe(errno);
  });

  it("does not change the caller's bytes", () => {
    const { ctx } = makeContext(schedCls);
    const given = Buffer.from(skb({ 8: 7 }));
    const copy = new Uint8Array(given);
    ctx.load({ packet: ethernet(TO_LO, "0800", ipv4()), ctx: given });
    ctx.readCtx();
    expect(new Uint8Array(given)).toEqual(copy);
  });
});

describe("skb replays", () => {
  it("takes large packets and every field", () => {
    const { ctx, field } = makeContext(schedCls, false);
    const input = ethernet(TO_LO, "0800", ipv4(66_000));
    ctx.load({ packet: input, ctx: skb({ 20: 1, 24: 5, 40: 77, 68: 0xabc }) });
    expect(field(OFFSET.len)).toBe(input.length);
    expect(field(24)).toBe(5);
    expect(field(68)).toBe(0xabc);
    expect(field(OFFSET.ifindex)).toBe(77);
    expect(ctx.readPacket()).toEqual(input);
  });

  it("gives a socket filter's packet back with its own Ethernet header", () => {
    const { ctx } = makeContext(socketFilter, false);
    const input = ethernet("ffffffffffff", "0800", ipv4());
    ctx.load({ packet: input });
    expect(ctx.readPacket()).toEqual(input);
  });

  it("begins at the Ethernet header when asked to, as packet sockets do", () => {
    const { ctx, field, packet } = makeContext(socketFilter, false);
    const input = ethernet("ffffffffffff", "0800", ipv4());
    ctx.load({ packet: input, startsAt: "link" });
    expect(packet.bytes()).toEqual(input);
    expect(field(OFFSET.len)).toBe(input.length);
  });

  it("takes IP packets that are cut short", () => {
    const { ctx } = makeContext(schedCls, false);
    expect(errnoOf(() => ctx.load({ packet: ethernet(TO_LO, "0800", new Uint8Array(5)) }))).toBe(0);
  });
});

describe("verdict names", () => {
  const name = (type: string, r0: number) =>
    kernelProgTypes.find((one) => one.type === type)?.verdictName(r0);
  it.each([
    ["sched_cls", 0xffff_ffff, "TC_ACT_UNSPEC"],
    ["sched_cls", -1, "TC_ACT_UNSPEC"],
    ["sched_cls", 2, "TC_ACT_SHOT"],
    ["sched_act", 7, "TC_ACT_REDIRECT"],
    ["sched_cls", 9, undefined],
    ["socket_filter", 0, "drop"],
    ["socket_filter", 60, "accept 60 bytes"],
    ["socket_filter", -1, "accept"],
    ["cgroup_skb", 1, "pass"],
    ["lwt_xmit", 128, "BPF_LWT_REROUTE"],
    ["flow_dissector", 129, "BPF_FLOW_DISSECTOR_CONTINUE"],
    ["sk_skb", 1, "SK_PASS"],
    ["netfilter", 0, "NF_DROP"],
    ["cgroup_device", 0, "deny"],
    ["kprobe", 0, undefined],
  ])("%s %i is %s", (type, r0, verdict) => {
    expect(name(type, r0)).toBe(verdict);
  });
});
