import { LIMITS } from "@tsbpf/base";
import { isConst } from "../domain/scalar.ts";
import type { Env, Subprog } from "../env.ts";
import { printTnum } from "../log/print-reg.ts";
import { reject } from "../reject.ts";
import type { Reg } from "../state/reg.ts";
import { type Frame, frameAt, growStack } from "../state/state.ts";

const MAX_VAR_OFF = 2 ** 29;

/** Returns the frame that a stack pointer points into. */
export const frameOfPointer = (env: Env, reg: Reg): Frame => frameAt(env.cur, reg.x.frameno);

/** Bytes [min, end) of a frame that an access may touch. */
export interface StackRange {
  readonly min: number;
  readonly end: number;
}

/** An access of a frame: `off` counts from where the register points to without its variable part. */
interface StackAccess {
  readonly reg: Reg;
  readonly regno: number;
  readonly off: number;
  readonly size: number;
}

const lastOffset = ({ val }: Reg): number => (isConst(val) ? val.sminNumber : val.smaxNumber);

/** All bytes that an access from `min` on may touch. */
export const rangeOf = ({ reg, off, size }: StackAccess, min: number): StackRange => ({
  min,
  end: lastOffset(reg) + off + size,
});

/**
 * Checks that a stack access stays in its frame, and makes the slots exist (A-20, A-21, C-100).
 *
 * @returns the lowest byte that it may touch, -512..-1.
 */
export function checkStackBounds(env: Env, access: StackAccess, isWrite: boolean): number {
  const { reg, regno, off, size } = access;
  const frame = frameOfPointer(env, reg);
  const what = isWrite ? " write to" : " read from";
  const isFixed = isConst(reg.val);
  if (!isFixed && (reg.val.smaxNumber >= MAX_VAR_OFF || reg.val.sminNumber <= -MAX_VAR_OFF)) {
    reject(env, "MEM_STACK_BOUNDS", "EACCES", `invalid unbounded variable-offset${what} stack R${regno}`);
  }
  const min = reg.val.sminNumber + off;
  const end = lastOffset(reg) + off + size;
  const lowest = isWrite || env.isPerfmon ? -LIMITS.stackBytes : -8 * frame.stack.length;
  const isStartBad = min < lowest || min > -1;
  if (isStartBad || end > 0) {
    const text = isFixed
      ? `invalid${what} stack R${regno} off=${off} size=${size}`
      : `invalid variable-offset${what} stack R${regno} var_off=${printTnum(reg.val.tnum)} off=${off} size=${size}`;
    reject(env, "MEM_STACK_BOUNDS", isStartBad ? "EACCES" : "EINVAL", text);
  }
  useStack(env, frame, -min);
  // What was computed as a double becomes a small integer, which needs no memory of its own.
  return min | 0;
}

/** Makes a frame at least `depth` bytes deep and remembers the function's deepest use. */
export function useStack(env: Env, frame: Frame, depth: number): void {
  const bytes = Math.ceil(depth / 8) * 8;
  if (bytes === 0) return;
  growStack(frame, bytes / 8 - 1);
  const subprog = env.subprogs[frame.subprog] as Subprog;
  if (subprog.stackBytes < bytes) subprog.stackBytes = bytes;
}

export const spiOf = (off: number): number => Math.floor((-off - 1) / 8);
export const byteOf = (off: number): number => (-off - 1) % 8;
