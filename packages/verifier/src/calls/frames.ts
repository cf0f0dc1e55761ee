import { LIMITS } from "@tsbpf/base";
import type { Env } from "../env.ts";
import { scratchAll } from "../log/print-state.ts";
import { leaveInstance } from "../prune/liveness.ts";
import { reject } from "../reject.ts";
import { NOT_INIT } from "../state/reg.ts";
import { curFrame, type Frame, makeFrame, type State } from "../state/state.ts";

/** Adds a frame to a state (C-51, C-54). */
export function pushFrame(env: Env, state: State, subprog: number, callsite: number): Frame {
  if (state.frames.length >= LIMITS.callFrames) {
    reject(env, "LIMIT_FRAMES", "E2BIG", `the call stack of ${state.frames.length + 1} frames is too deep`);
  }
  const callee = makeFrame(callsite, state.frames.length, subprog);
  state.frames.push(callee);
  scratchAll(env);
  if (state === env.cur) leaveInstance(env);
  return callee;
}

const TREE_CALLS: ReadonlySet<string> = new Set([
  "bpf_rbtree_add_impl",
  "bpf_rbtree_remove",
  "bpf_rbtree_first",
  "bpf_rbtree_root",
  "bpf_rbtree_left",
  "bpf_rbtree_right",
]);

/**
 * Says whether a tree's callback is being walked, inside of which lock and tree must stay as they are (H-144).
 *
 * @source linux kernel/bpf/verifier.c in_rbtree_lock_required_cb
 */
export function isInTreeCallback(env: Env): boolean {
  const frame = curFrame(env.cur);
  return frame.frameno > 0 && frame.inCallback && TREE_CALLS.has(env.kfuncOfSlot.get(frame.callsite) ?? "");
}

/** Gives a callee the caller's r1..r5. */
export function copyArgs(caller: Frame, callee: Frame): void {
  for (let i = 1; i <= 5; i++) callee.regs[i] = caller.regs[i] ?? NOT_INIT;
}
