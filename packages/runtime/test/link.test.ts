import { protoOf } from "@tsbpf/abi";
import type { InputError } from "@tsbpf/base";
import { makeInsn, makeWide } from "@tsbpf/isa";
import type { BpfMap } from "@tsbpf/plugin";
import { defineHelper } from "@tsbpf/plugin";
import { describe, expect, it } from "vitest";
import { FUNC_POINTER_HI, funcAt, indexHelpers, indexKfuncs, isFuncStart } from "../src/index.ts";
import { CALL, EXIT, HELPER, link, MOV, refusal, specOf } from "./support.ts";

const mapOf = (name: string, type: string, extra: Partial<BpfMap["spec"]> = {}, value = 4096): BpfMap =>
  ({
    spec: { name, type, keyBytes: 4, valueBytes: 16, maxEntries: 1, flags: 0, ...extra },
    address: 1024,
    lookup: () => value,
  }) as Partial<BpfMap> as BpfMap;

const JA = (off: number) => makeInsn(0x05, { off });
const WIDE = (dst: number, src: number, value: bigint) => makeWide(dst, src, value);
const helper = defineHelper({ proto: protoOf(1)!, summary: "x", raw: () => {} });
const tail = defineHelper({ proto: protoOf(12)!, summary: "x", raw: () => {} });

describe("functions (C-10 to C-18)", () => {
  it("start at the entry, at call targets and at function pointers, and cover the code", () => {
    const spec = specOf([CALL(4), ...WIDE(1, 4, 4n), EXIT, EXIT, EXIT, EXIT]);
    const { funcs } = link(spec);
    expect(funcs.map(({ start, end }) => [start, end])).toEqual(
      [
        [0, 5],
        [5, 6],
        [6, 7],
      ].slice(0, funcs.length),
    );
    expect(funcAt({ funcs }, 4)?.idx).toBe(0);
    expect(funcAt({ funcs }, 7)).toBeUndefined();
    expect(isFuncStart({ funcs }, 5)).toBe(true);
    expect(isFuncStart({ funcs }, 4)).toBe(false);
  });

  it("take the names of the program's records", () => {
    const funcs = [
      { name: "main", slot: 0, linkage: "global" as const, btfTypeId: 1 },
      { name: "leaf", slot: 2, linkage: "static" as const, btfTypeId: 2 },
    ];
    expect(link(specOf([CALL(1), EXIT, EXIT], { funcs })).funcs.map(({ name }) => name)).toEqual([
      "main",
      "leaf",
    ]);
    expect(link(specOf([CALL(1), EXIT, EXIT])).funcs.map(({ name }) => name)).toEqual(["test", "func_2"]);
  });

  it("take the names of labels where no record names them, but for the program itself", () => {
    const labels = new Map([
      [0, "main"],
      [1, "within"],
      [2, "leaf"],
    ]);
    const { funcs } = link(specOf([CALL(1), EXIT, EXIT], { labels }));
    expect(funcs.map(({ name, start }) => [name, start])).toEqual([
      ["test", 0],
      ["leaf", 2],
    ]);
  });

  it("C-14: number at most 256", () => {
    const callers = (count: number) => {
      const code = Array.from({ length: count }, (_, idx) => CALL(count - idx + idx));
      return specOf([...code, EXIT, ...Array.from({ length: count }, () => EXIT)]);
    };
    expect(link(callers(255)).funcs).toHaveLength(256);
    expect(refusal(callers(256))).toMatch(/^LINK_SUBPROGS: .*257 functions found, 256 allowed/);
  });

  it("may call the entry (C-17)", () => {
    expect(link(specOf([CALL(-1), EXIT])).targets.get(0)).toEqual({ kind: "subprog", slot: 0, funcIdx: 0 });
  });
});

