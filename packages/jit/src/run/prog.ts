import { TrapError, UnsupportedError } from "@tsbpf/base";
import { PERM } from "@tsbpf/memory";
import {
  type EngineProg,
  FRAME_STRIDE_BYTES,
  helperThrew,
  type Invoker,
  type LinkedProg,
  type Machine,
  type ProgEntry,
  popFrame,
  pushFrame,
  type Target,
} from "@tsbpf/runtime";
import { canBatch, staysInside } from "../emit/batch.ts";
import type { Mode } from "../emit/mode.ts";
import { makePlan, type Plan } from "../ir/plan.ts";
import { isSealed } from "../ir/sealed.ts";
import type { ModuleCache } from "./cache.ts";
import { Forms } from "./forms.ts";
import { type Instance, makeInstance } from "./instance.ts";
import { type MachineState, stateOf } from "./machine-state.ts";
import { invokerOf, placeError, setTailTargets, ThrowSignal } from "./outside.ts";
import { everyReached, recordsTails } from "./targets.ts";
import { wasmTrap } from "./wasm-trap.ts";

/** Slots beyond which V8 takes no function of ours. @source V8 src/wasm/wasm-limits.h kV8MaxWasmFunctionSize */
const SLOTS_MAX = 400_000;
const R1 = 2;
const SCRATCH_WORDS = 12;
/** Runs in the first of the pieces that a repeat is cut into. */
const FIRST_PIECE = 1024;

/** A program compiled to WebAssembly, in as many forms as its runs asked for. */
export class JitProg implements EngineProg {
  readonly engine = "jit";
  readonly prog: LinkedProg;
  readonly plan: Plan;
  readonly isChecked: boolean;
  readonly ctxBytes: number;
  /** Whether a tail call may happen in it. */
  readonly hasTails: boolean;
  readonly throws: boolean;
  /** Whether loads ask the machine where the packet lies. */
  private readonly asksPacket: boolean;
  readonly forms: Forms;
  private readonly invokers = new Map<number, Invoker>();
  private last: Instance | undefined;
  private lastBatch: Instance | undefined;
  /** The instance of the last run when nothing outside takes part in it. */
  private sealed: Instance | undefined;

  /** @throws UNSUPPORTED_JIT_SIZE (UnsupportedError) when the program is larger than WebAssembly engines take. */
  constructor(prog: LinkedProg, isChecked: boolean, cache: ModuleCache) {
    if (prog.insns.length > SLOTS_MAX) {
      throw new UnsupportedError(
        "UNSUPPORTED_JIT_SIZE",
        `program ${prog.spec.name} has ${prog.insns.length} slots, the jit takes ${SLOTS_MAX}; the interpreter has no limit`,
      );
    }
    this.prog = prog;
    this.isChecked = isChecked;
    this.forms = new Forms(this, cache);
    this.plan = makePlan(prog);
    this.hasTails = this.plan.funcs.some(({ mayTailCall }) => mayTailCall);
    this.throws = [...prog.targets.values()].some((target) => target.kind === "throw");
    this.asksPacket = this.plan.actions.some((action) => action?.kind === "packet");
    this.ctxBytes = prog.progType.ctx.sizeBytes;
  }

  run(machine: Machine, ctxAddress: number): void {
    const { sealed } = this;
    if (
      sealed !== undefined &&
      sealed.machine === machine &&
      machine.hooks === undefined &&
      machine.budgetLeft === Number.MAX_SAFE_INTEGER &&
      sealed.state.isFresh()
    ) {
      this.runSealed(sealed, machine, ctxAddress);
    } else this.runAny(machine, ctxAddress);
  }

  /** The short way of a verified program without budget and hooks whose calls are all code: nothing looks on. */
  private runSealed({ state, main, mode }: Instance, machine: Machine, ctxAddress: number): void {
    state.clearCount();
    try {
      const { regs } = machine;
      regs[0] = main(ctxAddress, machine.stackBase);
      regs[1] = state.resultHigh;
      machine.insnCount += state.getCount();
    } catch (thrown) {
      throw this.endOfRun(state, mode, thrown);
    }
  }

