import { type Breakpoint, type Predicate, Stepper, type StepView, type StopReason } from "@tsbpf/interpreter";
import type { RunInput } from "@tsbpf/plugin";
import {
  type EngineProg,
  type LinkedProg,
  type Machine,
  restoreMachine,
  type SavedMachine,
  saveMachine,
} from "@tsbpf/runtime";
import type { Prog } from "@tsbpf/vm";
import { fault } from "./fault.ts";
import type { ReplHost } from "./host.ts";
import { backToWrite } from "./origin.ts";
import { Points } from "./points.ts";

/** A state to come back to. */
export interface Snapshot {
  readonly saved: SavedMachine;
  readonly prog: EngineProg;
  readonly slot: number;
}

/** Why a command stopped: what the stepper says, or that the user interrupted it. */
export type Stop = StopReason | { readonly kind: "interrupted" };

/** How leaving a function ended. */
export interface StepOut {
  readonly stop: Stop;
  /** What it returned, when it did. */
  readonly returned?: bigint;
}

const UNDO_MAX = 32;
const EXIT_OP = 0x95;
const CALL_MASK = 0xf7;
const CALL_OP = 0x85;
const TAIL_CALL = 12;
const DEFAULT_FUEL = 20_000_000;
/** Instructions between two looks at the keyboard: at full speed, and where every instruction is looked at. */
const CHUNK_FAST = 2_000_000;
const CHUNK_SLOW = 100_000;

/** The program that is being looked into: stepping with interruption, break- and watchpoints, undo, bare lines. */
export class Debuggee {
  readonly points = new Points();
  /** Called before each instruction of a command while tracing is on. */
  onTrace: ((view: StepView) => void) | undefined;
  /** Instructions that a run may execute before it traps. */
  fuel = DEFAULT_FUEL;
  private readonly host: ReplHost;
  private current: Stepper | undefined;
  private undos: Snapshot[] = [];
  private floorCount = 0;

  constructor(host: ReplHost) {
    this.host = host;
  }

  get stepper(): Stepper {
    if (this.current === undefined) throw fault("REPL_NO_PROG", "no program, .load one");
    return this.current;
  }
  get machine(): Machine {
    return this.stepper.machine;
  }
  /** The count that going back cannot pass: maps were made then. */
  get firstCount(): number {
    return this.floorCount;
  }
  /** The program that runs, as the engine has it. */
  get engineProg(): EngineProg {
    const { current } = this.machine;
    if (current === undefined) throw fault("REPL_NO_PROG", "no program, .load one");
    return current;
  }

  /** Puts an input in place and stands before the first instruction. */
  start(prog: Prog, input: RunInput): void {
    this.current?.dispose();
    const context = prog.context();
    context.load(input);
    this.current = new Stepper({
      machine: prog.machine(),
      prog: prog.engineProg,
      context,
      budget: this.fuel,
    });
    this.forgetHistory();
    this.points.install(this.current, prog.engineProg);
  }

  /** Gives the machine back, e.g. for runs on another engine. */
  release(): void {
    this.current?.dispose();
    this.current = undefined;
  }

  /** Declares the present state the earliest one there is, because memory was allocated. */
  forgetHistory(): void {
    this.undos = [];
    this.floorCount = this.current?.insnCount ?? 0;
  }

  /** Goes to before the end of a run that has ended, so that something can be done there. */
  revive(): void {
    const { stepper } = this;
    if (stepper.isOver) stepper.goTo(Math.max(this.floorCount, stepper.insnCount - 1));
  }

  /** Remembers the present state for `.undo`. */
  remember(): Snapshot {
    if (this.stepper.isInCallback)
      throw fault("REPL_LINE", "nothing can be changed inside a callback, leave it with .finish");
    const snapshot = this.snapshot();
    this.undos.push(snapshot);
    if (this.undos.length > UNDO_MAX) this.undos.shift();
    return snapshot;
  }

