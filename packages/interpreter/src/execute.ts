import { invariant, printHex } from "@tsbpf/base";
import {
  AFTER_CALL,
  entry,
  FRAME,
  FUNC_POINTER_HI,
  funcAt,
  helperThrew,
  type Machine,
  popFrame,
  RunSignal,
  type Standing,
  trap,
} from "@tsbpf/runtime";
import { accessSlow } from "./access.ts";
import { atomicSlow } from "./atomic.ts";
import { divideSlow } from "./divide.ts";
import { loop, registers as r, stopped, WHY } from "./loop.gen.ts";
import { SLOW, SLOW_OF } from "./ops.gen.ts";
import { loadPacket } from "./packet-load.ts";
import { placeCode } from "./placement.ts";
import { dstOf, OP_MASK, SLOT_SHIFT, SLOT_WORDS, WORD } from "./predecode.ts";
import type { Prepared } from "./prepared.ts";
import { countTowardsPriming, quotaUntilPrimed } from "./prime.ts";

/** Where an execution stands. */
export interface Cursor {
  prog: Prepared;
  /** Word index of the next instruction. */
  p: number;
}

/** How `advance` ended. */
export type Advance = "exited" | "paused";

/**
 * Stops inside a helper's callback: the helper cannot be left and entered again, so its frames are unwound. Each
 * execution on the way adds where it stands, the innermost first.
 */
export class StopSignal extends RunSignal {
  readonly standing: Standing[] = [];
}

/** When the running execution is to pause; set by a stepper for the length of one call. */
export const pause = {
  isOn: false,
  /** Value of `machine.insnCount` at which it pauses wherever it is. */
  atCount: 0,
  /** Value from which on it pauses outside callbacks. */
  outerAtCount: 0,
  /** Set by a hook that wants to stop before the instruction it was told of. */
  isRequested: false,
  /** Set when a breakpoint in the code was met. */
  isAtBreak: false,
};

const pauseCount = (isNested: boolean): number =>
  isNested ? pause.atCount : Math.min(pause.atCount, pause.outerAtCount);

/** Says whether the pause is due. */
export const isPauseDue = (machine: Machine, isNested: boolean): boolean =>
  pause.isOn && machine.insnCount >= pauseCount(isNested);

/** Ends an execution before its next instruction. */
export function pauseHere(machine: Machine, isNested: boolean): "paused" {
  if (!isNested) return "paused";
  machine.regs.set(r);
  throw new StopSignal();
}

/**
 * Instructions between two looks at the outer world. Returning now and then also lets V8 enter the optimised loop,
 * which is better than the one it makes for a loop that is already running.
 */
export const QUOTA = 1 << 16;

/** Shift from a frame's index to its record, for speed. */
const RECORD_SHIFT = 4;
invariant(1 << RECORD_SHIFT === FRAME.words, "the shift is that of a record");

/** Depth of the frame whose record begins at a word. */
export const depthOf = (sp: number): number => (sp >> RECORD_SHIFT) + 1;

const R1 = 2;
const R6 = 12;

const isOwn = (prog: { readonly engine: string } | undefined): prog is Prepared =>
  prog?.engine === "interpreter";

/**
 * Executes from the cursor until the frame at depth `base` exits, a trap ends the run, or the pause is due.
 *
 * @param isNested - whether a helper waits: a pause then unwinds with {@link StopSignal}.
 * @throws TrapError without a place; the caller adds it from the cursor.
 */
export function advance(machine: Machine, cursor: Cursor, base: number, isNested: boolean): Advance {
  const { env } = machine;
  const { memory } = env;
  for (;;) {
    const { bounds, code } = cursor.prog;
    bounds.refresh(memory);
    let quota = quotaUntilPrimed(machine.budgetLeft < QUOTA ? machine.budgetLeft : QUOTA, code.isChecked);
    if (pause.isOn) quota = Math.min(quota, pauseCount(isNested) - machine.insnCount);
    if (quota <= 0) return endQuota(machine, isNested);
    let why: number;
    try {
      why = runLoop(machine, cursor, quota);
    } catch (thrown) {
      account(machine, cursor, quota);
      throw helperThrew(thrown, helperName(cursor));
    }
    account(machine, cursor, quota);
    countTowardsPriming(quota - stopped.left, code.isChecked);
    if (why === WHY.quota) continue;
    const ended = slowStep(machine, cursor, base);
    if (ended === undefined) continue;
    return ended === "paused" ? pauseHere(machine, isNested) : ended;
  }
}

/** Enters the loop; `quota` instructions at most. Returns one of `WHY`. */
export function runLoop(machine: Machine, cursor: Cursor, quota: number): number {
  const { code, bounds } = cursor.prog;
  const base = placeCode(code);
  return loop(
    base + cursor.p,
    base,
    quota,
    (machine.depth - 1) << RECORD_SHIFT,
    bounds.u8,
    bounds.view,
    bounds.words,
    bounds.top,
    machine.frames.words,
    code.raws,
    machine.env,
  );
}

/**
 * Begins as `advance` does, and reaches the end where a program needs nothing from outside the loop: without the
 * bookkeeping between entries of the loop, which is most of what a short run costs.
 *
 * @returns how the execution ended; undefined when `advance` is to go on at the cursor.
 */
