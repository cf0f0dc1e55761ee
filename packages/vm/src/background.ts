import { type CompileReport, compileAhead, createJit } from "@tsbpf/jit";
import type { EngineOptions, EngineProg, LinkedProg, Machine } from "@tsbpf/runtime";

/** How far a program has come that begins in the interpreter. */
export type Compiling =
  /** It has not run yet. */
  | { readonly state: "waiting" }
  | { readonly state: "compiling" }
  | { readonly state: "done" }
  /** The jit does not take it, so that the interpreter goes on running it. */
  | { readonly state: "refused"; readonly reason: unknown };

/** Programs whose compilation is expected to take longer begin in the interpreter. */
const WAIT_MAX_MS = 4;
/** Milliseconds that other work waits for a slice of a compilation at most, but for single steps. */
const SLICE_MS = 4;
/** Slots from which on a compilation says something about the next one. */
const TELLING_SLOTS = 256;
/** Share of the newest compilation in the expectation. */
const NEWEST = 0.25;
/** Before anything was compiled. */
const MS_PER_SLOT = 0.004;

let msPerSlot = MS_PER_SLOT;

function learn({ slotCount, generateMs, compileMs }: CompileReport): void {
  if (slotCount < TELLING_SLOTS) return;
  msPerSlot += ((generateMs + compileMs) / slotCount - msPerSlot) * NEWEST;
}

/** The one jit of all VMs: it keeps compiled modules. */
export const jit = createJit({ onCompile: learn });

/** Whether compiling a program is expected to take so long that the interpreter should begin. */
export const isLargeProg = (slotCount: number): boolean => slotCount * msPerSlot > WAIT_MAX_MS;

/** Timers of hosts that end when nothing but such timers is left. */
interface HostTimer {
  ref?(): void;
  unref?(): void;
}

/**
 * A program that the interpreter runs until the jit has compiled it, beside what else the process does.
 *
 * Assumes: `start` is called outside runs, or at their beginning. Guarantees: the engine changes between runs only, and never when nobody
 * lets go of the thread.
 */
export class Background {
  private readonly linked: LinkedProg;
  private readonly options: EngineOptions;
  private compiling: Compiling = { state: "waiting" };
  private finished: Promise<EngineProg | undefined> | undefined;
  private timer: HostTimer = {};
  private isAwaited = false;

  constructor(linked: LinkedProg, options: EngineOptions) {
    this.linked = linked;
    this.options = options;
  }

  get status(): Compiling {
    return this.compiling;
  }

  /** Begins to compile for runs on a machine, unless it has; gives the program, or nothing where the jit refuses it. */
  start(machine: Machine, hasBudget: boolean): Promise<EngineProg | undefined> {
    this.finished ??= this.compile(machine, hasBudget);
    return this.finished;
  }

  /** Says that somebody waits for the end; otherwise a process that has nothing else to do ends before it. */
  hold(): void {
    this.isAwaited = true;
    this.timer.ref?.();
  }

  private readonly pause = (): Promise<void> =>
    new Promise((resolve) => {
      this.timer = setTimeout(resolve, 0) as HostTimer;
      if (!this.isAwaited) this.timer.unref?.();
    });

  private async compile(machine: Machine, hasBudget: boolean): Promise<EngineProg | undefined> {
    this.compiling = { state: "compiling" };
    try {
      await this.pause();
      const prog = jit.prepare(this.linked, this.options);
      await this.pause();
      await compileAhead(prog, machine, { pause: this.pause, sliceMs: SLICE_MS, hasBudget });
      this.compiling = { state: "done" };
      return prog;
    } catch (reason) {
      this.compiling = { state: "refused", reason };
      return undefined;
    }
  }
}
