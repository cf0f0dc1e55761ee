import { isFuncStart } from "../linked-prog.ts";
import type { Machine } from "../machine.ts";
import { isFuncPointer } from "../target.ts";
import { trap } from "../trap.ts";
import { FRAMES_MAX } from "./frames.ts";

/** Halves of r0..r5. */
const SCRATCH_WORDS = 12;
const R1 = 2;

/**
 * Calls a function of the running program for a helper, in a fresh frame (C-122).
 *
 * Registers that are not among the arguments are 0 in the callback. The helper's own r0..r5 are as before when it
 * returns, so a helper may read its arguments after it called back.
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
  const kept = keep(regs, machine.depth);
  for (let i = 0; i < SCRATCH_WORDS - R1; i++) regs[R1 + i] = args[i] ?? 0;
  current.runFunc(machine, funcLo);
  const result = regs[0] as number;
  regs.set(kept);
  return result;
}

/** One keep for each depth, since callbacks nest. */
const KEEPS = Array.from({ length: FRAMES_MAX + 1 }, () => new Int32Array(SCRATCH_WORDS));

function keep(regs: Int32Array, depth: number): Int32Array {
  const kept = KEEPS[depth] as Int32Array;
  for (let i = 0; i < SCRATCH_WORDS; i++) kept[i] = regs[i] as number;
  return kept;
}
