import { PROG_TYPES, type ProgTypeName } from "@tsbpf/abi";
import { LinearMemory } from "@tsbpf/memory";
import type { ProgHost } from "@tsbpf/plugin";
import { describe, expect, it } from "vitest";
import { flowDissector, kernelProgTypes, netfilter, progTypeByName } from "../src/index.ts";

const host = (isTestRun = false): ProgHost => ({
  memory: new LinearMemory(),
  maxPacketBytes: 65_536,
  isTestRun,
});
const u64 = (...words: bigint[]): Uint8Array => new Uint8Array(BigUint64Array.from(words).buffer);
const refusal = (errno: number) => expect.objectContaining({ code: "RUN_INPUT", details: { errno } });

describe("kernelProgTypes", () => {
  it("has each type once, and all but two", () => {
    const types = kernelProgTypes.map((one) => one.type);
    expect(new Set(types).size).toBe(types.length);
    const absent = (Object.keys(PROG_TYPES) as ProgTypeName[]).filter((type) => !types.includes(type));
    expect(absent).toEqual(["unspec", "ext"]);
  });

  it("makes a context of every type, twice in one memory", () => {
    const one = host();
    for (const type of [...kernelProgTypes, ...kernelProgTypes]) {
      const ctx = type.createContext(one);
      const packet = ctx.packet === undefined ? {} : { packet: new Uint8Array(64) };
      ctx.load(packet);
      expect(ctx.address).toBeGreaterThan(0);
      expect(ctx.readCtx().length).toBeLessThanOrEqual(65_535);
    }
  });
});

describe("plain contexts", () => {
  it("holds the arguments of a raw tracepoint", () => {
    const memory = new LinearMemory();
    const ctx = progTypeByName("raw_tracepoint")!.createContext({ memory, maxPacketBytes: 0 });
    ctx.load({ ctx: u64(1n, 2n), fields: { "args[1]": 0xffff_ffff_ffffn } });
    expect(memory.view.getBigUint64(ctx.address + 8, true)).toBe(0xffff_ffff_ffffn);
    expect(ctx.readCtx()).toEqual(u64(1n, 0xffff_ffff_ffffn));
    expect(() => ctx.load({ ctx: new Uint8Array(97) })).toThrow(refusal(22));
    expect(() => ctx.load({ packet: new Uint8Array(1) })).toThrow(refusal(22));
  });

  it("lets a program reach only the bytes that were given", () => {
    const memory = new LinearMemory();
    const ctx = progTypeByName("syscall")!.createContext({ memory, maxPacketBytes: 0 });
    ctx.load({ ctx: new Uint8Array(16) });
    expect(memory.regions.at(ctx.address + 15)?.kind).toBe("ctx");
    expect(memory.regions.at(ctx.address + 16)).toBeUndefined();
    expect(() => ctx.load({ ctx: new Uint8Array(65_536) })).toThrow(refusal(22));
  });

  it("names registers", () => {
    const memory = new LinearMemory();
    const ctx = progTypeByName("kprobe")!.createContext({ memory, maxPacketBytes: 0 });
    ctx.load({ fields: { rdi: 5n, rax: -1 } });
    expect(memory.view.getBigUint64(ctx.address + 112, true)).toBe(5n);
    expect(memory.view.getBigUint64(ctx.address + 80, true)).toBe(0xffff_ffff_ffff_ffffn);
    expect(ctx.readCtx()).toHaveLength(168);
  });

  it("keeps packet bounds as whole pointers in 8-byte fields", () => {
    const memory = new LinearMemory();
    const ctx = progTypeByName("sk_msg")!.createContext({ memory, maxPacketBytes: 100 });
    ctx.load({ packet: new Uint8Array(30) });
    expect(memory.view.getBigUint64(ctx.address, true)).toBe(BigInt(ctx.packet!.dataStart));
    expect(memory.view.getUint32(ctx.address + 68, true)).toBe(30);
    const out = new DataView(ctx.readCtx().buffer);
    expect([out.getUint32(0, true), out.getUint32(8, true)]).toEqual([0, 30]);
    expect(() => ctx.load({ packet: new Uint8Array(101) })).toThrow(refusal(22));
  });
});

describe("flow dissectors (10.3)", () => {
  const keys = (ctx: Uint8Array) => new DataView(ctx.buffer);

  it("start with offsets after the Ethernet header", () => {
    const ctx = flowDissector.createContext(host(true));
    const packet = new Uint8Array(64);
    packet.set([0x08, 0x00], 12);
    ctx.load({ packet });
    const out = keys(ctx.readPacket());
    expect([out.getUint16(0, true), out.getUint16(2, true), out.getUint16(10)]).toEqual([14, 14, 0x0800]);
  });

  it("cut offsets to the packet (P-40)", () => {
    const memory = new LinearMemory();
    const ctx = flowDissector.createContext({ memory, maxPacketBytes: 4096, isTestRun: true });
    ctx.load({ packet: new Uint8Array(64), fields: { thoff: 0x7fff, nhoff: 3 } });
    const out = keys(ctx.readPacket());
    expect([out.getUint16(0, true), out.getUint16(2, true)]).toEqual([14, 64]);
  });

  it.each([
    [13, 22],
    [4097, 22],
  ])("refuse a packet of %i bytes", (size, errno) => {
    expect(() => flowDissector.createContext(host(true)).load({ packet: new Uint8Array(size) })).toThrow(
      refusal(errno),
    );
  });

  it("take nothing but flags", () => {
    const ctx = flowDissector.createContext(host(true));
    const given = new Uint8Array(56);
    given[48] = 1;
    ctx.load({ packet: new Uint8Array(64), ctx: given });
    expect(ctx.readPacket()[48]).toBe(1);
    given[0] = 1;
    expect(() => ctx.load({ packet: new Uint8Array(64), ctx: given })).toThrow(refusal(22));
  });
});

describe("netfilter programs (10.3)", () => {
  const state = (hook: number, family: number): Uint8Array =>
    Uint8Array.from({ length: 48 }, (_, i) => [hook, family][i] ?? 0);
  const ethernet = (type: number): Uint8Array => {
    const packet = new Uint8Array(64);
    packet.set([type >> 8, type & 255], 12);
    return packet;
  };

  it.each([
    ["20 bytes at the default hook", { packet: new Uint8Array(20) }, 0],
    ["19 bytes", { packet: new Uint8Array(19) }, 22],
    ["another family", { packet: new Uint8Array(64), ctx: state(3, 1) }, 22],
    ["an ethertype that is no IP", { packet: ethernet(0x0806), ctx: state(0, 2) }, 71],
    ["the other IP", { packet: ethernet(0x86dd), ctx: state(0, 2) }, 22],
    ["IPv4", { packet: ethernet(0x0800), ctx: state(0, 2) }, 0],
  ])("answer %s", (_, input, errno) => {
    const ctx = netfilter.createContext(host(true));
    if (errno === 0) ctx.load(input);
    else expect(() => ctx.load(input)).toThrow(refusal(errno));
    if (errno === 0) expect(ctx.readCtx()).toHaveLength(48);
  });
});
