import { SKB_STATE } from "@tsbpf/abi";
import { describe, expect, it } from "vitest";
import { bytes, ERR, fakeMachine, helperByName, ipv4Frame, ipv6Frame, range } from "./fake-machine.ts";

const IPV4 = 0x0008;
const IPV6 = 0xdd86;
const VLAN = 0x0081;
const QINQ = 0xa888;
const FIELD = { len: 0, pktType: 4, protocol: 16, vlanPresent: 20, vlanTci: 24, vlanProto: 28, hash: 68 };

function skb(packet = ipv4Frame()) {
  const machine = fakeMachine({ progType: "sched_cls", packet });
  const ctx = machine.env.ctxAddress;
  return {
    machine,
    ctx,
    call: (name: string, ...args: (number | bigint)[]) => machine.call(name, ctx, ...args),
    field: (offset: number) => machine.memory.view.getUint32(ctx + offset, true),
    packet: () => machine.packet.bytes().slice(),
    network: () =>
      machine.memory.view.getUint32(ctx + SKB_STATE.networkHeader, true) - machine.packet.dataStart,
  };
}

/** A frame with VLAN tags before an IPv4 packet: pairs of ethertype and control information, outermost first. */
function tagged(...tags: readonly (readonly [proto: number, tci: number])[]): Uint8Array {
  const frame = range(64);
  const view = new DataView(frame.buffer);
  let at = 12;
  for (const [proto, tci] of tags) {
    view.setUint16(at, proto);
    view.setUint16(at + 2, tci);
    at += 4;
  }
  view.setUint16(at, 0x0800);
  return frame;
}

describe("copying packet bytes (HLP-26, HLP-68, HLP-9)", () => {
  it.each([
    [0, 64, 0n],
    [60, 5, ERR.EFAULT],
    [0x8000_0000, 1, ERR.EFAULT],
  ])("at %i for %i bytes answers %i", (offset, size, answer) => {
    const { machine, call } = skb(range(64));
    machine.put(0, new Uint8Array(70).fill(0xaa));
    expect(call("skb_load_bytes", offset, machine.buffer, size)).toBe(answer);
    expect(machine.take(0, size)).toEqual(
      answer === 0n ? range(64).subarray(offset, offset + size) : new Uint8Array(size),
    );
    expect(call("skb_store_bytes", offset, machine.buffer, size, 0)).toBe(answer);
  });

  it.each([
    [0, 0, 0n, 0],
    [0, 1, 0n, 14],
    [0, 2, ERR.EFAULT, 0],
    [65_536, 0, ERR.EFAULT, 0],
    [49, 1, ERR.EFAULT, 0],
  ])("relative offset %i from start %i answers %i", (offset, start, answer, first) => {
    const { machine, call } = skb(range(64));
    expect(call("skb_load_bytes_relative", offset, machine.buffer, 2, start)).toBe(answer);
    expect(machine.take(0, 1)[0]).toBe(first);
  });

  it("stores with flags, and forgets the hash when asked to", () => {
    const { machine, call, field } = skb();
    call("set_hash", 77);
    expect(call("skb_store_bytes", 0, machine.buffer, 2, 4)).toBe(ERR.EINVAL);
    expect(call("skb_store_bytes", 0, machine.buffer, 2, 1)).toBe(0n);
    expect(field(FIELD.hash)).toBe(77);
    expect(call("skb_store_bytes", 0, machine.buffer, 2, 2)).toBe(0n);
    expect(field(FIELD.hash)).toBe(0);
  });

  it.each([
    [0, 0n],
    [64, 0n],
    [65, ERR.ENOMEM],
  ])("pulling %i bytes answers %i (HLP-39)", (size, answer) => {
    expect(skb().call("skb_pull_data", size)).toBe(answer);
  });
});

