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
  let left = state.history.length;
  let slot = insnIdx;
  for (let steps = 0; steps < LOOK_BACK; steps++) {
    const next = slot;
    const isStart = slot === state.firstIdx && (left === 0 || (left === 1 && state.history[0]?.idx === slot));
    if (isStart) {
      if (state.parent === null) return;
      state = state.parent;
      slot = state.lastIdx;
      left = state.history.length;
    } else {
      const entry = left > 0 ? state.history[left - 1] : undefined;
      if (entry !== undefined && entry.idx === slot) {
        slot = entry.prevIdx;
        left--;
      } else slot--;
    }
    if (slot < 0 || slot >= env.len) return;
    if (env.insns[slot]?.op === 0) continue;
    const note = state.history[left - 1];
    yield { slot, next, note: note?.idx === slot ? note : undefined };
  }
}
