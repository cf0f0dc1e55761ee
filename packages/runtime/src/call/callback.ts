import { isFuncStart } from "../linked-prog.ts";
import type { Machine } from "../machine.ts";
import { isFuncPointer } from "../target.ts";
import { trap } from "../trap.ts";

/** Halves of r1..r5, and where they start. */
const ARG_WORDS = 10;
const R1 = 2;

/**
 * Calls a function of the running program for a helper, in a fresh frame (C-122).
 *
 * Registers that are not among the arguments are 0 in the callback. Engines leave the helper's own r0..r5 as they
 * were, so a helper may read its arguments after it called back.
 *
 * @returns the low 32 bits of the callback's r0.
 * @throws RUN_CODE_ADDRESS (TrapError) when the value is no function of the program.
 */
export function callBackInto(
  machine: Machine,
  funcLo: number,
  funcHi: number,
  args: ArrayLike<number>,
): number {
  const { current, regs } = machine;
  if (current === undefined || !isFuncPointer(funcHi) || !isFuncStart(current.prog, funcLo)) {
    throw trap("RUN_CODE_ADDRESS", "callback through a value that is no function of the program", {
      lo: funcLo >>> 0,
      hi: funcHi >>> 0,
    });
  }
  const given = Math.min(args.length, ARG_WORDS);
  for (let i = 0; i < given; i++) regs[R1 + i] = args[i] as number;
  for (let i = given; i < ARG_WORDS; i++) regs[R1 + i] = 0;
  current.runFunc(machine, funcLo);
  return regs[0] as number;
}