describe("VLAN tags (HLP-18, HLP-19, HF-5, HF-6)", () => {
  it("go beside the packet first, into it when a second one comes", () => {
    const { call, field, packet, network } = skb();
    expect(call("skb_vlan_push", QINQ, 0x1005)).toBe(0n);
    expect([
      field(FIELD.len),
      field(FIELD.vlanPresent),
      field(FIELD.vlanTci),
      field(FIELD.vlanProto),
    ]).toEqual([64, 1, 0x1005, QINQ]);
    expect(call("skb_vlan_push", 0x1234, 7)).toBe(0n);
    expect([field(FIELD.len), field(FIELD.protocol), field(FIELD.vlanTci), field(FIELD.vlanProto)]).toEqual([
      68,
      QINQ,
      7,
      VLAN,
    ]);
    expect(packet().subarray(12, 20)).toEqual(bytes("88a8 1005 0800 4500"));
    expect(network()).toBe(14);
  });

  it("come back out in order", () => {
    const { call, field, packet } = skb(tagged([0x88a8, 7], [0x8100, 9]));
    expect(call("skb_vlan_pop")).toBe(0n);
    expect([field(FIELD.len), field(FIELD.protocol), field(FIELD.vlanPresent), field(FIELD.vlanTci)]).toEqual(
      [56, IPV4, 1, 9],
    );
    expect(packet().subarray(12, 14)).toEqual(bytes("0800"));
    expect(call("skb_vlan_pop")).toBe(0n);
    expect(field(FIELD.vlanPresent)).toBe(0);
    expect(call("skb_vlan_pop")).toBe(0n);
    expect(field(FIELD.len)).toBe(56);
  });

  it("cannot be taken out of a frame that is too short", () => {
    expect(skb(tagged([0x8100, 7]).subarray(0, 17)).call("skb_vlan_pop")).toBe(ERR.ENOMEM);
  });
});

describe("changing the protocol (HLP-31, HF-7)", () => {
  it("makes room for the larger header and takes it away again", () => {
    const { call, field, packet } = skb();
    expect(call("skb_change_proto", IPV6, 0)).toBe(0n);
    expect([field(FIELD.len), field(FIELD.protocol)]).toEqual([84, IPV6]);
    expect(packet().subarray(12, 38)).toEqual(bytes(`0800 ${"00".repeat(20)} 4500 0032`));
    expect(call("skb_change_proto", IPV4, 0)).toBe(0n);
    expect(packet()).toEqual(ipv4Frame());
  });

  it.each([
    [IPV6, 1, ERR.EINVAL],
    [IPV4, 0, ERR.ENOTSUPP],
    [0, 0, ERR.ENOTSUPP],
  ])("to %i with flags %i answers %i", (protocol, flags, answer) => {
    expect(skb().call("skb_change_proto", protocol, flags)).toBe(answer);
  });
});

describe("changing type and length (HLP-32, HLP-38, HLP-43)", () => {
  it.each([
    [3, 0n],
    [4, ERR.EINVAL],
  ])("type %i answers %i", (type, answer) => {
    const { call, field } = skb();
    expect(call("skb_change_type", type)).toBe(answer);
    expect(field(FIELD.pktType)).toBe(answer === 0n ? type : 0);
  });

  it.each([
    [13, 0, ERR.EINVAL],
    [14, 0, 0n],
    [16_064, 0, 0n],
    [16_065, 0, ERR.EINVAL],
    [100, 1, ERR.EINVAL],
  ])("length %i with flags %i answers %i", (length, flags, answer) => {
    const { call, field, packet } = skb();
    expect(call("skb_change_tail", length, flags)).toBe(answer);
    expect(field(FIELD.len)).toBe(answer === 0n ? length : 64);
    if (length > 64 && answer === 0n)
      expect(
        packet()
          .subarray(64)
          .every((byte) => byte === 0),
      ).toBe(true);
  });

  it("prepends zeros as long as the packet stays below the limit", () => {
    const { call, packet, field } = skb();
    for (let i = 0; i < 4; i++) expect(call("skb_change_head", 4000, 0)).toBe(0n);
    expect(field(FIELD.len)).toBe(16_064);
    expect(call("skb_change_head", 1, 0)).toBe(ERR.EINVAL);
    expect(packet().subarray(16_000)).toEqual(ipv4Frame());
    expect(
      packet()
        .subarray(0, 16_000)
        .every((byte) => byte === 0),
    ).toBe(true);
  });
});

