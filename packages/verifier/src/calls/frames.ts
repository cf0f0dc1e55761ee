import { LIMITS } from "@tsbpf/base";
import type { Env } from "../env.ts";
import { scratchAll } from "../log/print-state.ts";
import { leaveInstance } from "../prune/liveness.ts";
import { reject } from "../reject.ts";
import { NOT_INIT } from "../state/reg.ts";
import { type Frame, makeFrame, type State } from "../state/state.ts";

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

/** Gives a callee the caller's r1..r5. */
export function copyArgs(caller: Frame, callee: Frame): void {
  for (let i = 1; i <= 5; i++) callee.regs[i] = caller.regs[i] ?? NOT_INIT;
}
