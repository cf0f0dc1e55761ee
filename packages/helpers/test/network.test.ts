import type { Network } from "@tsbpf/plugin";
import { describe, expect, it } from "vitest";
import { REDIRECT_STATE } from "../src/index.ts";
import { parseIp, parsePrefix } from "../src/ip.ts";
import { ERR, fakeMachine, fakeMap, ipv4Frame, range } from "./fake-machine.ts";

const NETWORK: Network = {
  devices: [
    { ifindex: 2, name: "in", mtu: 1500, mac: "02:00:00:00:00:02" },
    { ifindex: 3, name: "out", mtu: 1400, mac: "02:00:00:00:00:03" },
    { ifindex: 4, name: "down", mtu: 1500, mac: "02:00:00:00:00:04", isUp: false },
    { ifindex: 5, name: "closed", mtu: 1500, mac: "02:00:00:00:00:05", isForwarding: false },
  ],
  routes: [
    { prefix: "10.0.0.0/8", ifindex: 2 },
    { prefix: "10.1.0.0/16", ifindex: 3, via: "20.0.0.9", metric: 7, src: "20.0.0.1" },
    { prefix: "10.2.0.0/16", ifindex: 3, kind: "blackhole" },
    { prefix: "10.3.0.0/16", ifindex: 3, kind: "unreachable" },
    { prefix: "10.4.0.0/16", ifindex: 3, kind: "prohibit" },
    { prefix: "10.5.0.0/16", ifindex: 3, kind: "local" },
    { prefix: "10.6.0.0/16", ifindex: 4 },
    { prefix: "10.7.0.0/16", ifindex: 3, via: "fe80::1" },
    { prefix: "10.8.0.0/16", ifindex: 3 },
    { prefix: "10.9.0.0/16", ifindex: 3, via: "20.0.0.9", table: 300 },
    { prefix: "2001:db8::/32", ifindex: 3, via: "fe80::1" },
  ],
  neighbours: [
    { ip: "20.0.0.9", ifindex: 3, mac: "0a:00:00:00:00:09" },
    { ip: "fe80::1", ifindex: 3, mac: "0a:00:00:00:00:01" },
  ],
};

interface Params {
  readonly dst: string;
  readonly ifindex?: number;
  readonly totLen?: number;
  readonly flags?: number;
  readonly tbid?: number;
  readonly progType?: "xdp" | "sched_cls";
  readonly packet?: Uint8Array;
}

function fib({ dst, ifindex = 2, totLen = 0, flags = 0, tbid = 0, progType = "xdp", packet }: Params) {
  const machine = fakeMachine({ progType, packet: packet ?? ipv4Frame(), services: { network: NETWORK } });
  const address = parseIp(dst);
  const param = new Uint8Array(64);
  const view = new DataView(param.buffer);
  param[0] = address.length === 4 ? 2 : 10;
  view.setUint16(6, totLen, true);
  view.setUint32(8, ifindex, true);
  param.set(address, 32);
  view.setUint32(48, tbid, true);
  const answer = machine.call("fib_lookup", machine.env.ctxAddress, machine.put(0, param), 64, flags);
  const out = machine.take(0, 64);
  const result = new DataView(out.buffer);
  return {
    answer,
    unchanged: Buffer.compare(out, param) === 0,
    family: out[0],
    mtu: result.getUint16(6, true),
    ifindex: result.getUint32(8, true),
    metric: result.getUint32(12, true),
    src: [...out.subarray(16, 20)].join("."),
    dst: [...out.subarray(32, 36)].join("."),
    smac: Buffer.from(out.subarray(52, 58)).toString("hex"),
    dmac: Buffer.from(out.subarray(58, 64)).toString("hex"),
  };
}

