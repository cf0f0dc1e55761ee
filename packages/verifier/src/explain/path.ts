import type { Env } from "../env.ts";
import type { HistoryEntry } from "../state/state.ts";

/** Steps that are looked back. */
const LOOK_BACK = 4096;

/** An instruction of the failing path. */
export interface PathStep {
  readonly slot: number;
  /** Slot of the instruction that was walked after it. */
  readonly next: number;
  /** What the walk noted of it, e.g. the stack slot that it accessed. */
  readonly note: HistoryEntry | undefined;
}

/** Goes back along the failing path, one instruction at a time, through its checkpoints. */
export function* pathBefore(env: Env, insnIdx: number): Generator<PathStep> {
  let state = env.cur;
  let last = state.history;
  let slot = insnIdx;
  for (let steps = 0; steps < LOOK_BACK; steps++) {
    const next = slot;
    const isNoted = last !== null && last.idx === slot;
    if (slot === state.firstIdx && (last === null || (isNoted && last.before === null))) {
      if (state.parent === null) return;
      state = state.parent;
      slot = state.lastIdx;
      last = state.history;
    } else if (last !== null && isNoted) {
      slot = last.prevIdx;
      last = last.before;
    } else slot--;
    if (slot < 0 || slot >= env.len) return;
    if (env.insns[slot]?.op === 0) continue;
    yield { slot, next, note: last !== null && last.idx === slot ? last : undefined };
  }
}
