import { joinU64, TrapError } from "@tsbpf/base";
import {
  type LinkedProg,
  type Machine,
  type RecordedServices,
  type RunHooks,
  recordServices,
  type Standing,
} from "@tsbpf/runtime";
import { type Cursor, pause, StopSignal } from "../execute.ts";
import { registers as r } from "../loop.gen.ts";
import { SLOT_SHIFT } from "../predecode.ts";
import type { InterpreterProg } from "../prog.ts";
import { finish, REGISTER_WORDS } from "../running.ts";
import { History } from "./history.ts";
import type { Predicate, StepView, StopReason } from "./stops.ts";

/** How a run ended. */
export type Ending = Extract<StopReason, { kind: "exit" | "trap" }>;

/**
 * One execution as a line of states, numbered by the instructions executed: goes to any of them.
 *
 * Inside a callback the helper that waits cannot be suspended. It is unwound, what there is to see is kept, and going
 * on means executing from the last checkpoint; so states inside callbacks can be looked at and not changed.
 */
export class Timeline {
  readonly machine: Machine;
  readonly cursor: Cursor;
  private readonly services: RecordedServices;
  private readonly history: History;
  private readonly release: () => void;
  private stoodAt: readonly Standing[] | undefined;
  private end: Ending | undefined;

  /** Takes over a machine that `beginRun` prepared, with registers in `machine.regs`. */
  constructor(machine: Machine, prog: InterpreterProg) {
    const { hooks } = machine;
    const { services } = machine.env;
    this.release = () => {
      machine.env.services = services;
      machine.hooks = hooks;
      machine.depth = 0;
    };
    this.machine = machine;
    this.cursor = { prog, p: 0 };
    this.services = recordServices(services);
    machine.env.services = this.services.services;
    machine.hooks = undefined;
    this.history = new History(machine, this.services);
    this.history.add(this.cursor);
  }

  get count(): number {
    return this.machine.insnCount;
  }
  get ending(): Ending | undefined {
    return this.end;
  }
  /** Whether a helper was unwound to stop here. */
  get isUnwound(): boolean {
    return this.stoodAt !== undefined;
  }
  /** Where the execution stands, and the helpers' calls that wait for it; the innermost first. */
  get standing(): readonly Standing[] {
    const prog = this.cursor.prog as InterpreterProg;
    return this.stoodAt ?? [{ prog, slot: this.cursor.p >> SLOT_SHIFT }];
  }

  /** Gives the machine back; the timeline cannot be used afterwards. */
  dispose(): void {
    this.release();
  }

  /**
   * Goes to the state after `count` instructions, or to the end if that comes first. Changes that were made in a later
   * state are undone: what comes next need not lead there.
   */
  goTo(count: number): void {
    if (this.count === count && this.end === undefined) return;
    this.history.undoEditsAfter(count);
    if (this.end !== undefined || this.isUnwound || count < this.count) this.restore(count);
    this.advanceTo(count, undefined);
  }

  /**
   * Executes at least one instruction, until a condition holds before an instruction or `limitCount` is reached.
   *
   * @returns whether the condition held.
   */
  drive(limitCount: number, predicate: Predicate): boolean {
    const from = this.count;
    if (this.isUnwound) this.restore(from);
    let isHeld = false;
    this.advanceTo(limitCount, (view) => {
      if (view.insnCount <= from || !predicate(view)) return;
      isHeld = true;
      pause.isRequested = true;
    });
    return isHeld;
  }

  /** Executes to `count` again from a checkpoint, showing every state on the way but the last. */
  visit(from: number, count: number, look: (view: StepView) => void): void {
    this.restore(from);
    this.advanceTo(count, look);
  }

  /** Executes at full speed until a breakpoint in the code is met or `limitCount` is reached. */
  runToBreak(limitCount: number): boolean {
    pause.isAtBreak = false;
    this.advanceTo(limitCount, undefined);
    return pause.isAtBreak;
  }

  /** Counts of the checkpoints at or before a count, the latest first. */
  checkpointsBefore(count: number): number[] {
    return this.history.countsBefore(count);
  }

  /** Goes on from the present state as it is now; states that were recorded after it are forgotten. */
  fork(): void {
    this.history.addEdited(this.cursor);
  }

  private restore(count: number): void {
    this.history.restore(count, this.cursor);
    this.end = undefined;
    this.stoodAt = undefined;
  }

  private advanceTo(count: number, look: ((view: StepView) => void) | undefined): void {
    this.machine.hooks = look === undefined ? undefined : showing(look);
    try {
      while (this.end === undefined && !this.isUnwound && this.count < count) {
        pause.atCount = count;
        pause.outerAtCount = Math.max(this.history.dueCount, this.count + 1);
        const isStopped = this.resume();
        if (this.end !== undefined || this.isUnwound || isStopped) break;
        this.history.add(this.cursor);
      }
    } finally {
      this.machine.hooks = undefined;
    }
  }

  /**
   * Executes from the cursor until a pause or the end.
   *
   * @returns whether a hook or a breakpoint stopped it, rather than a count.
   */
  private resume(): boolean {
    const { machine } = this;
    r.set(machine.regs.subarray(0, REGISTER_WORDS));
    pause.isOn = true;
    pause.isRequested = false;
    pause.isAtBreak = false;
    try {
      const ended = finish(machine, this.cursor, 1, false);
      machine.regs.set(r.subarray(0, REGISTER_WORDS));
      if (ended === "exited") {
        this.end = { kind: "exit", r0: joinU64(r[0] as number, r[1] as number) };
        return true;
      }
      return pause.isAtBreak || this.count < Math.min(pause.atCount, pause.outerAtCount);
    } catch (thrown) {
      if (thrown instanceof StopSignal) this.stoodAt = thrown.standing;
      else if (thrown instanceof TrapError) this.end = { kind: "trap", trap: thrown };
      else throw thrown;
      return true;
    } finally {
      pause.isOn = false;
    }
  }
}

/** Makes the hooks that show each instruction; one view serves all of them. */
function showing(look: (view: StepView) => void): RunHooks {
  const view = {
    machine: undefined as unknown as Machine,
    prog: undefined as unknown as LinkedProg,
    slot: 0,
    depth: 0,
    insnCount: 0,
    reg: (n: number) => joinU64(r[2 * n] as number, r[2 * n + 1] as number),
  };
  return {
    onStep(machine, prog, slot) {
      view.machine = machine;
      view.prog = prog;
      view.slot = slot;
      view.depth = machine.depth;
      view.insnCount = machine.insnCount;
      look(view);
    },
  };
}
