import { describe, expect, it } from "vitest";
import type { VirtualClock } from "../src/index.ts";
import { bytes, ERR, fakeMachine, fakeMap, range } from "./fake-machine.ts";

describe("stacks and branches (HLP-27, HLP-67, HLP-119, HLP-176)", () => {
  it.each([
    ["get_stackid", [0, 0, 0], ERR.EFAULT],
    ["get_stackid", [0, 0, 0x700], ERR.EFAULT],
    ["get_stackid", [0, 0, 0x800], ERR.EINVAL],
    ["read_branch_records", [0, 0, 0, 0], ERR.ENOENT],
    ["read_branch_records", [0, 0, 0, 2], ERR.EINVAL],
    ["get_branch_snapshot", [0, 0, 0], ERR.ENOENT],
    ["get_branch_snapshot", [0, 0, 1], ERR.EINVAL],
    ["get_func_ip", [0], 0n],
  ] as const)("%s %j answers %i", (name, args, answer) => {
    expect(fakeMachine({ progType: "kprobe" }).call(name, ...args)).toBe(answer);
  });

  it.each([
    [64, 0, ERR.EFAULT],
    [63, 0, ERR.EINVAL],
    [64, 0x800, ERR.EINVAL],
    [64, 0x900, ERR.EFAULT],
    [48, 0x900, ERR.EINVAL],
    [64, 0x1000, ERR.EINVAL],
  ])("get_stack of %i bytes with flags %i answers %i and zeroes", (size, flags, answer) => {
    const machine = fakeMachine({ progType: "kprobe" });
    machine.put(0, new Uint8Array(100).fill(0xaa));
    expect(machine.call("get_stack", machine.env.ctxAddress, machine.buffer, size, flags)).toBe(answer);
    expect(machine.take(0, size + 1)).toEqual(Uint8Array.from([...new Uint8Array(size), 0xaa]));
  });
});

describe("perf counters (HLP-22, HLP-55, HLP-56)", () => {
  const perf = fakeMap("perf_event_array");
  const machine = fakeMachine({ progType: "kprobe", maps: [perf] });

  it.each([
    [0xffff_ffffn, 0n],
    [4n, ERR.E2BIG],
    [1n << 32n, ERR.EINVAL],
  ])("flags %i answer %i", (flags, answer) => {
    expect(machine.call("perf_event_read", perf.address, flags)).toBe(answer);
    expect(machine.call("perf_event_read_value", perf.address, flags, machine.buffer, 24)).toBe(answer);
  });

  it("zero buffers of any size", () => {
    machine.put(0, new Uint8Array(24).fill(0xaa));
    expect(machine.call("perf_event_read_value", perf.address, 1, machine.buffer, 16)).toBe(ERR.EINVAL);
    expect(machine.take(15, 2)).toEqual(Uint8Array.of(0, 0xaa));
    expect(machine.call("perf_prog_read_value", 0, machine.buffer, 24)).toBe(0n);
    expect(machine.call("perf_prog_read_value", 0, machine.buffer, 23)).toBe(ERR.EINVAL);
  });
});