  private runAny(machine: Machine, ctxAddress: number): void {
    const { last } = this;
    const key =
      (machine.budgetLeft < Number.MAX_SAFE_INTEGER ? 1 : 0) | (machine.hooks === undefined ? 0 : 2);
    const isSame =
      last !== undefined &&
      last.machine === machine &&
      last.entryKey === key &&
      (!this.isChecked || last.state.ctxPerm(this.ctxBytes) === last.mode.ctxPerm);
    const instance = isSame ? last : this.prepareEntry(machine, key);
    const { state } = instance;
    machine.depth = 1;
    if (machine.current !== this) machine.current = this;
    state.setBase(1);
    if (!state.isFresh()) state.refresh();
    const { hasFuel } = instance.mode;
    if (hasFuel) state.setLeft(machine.budgetLeft);
    else state.clearCount();
    if (this.isChecked || this.hasTails) state.bounds.startRun(machine.env.packet);
    if (this.hasTails) state.tails.start();
    state.activeCount++;
    try {
      const r0 = instance.main(ctxAddress, machine.stackBase);
      state.activeCount--;
      if (hasFuel || this.hasTails) this.leave(state, hasFuel);
      else machine.insnCount += state.getCount();
      machine.regs[0] = r0;
      machine.regs[1] = state.regs[1] as number;
    } catch (thrown) {
      this.complete(instance, machine, thrown);
    }
  }

  private prepareEntry(machine: Machine, key: number): Instance {
    const instance = this.forms.instanceOf(stateOf(machine), this.forms.modeFor(machine, 1, 0));
    instance.entryKey = key;
    this.last = instance;
    const isShort = key === 0 && !this.isChecked && !this.hasTails && isSealed(this.plan);
    this.sealed = isShort ? instance : undefined;
    return instance;
  }

  /** Ends a run that did not return: the exception callback goes on, or the trap does. */
  private complete(instance: Instance, machine: Machine, thrown: unknown): void {
    const { state, mode } = instance;
    state.activeCount--;
    if (!(thrown instanceof ThrowSignal)) throw this.endOfRun(state, mode, thrown);
    const r0 = this.afterThrow(state, instance, thrown.slot);
    this.leave(state, mode.hasFuel);
    machine.regs[0] = r0;
    machine.regs[1] = state.regs[1] as number;
  }

  repeat(machine: Machine, ctxAddress: number, times: number): boolean {
    const state = stateOf(machine);
    const instance = this.forms.instanceOf(state, this.forms.modeFor(machine, 1, 0));
    const { mode } = instance;
    if (instance.repeat === undefined || machine.hooks !== undefined) return false;
    if (!everyReached(this, isJitProg, (one) => isSealed(one.plan) && !one.throws)) return false;
    state.refresh();
    state.setBase(1);
    if (mode.hasFuel) state.setBudget(machine.budgetLeft);
    if (this.isChecked || this.hasTails) state.bounds.startRun(machine.env.packet);
    machine.depth = 1;
    try {
      // In pieces that grow: a call that began before the compiler was done stays slow to its end.
      for (let left = times, piece = FIRST_PIECE; left > 0; left -= piece, piece *= 2) {
        // The last run begins anew where its effects are to be told from those of the others.
        if (left <= piece && left > 1 && recordsTails(this, machine)) piece = left - 1;
        if (this.hasTails) startTails(state);
        machine.regs[0] = instance.repeat(ctxAddress, machine.stackBase, Math.min(left, piece));
      }
      machine.regs[1] = state.resultHigh;
    } catch (thrown) {
      throw this.endOfRun(state, mode, thrown);
    }
    this.leave(state, mode.hasFuel);
    return true;
  }

  makeEntry(machine: Machine, ctxAddress: number): ProgEntry | undefined {
    // What tail calls reach may change between two runs.
    if (this.isChecked || this.hasTails || !isSealed(this.plan) || this.asksPacket) return undefined;
    const state = stateOf(machine);
    const mode: Mode = { ...this.forms.modeFor(machine, 1, 0), hasFuel: false, isHooked: false };
    const { enter } = makeInstance(this, this.forms.moduleOf(state, mode), mode, state, ctxAddress);
    if (enter === undefined) return undefined;
    return {
      run: enter,
      endOf: (thrown) => {
        state.refresh();
        machine.insnCount = 0;
        return this.endOfRun(state, mode, thrown);
      },
      count: () => {
        state.refresh();
        return state.getCount();
      },
    };
  }