describe("bpf_fib_lookup (HLP-69, HLP-69a, HLP-69b)", () => {
  it("fills in what a forwarded packet needs", () => {
    expect(fib({ dst: "10.1.2.3" })).toMatchObject({
      answer: 0n,
      mtu: 1400,
      ifindex: 3,
      metric: 7,
      dst: "20.0.0.9",
      smac: "020000000003",
      dmac: "0a0000000009",
    });
  });

  it.each([
    ["10.2.0.1", 1n],
    ["10.3.0.1", 2n],
    ["10.4.0.1", 3n],
    ["10.5.0.1", 4n],
    ["10.6.0.1", 4n],
    ["11.0.0.1", 4n],
    ["2001:db9::1", 4n],
  ])("answers %s by %i and changes nothing", (dst, answer) => {
    expect(fib({ dst })).toMatchObject({ answer, unchanged: true });
  });

  it("says when the interface does not forward", () => {
    expect(fib({ dst: "10.1.2.3", ifindex: 5 })).toMatchObject({ answer: 5n, unchanged: true });
    expect(fib({ dst: "10.1.2.3", ifindex: 5, flags: 2 }).answer).toBe(5n);
  });

  it("says when the packet is too long, with the limit", () => {
    expect(fib({ dst: "10.1.2.3", totLen: 1401 })).toMatchObject({
      answer: 8n,
      mtu: 1400,
      ifindex: 2,
      dst: "10.1.2.3",
    });
    expect(fib({ dst: "10.1.2.3", totLen: 1400 }).answer).toBe(0n);
  });

  it("says when the neighbour is unknown, with the interface", () => {
    expect(fib({ dst: "10.8.0.1" })).toMatchObject({
      answer: 7n,
      ifindex: 3,
      dst: "10.8.0.1",
      dmac: "000000000000",
    });
    expect(fib({ dst: "10.8.0.1", flags: 4 })).toMatchObject({ answer: 0n, mtu: 1400, smac: "000000000000" });
  });

  it("takes an IPv6 next hop for an IPv4 route", () => {
    expect(fib({ dst: "10.7.0.1" })).toMatchObject({ answer: 0n, family: 10, dmac: "0a0000000001" });
    expect(fib({ dst: "2001:db8::7" })).toMatchObject({ answer: 0n, metric: 1024, dmac: "0a0000000001" });
  });

  it("chooses the table, the output and the source by flags", () => {
    expect(fib({ dst: "10.9.0.1", tbid: 300 })).toMatchObject({ answer: 7n, ifindex: 2 });
    expect(fib({ dst: "10.9.0.1", flags: 9, tbid: 300 }).answer).toBe(0n);
    expect(fib({ dst: "10.9.0.1", flags: 9, tbid: 301 }).answer).toBe(4n);
    expect(fib({ dst: "10.1.2.3", flags: 2 }).answer).toBe(4n);
    expect(fib({ dst: "10.1.2.3", flags: 2, ifindex: 3 }).answer).toBe(0n);
    expect(fib({ dst: "10.1.2.3", flags: 16 })).toMatchObject({ answer: 0n, src: "20.0.0.1" });
    expect(fib({ dst: "10.8.0.1", flags: 16 | 4 }).answer).toBe(9n);
  });

  it("checks a packet's own length when none is given", () => {
    const packet = ipv4Frame(1500);
    expect(fib({ dst: "10.1.2.3", progType: "sched_cls", packet })).toMatchObject({ answer: 8n, mtu: 1400 });
    expect(fib({ dst: "10.1.2.3", progType: "sched_cls", packet, totLen: 1000 }).answer).toBe(0n);
    expect(fib({ dst: "10.1.2.3", progType: "sched_cls" })).toMatchObject({ answer: 0n, mtu: 1400 });
  });

  it.each([
    [63, 0, 2, 2, ERR.EINVAL],
    [64, 64, 2, 2, ERR.EINVAL],
    [64, 0, 1, 2, ERR.EAFNOSUPPORT],
    [64, 0, 2, 99, ERR.ENODEV],
  ])("refuses %i bytes, flags %i, family %i, interface %i", (size, flags, family, ifindex, answer) => {
    const machine = fakeMachine({ services: { network: NETWORK } });
    const param = new Uint8Array(64);
    param[0] = family;
    param[8] = ifindex;
    expect(machine.call("fib_lookup", machine.env.ctxAddress, machine.put(0, param), size, flags)).toBe(
      answer,
    );
  });
});

