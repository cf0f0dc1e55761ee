import type { Effect } from "@tsbpf/plugin";
import type { Frames } from "./call/frames.ts";
import type { EngineProg } from "./engine.ts";
import type { MachineEnv } from "./env.ts";
import type { RunHooks } from "./hooks.ts";

/** What a run may use up. */
export interface RunLimits {
  /** Instructions; a run that would execute more traps with RUN_BUDGET. */
  readonly budget: number;
}

/**
 * A virtual CPU: registers, frames, counters. One program runs on it at a time.
 *
 * Instructions are counted one for each executed slot that starts an instruction: a wide load counts 1, a taken and
 * an untaken branch count 1, a call counts 1 whatever the helper does, the instructions of callees, callbacks and
 * tail-called programs count as they run. An instruction that traps has been counted; the one that the budget does
 * not cover has not, so a run that ends with RUN_BUDGET has executed exactly its budget.
 */
export interface Machine {
  readonly cpu: number;
  /** What helpers get. */
  readonly env: MachineEnv;
  /** Low and high 32 bits of r0..r10: `regs[2*n]`, `regs[2*n+1]`. Engines may keep them elsewhere while they run. */
  readonly regs: Int32Array;
  /** Lowest address of frame 0's stack; frame i of `FRAMES_MAX` lies `i * FRAME_STRIDE_BYTES` above, its r10 512 further. */
  readonly stackBase: number;
  readonly frames: Frames;
  /** Frames in use, callbacks included; 1 while the entry function runs, 0 between runs. */
  depth: number;
  /** Depth of the frame in which the running program began: 1, or where a tail call from a function put it. */
  progBase: number;
  /** Successful tail calls of the current run. */
  tailCallCount: number;
  /** Instructions executed since the run began. */
  insnCount: number;
  /**
   * Counts the last run where it was made through a {@link ProgEntry}, which stores nothing here: reading `insnCount`
   * asks it, and writing `insnCount` takes it away.
   */
  counter: (() => number) | undefined;
  /** Instructions left; engines count down and trap when the next one is not covered. */
  budgetLeft: number;
  /** The program that executes now; a tail call changes it. */
  current: EngineProg | undefined;
  readonly effects: Effect[];
  /** Listeners; set before a run starts. */
  hooks: RunHooks | undefined;
}
