import { destroyDynptrAt } from "../calls/dynptr-slots.ts";
import { fitsBits, isZero } from "../domain/scalar.ts";
import type { Env } from "../env.ts";
import { logSourceLine, scratchSlot } from "../log/print-state.ts";
import { noteStackAccess } from "../precise/history.ts";
import { markPrecise } from "../precise/mark.ts";
import { markStackWrite } from "../prune/liveness.ts";
import { reject, rejectUnterminated } from "../reject.ts";
import { isNullReg, isSpillable, REG, type Reg, withId } from "../state/reg.ts";
import {
  FULL_SPILL,
  isSpecialSlot,
  isSpilled,
  KIND,
  MISC_SLOT,
  makeSlot,
  type Slot,
  scrubSpecialSlot,
  withKind,
} from "../state/slot.ts";
import { curFrame, type Frame, slotAt } from "../state/state.ts";
import { linkScalar } from "../walk/mov.ts";
import { immediateReg } from "../walk/regs.ts";
import { byteOf, type StackRange, spiOf } from "./stack-bounds.ts";

/** A store to the stack: `valueRegno` -1 stores `imm` (ST), or unknown bytes when `imm` is undefined. */
export interface StackStore {
  readonly size: number;
  readonly valueRegno: number;
  readonly imm: number | undefined;
}

function spilledKinds(before: string, size: number): string {
  let kinds = "";
  for (let i = 0; i < 8 - size; i++) {
    const kind = before[i] as string;
    kinds += kind === KIND.invalid || kind === KIND.zero ? kind : KIND.misc;
  }
  return kinds + KIND.spill.repeat(size);
}

/** Puts a register into the low bytes of a slot; what lay above stays zero or unwritten, else becomes unknown (S-40). */
function spill(frame: Frame, spi: number, reg: Reg, size: number): void {
  frame.stack[spi] = makeSlot(size === 8 ? FULL_SPILL : spilledKinds(slotAt(frame, spi).kinds, size), reg);
}

function checkSpilledPointer(env: Env, slot: Slot, size: number): void {
  if (env.isPerfmon || size === 8 || !isSpilled(slot) || slot.reg?.type === REG.scalar) return;
  reject(env, "MEM_STACK_CORRUPT", "EACCES", "attempt to corrupt spilled pointer on stack");
}

/** What stood in the slot could be read instead of what is stored: a barrier after the store stops that. */
function markBarrier(env: Env, slot: Slot, { size }: StackStore, off: number, value: Reg | undefined): void {
  let isNeeded = value !== undefined && isSpillable(value);
  for (let i = 0; i < size; i++) {
    const kind = slot.kinds[byteOf(off + i)];
    if (kind !== KIND.misc && kind !== KIND.zero) isNeeded = true;
  }
  if (isNeeded && env.speculation !== undefined) env.speculation.barrierAfter[env.insnIdx] = 1;
}

/** A store at a constant offset (S-40..S-46). */
export function writeStackFixed(env: Env, frame: Frame, off: number, store: StackStore): void {
  const { size, valueRegno, imm } = store;
  const spi = spiOf(off);
  const isAligned = off % 8 === 0;
  const here = curFrame(env.cur);
  let reg = valueRegno >= 0 ? (here.regs[valueRegno] as Reg) : undefined;
  checkSpilledPointer(env, slotAt(frame, spi), size);
  if (env.speculation !== undefined) markBarrier(env, slotAt(frame, spi), store, off, reg);
  destroyDynptrAt(env, frame, spi);
  scratchSlot(env, spi);
  if (size === 8) markStackWrite(env, frame.frameno, spi);
  if (reg !== undefined && isAligned && reg.type === REG.scalar) {
    const isFitting = fitsBits(reg.val, 8 * size);
    if (isFitting) {
      const linked = linkScalar(env, reg);
      if (linked !== reg) here.regs[valueRegno] = linked;
      reg = linked;
    }
    spill(frame, spi, isFitting ? reg : withId(reg, 0, 0, 0), size);
    noteStackAccess(env, frame.frameno, spi);
  } else if (reg === undefined && isAligned && imm !== undefined) {
    spill(frame, spi, immediateReg(env), size);
    noteStackAccess(env, frame.frameno, spi);
  } else if (reg !== undefined && isSpillable(reg)) {
    if (size !== 8) {
      logSourceLine(env, env.insnIdx);
      reject(env, "MEM_STACK_SPILL_SIZE", "EACCES", "invalid size of register spill");
    }
    if (frame !== here && reg.type === REG.stack) {
      reject(
        env,
        "MEM_STACK_SPILL_FRAME",
        "EINVAL",
        "cannot spill pointers to stack into stack frame of the caller",
      );
    }
    spill(frame, spi, reg, size);
    noteStackAccess(env, frame.frameno, spi);
  } else writeBytes(env, frame, off, store);
}

