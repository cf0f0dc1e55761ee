import { hiOf, InputError, loOf, type U64 } from "@tsbpf/base";
import {
  backtrace,
  beginRun,
  type EngineProg,
  type FrameView,
  framePointerOf,
  type LinkedProg,
  type Machine,
  type RunContext,
} from "@tsbpf/runtime";
import { OP } from "../ops.gen.ts";
import { patchCode } from "../placement.ts";
import { OP_MASK, SLOT_SHIFT, WORD } from "../predecode.ts";
import { InterpreterProg } from "../prog.ts";
import {
  type Breakpoint,
  type BreakpointOptions,
  checkWatch,
  isWatchable,
  type Predicate,
  type StepView,
  type StopReason,
  type Watchpoint,
  type WatchTarget,
  watchedValue,
} from "./stops.ts";
import { Timeline } from "./timeline.ts";

export interface StepperOptions {
  readonly machine: Machine;
  /** A program that the interpreter prepared. */
  readonly prog: EngineProg;
  /** Where the input lies; see `ProgContext.load`. */
  readonly context: RunContext;
  /** Instructions that the program may execute. */
  readonly budget?: number;
}

/** What may end a command early. */
export interface CommandOptions {
  /** Instructions to execute at most. */
  readonly limit?: number;
}

const R1 = 2;
const R10 = 20;

/**
 * Runs a program step by step, forwards and backwards, until {@link Stepper.dispose}; the machine belongs to the
 * stepper meanwhile. Registers are in `machine.regs`, memory is the VM's own.
 */
export class Stepper {
  private readonly timeline: Timeline;
  private readonly entryProg: InterpreterProg;
  private readonly breakpoints = new Map<number, Breakpoint>();
  private readonly watchpoints = new Map<number, Watchpoint>();
  private nextId = 1;
  private reason: StopReason = { kind: "start" };

  /** @throws DEBUG_ENGINE (InputError) for a program of another engine. */
  constructor(options: StepperOptions) {
    const { machine, context, budget } = options;
    this.entryProg = ownProg(options.prog);
    beginRun(machine, this.entryProg, context, budget === undefined ? {} : { budget });
    machine.depth = 1;
    machine.regs.fill(0);
    machine.regs[R1] = context.address;
    machine.regs[R10] = framePointerOf(machine, 1);
    this.timeline = new Timeline(machine, this.entryProg);
  }

  get machine(): Machine {
    return this.timeline.machine;
  }
  /** Why it stopped. */
  get stop(): StopReason {
    return this.reason;
  }
  /** Whether the run has ended; it can still go back. */
  get isOver(): boolean {
    return this.timeline.ending !== undefined;
  }
  get prog(): LinkedProg {
    return (this.timeline.standing[0]?.prog ?? this.entryProg).prog;
  }
  /** The instruction that runs next, or that ended the run. */
  get slot(): number {
    const { ending } = this.timeline;
    if (ending?.kind === "trap" && typeof ending.trap.details.slot === "number")
      return ending.trap.details.slot;
    return this.timeline.standing[0]?.slot ?? 0;
  }
  /** Instructions executed so far: the number of the present state. */
  get insnCount(): number {
    return this.timeline.count;
  }
  /** Whether a helper waits for the running function; registers and memory cannot be changed then. */
  get isInCallback(): boolean {
    return this.timeline.isUnwound;
  }

  /** Lists the frames, innermost first. */
  frames(): FrameView[] {
    return backtrace(this.machine, this.timeline.standing);
  }

  /** Gives the machine back. */
  dispose(): void {
    this.timeline.dispose();
  }

  /** Executes instructions, into calls and callbacks. */
  step(count = 1): StopReason {
    if (this.isOver || count <= 0) return this.reason;
    this.timeline.goTo(this.insnCount + count);
    return this.settle({ kind: "step" });
  }

  /** Executes one instruction with everything that it calls. */
  stepOver(options: CommandOptions = {}): StopReason {
    const { depth } = this.machine;
    return this.drive((view) => view.depth <= depth, options, { kind: "step" });
  }

  /** Executes until the running function has returned. */
  stepOut(options: CommandOptions = {}): StopReason {
    const { depth } = this.machine;
    return this.drive((view) => view.depth < depth, options, { kind: "step" });
  }

  /** Executes at least one instruction, until a condition holds, a break- or watchpoint stops it, or the end. */
  runUntil(predicate: Predicate, options: CommandOptions = {}): StopReason {
    return this.drive(predicate, options, { kind: "until" });
  }

  /** Executes until a break- or watchpoint, or the end. */
  continue(options: CommandOptions = {}): StopReason {
    const isPlain = [...this.breakpoints.values()].every(({ condition }) => condition === undefined);
    if (isPlain && this.watchpoints.size === 0 && !this.isOver && !this.isInCallback) {
      return this.runPatched(this.limitCount(options));
    }
    return this.drive(() => false, options, { kind: "limit" });
  }