  runFunc(machine: Machine, slot: number): void {
    const state = stateOf(machine);
    const { depth } = machine;
    const { regs } = state;
    const kept = regs.slice(0, SCRATCH_WORDS);
    pushFrame(machine, regs, NO_CODE);
    const idx = this.prog.funcs.findIndex((func) => func.start === slot);
    const mode = this.forms.modeFor(machine, depth + 1, idx);
    const instance = this.forms.instanceOf(state, idx === 0 ? movedAt(mode, depth + 1) : mode);
    for (let i = R1; i < SCRATCH_WORDS; i++) regs[i] = machine.regs[i] as number;
    const caller = machine.current;
    const isOutermost = state.activeCount === 0;
    if (isOutermost) this.enter(state, instance.mode.hasFuel);
    state.setBase(machine.progBase);
    machine.current = this;
    state.activeCount++;
    state.callbacks.push(depth);
    try {
      this.callFunc(state, instance, idx, depth + 1);
    } catch (thrown) {
      throw isOutermost && !(thrown instanceof ThrowSignal)
        ? this.endOfRun(state, instance.mode, thrown)
        : thrown;
    } finally {
      state.callbacks.pop();
      state.activeCount--;
    }
    if (isOutermost) this.leave(state, instance.mode.hasFuel);
    machine.regs[0] = regs[0] as number;
    machine.regs[1] = regs[1] as number;
    popFrame(machine, regs);
    machine.current = caller;
    regs.set(kept);
  }

  /** Calls a function in the frame at a depth; when the program began there, it may also throw there. */
  private callFunc(state: MachineState, instance: Instance, idx: number, depth: number): void {
    const { machine } = state;
    const frame = machine.stackBase + (depth - 1) * FRAME_STRIDE_BYTES;
    try {
      instance.funcs[idx]?.(frame);
    } catch (thrown) {
      if (!(thrown instanceof ThrowSignal) || machine.progBase !== depth) throw thrown;
      if (thrown.slot < 0) return;
      const handler = this.prog.funcs.findIndex((func) => func.start === thrown.slot);
      instance.funcs[handler]?.(frame);
    }
  }

  /** Returns the exact form that goes on where code of a mode leaves: with the same calls in place, nodes are the same. */
  exactInstance(state: MachineState, mode: Mode): Instance {
    return this.forms.instanceOf(state, {
      ...mode,
      hasFuel: true,
      isExact: true,
      isBatch: false,
      isMoved: false,
    });
  }

  /** Instructions that a run with a budget has executed. */
  executed(state: MachineState): number {
    const { machine } = state;
    return machine.insnCount + machine.budgetLeft - state.getCount();
  }

  invokerAt(slot: number, target: Target): Invoker {
    let invoker = this.invokers.get(slot);
    if (invoker === undefined) {
      invoker = invokerOf(this, slot, target);
      this.invokers.set(slot, invoker);
    }
    return invoker;
  }

  /** Returns where the machine's table has the program's main function; undefined when it must be called otherwise. */
  tableIndex(state: MachineState): number | undefined {
    const { machine } = state;
    // What a program throws ends where it began, which only the engine can catch.
    if (this.throws && machine.depth > 1) return undefined;
    const mode = movedAt(this.forms.modeFor(machine, machine.depth, 0), machine.depth);
    const instance = this.forms.instanceOf(state, mode);
    if (instance.tableIdx < 0) instance.tableIdx = state.addMain(instance.main);
    return instance.tableIdx;
  }

  /** Whether a tail call from a form of another program always leads to the same form of this one. */
  isFixedTail(machine: Machine, { ctxPerm }: Mode): boolean {
    if (this.throws) return false;
    return !this.isChecked || this.forms.modeFor(machine, machine.depth, 0).ctxPerm === ctxPerm;
  }