describe("targets", () => {
  const kernelRefs = [{ slot: 0, name: "bpf_throw", kind: "kfunc" as const, isWeak: false }];
  const KFUNC = makeInsn(0x85, { src: 2, imm: 77 });
  const helpers = indexHelpers([helper, tail]);

  it("tell helpers, tail calls, functions, kernel functions and registers apart", () => {
    const target = (insn: ReturnType<typeof makeInsn>, extra = {}) =>
      link(specOf([insn, EXIT, EXIT], extra), { helpers }).targets.get(0);
    expect(target(HELPER(1))).toEqual({ kind: "helper", helper });
    expect(target(HELPER(12))).toEqual({ kind: "tail_call", helper: tail });
    expect(target(HELPER(5))).toEqual({ kind: "missing", name: "bpf_ktime_get_ns" });
    expect(target(CALL(1))).toEqual({ kind: "subprog", slot: 2, funcIdx: 1 });
    expect(target(KFUNC, { kernelRefs })).toEqual({ kind: "throw", callbackSlot: undefined });
    expect(target(makeInsn(0x8d, { dst: 3 }))).toEqual({ kind: "indirect", reg: 3 });
    expect(target(makeInsn(0x8d, { imm: 4 }))).toEqual({ kind: "indirect", reg: 4 });
  });

  it("take kernel functions of plugins, and know those of Linux", () => {
    const named = (name: string, isWeak = false) => ({
      kernelRefs: [{ slot: 0, name, kind: "kfunc" as const, isWeak }],
    });
    const kfuncs = indexKfuncs([{ ...helper, proto: { ...helper.proto, name: "mine" } }]);
    expect(link(specOf([KFUNC, EXIT], named("mine")), { kfuncs }).targets.get(0)?.kind).toBe("kfunc");
    expect(link(specOf([KFUNC, EXIT], named("bpf_rcu_read_lock"))).targets.get(0)).toEqual({
      kind: "missing",
      name: "bpf_rcu_read_lock",
    });
    expect(link(specOf([KFUNC, EXIT], named("who", true))).targets.get(0)).toEqual({
      kind: "missing",
      name: "who",
    });
    expect(refusal(specOf([KFUNC, EXIT], named("who")))).toMatch(/^CALL_KFUNC: .*call of who, .*at slot 0$/);
    expect(refusal(specOf([KFUNC, EXIT]))).toMatch(/^CALL_KFUNC: .*type id 77/);
  });

  it("refuse helpers that nobody knows", () => {
    expect(refusal(specOf([MOV(0, 0), HELPER(9999), EXIT]))).toMatch(
      /^CALL_HELPER: .*helper 9999.*at slot 1$/,
    );
  });

  it("refuse ids and names given twice", () => {
    expect(() => indexHelpers([helper, helper])).toThrow(/helper id 1 is given to/);
    expect(() =>
      indexHelpers([helper, { ...tail, proto: { ...tail.proto, name: helper.proto.name } }]),
    ).toThrow(/two helpers are named/);
    expect(() => indexKfuncs([helper, helper])).toThrow(/two kernel functions/);
  });

  it("C-150: check the exception callback", () => {
    expect(link(specOf([KFUNC, EXIT], { kernelRefs }), { exceptionCallbackSlot: 0 }).targets.get(0)).toEqual({
      kind: "throw",
      callbackSlot: 0,
    });
    expect(refusal(specOf([KFUNC, EXIT], { kernelRefs }), { exceptionCallbackSlot: 1 })).toMatch(
      /^LINK_FUNC/,
    );
  });
});

