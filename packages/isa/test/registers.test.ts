import { describe, expect, it } from "vitest";
import {
  classifyCall,
  defsOf,
  INSN_ROWS,
  makeInsn,
  rowOfId,
  SCRATCH_MASK,
  targetSlotOf,
  usesOf,
} from "../src/index.ts";
import { sampleOf } from "./samples.ts";

const R0 = 1;
const R6 = 1 << 6;
/** Samples use r2 as dst and r3 as src. */
const DST = 1 << 2;
const SRC = 1 << 3;
const ARGS = SCRATCH_MASK;

/** What each kind of instruction reads and writes, written down apart from the rows. */
function expectedOf(id: string): [uses: number, defs: number] {
  const operand = id.endsWith(".x") ? SRC : 0;
  if (/^mov(sx\d+)?(32|64)?\.|^addr_space_cast$/.test(id)) {
    return [id.endsWith(".k") ? 0 : SRC, DST];
  }
  if (/^(neg|le|be|swap)\d+$/.test(id)) return [DST, DST];
  if (/^j[a-z]+(32|64)\./.test(id)) return [DST | operand, 0];
  if (/^[a-z]+(32|64)\.[kx]$/.test(id)) return [DST | operand, DST];
  if (/^ldxs?\d+$/.test(id)) return [SRC, DST];
  if (/^st\d+$/.test(id)) return [DST, 0];
  if (/^stx\d+$/.test(id)) return [DST | SRC, 0];
  if (/^ldabs/.test(id)) return [R6, R0 | ARGS];
  if (/^ldind/.test(id)) return [R6 | SRC, R0 | ARGS];
  if (/^wide\./.test(id)) return [0, DST];
  if (/^atomic\d+\.(add|or|and|xor|store_release)$/.test(id)) return [DST | SRC, 0];
  if (/^atomic\d+\.(fetch_|xchg)/.test(id)) return [DST | SRC, SRC];
  if (/^atomic\d+\.cmpxchg$/.test(id)) return [DST | SRC | R0, R0];
  if (/^atomic\d+\.load_acquire$/.test(id)) return [SRC, DST];
  if (/^call\./.test(id)) return [ARGS, R0 | ARGS];
  // The sample of the second encoding has r1 in its immediate.
  if (id === "callx.imm") return [(1 << 1) | ARGS, R0 | ARGS];
  const rest: Record<string, [number, number]> = {
    ja: [0, 0],
    gotol: [0, 0],
    may_goto: [0, 0],
    gotox: [DST, 0],
    exit: [R0, 0],
    callx: [DST | ARGS, R0 | ARGS],
  };
  return rest[id] ?? [-1, -1];
}

describe("def and use", () => {
  it.each(INSN_ROWS.map((row) => row.id))("of %s", (id) => {
    const insn = sampleOf(rowOfId(id)!);
    expect([usesOf(insn), defsOf(insn)]).toEqual(expectedOf(id));
  });

  it("follow the register fields", () => {
    const add = makeInsn(0x0f, { dst: 7, src: 9 });
    expect([usesOf(add), defsOf(add)]).toEqual([(1 << 7) | (1 << 9), 1 << 7]);
  });

  it("find the register of an indirect call in either field (ISA-91)", () => {
    expect(usesOf(makeInsn(0x8d, { dst: 7 }))).toBe((1 << 7) | ARGS);
    expect(usesOf(makeInsn(0x8d, { imm: 8 }))).toBe((1 << 8) | ARGS);
  });

  it("are empty for what is no instruction", () => {
    expect([usesOf(makeInsn(0xff)), defsOf(makeInsn(0xff))]).toEqual([0, 0]);
  });
});

describe("classifyCall", () => {
  it("reads the kind from the source field alone (ISA-85, ISA-91)", () => {
    expect(classifyCall(makeInsn(0x85, { imm: 12 }))).toEqual({ kind: "helper", helperId: 12 });
    expect(classifyCall(makeInsn(0x85, { src: 1, imm: -3 }))).toEqual({ kind: "subprog", distance: -3 });
    expect(classifyCall(makeInsn(0x85, { src: 2, imm: 77, off: 4 }))).toEqual({
      kind: "kfunc",
      btfId: 77,
      btfFdIdx: 4,
    });
    expect(classifyCall(makeInsn(0x8d, { dst: 5 }))).toEqual({ kind: "indirect", reg: 5 });
    expect(classifyCall(makeInsn(0x8d, { imm: 5 }))).toEqual({ kind: "indirect", reg: 5 });
  });

  it("refuses other sources and what is no call", () => {
    expect(classifyCall(makeInsn(0x85, { src: 3 }))).toBeUndefined();
    expect(classifyCall(makeInsn(0x95))).toBeUndefined();
    expect(classifyCall(makeInsn(0xff))).toBeUndefined();
  });
});

describe("targetSlotOf", () => {
  it("counts slots from the next one (ISA-3, ISA-80)", () => {
    expect(targetSlotOf(makeInsn(0x05, { off: 3 }), 10)).toBe(14);
    expect(targetSlotOf(makeInsn(0x05, { off: -11 }), 10)).toBe(0);
    expect(targetSlotOf(makeInsn(0x15, { off: -1, imm: 99 }), 10)).toBe(10);
    expect(targetSlotOf(makeInsn(0xe5, { off: 2 }), 10)).toBe(13);
  });

  it("takes the immediate for gotol, pseudo calls and function references", () => {
    expect(targetSlotOf(makeInsn(0x06, { imm: 40_000 }), 10)).toBe(40_011);
    expect(targetSlotOf(makeInsn(0x85, { src: 1, imm: 5 }), 10)).toBe(16);
    expect(targetSlotOf(makeInsn(0x18, { src: 4, imm: 5 }), 10)).toBe(16);
  });

  it("is undefined for all else", () => {
    const withTarget = new Set(["ja", "branch", "may_goto"]);
    for (const row of INSN_ROWS) {
      const { action } = row;
      const expected =
        withTarget.has(action.kind) ||
        (action.kind === "call" && action.callKind === "subprog") ||
        (action.kind === "wide" && action.wideKind === "func");
      expect([row.id, targetSlotOf(sampleOf(row), 0) !== undefined]).toEqual([row.id, expected]);
    }
    expect(targetSlotOf(makeInsn(0xff), 0)).toBeUndefined();
  });
});
