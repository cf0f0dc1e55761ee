import { MAP_HEADER } from "@tsbpf/abi";
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
  type Machine,
  makeInvoker,
  RunSignal,
  type Target,
} from "@tsbpf/runtime";
import { CALL_ENDED, CALL_NEXT } from "../emit/call.ts";
import type { Mode } from "../emit/mode.ts";
import { tailModeBits } from "../emit/tail.ts";
import type { LiveMap } from "../ir/lowered.ts";
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

/** Where a call is made, and by which form of the program. */
interface Site {
  readonly state: MachineState;
  readonly mode: Mode;
  readonly slot: number;
}

/** Makes what generated code calls for one call site. */
export function makeOutside(prog: JitProg, site: Site, target: Target): Act {
  const { state, slot } = site;
  const invoker = prog.invokerAt(slot, target);
  const act =
    target.kind === "tail_call"
      ? makeTailCall(prog, site, invoker)
      : target.kind === "indirect"
        ? makeIndirect(prog, state, target.reg, invoker)
        : makePlain(prog, state, invoker, needsDepth(target));
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

function makePlain(prog: JitProg, state: MachineState, invoker: Invoker, needsFrame: boolean): Act {
  const { machine, bounds } = state;
  return () => {
    if (needsFrame || machine.hooks !== undefined) setDepth(prog, state);
    if (invoker(machine, state.regs) === AFTER_CALL.unwind) throw new ThrowSignal(entry.slot);
    bounds.refresh();
    return CALL_NEXT;
  };
}

function makeTailCall(prog: JitProg, { state, mode, slot }: Site, invoker: Invoker): Act {
  const { machine, tails } = state;
  const lowered = prog.plan.lowered.get(slot);
  const map = lowered?.kind === "tail" ? lowered.map : undefined;
  return () => {
    setDepth(prog, state);
    tails.finish();
    // The arguments are gone when the call has succeeded.
    const index = (state.regs[R3] as number) >>> 0;
    if (invoker(machine, state.regs) !== AFTER_CALL.replace) return CALL_NEXT;
    tails.start();
    const tableIdx = takeOver(prog, state);
    if (map !== undefined && tableIdx >= 0) rememberTail(state, mode, { map, index, tableIdx });
    return tableIdx;
  };
}

/** Low half of r3. */
const R3 = 6;

/** Lets generated code make a tail call by itself from now on, if its target runs the same way in every run. */
function rememberTail(
  { machine, tails }: MachineState,
  mode: Mode,
  to: { readonly map: LiveMap; readonly index: number; readonly tableIdx: number },
): void {
  const { current, env, hooks } = machine;
  if (current === undefined || hooks !== undefined || tailTargets?.isFixed(current, machine, mode) !== true)
    return;
  const data = env.memory.view.getUint32(to.map.address + MAP_HEADER.data, true);
  const address = data + SLOT_BYTES * to.index;
  const slot = { address, modeBits: tailModeBits(mode), isMoved: machine.depth > 1 };
  tails.remember(to.map, to.index, slot, { prog: current.prog.spec.name, tableIdx: to.tableIdx });
}

/** Bytes of a slot of a program array. */
const SLOT_BYTES = 8;

/**
 * Makes the machine say what generated code, which keeps no frames, knows: which program runs, how deep it is, and
 * which frames a helper waits for.
 */
function setDepth(prog: JitProg, state: MachineState): void {
  const { machine, callbacks } = state;
  const { words } = machine.frames;
  machine.current = prog;
  machine.progBase = state.baseDepth;
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
  const idx = next === undefined ? undefined : tailTargets?.tableIndexOf(next, state);
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

/** What `prog.ts`, which knows the class, says of targets of tail calls; a call the other way would be a cycle. */
export interface TailTargets {
  tableIndexOf(prog: unknown, state: MachineState): number | undefined;
  /** Whether a target runs in the same form whenever a caller of a mode reaches it. */
  isFixed(prog: unknown, machine: Machine, mode: Mode): boolean;
}

let tailTargets: TailTargets | undefined;
export function setTailTargets(targets: TailTargets): void {
  tailTargets = targets;
}

function makeIndirect(prog: JitProg, state: MachineState, reg: number, invoker: Invoker): Act {
  const { machine } = state;
  return () => {
    setDepth(prog, state);
    const { regs } = state;
    const lo = regs[2 * reg] as number;
    if (isFuncPointer(regs[2 * reg + 1] as number) && isFuncStart(prog.prog, lo)) {
      machine.regs.set(regs);
      prog.runFunc(machine, lo);
      regs[0] = machine.regs[0] as number;
      regs[1] = machine.regs[1] as number;
      return CALL_NEXT;
    }
    state.tails.finish();
    const after = invoker(machine, regs);
    state.bounds.refresh();
    if (after !== AFTER_CALL.replace) return CALL_NEXT;
    state.tails.start();
    return takeOver(prog, state);
  };
}

/** Makes the invoker of a call site, once a program. */
export function invokerOf(prog: JitProg, slot: number, target: Target): Invoker {
  return makeInvoker({ prog: prog.prog, slot, target, isChecked: prog.isChecked });
}
