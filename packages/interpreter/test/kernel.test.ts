import { printHexBytes } from "@tsbpf/base";
import { encodeInsns, INSN_ROWS, type Insn, type InsnRow, makeInsn, makeWide } from "@tsbpf/isa";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { isBpfAllowed, runKernelCases } from "../../../tooling/kernel/src/index.ts";
import { RULES } from "./rules.ts";
import { Harness } from "./support.ts";

/** Rows that any program may hold, on registers that hold numbers. */
const ROWS = INSN_ROWS.filter(
  ({ action, since }) => (action.kind === "alu" || action.kind === "end") && since !== null,
);
const BRANCHES = INSN_ROWS.filter(({ action }) => action.kind === "branch");
const REGS = [0, 1, 2, 3, 4, 5];

const arbReg = fc.constantFrom(...REGS);
const arbImm = fc.oneof(
  fc.constantFrom(1, -1, 31, 63, 0x7fffffff, -0x80000000),
  fc.integer({ min: 1, max: 0x7fffffff }),
);

/** Linux refuses constants that divide by zero or shift too far. */
function immOf(row: InsnRow, imm: number): number {
  if (Array.isArray(row.imm)) return row.imm[0] as number;
  if (row.imm !== "any") return 0;
  const { action } = row;
  if (action.kind !== "alu" || !/^(lsh|rsh|arsh)$/.test(action.aluOp)) return imm;
  return (imm & (action.width - 1)) >>> 0;
}

const arbInsn: fc.Arbitrary<Insn[]> = fc
  .tuple(fc.constantFrom(...ROWS), arbReg, arbReg, arbImm)
  .map(([row, dst, src, imm]) => [
    makeInsn(row.op, {
      dst,
      src: row.src === "reg" ? src : 0,
      off: Array.isArray(row.off) ? (row.off[0] as number) : 0,
      imm: immOf(row, imm),
    }),
  ]);
/** A branch over one instruction that changes something. */
const arbSkip: fc.Arbitrary<Insn[]> = fc
  .tuple(fc.constantFrom(...BRANCHES), arbReg, arbReg, arbImm, arbReg)
  .map(([row, dst, src, imm, changed]) => [
    makeInsn(row.op, { dst, src: row.src === "reg" ? src : 0, off: 1, imm: row.imm === "any" ? imm : 0 }),
    makeInsn(0x07, { dst: changed, imm: 12345 }),
  ]);

const arbProgram = fc
  .tuple(
    fc.tuple(...REGS.map(() => fc.bigInt({ min: 0n, max: (1n << 64n) - 1n }))),
    fc.array(fc.oneof({ weight: 5, arbitrary: arbInsn }, { weight: 1, arbitrary: arbSkip }), {
      minLength: 5,
      maxLength: 25,
    }),
  )
  .map(([values, body]) => [
    ...values.flatMap((value, reg) => makeWide(reg, 0, value)),
    ...body.flat(),
    // Folds all registers into 32 bits, which is what a test run returns.
    ...[1, 2, 3, 4, 5].flatMap((reg) => [
      makeInsn(0x27, { dst: 0, imm: 31 }),
      makeInsn(0xaf, { dst: 0, src: reg }),
    ]),
    makeInsn(0xbf, { dst: 1, src: 0 }),
    makeInsn(0x77, { dst: 1, imm: 32 }),
    makeInsn(0xaf, { dst: 0, src: 1 }),
    makeInsn(0x95),
  ]);

const PROGRAMS = 80;

describe.skipIf(!isBpfAllowed())("straight programs, as the running kernel runs them", () => {
  it(`gives the same result for ${PROGRAMS} random programs`, async () => {
    const programs = fc.sample(arbProgram, { numRuns: PROGRAMS, seed: 20_251 });
    const answers = await runKernelCases(
      programs.map((insns, idx) => ({
        name: `p${idx}`,
        prog_type: "socket_filter",
        insns: printHexBytes(encodeInsns(insns)),
        run: { data: "00".repeat(64) },
      })),
    );
    const harness = new Harness();
    const results = programs.map((insns) => Number(BigInt.asUintN(32, harness.r0(insns))));
    const loaded = answers.filter((answer) => answer.loaded);
    expect(loaded.length).toBeGreaterThan(PROGRAMS * 0.9);
    for (const [idx, answer] of answers.entries()) {
      if (answer.loaded) expect([idx, results[idx]]).toEqual([idx, answer.retval]);
    }
  });

  it("gives the results of the rules' programs", async () => {
    const harness = new Harness();
    const answers = await runKernelCases(
      RULES.map(([rule, code]) => ({
        name: rule,
        prog_type: "socket_filter",
        insns: printHexBytes(encodeInsns(harness.link(code).insns)),
        run: { data: "00".repeat(64) },
      })),
    );
    // The verifier refuses a few, such as the read of registers that hold nothing.
    expect(answers.filter(({ loaded }) => loaded).length).toBeGreaterThan(RULES.length - 6);
    for (const [idx, answer] of answers.entries()) {
      const [rule, , r0] = RULES[idx]!;
      if (answer.loaded) expect([rule, Number(r0 & 0xffff_ffffn)]).toEqual([rule, answer.retval]);
    }
  });
});