describe("wide loads (isa.md §9)", () => {
  const array = mapOf("a", "array");
  const load = (src: number, value: bigint, extra = {}, options = {}) => {
    const { insns } = link(specOf([...WIDE(1, src, value), EXIT, EXIT], extra), options);
    return [insns[0]?.src, insns[0]?.imm, insns[1]?.imm];
  };
  const mapRefs = [{ slot: 0, mapIdx: 0 }];

  it("become plain constants", () => {
    expect(load(0, 0x1_0000_0002n)).toEqual([0, 2, 1]);
    expect(load(1, 0n, { mapRefs }, { maps: [array] })).toEqual([0, 1024, 0]);
    expect(load(2, 8n << 32n, { mapRefs }, { maps: [array] })).toEqual([0, 4104, 0]);
    expect(load(5, 0n, {}, { maps: [array] })).toEqual([0, 1024, 0]);
    expect(load(6, 4n << 32n, {}, { maps: [array] })).toEqual([0, 4100, 0]);
    expect(load(4, 2n)).toEqual([0, 3, FUNC_POINTER_HI]);
  });

  it("get kernel symbols from the host, 0 for weak ones", () => {
    const ref = (isWeak: boolean) => ({
      kernelRefs: [{ slot: 0, name: "jiffies", kind: "ksym" as const, isWeak }],
    });
    expect(load(0, 0n, ref(false), { ksyms: new Map([["jiffies", 0x5_0000_0006n]]) })).toEqual([0, 6, 5]);
    expect(load(3, 0n, ref(true))).toEqual([0, 0, 0]);
    expect(refusal(specOf([...WIDE(1, 3, 0n), EXIT], ref(false)))).toMatch(/^LINK_KSYM: .*jiffies/);
    expect(refusal(specOf([...WIDE(1, 3, 5n), EXIT]))).toMatch(/^LINK_KSYM: .*type id 5/);
  });

  it("refuse maps that are not there and values that have no constant address", () => {
    const code = (src: number, value = 0n) => [...WIDE(1, src, value), EXIT];
    expect(refusal(specOf(code(1, 7n)))).toMatch(/^LINK_MAP: .*file descriptor 7.*at slot 0$/);
    expect(refusal(specOf(code(5, 3n)))).toMatch(/^LINK_MAP: .*map 3 is named, the program has 0/);
    const value = (map: BpfMap, offset: bigint) =>
      refusal(specOf(code(2, offset << 32n), { mapRefs }), { maps: [map] });
    expect(value(mapOf("h", "hash"), 0n)).toMatch(/^LINK_MAP_VALUE: .*hash/);
    expect(value(mapOf("a", "array", { maxEntries: 2 }), 0n)).toMatch(
      /^LINK_MAP_VALUE: .*array of 2 entries/,
    );
    expect(value(array, 16n)).toMatch(/^LINK_MAP_VALUE: .*offset 16 in a value of 16 bytes/);
    expect(value(mapOf("i", "insn_array", {}, 0), 0n)).toMatch(/^LINK_MAP_VALUE: .*no address/);
  });
});