describe("bpf_skb_adjust_room (HLP-50, HF-8)", () => {
  it.each([
    [8, 1, 14],
    [8, 0, 34],
  ])("grows by %i in mode %i at offset %i", (delta, mode, at) => {
    const { call, packet, field } = skb();
    expect(call("skb_adjust_room", delta, mode, 0)).toBe(0n);
    expect(field(FIELD.len)).toBe(64 + delta);
    expect(packet().subarray(at, at + delta)).toEqual(new Uint8Array(delta));
    expect(packet().subarray(at + delta)).toEqual(ipv4Frame().subarray(at));
    expect(call("skb_adjust_room", -delta, mode, 0)).toBe(0n);
    expect(packet()).toEqual(ipv4Frame());
  });

  it.each([
    [4096, 1, 0, ERR.EFAULT],
    [4, 2, 0, ERR.ENOTSUPP],
    [4, 1, 512, ERR.EINVAL],
    [-30, 1, 0, 0n],
    [-31, 1, 0, ERR.ENOTSUPP],
    [-20, 1, 8, ERR.EINVAL],
    [20, 1, 128, ERR.EINVAL],
    [20, 1, 6, ERR.EINVAL],
    [20, 1, 2 + 8 + 16, ERR.EINVAL],
    [-20, 1, 384, ERR.EINVAL],
  ])("by %i in mode %i with flags %i answers %i", (delta, mode, flags, answer) => {
    expect(skb().call("skb_adjust_room", delta, mode, flags)).toBe(answer);
  });

  it("notes an encapsulation once", () => {
    const { call, field, network } = skb();
    expect(call("skb_adjust_room", 40, 1, 4)).toBe(0n);
    expect([field(FIELD.protocol), network()]).toEqual([IPV6, 14]);
    expect(call("skb_adjust_room", 20, 1, 2)).toBe(ERR.EALREADY);
    expect(call("skb_change_tail", 100, 0)).toBe(ERR.ENOTSUPP);
  });

  it("checks inner link-layer headers in the highest byte of the flags", () => {
    const inner = (size: bigint) => 2n | 64n | (size << 56n);
    expect(skb().call("skb_adjust_room", 40, 1, inner(13n))).toBe(ERR.EINVAL);
    expect(skb().call("skb_adjust_room", 40, 1, inner(14n))).toBe(0n);
    expect(skb().call("skb_adjust_room", 8, 1, inner(14n))).toBe(ERR.EINVAL);
    expect(skb().call("skb_adjust_room", 8, 1, 1n << 40n)).toBe(ERR.EINVAL);
  });

  it("refuses packets that are no IP", () => {
    const arp = ipv4Frame();
    arp.set([0x08, 0x06], 12);
    expect(skb(arp).call("skb_adjust_room", 4, 1, 0)).toBe(ERR.ENOTSUPP);
  });

  it("only moves the head for sk_skb programs", () => {
    const machine = fakeMachine({ progType: "sk_skb", packet: range(64) });
    const call = (...args: number[]) => machine.call("skb_adjust_room", machine.env.ctxAddress, ...args);
    expect([call(4, 1, 0), call(5000, 0, 0), call(-65, 0, 0)]).toEqual([ERR.EINVAL, ERR.EFAULT, ERR.ENOMEM]);
    expect([call(4, 0, 0), machine.packet.lengthBytes]).toEqual([0n, 68]);
    expect([call(-68, 0, 0), machine.packet.lengthBytes]).toEqual([0n, 0]);
  });
});

describe("what belongs to a packet", () => {
  it("computes a hash once and keeps what is set (HLP-34)", () => {
    const { call } = skb();
    const hash = call("get_hash_recalc");
    expect(hash).not.toBe(0n);
    expect(call("get_hash_recalc")).toBe(hash);
    expect(skb().call("get_hash_recalc")).toBe(hash);
    const other = ipv4Frame();
    other[29] = 99;
    expect(skb(other).call("get_hash_recalc")).not.toBe(hash);
    expect(call("set_hash", 0x1234)).toBe(0n);
    expect(call("get_hash_recalc")).toBe(0x1234n);
    expect(call("set_hash_invalid")).toBe(0n);
    expect(call("get_hash_recalc")).toBe(hash);
  });

  it.each([
    [ipv4Frame(), 0n, 1, ERR.EINVAL],
    [ipv4Frame(), 0n, 0, 0n],
    [ipv4Frame(), 5n, 2, 0n],
    [ipv4Frame(), 5n, 3, ERR.EINVAL],
    [range(64), 5n, 0, ERR.EOPNOTSUPP],
  ])("sets a time stamp (HLP-192) %#", (packet, stamp, clock, answer) => {
    const { call, machine, ctx } = skb(packet);
    expect(call("skb_set_tstamp", stamp, clock)).toBe(answer);
    expect(machine.memory.view.getBigUint64(ctx + 152, true)).toBe(answer === 0n ? stamp : 0n);
  });

  it.each([
    [0, 0x1234, 0n, 0, 0x1234],
    [1, 0x1234, 1n, 3, 0x1232],
    [2, 0x1234, 1n, 3, 0x1233],
    [3, 0x1234, 1n, 3, 0x1234],
    [1, 0x0000, 1n, 3, 0xfffd],
  ])("marks congestion in IPv4 class %i (HLP-97)", (before, checksum, answer, after, checksumAfter) => {
    const frame = ipv4Frame();
    frame[15] = before;
    new DataView(frame.buffer).setUint16(24, checksum);
    const { call, packet } = skb(frame);
    expect(call("skb_ecn_set_ce")).toBe(answer);
    expect(packet()[15]).toBe(after);
    expect(new DataView(packet().buffer).getUint16(24)).toBe(checksumAfter);
  });

  it("marks congestion in IPv6, and nothing else", () => {
    const frame = ipv6Frame();
    frame[15] = 0x15;
    const { call, packet } = skb(frame);
    expect(call("skb_ecn_set_ce")).toBe(1n);
    expect(packet()[15]).toBe(0x35);
    expect(skb(range(64)).call("skb_ecn_set_ce")).toBe(0n);
  });
});