  /** Goes back over instructions; stops at the start. */
  back(count = 1): StopReason {
    this.timeline.goTo(Math.max(0, this.insnCount - count));
    return this.settle(this.insnCount === 0 ? { kind: "start" } : { kind: "step" });
  }

  /** Goes to the state after a number of instructions, or to the end of the run if that comes first. */
  goTo(count: number): StopReason {
    this.timeline.goTo(Math.max(0, count));
    return this.settle(this.insnCount === 0 ? { kind: "start" } : { kind: "step" });
  }

  /** Goes back to the last earlier state in which a condition holds, or to the start. */
  backUntil(predicate: Predicate): StopReason {
    const { timeline } = this;
    let end = this.insnCount;
    for (const from of timeline.checkpointsBefore(end - 1)) {
      let found: number | undefined;
      timeline.visit(from, end, (view) => {
        if (predicate(view)) found = view.insnCount;
      });
      if (found !== undefined) {
        timeline.goTo(found);
        return this.settle({ kind: "until" });
      }
      end = from;
    }
    return this.goTo(0);
  }

  /** Goes back to the last breakpoint, or to just before the last change of something watched, or to the start. */
  backContinue(): StopReason {
    const changes = [...this.watchpoints.values()].map(
      ({ target, depth }) => this.lastChange(target, depth) ?? -1,
    );
    const lastChange = Math.max(-1, ...changes);
    return this.backUntil((view) => view.insnCount === lastChange || this.breakpointAt(view) !== undefined);
  }

  /** Goes back to just before the last instruction that changed a register or memory, or to the start. */
  backToChange(target: WatchTarget): StopReason {
    checkWatch(target);
    const count = this.lastChange(target, this.machine.depth);
    this.timeline.goTo(count ?? 0);
    return this.settle(count === undefined ? { kind: "start" } : { kind: "until" });
  }

  /**
   * Stops before an instruction.
   *
   * @throws DEBUG_SLOT (InputError) when no instruction starts there; DEBUG_ENGINE for a program of another engine.
   */
  addBreakpoint(options: BreakpointOptions): Breakpoint {
    const prog = options.prog === undefined ? this.entryProg : ownProg(options.prog);
    const insn = prog.prog.insns[options.slot];
    const isHalf = prog.prog.insns[options.slot - 1]?.op === WIDE_OP && insn?.op === 0;
    if (insn === undefined || isHalf) {
      throw new InputError(
        "DEBUG_SLOT",
        `no instruction starts at slot ${options.slot} of ${prog.prog.spec.name}`,
        {
          details: { slot: options.slot },
        },
      );
    }
    const breakpoint = { id: this.nextId++, slot: options.slot, prog, condition: options.condition };
    this.breakpoints.set(breakpoint.id, breakpoint);
    return breakpoint;
  }

  /**
   * Stops after an instruction that changes a register or memory.
   *
   * @throws DEBUG_WATCH (InputError) when there is no such register, or the bytes are not 1..8.
   */
  addWatchpoint(target: WatchTarget): Watchpoint {
    checkWatch(target);
    const watchpoint = { id: this.nextId++, target, depth: this.machine.depth };
    this.watchpoints.set(watchpoint.id, watchpoint);
    return watchpoint;
  }

  /** Removes a break- or watchpoint; says whether it existed. */
  remove(id: number): boolean {
    return this.breakpoints.delete(id) || this.watchpoints.delete(id);
  }

  listBreakpoints(): readonly Breakpoint[] {
    return [...this.breakpoints.values()];
  }

  listWatchpoints(): readonly Watchpoint[] {
    return [...this.watchpoints.values()];
  }

  /** Changes a register. @throws DEBUG_IN_CALLBACK (InputError) inside a callback. */
  setReg(reg: number, value: bigint): void {
    this.edit(() => {
      this.machine.regs[2 * reg] = loOf(value);
      this.machine.regs[2 * reg + 1] = hiOf(value);
    });
  }

  /**
   * Lets `change` write memory, maps or registers of the machine; the run goes on from what it leaves.
   *
   * @throws DEBUG_IN_CALLBACK (InputError) inside a callback, whose helper would undo the change.
   */
  edit(change: () => void): void {
    if (this.isInCallback) {
      throw new InputError("DEBUG_IN_CALLBACK", "nothing can be changed inside a callback, leave it first");
    }
    change();
    this.timeline.fork();
  }

  /** Goes on with another program, e.g. the same one with an instruction changed, from a slot of it. */
  replaceProg(next: EngineProg, slot = this.slot): void {
    const prog = ownProg(next);
    this.edit(() => {
      this.machine.current = prog;
      this.timeline.cursor.prog = prog;
      this.timeline.cursor.p = slot << SLOT_SHIFT;
    });
  }

