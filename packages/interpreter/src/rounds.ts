import { LIMITS } from "@tsbpf/base";
import {
  AFTER_CALL,
  FRAME,
  helperThrew,
  type Invoker,
  isFuncPointer,
  isFuncStart,
  type LinkedProg,
  type Machine,
  popFrame,
  pushFrame,
} from "@tsbpf/runtime";
import { account, type Cursor, depthOf, helperName, pause, QUOTA, runLoop } from "./execute.ts";
import { registers as r, stopped, WHY } from "./loop.gen.ts";
import { SLOT_SHIFT, WORD } from "./predecode.ts";
import type { Prepared } from "./prepared.ts";
import { countTowardsPriming, quotaUntilPrimed } from "./prime.ts";
import { endOfRun, finish } from "./running.ts";

const R1 = 2;
const R2 = 4;
const R3 = 6;
const R4 = 8;
const R6 = 12;
const R10 = 20;

/** Where the caller of a callback goes on: it is no code. */
const NO_CODE = -1;

/**
 * Lets calls of `bpf_loop` by a program with proofs run their rounds one after the other, with one frame for all of
 * them and without the way through the helper: most of what a round would cost. Whatever is not the usual case is left
 * to the helper, or within a round to the way of any callback.
 */
export function bindRounds(prepared: Prepared): void {
  const { prog, code } = prepared;
  for (const [slot, target] of prog.targets) {
    if (target.kind !== "helper" || target.helper.wasm?.kind !== "intrinsic") continue;
    if (target.helper.wasm.name !== "bpf_loop") continue;
    const idx = code.words[(slot << SLOT_SHIFT) + WORD.imm] as number;
    const helper = code.invokers[idx] as Invoker;
    code.invokers[idx] = (machine, regs) =>
      canRun(machine, prog) ? runRounds(machine, prepared) : helper(machine, regs);
  }
}

/** Whether nobody looks on and the helper would run rounds. */
function canRun(machine: Machine, prog: LinkedProg): boolean {
  const count = (r[R1] as number) >>> 0;
  return (
    machine.hooks === undefined &&
    !pause.isOn &&
    count > 0 &&
    count <= LIMITS.loops &&
    r[R4] === 0 &&
    r[R4 + 1] === 0 &&
    isFuncPointer(r[R2 + 1] as number) &&
    isFuncStart(prog, r[R2] as number)
  );
}

/** What a call gave to its rounds. */
interface Given {
  readonly count: number;
  readonly slot: number;
  readonly lo: number;
  readonly hi: number;
}

function runRounds(machine: Machine, prog: Prepared): number {
  const given: Given = {
    count: (r[R1] as number) >>> 0,
    slot: r[R2] as number,
    lo: r[R3] as number,
    hi: r[R3 + 1] as number,
  };
  const kept = r.slice(R1, R6);
  const cursor: Cursor = { prog, p: 0 };
  pushFrame(machine, r, NO_CODE);
  const rounds = untilNonZero(machine, cursor, given);
  popFrame(machine, r);
  r.set(kept, R1);
  r[0] = rounds;
  r[1] = 0;
  return AFTER_CALL.next;
}

/** Returns how many rounds there were. */
function untilNonZero(machine: Machine, cursor: Cursor, { count, slot, lo, hi }: Given): number {
  const { words } = machine.frames;
  const { depth } = machine;
  const { prog } = cursor;
  const at = (depth - 1) * FRAME.words;
  for (let i = 0; i < count; i++) {
    startRound(i, lo, hi);
    words[at + FRAME.loopsLeft] = LIMITS.loops;
    cursor.p = slot << SLOT_SHIFT;
    if (!sprintRound(machine, cursor, at)) finishRound(machine, cursor, prog, depth);
    if (r[0] !== 0) return i + 1;
  }
  return count;
}

function startRound(i: number, lo: number, hi: number): void {
  r[0] = 0;
  r[1] = 0;
  r[R1] = i;
  r[R1 + 1] = 0;
  r[R2] = lo;
  r[R2 + 1] = hi;
  for (let reg = R3; reg < R10; reg++) r[reg] = 0;
}

/** Runs a round that needs nothing from outside the loop; returns false where it is to go on at the cursor. */
function sprintRound(machine: Machine, cursor: Cursor, at: number): boolean {
  const { budgetLeft } = machine;
  const quota = quotaUntilPrimed(budgetLeft < QUOTA ? budgetLeft : QUOTA, false);
  if (quota <= 0) return false;
  cursor.prog.bounds.refresh(machine.env.memory);
  let why: number;
  try {
    why = runLoop(machine, cursor, quota);
  } catch (thrown) {
    account(machine, cursor, quota);
    throw endOfRun(machine, cursor, helperThrew(thrown, helperName(cursor)));
  }
  const isOver = why === WHY.exit && stopped.sp === at;
  // An instruction that left the loop has been counted; the other way begins with it.
  if (!isOver && why !== WHY.quota) stopped.left++;
  const used = quota - stopped.left;
  machine.insnCount += used;
  machine.budgetLeft = budgetLeft - used;
  countTowardsPriming(used, false);
  if (isOver) return true;
  cursor.p = stopped.p;
  machine.depth = depthOf(stopped.sp);
  return false;
}

/** Runs the rest of a round as callbacks run, and begins a frame for the next one. */
function finishRound(machine: Machine, cursor: Cursor, prog: Prepared, depth: number): void {
  const caller = machine.current;
  finish(machine, cursor, depth, true);
  popFrame(machine, r);
  machine.current = caller;
  cursor.prog = prog;
  pushFrame(machine, r, NO_CODE);
}