describe("tunnel metadata (HLP-20, HLP-21, HLP-29, HLP-30)", () => {
  const key = (label = 0): Uint8Array => {
    const bytes = range(44);
    bytes.fill(0, 22, 28);
    new DataView(bytes.buffer).setUint32(24, label, true);
    return bytes;
  };

  it("comes back with its ends exchanged", () => {
    const { machine, call } = skb();
    expect(call("skb_get_tunnel_key", machine.buffer + 64, 44, 0)).toBe(ERR.EINVAL);
    expect(call("skb_set_tunnel_key", machine.put(0, key()), 44, 0)).toBe(0n);
    expect(call("skb_get_tunnel_key", machine.buffer + 64, 44, 0)).toBe(0n);
    const back = machine.take(64, 44);
    expect(back.subarray(4, 8)).toEqual(key().subarray(28, 32));
    expect(back.subarray(28, 32)).toEqual(key().subarray(4, 8));
    expect(call("skb_get_tunnel_key", machine.buffer + 64, 44, 16)).toBe(0n);
    expect(machine.take(86, 2)).toEqual(bytes("2005"));
    expect(call("skb_get_tunnel_key", machine.buffer + 64, 44, 1)).toBe(ERR.EPROTO);
    expect(machine.take(64, 44)).toEqual(new Uint8Array(44));
  });

  it.each([
    [20, 0, key(), ERR.EINVAL],
    [28, 0, key(), 0n],
    [8, 0, key(), 0n],
    [44, 32, key(), ERR.EINVAL],
    [44, 0, key(1), ERR.EINVAL],
    [44, 1, key(1), 0n],
  ])("is set with %i bytes and flags %i or not %#", (size, flags, given, answer) => {
    const { machine, call } = skb();
    expect(call("skb_set_tunnel_key", machine.put(0, given), size, flags)).toBe(answer);
  });

  it("carries options once there is a key", () => {
    const { machine, call } = skb();
    const options = machine.put(512, range(8));
    expect(call("skb_set_tunnel_opt", options, 8)).toBe(ERR.EINVAL);
    call("skb_set_tunnel_key", machine.put(0, key()), 44, 0);
    expect(call("skb_get_tunnel_opt", machine.buffer + 600, 8)).toBe(ERR.ENOENT);
    expect(call("skb_set_tunnel_opt", options, 6)).toBe(ERR.EINVAL);
    expect(call("skb_set_tunnel_opt", options, 256)).toBe(ERR.ENOMEM);
    expect(call("skb_set_tunnel_opt", options, 8)).toBe(0n);
    expect(call("skb_get_tunnel_opt", machine.buffer + 600, 4)).toBe(ERR.ENOMEM);
    expect(call("skb_get_tunnel_opt", machine.buffer + 600, 8)).toBe(8n);
    expect(machine.take(600, 8)).toEqual(range(8));
  });
});

describe("helpers on a context of another kind", () => {
  it.each([
    ["skb_vlan_push", "xdp"],
    ["skb_adjust_room", "xdp"],
    ["skb_set_tunnel_key", "kprobe"],
    ["csum_level", "xdp"],
    ["clone_redirect", "xdp"],
    ["xdp_adjust_tail", "sched_cls"],
  ] as const)("%s traps in %s programs, which only run unverified", (name, progType) => {
    const machine = fakeMachine({ progType, packet: ipv4Frame() });
    expect(() => machine.call(name, machine.env.ctxAddress, 0, 0, 0)).toThrow(
      expect.objectContaining({ code: "RUN_HELPER_CONTEXT" }),
    );
  });

  it("trap without a packet", () => {
    const machine = fakeMachine({ progType: "kprobe" });
    const env = { ...machine.env, packet: undefined };
    const load = helperByName("skb_load_bytes").raw!;
    expect(() => load(machine.regs, env)).toThrow(expect.objectContaining({ code: "RUN_HELPER_PACKET" }));
  });

  it("cannot count from headers that it does not know", () => {
    const machine = fakeMachine({ progType: "sk_reuseport" });
    const call = () =>
      machine.call("skb_load_bytes_relative", machine.env.ctxAddress, 0, machine.buffer, 2, 0);
    expect(call()).toBe(ERR.EFAULT);
  });
});
