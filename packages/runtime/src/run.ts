import { joinU64, LIMITS, TrapError } from "@tsbpf/base";
import type { Effect, ProgContext } from "@tsbpf/plugin";
import { FRAME_STRIDE_BYTES } from "./call/frames.ts";
import type { EngineProg, RunEnd } from "./engine.ts";
import type { Machine, RunLimits } from "./machine.ts";

/** Instructions that a program without proofs may execute when nobody says otherwise. */
export const DEFAULT_BUDGET = 100_000_000;

/** The part of a program's context that a run needs: where it lies, and its packet. */
export type RunContext = Pick<ProgContext, "address" | "packet">;

/** All that a run leaves behind besides memory. */
export interface RunResult {
  readonly end: RunEnd;
  readonly insnCount: number;
  readonly tailCallCount: number;
  /** A copy, in order. */
  readonly effects: readonly Effect[];
}

/**
 * Prepares a machine for a run: counters, frames, environment. Programs without proofs get a zeroed stack, so that
 * what they read does not depend on earlier runs.
 */
export function beginRun(
  machine: Machine,
  prog: EngineProg,
  context: RunContext,
  limits: Partial<RunLimits> = {},
): void {
  const isProven = prog.prog.facts !== undefined;
  machine.depth = 0;
  machine.progBase = 1;
  machine.tailCallCount = 0;
  machine.insnCount = 0;
  machine.budgetLeft = limits.budget ?? (isProven ? Number.MAX_SAFE_INTEGER : DEFAULT_BUDGET);
  machine.current = prog;
  machine.frames.reset();
  const { env } = machine;
  env.enter(prog.prog.spec.type, context);
  if (!isProven && prog.prog.usesStack) {
    const frames = prog.prog.funcs.length > 1 ? LIMITS.callFrames : 1;
    const bytes = (frames - 1) * FRAME_STRIDE_BYTES + LIMITS.stackBytes;
    env.memory.u8.fill(0, machine.stackBase, machine.stackBase + bytes);
  }
}

/** What a run is given besides its input. */
export interface RunOptions extends Partial<RunLimits> {
  /**
   * How often to run, each time on what the run before left of the input, as BPF_PROG_TEST_RUN repeats; 1 when
   * omitted. A trap ends it. Counts and effects are those of the last run.
   */
  readonly times?: number;
}

/**
 * Runs a program from its entry to its end.
 *
 * @param context - where the input lies; see `ProgContext.load`.
 * @throws what is no trap: errors of the host, and our own.
 */
export function runProg(
  machine: Machine,
  prog: EngineProg,
  context: RunContext,
  options: RunOptions = {},
): RunResult {
  let end: RunEnd;
  try {
    runTimes(machine, prog, context, options);
    end = { kind: "exit", r0: joinU64(machine.regs[0] as number, machine.regs[1] as number) };
  } catch (thrown) {
    if (!(thrown instanceof TrapError)) throw thrown;
    end = { kind: "trap", trap: thrown };
  }
  machine.depth = 0;
  return {
    end,
    insnCount: machine.insnCount,
    tailCallCount: machine.tailCallCount,
    effects: machine.effects.slice(),
  };
}

function runTimes(machine: Machine, prog: EngineProg, context: RunContext, options: RunOptions): void {
  const times = options.times ?? 1;
  beginRun(machine, prog, context, options);
  if (times > 1 && prog.repeat?.(machine, context.address, times) === true) return;
  prog.run(machine, context.address);
  for (let i = 1; i < times; i++) {
    beginRun(machine, prog, context, options);
    prog.run(machine, context.address);
  }
}
