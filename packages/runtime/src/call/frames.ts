import { LIMITS } from "@tsbpf/base";
import type { EngineProg } from "../engine.ts";
import type { Machine } from "../machine.ts";
import { trap } from "../trap.ts";

/** Bytes of stack address space per frame: 512 for the frame and a gap that no region covers. */
export const FRAME_STRIDE_BYTES = 1024;

/**
 * Frames of a machine: a program has at most 8, and each of 33 tail calls may start another one in the last of them
 * (C-54, C-167).
 */
export const FRAMES_MAX = LIMITS.callFrames + LIMITS.tailCalls * (LIMITS.callFrames - 1);

/**
 * Layout of one record of {@link Frames.words}, in words. Record i belongs to the frame at depth i + 1 and holds what
 * its caller gets back, so record 0 is used for the loop counter alone.
 */
export const FRAME = {
  /** r6..r9 of the caller, low and high half each. */
  saved: 0,
  /** Slot after the call; -1 when the caller is not code but a helper or the host. */
  returnSlot: 8,
  /** Bits of {@link LEAVE}; 0 when the frame simply returns to code of the same program. */
  leave: 9,
  /** What is left of the frame's `may_goto` counter (ISA-84). */
  loopsLeft: 10,
  /** `Machine.progBase` of the caller, where the frame's program is not its caller's. */
  callerBase: 11,
  /** Frames that the running program may still open above this one. */
  framesLeft: 12,
  words: 16,
} as const;

/** What leaving a frame needs beyond a return. */
export const LEAVE = {
  /** The caller runs another program, which happens after a tail call from a function. */
  foreign: 1,
  /** The caller is no code: a helper that called back, or the host. */
  outside: 2,
} as const;

/**
 * Shift in `FRAME.leave` of how many of r9, r8, r7 and r6, in this order, were not kept: the function changes none of
 * them. An engine may open frames so, of functions whose frame nothing else takes over.
 */
export const UNKEPT_SHIFT = 2;

/** Where r6 starts in a register file of halves. */
const R6 = 12;
const SAVED_WORDS = 8;
const R10 = 20;

/** The records of a machine's frames. */
export class Frames {
  readonly words = new Int32Array(FRAMES_MAX * FRAME.words);
  /** By record: the caller's program, where it is another one. */
  readonly callers: (EngineProg | undefined)[] = new Array(FRAMES_MAX).fill(undefined);

  /** Starts a run: only the entry frame is there. */
  reset(): void {
    this.words[FRAME.returnSlot] = -1;
    this.words[FRAME.leave] = LEAVE.outside;
    this.words[FRAME.loopsLeft] = LIMITS.loops;
    this.words[FRAME.framesLeft] = LIMITS.callFrames - 1;
  }
}

/** Returns r10 of the frame at a depth, counted from 1. */
export const framePointerOf = (machine: Machine, depth: number): number =>
  machine.stackBase + (depth - 1) * FRAME_STRIDE_BYTES + LIMITS.stackBytes;

/**
 * Enters a fresh frame: keeps r6..r9 for the caller and points r10 at the new frame.
 *
 * @param returnSlot - where the caller goes on; -1 when it is not code.
 * @throws RUN_DEPTH (TrapError) for a ninth frame of the running program (C-54, C-130).
 */
export function pushFrame(machine: Machine, regs: Int32Array, returnSlot: number): void {
  const { depth, frames } = machine;
  const { words } = frames;
  const at = depth * FRAME.words;
  const left = depth === 0 ? LIMITS.callFrames : (words[at - FRAME.words + FRAME.framesLeft] as number);
  if (left === 0) {
    throw trap("RUN_DEPTH", `call would open frame ${LIMITS.callFrames + 1}, ${LIMITS.callFrames} allowed`, {
      depth: LIMITS.callFrames,
    });
  }
  for (let i = 0; i < SAVED_WORDS; i++) words[at + FRAME.saved + i] = regs[R6 + i] as number;
  words[at + FRAME.returnSlot] = returnSlot;
  words[at + FRAME.leave] = returnSlot < 0 ? LEAVE.outside : 0;
  words[at + FRAME.loopsLeft] = LIMITS.loops;
  words[at + FRAME.framesLeft] = left - 1;
  machine.depth = depth + 1;
  regs[R10] = framePointerOf(machine, depth + 1);
  regs[R10 + 1] = 0;
}

/**
 * Leaves a frame: r6..r9 and r10 are the caller's again, and so is the current program.
 *
 * @returns the slot where the caller goes on; -1 when it is not code.
 */
export function popFrame(machine: Machine, regs: Int32Array): number {
  const { frames } = machine;
  const depth = machine.depth - 1;
  const { words } = frames;
  const at = depth * FRAME.words;
  const leave = words[at + FRAME.leave] as number;
  const keptWords = SAVED_WORDS - 2 * (leave >> UNKEPT_SHIFT);
  for (let i = 0; i < keptWords; i++) regs[R6 + i] = words[at + FRAME.saved + i] as number;
  machine.depth = depth;
  regs[R10] = framePointerOf(machine, depth);
  regs[R10 + 1] = 0;
  if ((leave & LEAVE.foreign) !== 0) {
    machine.current = frames.callers[depth];
    machine.progBase = words[at + FRAME.callerBase] as number;
    frames.callers[depth] = undefined;
  }
  return words[at + FRAME.returnSlot] as number;
}

/**
 * Makes `prog` the program of the running frame (C-167): the frame stays, its caller is remembered.
 */
export function replaceProg(machine: Machine, prog: EngineProg): void {
  const { frames, current } = machine;
  const { words } = frames;
  const idx = machine.depth - 1;
  const at = idx * FRAME.words;
  const leave = words[at + FRAME.leave] as number;
  words[at + FRAME.loopsLeft] = LIMITS.loops;
  words[at + FRAME.framesLeft] = LIMITS.callFrames - 1;
  if (idx > 0 && (leave & LEAVE.foreign) === 0) {
    words[at + FRAME.leave] = leave | LEAVE.foreign;
    words[at + FRAME.callerBase] = machine.progBase;
    frames.callers[idx] = current;
  }
  machine.progBase = machine.depth;
  machine.current = prog;
}