  /** Makes the last change undone; says whether there was one. */
  undo(): boolean {
    const snapshot = this.undos.pop();
    if (snapshot === undefined) return false;
    this.restore(snapshot);
    return true;
  }

  /** Forgets the last remembered state: nothing was changed after all. */
  dropUndo(): void {
    this.undos.pop();
  }

  snapshot(): Snapshot {
    const saved = saveMachine(this.machine, this.undos.at(-1)?.saved);
    return { saved, prog: this.engineProg, slot: this.stepper.slot };
  }

  restore({ saved, prog, slot }: Snapshot): void {
    const { stepper, machine } = this;
    if (stepper.isOver || stepper.isInCallback) stepper.goTo(saved.insnCount);
    stepper.edit(() => restoreMachine(machine, saved));
    stepper.replaceProg(prog, slot);
  }

  /** Lets a change happen that `.undo` takes back. */
  edit(change: () => void): void {
    this.revive();
    this.remember();
    try {
      this.stepper.edit(change);
    } catch (error) {
      this.dropUndo();
      throw error;
    }
  }

  /** Goes on with other code for the program that runs, at a slot of it. */
  replaceProg(prog: EngineProg, slot = this.stepper.slot): void {
    this.revive();
    this.remember();
    this.stepper.replaceProg(prog, slot);
    this.points.install(this.stepper, prog);
  }

  /** Executes instructions, into calls; break- and watchpoints on the way stop it. */
  async step(count: number): Promise<Stop> {
    if (count === 1 && this.onTrace === undefined && !this.points.hasWatch) return this.stepper.step();
    const stop = await this.continue(count);
    return stop.kind === "limit" ? { kind: "step" } : stop;
  }

  /** Executes one instruction with everything that it calls. */
  async stepOver(): Promise<Stop> {
    const { stepper } = this;
    const { depth } = this.machine;
    const { slot } = stepper;
    const insn = stepper.prog.insns[slot];
    const isCall = insn !== undefined && (insn.op & CALL_MASK) === CALL_OP;
    if (!isCall) return this.step(1);
    // A tail call that succeeds never comes to the next slot.
    if (insn.src === 0 && insn.imm === TAIL_CALL) return this.until((view) => view.depth <= depth);
    return this.untilReturned(this.engineProg, slot + 1, depth);
  }

  /** Executes until the running function has returned; out of a callback leads to the next one, or past its helper. */
  async stepOut(): Promise<StepOut> {
    const { stepper } = this;
    const { depth } = this.machine;
    const [own, caller] = stepper.frames();
    if (depth <= 1 || caller === undefined) return { stop: await this.continue() };
    const isPlain = own?.isCallback === false && caller.prog === this.engineProg.prog;
    if (isPlain && caller.slot !== undefined) {
      const stop = await this.untilReturned(this.engineProg, caller.slot + 1, depth - 1);
      return { stop, ...(stop.kind === "until" ? { returned: stepper.reg(0) } : {}) };
    }
    const isExit = (prog: LinkedProg, slot: number): boolean => prog.insns[slot]?.op === EXIT_OP;
    let returned = isExit(stepper.prog, stepper.slot) ? stepper.reg(0) : undefined;
    const stop = await this.until((view) => {
      if (view.depth < depth || returned !== undefined) return true;
      if (view.depth === depth && isExit(view.prog, view.slot)) returned = view.reg(0);
      return false;
    });
    return { stop, ...(returned === undefined || stop.kind !== "until" ? {} : { returned }) };
  }

  /** Executes at full speed until a slot is reached in a frame that is not deeper than `depth`. */
  private async untilReturned(prog: EngineProg, slot: number, depth: number): Promise<Stop> {
    if (this.onTrace !== undefined) return this.until((view) => view.depth <= depth);
    for (;;) {
      const stop = await this.untilSlot(prog, slot);
      if (stop.kind !== "until" || this.machine.depth <= depth) return stop;
    }
  }

