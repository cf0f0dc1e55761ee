import { LIMITS, TrapError } from "@tsbpf/base";
import {
  AFTER_CALL,
  entry,
  FRAME,
  type Invoker,
  isFuncPointer,
  isFuncStart,
  LEAVE,
  locateTrap,
  makeInvoker,
  RunSignal,
  type Target,
} from "@tsbpf/runtime";
import { CALL_ENDED, CALL_NEXT } from "../emit/call.ts";
import type { MachineState } from "./machine-state.ts";
import type { JitProg } from "./prog.ts";

/** Unwinds generated code when the program throws; the entry function catches it. */
export class ThrowSignal extends RunSignal {
  /** Function that takes over; -1 when the cookie is the result. */
  readonly slot: number;

  constructor(slot: number) {
    super("the program threw");
    this.slot = slot;
  }
}

/** Adds to a trap where it happened; everything else passes. */
export function placeError(prog: JitProg, slot: number, thrown: unknown): unknown {
  if (!(thrown instanceof TrapError)) return thrown;
  const { insns, spec } = prog.prog;
  return locateTrap(thrown, { slot, op: insns[slot]?.op ?? 0, prog: spec.name });
}

type Act = () => number;

/** Makes what generated code calls for one call site. */
export function makeOutside(prog: JitProg, state: MachineState, slot: number, target: Target): Act {
  const invoker = prog.invokerAt(slot, target);
  const act =
    target.kind === "tail_call"
      ? makeTailCall(prog, state, invoker)
      : target.kind === "indirect"
        ? makeIndirect(prog, state, target.reg, invoker)
        : makePlain(state, invoker, needsDepth(target));
  return () => {
    try {
      return act();
    } catch (thrown) {
      throw placeError(prog, slot, thrown);
    }
  };
}

const needsDepth = (target: Target): boolean =>
  target.kind === "throw" || ("helper" in target && target.helper.proto.callsBack);

function makePlain(state: MachineState, invoker: Invoker, needsFrame: boolean): Act {
  const { machine, bounds } = state;
  return () => {
    if (needsFrame || machine.hooks !== undefined) setDepth(state);
    if (invoker(machine, state.regs) === AFTER_CALL.unwind) throw new ThrowSignal(entry.slot);
    bounds.refresh();
    return CALL_NEXT;
  };
}

function makeTailCall(prog: JitProg, state: MachineState, invoker: Invoker): Act {
  const { machine } = state;
  return () => {
    setDepth(state);
    return invoker(machine, state.regs) === AFTER_CALL.replace ? takeOver(prog, state) : CALL_NEXT;
  };
}

/**
 * Makes the machine's frames say what generated code, which keeps none, knows: how deep it is, and which frames a
 * helper waits for.
 */
function setDepth(state: MachineState): void {
  const { machine, callbacks } = state;
  const { words } = machine.frames;
  machine.depth = state.depth;
  for (let idx = machine.progBase; idx < machine.depth; idx++) {
    words[idx * FRAME.words + FRAME.leave] = callbacks.includes(idx) ? LEAVE.outside : 0;
  }
  const top = (machine.depth - 1) * FRAME.words;
  words[top + FRAME.framesLeft] = LIMITS.callFrames - 1 - (machine.depth - machine.progBase);
}

/** Returns the table index of the program that took the frame over; one of another engine runs here and now. */
function takeOver(prog: JitProg, state: MachineState): number {
  const { machine } = state;
  const next = machine.current;
  state.setBase(machine.progBase);
  const idx = next === undefined ? undefined : tableIndexOf?.(next, state);
  if (idx !== undefined) return idx;
  const { depth, regs } = machine;
  const hasFuel = machine.budgetLeft < Number.MAX_SAFE_INTEGER;
  // The other engine counts in the machine; what is counted so far must be there.
  prog.leave(state, hasFuel);
  const { activeCount } = state;
  state.activeCount = 0;
  regs.set(state.regs);
  machine.depth = depth - 1;
  next?.runFunc(machine, 0);
  machine.depth = depth;
  state.activeCount = activeCount;
  prog.enter(state, hasFuel);
  state.regs[0] = regs[0] as number;
  state.regs[1] = regs[1] as number;
  return CALL_ENDED;
}

/** Set by `prog.ts`, which knows the class; a call the other way would be a cycle. */
let tableIndexOf: ((prog: unknown, state: MachineState) => number | undefined) | undefined;
export function setTableIndexOf(find: (prog: unknown, state: MachineState) => number | undefined): void {
  tableIndexOf = find;
}

function makeIndirect(prog: JitProg, state: MachineState, reg: number, invoker: Invoker): Act {
  const { machine } = state;
  return () => {
    setDepth(state);
    const { regs } = state;
    const lo = regs[2 * reg] as number;
    if (isFuncPointer(regs[2 * reg + 1] as number) && isFuncStart(prog.prog, lo)) {
      machine.regs.set(regs);
      prog.runFunc(machine, lo);
      regs[0] = machine.regs[0] as number;
      regs[1] = machine.regs[1] as number;
      return CALL_NEXT;
    }
    const after = invoker(machine, regs);
    state.bounds.refresh();
    return after === AFTER_CALL.replace ? takeOver(prog, state) : CALL_NEXT;
  };
}

/** Makes the invoker of a call site, once a program. */
export function invokerOf(prog: JitProg, slot: number, target: Target): Invoker {
  return makeInvoker({ prog: prog.prog, slot, target, isChecked: prog.isChecked });
}