describe("addresses", () => {
  it.each([
    ["1.2.3.4", "01020304"],
    ["::", "00".repeat(16)],
    ["::1", `${"00".repeat(15)}01`],
    ["2001:db8::ff:1", "20010db8000000000000000000ff0001"],
    ["::ffff:1.2.3.4", "00000000000000000000ffff01020304"],
    ["1:2:3:4:5:6:7:8", "00010002000300040005000600070008"],
  ])("%s is %s", (text, hex) => {
    expect(Buffer.from(parseIp(text)).toString("hex")).toBe(hex);
  });

  it.each([
    ["1.2.3"],
    ["1.2.3.256"],
    [""],
    [":::"],
    ["1::2::3"],
    ["12345::"],
    ["1:2:3:4:5:6:7"],
    ["1:2:3:4:5:6:7:8:9"],
  ])("%j is none", (text) => {
    expect(() => parseIp(text)).toThrow(expect.objectContaining({ code: "RUN_NETWORK" }));
  });

  it.each([["10.0.0.0/33"], ["::/129"], ["10.0.0.0/"], ["10.0.0.0/-1"], ["10.0.0.0/1.5"]])(
    "%j is no prefix",
    (text) => {
      expect(() => parsePrefix(text)).toThrow(expect.objectContaining({ code: "RUN_NETWORK" }));
    },
  );
});

describe("redirects (HLP-23, HLP-51, HLP-152, HLP-155)", () => {
  it("to an interface are recorded and remembered", () => {
    const machine = fakeMachine();
    expect(machine.call("redirect", 7, 0)).toBe(4n);
    expect(machine.effects).toEqual([{ kind: "redirect", target: { ifindex: 7 }, flags: 0n }]);
    expect(machine.env.runState.get(REDIRECT_STATE)).toEqual({ ifindex: 7, flags: 0 });
  });

  it.each([
    ["xdp", "redirect", [7, 1], 0n],
    ["sched_cls", "redirect", [7, 1], 7n],
    ["sched_cls", "redirect", [7, 2], 2n],
    ["sched_cls", "redirect_peer", [7, 0], 7n],
    ["sched_cls", "redirect_peer", [7, 1], 2n],
    ["sched_cls", "redirect_neigh", [7, 0, 0, 0], 7n],
    ["sched_cls", "redirect_neigh", [7, 0, 19, 0], 2n],
    ["sched_cls", "redirect_neigh", [7, 0, 20, 1], 2n],
  ] as const)("%s %s %j answers %i", (progType, name, args, answer) => {
    expect(fakeMachine({ progType }).call(name, ...args)).toBe(answer);
  });

  const devmap = fakeMap("devmap", { lookupIndex: (index) => (index === 1 ? 100 : 0) });

  it.each([
    [1, 0, 4n],
    [2, 2, 2n],
    [2, 3, 3n],
    [2, 4, 0n],
    [2, 8, 4n],
    [2, 24, 4n],
    [2, 16, 0n],
    [0x1_0000_0001n, 0, 4n],
    [1, 1n << 32n, 0n],
  ])("key %i with flags %i answers %i", (key, flags, answer) => {
    expect(fakeMachine({ maps: [devmap] }).call("redirect_map", devmap.address, key, flags)).toBe(answer);
  });

  it("to other maps take no broadcast flags", () => {
    const cpumap = fakeMap("cpumap", { lookupIndex: () => 100 });
    const machine = fakeMachine({ maps: [cpumap] });
    expect(machine.call("redirect_map", cpumap.address, 0, 8)).toBe(0n);
    expect(machine.call("redirect_map", cpumap.address, 0, 0)).toBe(4n);
    expect(machine.env.runState.get(REDIRECT_STATE)).toEqual({ map: "a_cpumap", key: 0, flags: 0 });
  });

  it("forget the last target when the key is missing", () => {
    const machine = fakeMachine({ maps: [devmap] });
    machine.call("redirect_map", devmap.address, 1, 0);
    machine.call("redirect_map", devmap.address, 2, 2);
    expect(machine.env.runState.has(REDIRECT_STATE)).toBe(false);
  });

  it.each([
    [3, 0, 0n],
    [3, 1, 0n],
    [4, 0, 2n],
    [4, 1, 1n],
    [99, 0, ERR.EINVAL],
    [3, 2, ERR.EINVAL],
  ])("clone to interface %i with flags %i answers %i (HLP-13)", (ifindex, flags, answer) => {
    const machine = fakeMachine({ progType: "sched_cls", services: { network: NETWORK } });
    expect(machine.call("clone_redirect", machine.env.ctxAddress, ifindex, flags)).toBe(answer);
    expect(machine.effects.length).toBe(answer === 0n ? 1 : 0);
  });

  it("clone no segments of unknown kind", () => {
    const machine = fakeMachine({ progType: "sched_cls" });
    machine.memory.view.setUint32(machine.env.ctxAddress + 176, 100, true);
    expect(machine.call("clone_redirect", machine.env.ctxAddress, 1, 0)).toBe(ERR.EBADMSG);
  });
});