export function sprint(machine: Machine, cursor: Cursor): Advance | undefined {
  const { code, bounds } = cursor.prog;
  const { env, budgetLeft } = machine;
  if (pause.isOn || budgetLeft <= 0) return undefined;
  bounds.refresh(env.memory);
  const quota = quotaUntilPrimed(budgetLeft < QUOTA ? budgetLeft : QUOTA, code.isChecked);
  let why: number;
  try {
    why = runLoop(machine, cursor, quota);
  } catch (thrown) {
    account(machine, cursor, quota);
    throw helperThrew(thrown, helperName(cursor));
  }
  const used = quota - stopped.left;
  machine.insnCount += used;
  machine.budgetLeft = budgetLeft - used;
  cursor.p = stopped.p;
  countTowardsPriming(used, code.isChecked);
  if (stopped.sp !== 0) machine.depth = depthOf(stopped.sp);
  if (why === WHY.quota) return undefined;
  return why === WHY.exit && stopped.sp === 0 ? "exited" : slowStep(machine, cursor, 1);
}

/** Takes over where the loop stopped. */
export function account(machine: Machine, cursor: Cursor, quota: number): void {
  const used = quota - stopped.left;
  machine.insnCount += used;
  machine.budgetLeft -= used;
  machine.depth = depthOf(stopped.sp);
  cursor.p = stopped.p;
}

/** Names the helper that is called at the cursor. */
export function helperName(cursor: Cursor): string {
  const target = cursor.prog.prog.targets.get(cursor.p >> SLOT_SHIFT);
  return target?.kind === "helper" ? target.helper.proto.name : "helper";
}

function endQuota(machine: Machine, isNested: boolean): Advance {
  if (isPauseDue(machine, isNested)) return pauseHere(machine, isNested);
  throw trap("RUN_BUDGET", `${machine.insnCount} instructions executed, the budget allows no more`, {
    insnCount: machine.insnCount,
  });
}

/**
 * Executes the instruction at the cursor, which left the loop and has been counted.
 *
 * @returns how the execution ended; undefined when it goes on at the cursor.
 */
export function slowStep(machine: Machine, cursor: Cursor, base: number): Advance | undefined {
  const { code, bounds } = cursor.prog;
  const { p } = cursor;
  switch (SLOW_OF[(code.words[p + WORD.op] as number) & OP_MASK]) {
    case SLOW.memory:
      accessSlow(machine, code, bounds, p);
      break;
    case SLOW.atomic:
      atomicSlow(machine, code, bounds, p);
      break;
    case SLOW.divide:
      divideSlow(code, p);
      break;
    case SLOW.packet:
      if (!loadPacket(machine, code, p)) return leave(machine, cursor, base);
      break;
    case SLOW.call:
      return call(machine, cursor, base);
    case SLOW.exit:
      return leave(machine, cursor, base);
    case SLOW.gotox:
      jumpIndirect(cursor);
      return undefined;
    case SLOW.break:
      pause.isAtBreak = true;
      machine.insnCount--;
      machine.budgetLeft++;
      return "paused";
    default:
      throw trap("RUN_OPCODE", "this slot holds no instruction");
  }
  cursor.p = p + SLOT_WORDS;
  return undefined;
}

/** Acts on the call at the cursor and moves it to where the program goes on. */
function call(machine: Machine, cursor: Cursor, base: number): Advance | undefined {
  const { code } = cursor.prog;
  const invoker = code.invokers[code.words[cursor.p + WORD.imm] as number];
  if (invoker === undefined) throw trap("RUN_OPCODE", "this slot holds no call");
  switch (invoker(machine, r)) {
    case AFTER_CALL.next:
      cursor.p += SLOT_WORDS;
      return undefined;
    case AFTER_CALL.enter:
      cursor.p = entry.slot << SLOT_SHIFT;
      return undefined;
    case AFTER_CALL.replace:
      return takeOver(machine, cursor, base);
    default:
      if (entry.slot < 0) return leave(machine, cursor, base);
      cursor.p = entry.slot << SLOT_SHIFT;
      return undefined;
  }
}

/** Goes on with the program that a tail call gave the frame to; one of another engine runs there as a whole. */
function takeOver(machine: Machine, cursor: Cursor, base: number): Advance | undefined {
  const next = machine.current;
  if (isOwn(next)) {
    cursor.prog = next;
    cursor.p = 0;
    return undefined;
  }
  const { frames, regs, depth } = machine;
  const at = (depth - 1) * FRAME.words;
  const record = frames.words.slice(at, at + FRAME.words);
  const caller = frames.callers[depth - 1];
  regs.set(r);
  machine.depth = depth - 1;
  next?.runFunc(machine, 0);
  machine.depth = depth;
  frames.words.set(record, at);
  frames.callers[depth - 1] = caller;
  r[0] = regs[0] as number;
  r[1] = regs[1] as number;
  return leave(machine, cursor, base);
}

/** Leaves the running frame with r0 as its result. */
function leave(machine: Machine, cursor: Cursor, base: number): Advance | undefined {
  machine.hooks?.onExit?.(machine, r);
  if (machine.depth === base) return "exited";
  const slot = popFrame(machine, r);
  if (isOwn(machine.current)) cursor.prog = machine.current;
  cursor.p = slot << SLOT_SHIFT;
  if (cursor.prog.code.isChecked) for (let i = R1; i < R6; i++) r[i] = 0;
  return undefined;
}

/** Jumps to the code address in a register: an instruction of the running function (ISA-92). */
function jumpIndirect(cursor: Cursor): void {
  const { code } = cursor.prog;
  const reg = dstOf(code.words[cursor.p + WORD.op] as number);
  const lo = r[reg] as number;
  const hi = r[reg + 1] as number;
  const func = funcAt(code.linked, cursor.p >> SLOT_SHIFT);
  const isInside = func !== undefined && lo >= func.start && lo < func.end;
  if (hi !== FUNC_POINTER_HI || !isInside || code.linked.insns[lo]?.op === 0) {
    throw trap("RUN_CODE_ADDRESS", `jump through r${reg / 2}, which holds no slot of the function`, {
      lo: printHex(lo >>> 0),
      hi: printHex(hi >>> 0),
    });
  }
  cursor.p = lo << SLOT_SHIFT;
}
