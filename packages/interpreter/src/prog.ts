import {
  type EngineProg,
  framePointerOf,
  type Machine,
  type ProgEntry,
  popFrame,
  pushFrame,
} from "@tsbpf/runtime";
import { makeEntry } from "./entry.ts";
import { advance, type Cursor, pause, sprint } from "./execute.ts";
import { advanceHooked } from "./hooked.ts";
import { registers as r, startRegisters } from "./loop.gen.ts";
import { SLOT_SHIFT } from "./predecode.ts";
import { Prepared } from "./prepared.ts";
import { active, endOfRun, finish } from "./running.ts";

const SCRATCH_WORDS = 12;
const R1 = 2;
const R6 = 12;
const R10 = 20;

/** A callback: r0..r5 of the code below it, and where it stands. */
interface Callback {
  readonly kept: Int32Array;
  readonly cursor: Cursor;
}

/** By how many executions are around them, on whatever machines; made when first used, to allocate nothing per call. */
const callbacks: Callback[] = [];

function callbackOf(prog: InterpreterProg, slot: number): Callback {
  let found = callbacks[active.runs];
  if (found === undefined) {
    found = { kept: new Int32Array(SCRATCH_WORDS), cursor: { prog, p: 0 } };
    callbacks[active.runs] = found;
  }
  found.cursor.prog = prog;
  found.cursor.p = slot << SLOT_SHIFT;
  return found;
}

/** A program that the interpreter runs. */
export class InterpreterProg extends Prepared implements EngineProg {
  /** The cursor of the outermost run on this thread, kept to allocate nothing per run. */
  private readonly cursor: Cursor = { prog: this, p: 0 };

  run(machine: Machine, ctxAddress: number): void {
    if (active.runs > 0) {
      runInside(machine, { prog: this, p: 0 }, ctxAddress);
      return;
    }
    const { cursor } = this;
    // A tail call may have left another one there.
    if (cursor.prog !== this) cursor.prog = this;
    cursor.p = 0;
    begin(machine, this, ctxAddress);
    active.runs = 1;
    try {
      if (machine.hooks !== undefined) advanceHooked(machine, cursor, 1, false);
      else if (sprint(machine, cursor) === undefined) advance(machine, cursor, 1, false);
    } catch (thrown) {
      active.runs = 0;
      throw endOfRun(machine, cursor, thrown);
    }
    active.runs = 0;
    machine.regs[0] = r[0] as number;
    machine.regs[1] = r[1] as number;
  }

  makeEntry(machine: Machine, ctxAddress: number): ProgEntry | undefined {
    return makeEntry(this, machine, ctxAddress);
  }

  runFunc(machine: Machine, slot: number): void {
    if (active.runs === 0) r.fill(0);
    const { kept, cursor } = callbackOf(this, slot);
    for (let i = 0; i < SCRATCH_WORDS; i++) kept[i] = r[i] as number;
    const caller = machine.current;
    pushFrame(machine, r, -1);
    r[0] = 0;
    r[1] = 0;
    for (let i = R1; i < R6; i++) r[i] = machine.regs[i] as number;
    for (let i = R6; i < R10; i++) r[i] = 0;
    machine.current = this;
    finish(machine, cursor, machine.depth, true);
    machine.regs[0] = r[0] as number;
    machine.regs[1] = r[1] as number;
    popFrame(machine, r);
    machine.current = caller;
    for (let i = 0; i < SCRATCH_WORDS; i++) r[i] = kept[i] as number;
  }
}

function begin(machine: Machine, prog: InterpreterProg, ctxAddress: number): void {
  startRegisters(ctxAddress, framePointerOf(machine, 1));
  machine.depth = 1;
  if (machine.current !== prog) machine.current = prog;
}

/** Runs a program that a helper of another run started: that run gets its registers back. */
function runInside(machine: Machine, cursor: Cursor, ctxAddress: number): void {
  const outer = r.slice();
  const { isOn } = pause;
  pause.isOn = false;
  try {
    begin(machine, cursor.prog as InterpreterProg, ctxAddress);
    finish(machine, cursor, 1, false);
    machine.regs[0] = r[0] as number;
    machine.regs[1] = r[1] as number;
  } finally {
    r.set(outer);
    pause.isOn = isOn;
  }
}
