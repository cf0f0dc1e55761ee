import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { Stepper } from "../src/index.ts";
import type { InterpreterProg } from "../src/prog.ts";
import { Harness } from "./support.ts";

const reg = fc.integer({ min: 0, max: 5 }).map((n) => `r${n}`);
const imm = fc.constantFrom(-1, 0, 1, 7, 0x7fff_ffff, -0x8000_0000, 0x1234_5678);
const shift = fc.constantFrom(0, 1, 7, 31, 32, 33, 63);

/** Copies, and what is executed in one turn with them. */
const line = fc.oneof(
  { weight: 3, arbitrary: fc.tuple(reg, reg).map(([d, s]) => `${d} = ${s}`) },
  fc.tuple(reg, fc.constantFrom("+", "-", "|", "^"), reg).map(([d, op, s]) => `${d} ${op}= ${s}`),
  fc.tuple(reg, fc.constantFrom("+", "&"), imm).map(([d, op, k]) => `${d} ${op}= ${k}`),
  fc.tuple(reg, fc.constantFrom("<<", ">>"), shift).map(([d, op, k]) => `${d} ${op}= ${k}`),
);

/** Pairs that are one case. */
const pair = fc
  .tuple(
    reg,
    reg,
    fc.oneof(
      fc.tuple(fc.constantFrom("+", "-", "|", "^"), reg),
      fc.tuple(fc.constantFrom("+", "&"), imm),
      fc.tuple(fc.constantFrom("<<", ">>"), shift),
    ),
  )
  .map(([d, s, [op, what]]) => `${d} = ${s}; ${d} ${op}= ${what}`);

const values = ["0x0123456789abcdef", "-1", "1", "0x80000000", "0xffffffff00000000", "42"];
const start = values.map((value, n) => `r${n} = ${value} ll`).join("; ");
/** Folds all registers into r0, so that a wrong one shows. */
const fold = [1, 2, 3, 4, 5].map((n) => `r0 ^= r${n}; r6 = r0; r6 <<= 13; r0 += r6`).join("; ");

const program = fc
  .tuple(fc.array(fc.oneof(line, pair), { minLength: 1, maxLength: 24 }), fc.integer({ min: 0, max: 3 }))
  .map(([lines, jump]) => {
    // Jumps between the two instructions of a pair, too.
    const parts = lines.join("; ").split("; ");
    const at = parts.length % 5;
    return `${start}; r7 = 0; ${parts.slice(0, at).join("; ")}${at > 0 ? ";" : ""}
      ${"r8 = r7; ".repeat(jump)} L: ${parts.slice(at).join("; ") || "r0 = r0"}; r7 += 1; if r7 != 3 goto L; ${fold}; exit`;
  });

/** Runs one instruction at a time, where nothing is fused. */
function stepwise(harness: Harness, prog: InterpreterProg) {
  harness.machine.hooks = {};
  const result = harness.run(prog);
  harness.machine.hooks = undefined;
  return result;
}

describe("two instructions in one turn", () => {
  const harness = new Harness();

  it("do what they do one by one", () => {
    fc.assert(
      fc.property(program, (text) => {
        const prog = harness.prepare(text);
        const { end, insnCount } = harness.run(prog);
        const single = stepwise(harness, prog);
        expect(end).toEqual(single.end);
        expect(insnCount).toBe(single.insnCount);
      }),
      { numRuns: 400 },
    );
  });

  it("are two for the budget", () => {
    fc.assert(
      fc.property(program, fc.nat(60), (text, budget) => {
        const prog = harness.prepare(text);
        const { insnCount } = harness.run(prog);
        const fused = harness.run(prog, Math.min(budget, insnCount - 1));
        const regs = [...harness.machine.regs];
        expect(fused.insnCount).toBe(Math.min(budget, insnCount - 1));
        harness.machine.hooks = {};
        const single = harness.run(prog, Math.min(budget, insnCount - 1));
        harness.machine.hooks = undefined;
        expect(single.insnCount).toBe(fused.insnCount);
        expect([...harness.machine.regs]).toEqual(regs);
      }),
      { numRuns: 200 },
    );
  });

  it("stop at a breakpoint of the second", () => {
    const prog = harness.prepare("r1 = 5; r2 = r1; r2 += 3; r0 = r2; exit");
    for (let slot = 1; slot < 5; slot++) {
      const context = { address: harness.ctx, packet: harness.packet };
      const stepper = new Stepper({ machine: harness.machine, prog, context });
      const id = stepper.addBreakpoint({ slot });
      expect(stepper.continue().kind).toBe("breakpoint");
      expect(stepper.slot).toBe(slot);
      expect(stepper.insnCount).toBe(slot);
      stepper.remove(id.id);
      stepper.continue();
      expect(stepper.isOver).toBe(true);
      expect(stepper.reg(0)).toBe(8n);
      stepper.dispose();
    }
    expect(harness.r0(prog)).toBe(8n);
  });
});