function writeBytes(env: Env, frame: Frame, off: number, store: StackStore): void {
  const { size, valueRegno, imm } = store;
  const reg = valueRegno >= 0 ? (curFrame(env.cur).regs[valueRegno] as Reg) : undefined;
  const spi = spiOf(off);
  const slot = slotAt(frame, spi);
  let kinds = isSpecialSlot(slot) ? scrubSpecialSlot(slot).kinds : slot.kinds;
  let kind: string = KIND.misc;
  if (reg !== undefined ? isNullReg(reg) : imm === 0) {
    if (reg !== undefined) markPrecise(env, valueRegno);
    kind = KIND.zero;
  }
  for (let i = 0; i < size; i++) kinds = withKind(kinds, byteOf(off + i), kind);
  // Helpers fill buffers byte by byte, and loops do so again: mostly nothing changes.
  if (kinds !== slot.kinds || slot.reg !== null) frame.stack[spi] = makeSlot(kinds);
}

/** Unknown bytes at a constant place, as a helper writes them: whole slots at once where none can be refused. */
export function fillStack(env: Env, frame: Frame, range: StackRange): void {
  const store = { size: 1, valueRegno: -1, imm: undefined };
  for (let at = range.min; at < range.end; at++) {
    if (env.isPerfmon && at % 8 === 0 && at + 8 <= range.end) {
      fillSlot(env, frame, spiOf(at));
      at += 7;
    } else writeStackFixed(env, frame, at, store);
  }
}

function fillSlot(env: Env, frame: Frame, spi: number): void {
  destroyDynptrAt(env, frame, spi);
  scratchSlot(env, spi);
  if (slotAt(frame, spi).kinds !== MISC_SLOT.kinds) frame.stack[spi] = MISC_SLOT;
}

/** A store at a variable offset: every byte of the range may have changed (S-50..S-52). */
export function writeStackVariable(env: Env, frame: Frame, range: StackRange, store: StackStore): void {
  const { valueRegno, imm } = store;
  const reg = valueRegno >= 0 ? curFrame(env.cur).regs[valueRegno] : undefined;
  const isZero = reg !== undefined ? isNullReg(reg) : imm === 0;
  let isZeroUsed = false;
  for (let at = range.min; at < range.end; at++) destroyDynptrAt(env, frame, spiOf(at));
  for (let at = range.min; at < range.end; at++) {
    const spi = spiOf(at);
    const slot = slotAt(frame, spi);
    const kind = slot.kinds[byteOf(at)] as string;
    scratchSlot(env, spi);
    if (!env.isPerfmon && kind !== KIND.misc && kind !== KIND.zero) {
      rejectUnterminated(
        env,
        "MEM_STACK_CORRUPT",
        "EINVAL",
        `spilled ptr in range of var-offset stack write; insn ${env.insnIdx}, ptr off: ${at}`,
      );
    }
    if (isZero && kind === KIND.spill && isZeroSpill(slot)) {
      isZeroUsed = true;
      continue;
    }
    const kinds = isSpecialSlot(slot) ? scrubSpecialSlot(slot).kinds : slot.kinds;
    let next: string = KIND.misc;
    if (isZero && kind === KIND.zero) {
      next = KIND.zero;
      isZeroUsed = true;
    }
    frame.stack[spi] = makeSlot(withKind(kinds, byteOf(at), next));
  }
  if (isZeroUsed && valueRegno >= 0) markPrecise(env, valueRegno);
}

const isZeroSpill = (slot: Slot): boolean =>
  slot.reg !== null && slot.reg.type === REG.scalar && isZero(slot.reg.val);
