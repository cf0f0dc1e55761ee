import type { Env } from "../env.ts";
import { reject } from "../reject.ts";
import { UNKNOWN_REG } from "../state/reg.ts";
import { curFrame } from "../state/state.ts";
import { returnToCaller } from "../walk/exit.ts";
import { pushState } from "../walk/pending.ts";
import { scratchCallerSaved } from "../walk/regs.ts";
import { HELPER_ID } from "./call-kinds.ts";
import { clearPacketPointers } from "./refs.ts";

/** Without CAP_PERFMON the index is masked by the size of one map: all paths to a tail call must agree on it. */
export function checkTailCallMaps(env: Env): void {
  for (const [slot, mapIdx] of env.notes.callMapIdx) {
    if (mapIdx !== undefined || env.seen[slot] === 0 || env.insns[slot]?.imm !== HELPER_ID.tailCall) continue;
    env.insnIdx = slot;
    reject(env, "CALL_TAIL_CALL_MAPS", "EINVAL", "tail_call abusing map_ptr");
  }
}

/**
 * A tail call inside a function may come back as the function's return: the failed call is queued, the walk goes on
 * in the caller (C-163).
 *
 * @returns whether the walk left the function.
 */
export function pushTailCallReturn(env: Env): boolean {
  if (env.cur.frames.length === 1) return false;
  const frame = curFrame(env.cur);
  scratchCallerSaved(env, frame);
  pushState(env, env.insnIdx + 1, env.insnIdx);
  clearPacketPointers(env);
  frame.regs[0] = UNKNOWN_REG;
  returnToCaller(env);
  return true;
}