describe("sockets that the host stored (HLP-52, HLP-60, HLP-82)", () => {
  const sockmap = fakeMap("sockmap", {
    hostSlots: { objectAt: (index) => (index === 2 ? {} : undefined), setObject: () => 0 },
    lookup: (at) => (at === 100 ? 200 : 0),
  });
  const machine = fakeMachine({ progType: "sk_skb", maps: [sockmap] });

  it.each([
    ["sk_redirect_map", 2, 0, 1n],
    ["sk_redirect_map", 1, 0, 0n],
    ["msg_redirect_map", 2, 1, 1n],
    ["msg_redirect_map", 2, 2, 0n],
    ["sk_redirect_hash", 100, 0, 1n],
    ["msg_redirect_hash", 101, 0, 0n],
  ])("%s to %i with flags %i answers %i", (name, key, flags, answer) => {
    expect(machine.call(name, machine.env.ctxAddress, sockmap.address, key, flags)).toBe(answer);
  });

  it("are chosen for a port", () => {
    const key = machine.put(0, Uint8Array.of(2, 0, 0, 0, 1, 0, 0, 0));
    expect(machine.call("sk_select_reuseport", 0, sockmap.address, key, 0)).toBe(0n);
    expect(machine.call("sk_select_reuseport", 0, sockmap.address, key + 4, 0)).toBe(ERR.ENOENT);
  });

  it("call back for the events asked for (HLP-59)", () => {
    const ops = fakeMachine({ progType: "sock_ops" });
    expect(ops.call("sock_ops_cb_flags_set", 0, 0x83)).toBe(ERR.EINVAL);
    ops.memory.view.setUint32(ops.env.ctxAddress + 72, 1, true);
    expect(ops.call("sock_ops_cb_flags_set", 0, 0x83)).toBe(0x80n);
    expect(ops.memory.view.getUint32(ops.env.ctxAddress + 84, true)).toBe(3);
  });

  it("count bytes (HLP-61, HLP-62)", () => {
    const msg = fakeMachine({ progType: "sk_msg" });
    expect([msg.call("msg_apply_bytes", 0, 5), msg.call("msg_cork_bytes", 0, 6)]).toEqual([0n, 0n]);
    expect(msg.effects).toMatchObject([{ name: "msg_apply_bytes" }, { name: "msg_cork_bytes", data: 6 }]);
  });
});

describe("connection cookies (HLP-204..207)", () => {
  const MINUTE_NS = 60_000_000_000n;
  const setUp = (family: "ipv4" | "ipv6", options: Uint8Array) => {
    const machine = fakeMachine({ services: { startNs: 600_000_000_000n, stepNs: 0 } });
    const ip = machine.put(0, range(40));
    const tcp = range(20 + options.length);
    tcp.set(bytes("1234 0050 00000064"));
    tcp[12] = ((20 + options.length) / 4) << 4;
    tcp.set(options, 20);
    const at = machine.put(100, tcp);
    const size = 20 + options.length;
    const make = (given = size) => machine.call(`tcp_raw_gen_syncookie_${family}`, ip, at, given);
    const check = () => machine.call(`tcp_raw_check_syncookie_${family}`, ip, at);
    const answerTo = (cookie: bigint, seq = 0x65) => {
      machine.memory.view.setUint32(at + 4, seq);
      machine.memory.view.setUint32(at + 8, Number((cookie + 1n) & 0xffff_ffffn));
    };
    return { machine, make, check, answerTo, ip };
  };

  it.each([
    ["ipv4", "", 536n],
    ["ipv4", "020405b4", 1460n],
    ["ipv4", "01010101 020405b3", 1440n],
    ["ipv4", "00000000 020405b4", 536n],
    ["ipv6", "", 1260n],
    ["ipv6", "020422ec", 8940n],
  ] as const)("%s with options %j name the segment size %i", (family, options, mss) => {
    const { make } = setUp(family, bytes(options));
    expect(make() >> 32n).toBe(mss);
  });

  it.each(["ipv4", "ipv6"] as const)("over %s hold for two minutes and one connection", (family) => {
    const { machine, make, check, answerTo, ip } = setUp(family, bytes(""));
    const cookie = make();
    answerTo(cookie);
    expect(check()).toBe(0n);
    const clock = machine.env.services.clock as VirtualClock;
    clock.advanceNs(MINUTE_NS);
    expect(check()).toBe(0n);
    clock.advanceNs(MINUTE_NS);
    expect(check()).toBe(ERR.EACCES);
    clock.advanceNs(-2n * MINUTE_NS);
    answerTo(cookie, 0x66);
    expect(check()).toBe(ERR.EACCES);
    answerTo(cookie);
    machine.memory.u8[ip + 15]! ^= 1;
    expect(check()).toBe(ERR.EACCES);
  });

  it.each([[19], [24], [16]])("refuse a header said to have %i bytes", (size) => {
    expect(setUp("ipv4", bytes("")).make(size)).toBe(ERR.EINVAL);
  });
});
