import type { TrapError } from "@tsbpf/base";
import type { LinkedProg } from "./linked-prog.ts";
import type { Machine } from "./machine.ts";

export interface EngineOptions {
  /** Whether every access is range-checked; a program without facts must be. */
  readonly isChecked: boolean;
}

/** How a run ended. */
export type RunEnd =
  | { readonly kind: "exit"; readonly r0: bigint }
  | { readonly kind: "trap"; readonly trap: TrapError };

/** An engine: turns linked programs into something that runs on a machine. */
export interface Engine {
  readonly name: "interpreter" | "jit";
  prepare(prog: LinkedProg, options: EngineOptions): EngineProg;
}

/**
 * A program ready to run.
 *
 * `run` starts at slot 0 with r1 = `ctxAddress` and all other registers 0, leaves r0 in `machine.regs` and counts
 * into `machine.insnCount`. `beginRun` must have prepared the machine; `runProg` does both.
 */
export interface EngineProg {
  readonly prog: LinkedProg;
  readonly engine: Engine["name"];
  /** @throws TrapError when the run ends by rule; registers and memory stay as they were. */
  run(machine: Machine, ctxAddress: number): void;
  /**
   * Runs it several times on the input as it stands, each time as `run` does after `beginRun`, and leaves the last
   * run's registers and counts: for engines that need not come back in between.
   *
   * @returns false, having done nothing, when this program needs something done between two runs.
   * @throws TrapError when one of the runs ends by rule; counts are then that run's.
   */
  repeat?(machine: Machine, ctxAddress: number, times: number): boolean;
  /**
   * Makes a way to run it on the input as it stands with nothing around it: without `beginRun`, hooks or budget.
   *
   * @returns undefined when this program needs any of that.
   */
  makeEntry?(machine: Machine, ctxAddress: number): ProgEntry | undefined;
  /**
   * Calls one function in a fresh frame, for callbacks and direct calls; arguments are in r1..r5 of `machine.regs`,
   * r0 and r6..r9 start as 0, the result is in r0 of `machine.regs`. The registers that the engine handed to the helper
   * that calls back stay as they were.
   *
   * @throws TrapError as `run` does.
   */
  runFunc(machine: Machine, slot: number): void;
}

/** A program made ready to be run very often; nothing else of the machine changes in its runs. */
export interface ProgEntry {
  /** Runs the program and returns the low half of r0, signed. What it throws is for {@link ProgEntry.endOf}. */
  readonly run: () => number;
  /** Turns what `run` threw into what `EngineProg.run` throws: a TrapError, or what is no end by rule. */
  endOf(thrown: unknown): unknown;
  /** Instructions that the last run executed. */
  readonly count: () => number;
}

/** Finds the engine's program in what a host stored in a program array: it, or something that has it. */
export function toEngineProg(stored: unknown): EngineProg | undefined {
  if (typeof stored !== "object" || stored === null) return undefined;
  if ("runFunc" in stored && "prog" in stored) return stored as EngineProg;
  return "engineProg" in stored ? toEngineProg(stored.engineProg) : undefined;
}
