import type { Env } from "../env.ts";
import { UNKNOWN_REG } from "../state/reg.ts";
import { curFrame, type State } from "../state/state.ts";
import { pushState } from "./pending.ts";

/**
 * What Linux does about processors that run ahead of a jump's decision, for loaders without CAP_PERFMON.
 *
 * Decided jumps are walked on their other side too, as speculative paths. What may not happen there is no refusal: the
 * kernel puts a barrier before the instruction, and the path ends at it.
 */
export interface Speculation {
  /** Instructions that get a barrier before them, and after them. */
  readonly barrierBefore: Uint8Array;
  readonly barrierAfter: Uint8Array;
  /** How a register of pointer arithmetic is masked; 0 where it is not. */
  readonly maskKind: Uint8Array;
  readonly maskLimit: Uint32Array;
  /** Set once a pointer moved by an unknown number: scalars are then compared bit by bit. */
  comparesExactly: boolean;
}

export const createSpeculation = (len: number): Speculation => ({
  barrierBefore: new Uint8Array(len),
  barrierAfter: new Uint8Array(len),
  maskKind: new Uint8Array(len),
  maskLimit: new Uint32Array(len),
  comparesExactly: false,
});

/** Queues a path that only a mispredicting processor takes. */
export function pushSpeculative(env: Env, insnIdx: number): State {
  const state = pushState(env, insnIdx, env.insnIdx);
  state.isSpeculative = true;
  return state;
}

/** Queues the side that a decided jump does not take; there nothing is known of the operands. */
export function pushUntaken(env: Env, insnIdx: number, dst: number, src: number): void {
  const { regs } = curFrame(pushSpeculative(env, insnIdx));
  regs[dst] = UNKNOWN_REG;
  if (src >= 0) regs[src] = UNKNOWN_REG;
}
