import type { Machine } from "@tsbpf/runtime";
import { accessAt } from "./access.ts";
import {
  type Advance,
  advance,
  type Cursor,
  isPauseDue,
  pause,
  pauseHere,
  runLoop,
  slowStep,
} from "./execute.ts";
import { registers as r, stopped, WHY } from "./loop.gen.ts";
import { SLOW, SLOW_OF } from "./ops.gen.ts";
import { OP_MASK, SLOT_SHIFT, WORD } from "./predecode.ts";

/**
 * Executes as `advance` does, one instruction at a time, and tells the machine's hooks. Calls and exits go through
 * the runtime's one dispatch, which tells them of calls.
 */
export function advanceHooked(machine: Machine, cursor: Cursor, base: number, isNested: boolean): Advance {
  const { hooks, env } = machine;
  if (hooks === undefined) return advance(machine, cursor, base, isNested);
  const { memory } = env;
  for (;;) {
    // The unhooked way pauses or traps where nothing may be executed.
    if (machine.budgetLeft <= 0 || isPauseDue(machine, isNested)) {
      return advance(machine, cursor, base, isNested);
    }
    const { code, bounds, prog } = cursor.prog;
    const slot = cursor.p >> SLOT_SHIFT;
    hooks.onStep?.(machine, prog, slot, r);
    if (pause.isRequested) {
      pause.isRequested = false;
      return pauseHere(machine, isNested);
    }
    if (hooks.onMem !== undefined) {
      const access = accessAt(code, cursor.p);
      if (access !== undefined) {
        const { lo, hi, size, kind } = access;
        hooks.onMem(machine, { slot, lo, hi, sizeBytes: size, kind }, r);
      }
    }
    machine.insnCount++;
    machine.budgetLeft--;
    bounds.refresh(memory);
    const kind = SLOW_OF[(code.words[cursor.p + WORD.op] as number) & OP_MASK];
    if (kind !== SLOW.call && kind !== SLOW.exit) {
      const why = runLoop(machine, cursor, 1);
      cursor.p = stopped.p;
      if (why === WHY.quota) continue;
    }
    const ended = slowStep(machine, cursor, base);
    if (ended === undefined) continue;
    return ended === "paused" ? pauseHere(machine, isNested) : ended;
  }
}
