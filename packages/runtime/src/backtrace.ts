import { FRAME, FRAME_STRIDE_BYTES, LEAVE } from "./call/frames.ts";
import type { EngineProg } from "./engine.ts";
import { funcAt, type LinkedProg } from "./linked-prog.ts";
import type { Machine } from "./machine.ts";

/** One frame of a running program. */
export interface FrameView {
  /** 0 is the entry function's. */
  readonly idx: number;
  readonly prog: LinkedProg;
  /** Name of the function that the frame runs. */
  readonly func: string;
  /** The instruction that runs next, or in lower frames the call; undefined when a helper waits there and nobody told. */
  readonly slot: number | undefined;
  /** Whether a helper called the function. */
  readonly isCallback: boolean;
  /** Lowest address of the frame's stack. */
  readonly stackStart: number;
}

/** Where an execution stands, innermost first: the running one, and those whose helpers wait for a callback. */
export interface Standing {
  readonly prog: EngineProg;
  readonly slot: number;
}

/**
 * Lists the frames of a machine, innermost first.
 *
 * @param standing - the running instruction; then, for each callback among the frames, the waiting call, if known.
 */
export function backtrace(machine: Machine, standing: readonly Standing[]): FrameView[] {
  const frames: FrameView[] = [];
  const { words, callers } = machine.frames;
  let level = 0;
  let prog = standing[0]?.prog.prog ?? machine.current?.prog;
  let slot = standing[0]?.slot;
  for (let idx = machine.depth - 1; idx >= 0 && prog !== undefined; idx--) {
    const at = idx * FRAME.words;
    const returnSlot = words[at + FRAME.returnSlot] as number;
    const leave = words[at + FRAME.leave] as number;
    const isCallback = idx > 0 && (leave & LEAVE.outside) !== 0;
    frames.push({
      idx,
      prog,
      func: (slot === undefined ? undefined : funcAt(prog, slot)?.name) ?? prog.spec.name,
      slot,
      isCallback,
      stackStart: machine.stackBase + idx * FRAME_STRIDE_BYTES,
    });
    if ((leave & LEAVE.foreign) !== 0) prog = callers[idx]?.prog ?? prog;
    if (isCallback) {
      level++;
      prog = standing[level]?.prog.prog ?? prog;
    }
    slot = isCallback ? standing[level]?.slot : returnSlot - 1;
  }
  return frames;
}