  /** Reads a register. */
  reg(n: number): U64 {
    return watchedValue({ kind: "reg", reg: n }, this.machine, this.machine.regs);
  }

  private limitCount({ limit }: CommandOptions): number {
    return limit === undefined ? Number.POSITIVE_INFINITY : this.insnCount + limit;
  }

  private settle(reason: StopReason): StopReason {
    this.reason = this.timeline.ending ?? reason;
    return this.reason;
  }

  private drive(predicate: Predicate, options: CommandOptions, reason: StopReason): StopReason {
    if (this.isOver) return this.reason;
    const { machine } = this;
    const values = new Map<number, bigint>();
    for (const { id, target, depth } of this.watchpoints.values()) {
      if (isWatchable(target, depth, machine)) values.set(id, watchedValue(target, machine, machine.regs));
    }
    let found: StopReason = { kind: "limit" };
    this.timeline.drive(this.limitCount(options), (view) => {
      const hit = this.watchHit(view, values) ?? this.breakpointAt(view);
      if (hit === undefined && !predicate(view)) return false;
      found = hit ?? reason;
      return true;
    });
    return this.settle(found);
  }

  private breakpointAt(view: StepView): StopReason | undefined {
    for (const { id, slot, prog, condition } of this.breakpoints.values()) {
      if (slot === view.slot && prog.prog === view.prog && condition?.(view) !== false) {
        return { kind: "breakpoint", id };
      }
    }
    return undefined;
  }

  private watchHit(view: StepView, values: Map<number, bigint>): StopReason | undefined {
    for (const { id, target, depth } of this.watchpoints.values()) {
      const before = values.get(id);
      if (!isWatchable(target, depth, view.machine)) continue;
      const after =
        target.kind === "reg" ? view.reg(target.reg) : watchedValue(target, view.machine, view.machine.regs);
      values.set(id, after);
      if (before !== undefined && after !== before) return { kind: "watchpoint", id, before, after };
    }
    return undefined;
  }

  /** Runs at full speed: breakpoints are instructions of their own while it does. */
  private runPatched(limitCount: number): StopReason {
    this.timeline.goTo(Math.min(this.insnCount + 1, limitCount));
    if (this.isOver) return this.settle({ kind: "limit" });
    const here = this.hitHere();
    if (here !== undefined) return this.settle(here);
    if (this.isInCallback)
      return this.drive(() => false, { limit: limitCount - this.insnCount }, { kind: "limit" });
    const unpatch = [...this.breakpoints.values()].map(patch);
    try {
      this.timeline.runToBreak(limitCount);
    } finally {
      // Backwards: where two breakpoints share an instruction, the second one found the first one's.
      for (const undo of unpatch.reverse()) undo();
    }
    return this.settle(this.hitHere() ?? { kind: "limit" });
  }

  /** The unconditional breakpoint at the present instruction. */
  private hitHere(): StopReason | undefined {
    const hit = this.listBreakpoints().find(
      ({ slot, prog }) => slot === this.slot && prog.prog === this.prog,
    );
    return hit === undefined ? undefined : { kind: "breakpoint", id: hit.id };
  }

  /** Finds the count of the state before the last change that the frame at `depth` can see. */
  private lastChange(target: WatchTarget, depth: number): number | undefined {
    const { timeline, machine } = this;
    const current = this.insnCount;
    let end = current;
    let after = isWatchable(target, depth, machine) ? watchedValue(target, machine, machine.regs) : undefined;
    let found: number | undefined;
    for (const from of timeline.checkpointsBefore(end - 1)) {
      let first: bigint | undefined;
      let previous: bigint | undefined;
      let previousCount = 0;
      timeline.visit(from, end, (view) => {
        if (!isWatchable(target, depth, machine)) return;
        const value =
          target.kind === "reg" ? view.reg(target.reg) : watchedValue(target, machine, machine.regs);
        if (previous !== undefined && value !== previous) found = previousCount;
        first ??= value;
        previous = value;
        previousCount = view.insnCount;
      });
      if (after !== undefined && previous !== undefined && previous !== after) found = previousCount;
      if (found !== undefined) break;
      after = first ?? after;
      end = from;
    }
    timeline.goTo(current);
    return found;
  }
}

const WIDE_OP = 0x18;

/** Puts a breakpoint's instruction in place; returns what takes it out again. */
function patch({ slot, prog }: Breakpoint): () => void {
  const { code } = prog;
  const at = (slot << SLOT_SHIFT) + WORD.op;
  const word = code.words[at] as number;
  patchCode(code, at, (word & ~OP_MASK) | OP.break);
  return () => patchCode(code, at, word);
}

function ownProg(prog: EngineProg): InterpreterProg {
  if (prog instanceof InterpreterProg) return prog;
  throw new InputError(
    "DEBUG_ENGINE",
    `engine ${prog.engine} found, only programs of the interpreter can be stepped`,
  );
}
