import { fitsBits, isConst, isZero } from "../domain/scalar.ts";
import type { Env } from "../env.ts";
import { printTnum } from "../log/print-reg.ts";
import { logSourceLine, scratchSlot } from "../log/print-state.ts";
import { noteStackAccess } from "../precise/history.ts";
import { markStackRead } from "../prune/liveness.ts";
import { reject } from "../reject.ts";
import { REG, type Reg, UNKNOWN_REG, withId, ZERO_REG } from "../state/reg.ts";
import {
  isFullSpill,
  isSpilled,
  KIND,
  MISC_SLOT,
  makeSlot,
  type Slot,
  scrubSpecialSlot,
  spilledBytes,
} from "../state/slot.ts";
import { type Frame, slotAt } from "../state/state.ts";
import { isLeak } from "../walk/regs.ts";
import { byteOf, checkStackBounds, frameOfPointer, rangeOf, type StackRange, spiOf } from "./stack-bounds.ts";

/** Checks that bytes may be read, and returns the kind that all of them have; undefined when they differ. */
function checkBytes(
  env: Env,
  slot: Slot,
  off: number,
  size: number,
  isSpillFine: boolean,
): string | undefined {
  let shared = slot.kinds[byteOf(off)];
  for (let i = 0; i < size; i++) {
    const kind = slot.kinds[byteOf(off + i)] as string;
    if (kind !== shared) shared = undefined;
    if (kind === KIND.misc || kind === KIND.zero) continue;
    if (kind === KIND.spill && isSpillFine) continue;
    if (kind === KIND.invalid && env.isPerfmon) continue;
    reject(env, "MEM_STACK_UNINIT", "EACCES", `invalid read from stack off ${off}+${i} size ${size}`);
  }
  return shared;
}

/**
 * Reads a slot at a constant offset into a register (S-60..S-65).
 *
 * @param isAsNumber - whether what is read becomes a number, as atomics make it: no pointer, without CAP_PERFMON.
 */
export function readStackFixed(env: Env, frame: Frame, off: number, size: number, isAsNumber: boolean): Reg {
  const spi = spiOf(off);
  const slot = slotAt(frame, spi);
  scratchSlot(env, spi);
  markStackRead(env, frame.frameno, spi);
  if (!isSpilled(slot) || slot.reg === null) {
    return checkBytes(env, slot, off, size, false) === KIND.zero ? ZERO_REG : UNKNOWN_REG;
  }
  const reg = slot.reg;
  if (size === 8 && isFullSpill(slot)) {
    if (isAsNumber && isLeak(env, reg)) {
      reject(env, "REG_LEAK", "EACCES", `leaking pointer from stack off ${off}`);
    }
    noteStackAccess(env, frame.frameno, spi);
    return reg;
  }
  if (reg.type !== REG.scalar) {
    logSourceLine(env, env.insnIdx);
    reject(env, "MEM_STACK_FILL_SIZE", "EACCES", "invalid size of register fill");
  }
  const spilled = spilledBytes(slot);
  if (size <= spilled && off % 8 === 0) {
    const isFitting = fitsBits(reg.val, size * 8);
    noteStackAccess(env, frame.frameno, spi);
    return isFitting ? reg : withId(reg, 0, 0, 0);
  }
  const kind = checkBytes(env, slot, off, size, true);
  if (kind === KIND.spill && isZero(reg.val)) {
    noteStackAccess(env, frame.frameno, spi);
    return ZERO_REG;
  }
  return kind === KIND.zero ? ZERO_REG : UNKNOWN_REG;
}

/** How a range of the stack is read: by an instruction, or by a helper that may also write it. */
export interface RangeUse {
  readonly reg: Reg;
  readonly regno: number;
  readonly off: number;
  readonly size: number;
  readonly isWrite: boolean;
  readonly allowZero: boolean;
  /** Output memory that need not be initialised; the caller marks it written. */
  readonly isRaw: boolean;
}