describe("bpf_check_mtu (HLP-163)", () => {
  const check = (
    size: number,
    mtu: number,
    delta: number,
    flags = 0,
    progType: "xdp" | "sched_cls" = "xdp",
    ifindex = 3,
  ) => {
    const network = {
      ...NETWORK,
      devices: [{ ifindex: 3, name: "out", mtu: 1000, mac: "02:00:00:00:00:03" }],
    };
    const machine = fakeMachine({ progType, packet: range(size), services: { network } });
    const field = machine.put(0, new Uint8Array(Uint32Array.of(mtu).buffer));
    const answer = machine.call("check_mtu", machine.env.ctxAddress, ifindex, field, delta, flags);
    return [answer, new DataView(machine.take(0, 4).buffer).getUint32(0, true)];
  };

  it.each([
    [1014, 0, 0, [0n, 1000]],
    [1015, 0, 0, [1n, 1000]],
    [64, 1000, 0, [0n, 1000]],
    [64, 1001, 0, [1n, 1000]],
    [64, 0, 950, [0n, 1000]],
    [64, 0, 951, [1n, 1000]],
  ])("%i bytes, given %i, by %i", (size, mtu, delta, answer) => {
    expect(check(size, mtu, delta)).toEqual(answer);
    expect(check(size, mtu, delta, 0, "sched_cls")).toEqual(answer);
  });

  it("refuses flags and interfaces it does not know, and leaves the field alone", () => {
    expect(check(64, 5, 0, 1)).toEqual([ERR.EINVAL, 5]);
    expect(check(64, 5, 0, 1, "sched_cls")).toEqual([ERR.EINVAL, 5]);
    expect(check(64, 0, 0, 1, "sched_cls")).toEqual([0n, 1000]);
    expect(check(64, 0, 0, 2, "sched_cls")).toEqual([ERR.EINVAL, 0]);
    expect(check(64, 5, 0, 0, "xdp", 99)).toEqual([ERR.ENODEV, 5]);
  });
});

describe("sockets", () => {
  it("are never found, as none exist", () => {
    const machine = fakeMachine();
    for (const name of ["sk_lookup_tcp", "sk_lookup_udp", "skc_lookup_tcp"]) {
      expect(machine.call(name, machine.env.ctxAddress, machine.buffer, 12, -1, 0)).toBe(0n);
    }
    expect(machine.call("sk_release", 0)).toBe(0n);
  });

  it("of a packet can be looked at", () => {
    const machine = fakeMachine({ progType: "sched_cls" });
    expect(machine.call("sk_fullsock", machine.buffer)).toBe(BigInt(machine.buffer));
    expect(machine.call("sk_fullsock", 0)).toBe(0n);
    expect(machine.call("get_socket_uid", machine.env.ctxAddress)).toBe(65_534n);
  });
});
