import { LIMITS } from "@tsbpf/base";
import type { Env } from "../env.ts";
import { reject } from "../reject.ts";
import { copyState, type State } from "../state/state.ts";

/** Queues a copy of the current state to be walked later, last in first out. */
export function pushState(env: Env, insnIdx: number, prevIdx: number): State {
  const state = copyState(env.cur);
  env.pending.push({ state, insnIdx, prevIdx, logPosition: env.log.position });
  if (env.pending.length > LIMITS.pendingBranches) {
    reject(env, "LIMIT_BRANCHES", "EFAULT", `The sequence of ${env.pending.length} jumps is too complex.`);
  }
  if (state.parent !== null) state.parent.branches++;
  return state;
}

/** Takes the state that was queued last; false when none is left. */
export function popState(env: Env, isLogRewound: boolean): boolean {
  const next = env.pending.pop();
  if (next === undefined) return false;
  env.cur = next.state;
  env.insnIdx = next.insnIdx;
  env.prevIdx = next.prevIdx;
  if (isLogRewound) env.log.rewind(next.logPosition);
  return true;
}