/** Checks a whole possible range of the stack for a helper or a variable load (A-151, A-152, S-70). */
export function checkStackRange(env: Env, use: RangeUse): StackRange & { readonly isRawUsed: boolean } {
  const { reg, regno, size } = use;
  if (size === 0 && !use.allowZero) {
    reject(env, "MEM_STACK_ZERO_SIZE", "EACCES", "invalid zero-sized read");
  }
  const range = rangeOf(use, checkStackBounds(env, use, use.isWrite));
  const frame = frameOfPointer(env, reg);
  const isFixed = isConst(reg.val);
  if (!isFixed && !env.isPerfmon) {
    const text = printTnum(reg.val.tnum);
    reject(
      env,
      "MEM_STACK_VARIABLE",
      "EACCES",
      `R${regno} variable offset stack access prohibited for !root, var_off=${text}`,
    );
  }
  if (use.isRaw && isFixed) {
    for (let at = range.min; at < range.end; at++) {
      if (slotAt(frame, spiOf(at)).kinds[byteOf(at)] !== KIND.dynptr) continue;
      reject(env, "MEM_STACK_DYNPTR", "EACCES", `potential write to dynptr at off=${at} disallowed`);
    }
    return { ...range, isRawUsed: true };
  }
  for (let at = range.min; at < range.end; at++) {
    const slot = slotAt(frame, spiOf(at));
    if (at % 8 === 0 && at + 8 <= range.end && isWholeReadable(env, slot, use.isWrite)) {
      markStackRead(env, frame.frameno, spiOf(at));
      at += 7;
    } else checkRangeByte(env, use, frame, range, at);
  }
  return { ...range, isRawUsed: false };
}

/** Whether all bytes of a slot pass {@link checkRangeByte} and stay what they are; most slots of buffers do. */
function isWholeReadable(env: Env, slot: Slot, isWrite: boolean): boolean {
  if (slot.kinds === MISC_SLOT.kinds) return true;
  if (isWrite || !isFullSpill(slot) || slot.reg === null) return false;
  return slot.reg.type === REG.scalar || env.isPerfmon;
}

function checkRangeByte(env: Env, use: RangeUse, frame: Frame, range: StackRange, at: number): void {
  const spi = spiOf(at);
  const slot = slotAt(frame, spi);
  const kind = slot.kinds[byteOf(at)] as string;
  markStackRead(env, frame.frameno, spi);
  if (kind === KIND.misc) return;
  if (kind === KIND.zero || (kind === KIND.invalid && env.isPerfmon)) {
    if (!use.isWrite) return;
    const kinds = slot.kinds.slice(0, byteOf(at)) + KIND.misc + slot.kinds.slice(byteOf(at) + 1);
    frame.stack[spi] = makeSlot(kinds, slot.reg);
    return;
  }
  if (isSpilled(slot) && slot.reg !== null && (slot.reg.type === REG.scalar || env.isPerfmon)) {
    if (use.isWrite) frame.stack[spi] = scrubSpecialSlot(slot);
    return;
  }
  const place = isConst(use.reg.val)
    ? `off ${range.min}+${at - range.min}`
    : `var_off ${printTnum(use.reg.val.tnum)}+${at - range.min}`;
  reject(
    env,
    "MEM_STACK_UNINIT",
    "EACCES",
    `invalid read from stack R${use.regno} ${place} size ${use.size}`,
  );
}

/** Loads from a variable offset: zero when all bytes are, else unknown (S-70). */
export function readStackVariable(env: Env, reg: Reg, regno: number, off: number, size: number): Reg {
  const range = checkStackRange(env, {
    reg,
    regno,
    off,
    size,
    isWrite: false,
    allowZero: false,
    isRaw: false,
  });
  const frame = frameOfPointer(env, reg);
  for (let at = range.min; at < range.end; at++) {
    const spi = spiOf(at);
    scratchSlot(env, spi);
    if (slotAt(frame, spi).kinds[byteOf(at)] !== KIND.zero) return UNKNOWN_REG;
  }
  return ZERO_REG;
}