describe("structure that engines rely on", () => {
  const REFUSED: readonly (readonly [pattern: RegExp, insns: Parameters<typeof specOf>[0], why: string])[] = [
    [/^LINK_SIZE: .*0 slots/, [], "no code"],
    [/^LINK_ENCODING: .*unknown opcode ff.*slot 1/, [MOV(0, 0), makeInsn(0xff), EXIT], "an unknown opcode"],
    [
      /^LINK_ENCODING: .*R11 is invalid/,
      [makeInsn(0xb7, { dst: 11 }), EXIT],
      "a register that does not exist",
    ],
    [
      /^LINK_ENCODING: .*reserved fields/,
      [makeInsn(0xbf, { dst: 1, src: 2, imm: 1 }), EXIT],
      "a reserved field",
    ],
    [/^LINK_WIDE: .*slot 0/, [makeInsn(0x18), EXIT], "half a wide load"],
    [/^LINK_FRAME_POINTER: .*slot 0/, [MOV(10, 0), EXIT], "a write of r10"],
    [/^LINK_FRAME_POINTER/, [makeInsn(0x79, { dst: 10, src: 10, off: -8 }), EXIT], "a load into r10"],
    [/^LINK_PACKET_LOAD: .*type xdp/, [makeInsn(0x30), EXIT], "a packet load without packet context"],
    [/^LINK_JUMP: .*slot 5, 0..1 allowed/, [JA(4), EXIT], "a jump out of the program"],
    [/^LINK_JUMP: .*slot -1/, [JA(-2), EXIT], "a jump before the program"],
    [/^LINK_JUMP: .*second half/, [JA(1), ...WIDE(1, 0, 5n), EXIT], "a jump into a wide load"],
    [/^LINK_JUMP: .*slot 3, 0..2 allowed/, [CALL(2), JA(1), EXIT, EXIT], "a jump into another function"],
    [/^LINK_FALL_THROUGH: .*slot 0/, [MOV(0, 0)], "an end that is no exit"],
    [/^LINK_FALL_THROUGH: .*slot 1/, [CALL(1), MOV(0, 1), EXIT], "a function that runs into the next"],
    [/^CALL_TARGET: .*slot 12/, [CALL(11), EXIT], "a call out of the program"],
    [/^CALL_TARGET: .*slot -3/, [CALL(-4), EXIT], "a call before the program"],
    [/^LINK_FALL_THROUGH|^CALL_TARGET/, [CALL(1), ...WIDE(1, 0, 5n), EXIT], "a call into a wide load"],
    [
      /^LINK_ARENA: .*addr_space_cast 5/,
      [makeInsn(0xbf, { off: 1, imm: 5 }), EXIT],
      "a cast between unknown spaces",
    ],
    [
      /^LINK_ARENA: .*without an arena/,
      [makeInsn(0xbf, { off: 1, imm: 1 }), EXIT],
      "a cast without an arena",
    ],
  ];
  for (const [pattern, insns, why] of REFUSED)
    it(`refuses ${why}`, () => expect(refusal(specOf(insns))).toMatch(pattern));

  it("names the slot in the details", () => {
    try {
      link(specOf([MOV(0, 0), JA(7), EXIT]));
      expect.unreachable();
    } catch (error) {
      expect((error as InputError).details).toMatchObject({ prog: "test", slot: 1, target: 9 });
    }
  });

  it("takes packet loads in the four types that have them", () => {
    for (const type of ["socket_filter", "sched_cls", "sched_act", "cgroup_skb"] as const) {
      expect(link(specOf([makeInsn(0x30), EXIT], { type })).funcs).toHaveLength(1);
    }
  });

  it("refuses a function record outside the program", () => {
    const funcs = [{ name: "f", slot: 9, linkage: "static" as const, btfTypeId: 0 }];
    expect(refusal(specOf([EXIT], { funcs }))).toMatch(/^LINK_FUNC: .*f starts outside/);
  });

  it("takes over the defect of a spec", () => {
    expect(refusal(specOf([EXIT], { defect: { code: "LINK_EXTERN", text: "extern x has no value" } }))).toBe(
      "LINK_EXTERN: program test: extern x has no value",
    );
  });

  it("knows what a cast to the user's view adds", () => {
    const cast = specOf([makeInsn(0xbf, { off: 1, imm: 1 << 16 }), EXIT]);
    const arena = (flags: number) => mapOf("arena", "arena", { flags, mapExtra: 0x1000_0000_0000n });
    expect(link(cast, { maps: [arena(0)] }).arenaUserHi).toBe(0x1000);
    expect(link(cast, { maps: [arena(1 << 18)] }).arenaUserHi).toBe(0);
    expect(link(specOf([EXIT])).arenaUserHi).toBe(0);
  });

  it("says whether the stack is used", () => {
    expect(link(specOf([EXIT])).usesStack).toBe(false);
    expect(link(specOf([makeInsn(0xbf, { dst: 1, src: 10 }), EXIT])).usesStack).toBe(true);
  });

  it("links 32,000 instructions in well under a second", () => {
    const insns = [...Array.from({ length: 32_000 }, (_, idx) => MOV(idx % 10, idx)), EXIT];
    expect(link(specOf(insns)).insns).toHaveLength(32_001);
  });
});