  /** Executes until a slot is reached. */
  async untilSlot(prog: EngineProg, slot: number): Promise<Stop> {
    const { stepper } = this;
    const temporary = stepper.addBreakpoint({ prog, slot });
    try {
      const stop = await this.continue();
      return stop.kind === "breakpoint" && stop.id === temporary.id ? { kind: "until" } : stop;
    } finally {
      stepper.remove(temporary.id);
    }
  }

  /** Executes until a break- or watchpoint, the end, or an interruption. */
  async continue(limit = Number.POSITIVE_INFINITY): Promise<Stop> {
    const { stepper } = this;
    if (this.onTrace !== undefined) return this.until(() => false, limit);
    for (;;) {
      const stop = await this.chunked((chunk) => stepper.continue({ limit: chunk }), limit);
      if (stop.kind !== "watchpoint" || this.points.holds(stop.id, stepper)) return stop;
    }
  }

  /** Executes until a condition holds. */
  async until(predicate: Predicate, limit = Number.POSITIVE_INFINITY): Promise<Stop> {
    const { stepper, onTrace } = this;
    const traced: Predicate =
      onTrace === undefined
        ? predicate
        : (view) => {
            onTrace(view);
            return predicate(view);
          };
    for (;;) {
      const stop = await this.chunked(
        (chunk) => stepper.runUntil(traced, { limit: chunk }),
        limit,
        CHUNK_SLOW,
      );
      if (stop.kind !== "watchpoint" || this.points.holds(stop.id, stepper)) return stop;
    }
  }

  back(count: number): Stop {
    const { stepper } = this;
    return stepper.goTo(Math.max(this.floorCount, stepper.insnCount - count));
  }

  goTo(count: number): Stop {
    return this.stepper.goTo(Math.max(this.floorCount, count));
  }

  /** Goes back to the instruction that gave a register its value. */
  backToWrite(reg: number): Stop {
    const { stepper, points } = this;
    points.suspend(stepper);
    try {
      return backToWrite(stepper, reg);
    } finally {
      points.install(stepper, this.engineProg);
    }
  }

  /** Runs a small program on the present registers and memory, then stands where it stood. */
  async runLine(prog: EngineProg, endSlot: number, limit: number): Promise<Stop> {
    this.revive();
    const before = this.remember();
    const { stepper } = this;
    const startDepth = this.machine.depth;
    const { machine } = this;
    const { budgetLeft } = machine;
    const resume = { prog: before.prog, slot: before.slot };
    const end: Breakpoint = stepper.addBreakpoint({ prog, slot: endSlot });
    this.points.suspend(stepper);
    try {
      machine.budgetLeft = Math.max(budgetLeft, limit + 1);
      stepper.replaceProg(prog, 0);
      const stop = await (startDepth > 1
        ? this.until((view) => view.depth < startDepth, limit)
        : this.continue(limit));
      if (
        stop.kind === "trap" ||
        stop.kind === "limit" ||
        stop.kind === "interrupted" ||
        stop.kind === "until"
      ) {
        this.restore(before);
        this.dropUndo();
        return stop;
      }
      this.revive();
      machine.budgetLeft = budgetLeft;
      stepper.replaceProg(resume.prog, resume.slot);
      return stop;
    } finally {
      stepper.remove(end.id);
      this.points.install(stepper, this.engineProg);
    }
  }

  private async chunked(
    run: (limit: number) => StopReason,
    limit: number,
    chunk = this.points.isSlow ? CHUNK_SLOW : CHUNK_FAST,
  ): Promise<Stop> {
    const lastCount = this.stepper.insnCount + limit;
    for (;;) {
      const left = lastCount - this.stepper.insnCount;
      const stop = run(Math.min(chunk, left));
      if (stop.kind !== "limit" || this.stepper.insnCount >= lastCount) return stop;
      if (await this.host.breathe()) return { kind: "interrupted" };
    }
  }
}