  /** Returns the form of the program that runs batches on a machine; undefined when there is none. */
  batchInstance(
    machine: Machine,
    budget = this.isChecked ? undefined : Number.MAX_SAFE_INTEGER,
  ): Instance | undefined {
    if (budget === undefined || machine.hooks !== undefined) return undefined;
    if (this.hasTails && (recordsTails(this, machine) || !everyReached(this, isJitProg, isBatchTarget)))
      return undefined;
    const { lastBatch } = this;
    const hasFuel = budget < Number.MAX_SAFE_INTEGER;
    if (lastBatch !== undefined && lastBatch.machine === machine && lastBatch.mode.hasFuel === hasFuel)
      return lastBatch;
    const ctxPerm = this.isChecked ? PERM.read : 0;
    const mode = { ...this.forms.modeFor(machine, 1, 0), hasFuel, isBatch: true, ctxPerm };
    if (!canBatch(this.plan, mode)) return undefined;
    this.lastBatch = this.forms.instanceOf(stateOf(machine), mode);
    return this.lastBatch;
  }

  /**
   * Turns what ended a packet of a batch into its trap.
   *
   * @throws what is no trap.
   */
  batchTrap(state: MachineState, instance: Instance, thrown: unknown): TrapError {
    const found = this.endOfRun(state, instance.mode, thrown);
    if (found instanceof TrapError) return found;
    throw found;
  }

  /** Gives generated code the count to go on with. */
  enter(state: MachineState, hasFuel: boolean): void {
    state.refresh();
    state.tails.start();
    if (this.isChecked || this.hasTails) state.bounds.startRun(state.machine.env.packet);
    if (hasFuel) state.setLeft(state.machine.budgetLeft);
    else state.clearCount();
  }

  /** Takes the count back from generated code. */
  leave(state: MachineState, hasFuel: boolean, count = state.getCount()): void {
    const { machine } = state;
    state.tails.finish();
    if (!hasFuel) {
      machine.insnCount += count;
      return;
    }
    machine.insnCount += machine.budgetLeft - count;
    machine.budgetLeft = count;
  }

  private afterThrow(state: MachineState, instance: Instance, slot: number): number {
    if (slot < 0) return state.regs[0] as number;
    const { machine } = state;
    const idx = this.prog.funcs.findIndex((func) => func.start === slot);
    try {
      return instance.funcs[idx]?.(machine.stackBase) ?? 0;
    } catch (thrown) {
      throw this.endOfRun(state, instance.mode, thrown);
    }
  }

  /** Brings the counts up to date when a run ends by a trap. */
  private endOfRun(state: MachineState, mode: Mode, thrown: unknown): unknown {
    const atAccess = state.accessTrapCount;
    state.accessTrapCount = Number.NaN;
    const base = state.getCount();
    this.leave(
      state,
      mode.hasFuel,
      Number.isNaN(atAccess) ? base : mode.hasFuel ? -atAccess : base + atAccess,
    );
    if (thrown instanceof WebAssembly.RuntimeError) return wasmTrap(thrown);
    // What else is not a trap was thrown by a helper that generated code called directly.
    const lowered = this.plan.lowered.get(state.slot);
    const isHelper = lowered?.kind === "words";
    return placeError(this, state.slot, isHelper ? helperThrew(thrown, lowered.helper.proto.name) : thrown);
  }
}

/** Where a frame goes on whose caller is a helper or the host. */
const NO_CODE = -1;

/** Forgets tail calls of runs before, as a run's beginning does. */
function startTails({ machine, tails }: MachineState): void {
  if (machine.effects.length > 0) machine.effects.length = 0;
  machine.tailCallCount = 0;
  tails.start();
}

/** The form of a main function whose frame is the one at a depth. */
const movedAt = (mode: Mode, depth: number): Mode => (depth > 1 ? { ...mode, isMoved: true } : mode);

const isJitProg = (one: EngineProg): one is JitProg => one instanceof JitProg;

/** Whether a tail call from a batch may lead to a program. */
const isBatchTarget = (one: JitProg): boolean => !one.isChecked && !one.throws && staysInside(one.plan);

setTailTargets({
  tableIndexOf: (prog, state) => (prog instanceof JitProg ? prog.tableIndex(state) : undefined),
  isFixed: (prog, machine, mode) => prog instanceof JitProg && prog.isFixedTail(machine, mode),
});
