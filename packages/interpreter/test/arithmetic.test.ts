import { INSN_ROWS, type Insn, type InsnRow, makeInsn } from "@tsbpf/isa";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { aluResult, endResult, isTaken } from "./reference.ts";
import { Harness } from "./support.ts";

const harness = new Harness();
const put = (offset: number, value: bigint) =>
  harness.memory.view.setBigUint64(harness.ctx + offset, value, true);

/** r7 and r8 from the context, then the instruction, then r0 as the tail says. */
function program(insn: Insn, tail: readonly Insn[]): Insn[] {
  return [
    makeInsn(0x79, { dst: 7, src: 1, off: 0 }),
    makeInsn(0x79, { dst: 8, src: 1, off: 8 }),
    makeInsn(0xb7, { dst: 0, imm: 0 }),
    insn,
    ...tail,
    makeInsn(0x95),
  ];
}

const EDGES = [
  0n,
  1n,
  2n,
  7n,
  31n,
  32n,
  33n,
  63n,
  64n,
  0x7fffffffn,
  0x80000000n,
  0xffffffffn,
  0x1_0000_0000n,
].flatMap((value) => [value, BigInt.asUintN(64, -value)]);
const arbU64 = fc.oneof(
  fc.constantFrom(...EDGES, 0x7fff_ffff_ffff_ffffn, 0x8000_0000_0000_0000n, 0x80000000_00000001n),
  fc.bigInt({ min: 0n, max: (1n << 64n) - 1n }),
  fc.bigInt({ min: 0n, max: (1n << 22n) - 1n }),
  fc.bigInt({ min: 0n, max: (1n << 40n) - 1n }),
);
const IMMS = [
  0, 1, 2, 5, 31, 32, 33, 63, -1, -2, -3, 0x7fffffff, -0x80000000, 0x12345678, 0x1fffff, 0x200001,
];

/** Fields of the row with the given second operand. */
const fieldsOf = (row: InsnRow, imm: number): Partial<Insn> => ({
  dst: 7,
  src: row.src === "reg" ? 8 : 0,
  off: Array.isArray(row.off) ? (row.off[0] as number) : 0,
  imm: row.imm === "any" ? imm : Array.isArray(row.imm) ? (row.imm[0] as number) : 0,
});

function checkRow(row: InsnRow, tail: readonly Insn[], expected: (dst: bigint, src: bigint) => bigint): void {
  const hasImm = row.imm === "any";
  for (const imm of hasImm ? IMMS : [0]) {
    const insn = makeInsn(row.op, { ...fieldsOf(row, imm), ...(row.off === "jump" ? { off: 1 } : {}) });
    const prog = harness.prepare(program(insn, tail));
    fc.assert(
      fc.property(arbU64, arbU64, (dst, src) => {
        put(0, dst);
        put(8, src);
        const second = hasImm ? BigInt.asUintN(64, BigInt(imm)) : src;
        expect(harness.r0(prog)).toBe(expected(dst, second));
      }),
      { numRuns: hasImm ? 25 : 250 },
    );
  }
}

const result = [makeInsn(0xbf, { dst: 0, src: 7 })];

describe("arithmetic against the reference (ISA-30 to ISA-42)", () => {
  for (const row of INSN_ROWS) {
    const { action } = row;
    if (action.kind === "alu")
      it(row.id, () => checkRow(row, result, (dst, src) => aluResult(action, dst, src)));
  }
});

describe("byte order against the reference (ISA-50 to ISA-52)", () => {
  for (const row of INSN_ROWS) {
    const { action } = row;
    if (action.kind === "end") it(row.id, () => checkRow(row, result, (dst) => endResult(action, dst)));
  }
});

describe("branches against the reference (ISA-81, ISA-82)", () => {
  // Not taken: r0 becomes 1.
  const tail = [makeInsn(0xb7, { dst: 0, imm: 1 })];
  for (const row of INSN_ROWS) {
    const { action } = row;
    if (action.kind === "branch") {
      it(row.id, () => checkRow(row, tail, (dst, src) => (isTaken(action, dst, src) ? 0n : 1n)));
    }
  }
});

describe("one register as both operands", () => {
  for (const row of INSN_ROWS) {
    const { action } = row;
    if (action.kind !== "alu" || action.source !== "x") continue;
    it(row.id, () => {
      const prog = harness.prepare(program(makeInsn(row.op, { ...fieldsOf(row, 0), src: 7 }), result));
      fc.assert(
        fc.property(arbU64, (value) => {
          put(0, value);
          expect(harness.r0(prog)).toBe(aluResult(action, value, value));
        }),
        { numRuns: 60 },
      );
    });
  }
});
