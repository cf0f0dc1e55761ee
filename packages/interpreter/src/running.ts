import { TrapError } from "@tsbpf/base";
import { type EngineProg, locateTrap, type Machine } from "@tsbpf/runtime";
import { type Advance, advance, type Cursor, StopSignal } from "./execute.ts";
import { advanceHooked } from "./hooked.ts";
import { registers as r } from "./loop.gen.ts";
import { enterInner, leaveInner } from "./placement.ts";
import { SLOT_SHIFT } from "./predecode.ts";

/** Halves of r0..r10. */
export const REGISTER_WORDS = 22;

/** Executions on this thread, one inside the other. */
export const active = { runs: 0 };

/** Keeps the registers of a run that ended before its exit, and adds its place to a trap. */
export function endOfRun(machine: Machine, cursor: Cursor, thrown: unknown): unknown {
  const slot = cursor.p >> SLOT_SHIFT;
  if (thrown instanceof StopSignal) {
    thrown.standing.push({ prog: cursor.prog as unknown as EngineProg, slot });
  }
  if (!(thrown instanceof TrapError) || thrown.details.slot !== undefined) return thrown;
  for (let i = 0; i < REGISTER_WORDS; i++) machine.regs[i] = r[i] as number;
  const { prog } = cursor.prog;
  return locateTrap(thrown, { slot, op: prog.insns[slot]?.op ?? 0, prog: prog.spec.name });
}

/**
 * Executes until the frame at depth `base` exits, or a stepper's pause is due.
 *
 * @throws TrapError with its place; the machine then holds the registers as they were.
 */
export function finish(machine: Machine, cursor: Cursor, base: number, isNested: boolean): Advance {
  if (active.runs === 0) return finishOne(machine, cursor, base, isNested);
  const outer = enterInner();
  try {
    return finishOne(machine, cursor, base, isNested);
  } finally {
    leaveInner(outer);
  }
}

function finishOne(machine: Machine, cursor: Cursor, base: number, isNested: boolean): Advance {
  active.runs++;
  let ended: Advance;
  try {
    ended =
      machine.hooks === undefined
        ? advance(machine, cursor, base, isNested)
        : advanceHooked(machine, cursor, base, isNested);
  } catch (thrown) {
    active.runs--;
    throw endOfRun(machine, cursor, thrown);
  }
  active.runs--;
  return ended;
}
