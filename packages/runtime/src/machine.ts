import type { Effect, HelperEnv } from "@tsbpf/plugin";
import type { EngineProg } from "./engine.ts";

/** Bytes of stack address space per frame: 512 for the frame and a gap that no region covers. */
export const FRAME_STRIDE_BYTES = 1024;

/** What a run may use up. */
export interface RunLimits {
  /** Instructions; a run that executes more traps with RUN_BUDGET. */
  readonly budget: number;
}

/** A virtual CPU: registers, frames, counters. One program runs on it at a time. */
export interface Machine {
  readonly cpu: number;
  readonly env: HelperEnv;
  /** Low and high 32 bits of r0..r10: `regs[2*n]`, `regs[2*n+1]`. */
  readonly regs: Int32Array;
  /** Lowest address of frame 0's stack; frame i lies `i * FRAME_STRIDE_BYTES` above, its r10 is 512 further. */
  readonly stackBase: number;
  /** Frames in use, callbacks included; 1 while the entry function runs. */
  depth: number;
  /** Successful tail calls of the current chain. */
  tailCallCount: number;
  /** Instructions executed since the run began. */
  insnCount: number;
  /** Instructions left; engines count down and trap below zero. */
  budgetLeft: number;
  /** The program that executes now; a tail call changes it. */
  current: EngineProg | undefined;
  readonly effects: Effect[];
}
