import type { Env } from "../env.ts";
import { printState } from "../log/print-state.ts";
import { rejectSilently } from "../reject.ts";
import { REG, type Reg, withPrecise } from "../state/reg.ts";
import { isSpilled, type Slot } from "../state/slot.ts";
import { type Frame, frameAt, type State } from "../state/state.ts";
import { backtrackInsn } from "./backtrack.ts";
import { Needs } from "./needs.ts";

const needs = new Needs();
const ARGS_MASK = 0b11_1110;

/** Marks a register of the current frame as needed exactly: along the whole path that made it (X-60..X-64). */
export function markPrecise(env: Env, regno: number): void {
  const reg = env.cur.frames[env.cur.frames.length - 1]?.regs[regno];
  if (reg === undefined || reg.type !== REG.scalar) return;
  needs.reset();
  needs.frame = env.cur.frames.length - 1;
  needs.addReg(regno);
  markChain(env, env.cur);
}

/** Result of {@link propagatePrecision}. */
export interface Propagation {
  hasChanged: boolean;
}

/** Makes precise in the path of `cur` what was precise in an equal checkpoint. */
export function propagatePrecision(env: Env, old: State, cur: State, result?: Propagation): void {
  needs.reset();
  needs.frame = cur.frames.length - 1;
  for (let frameno = old.frames.length - 1; frameno >= 0; frameno--) {
    const frame = frameAt(old, frameno);
    for (let i = 0; i < 10; i++) {
      const reg = frame.regs[i] as Reg;
      if (reg.type === REG.scalar && reg.isPrecise) needs.addReg(i, frameno);
    }
    for (let spi = 0; spi < frame.stack.length; spi++) {
      const slot = frame.stack[spi] as Slot;
      if (slot.reg === null || !isSpilled(slot)) continue;
      if (slot.reg.type === REG.scalar && slot.reg.isPrecise) needs.addSlot(spi, frameno);
    }
    if (env.log.isVerbose) logPropagation(env, frameno);
  }
  markChain(env, cur, result);
}

function logPropagation(env: Env, frameno: number): void {
  const regs = needs.printRegs(frameno);
  const slots = needs.printSlots(frameno).replaceAll("-", "fp-");
  if (regs === "" && slots === "") return;
  env.log.write(`frame ${frameno}: propagating ${regs}${regs !== "" && slots !== "" ? "," : ""}${slots}\n`);
}

function markChain(env: Env, start: State, result?: Propagation): void {
  if (needs.isEmpty) return;
  let state = start;
  let firstIdx = state.firstIdx;
  let lastIdx = start.insnIdx;
  let nextIdx = -1;
  let isFirst = true;
  for (;;) {
    if (env.log.isVerbose) {
      env.log.write(
        `mark_precise: frame${needs.frame}: last_idx ${lastIdx} first_idx ${firstIdx} subseq_idx ${nextIdx} \n`,
      );
    }
    if (lastIdx < 0) {
      markEntry(env, state, result);
      return;
    }
    let last = state.history;
    let idx = lastIdx;
    for (;;) {
      if (isFirst) isFirst = false;
      else {
        const entry = last !== null && last.idx === idx ? last : undefined;
        if (backtrackInsn(env, idx, nextIdx, entry, needs) === "give up") {
          forceAllPrecise(env, start);
          return;
        }
      }
      if (needs.isEmpty) return;
      nextIdx = idx;
      // The step to the instruction before: by the history where the path jumped.
      const isNoted = last !== null && last.idx === idx;
      if (idx === state.firstIdx && (last === null || (isNoted && last.before === null))) break;
      if (last !== null && isNoted) {
        idx = last.prevIdx;
        last = last.before;
      } else idx--;
      if (idx < 0 || idx >= env.len) {
        env.log.write(`verifier bug: backtracking idx ${idx}\n`);
        rejectSilently(env, "LIMIT_BACKTRACK", "EFAULT", `verifier bug: backtracking idx ${idx}`);
      }
    }
    if (state.parent === null) break;
    state = state.parent;
    markCheckpoint(env, state, result);
    if (needs.isEmpty) return;
    nextIdx = firstIdx;
    lastIdx = state.lastIdx;
    firstIdx = state.firstIdx;
  }
  if (!needs.isEmpty) forceAllPrecise(env, start);
}

/** Backtracking reached the start of a global function: only its arguments may still be needed. */
function markEntry(env: Env, state: State, result: Propagation | undefined): void {
  const frame = frameAt(state, 0);
  const mask = needs.regMask();
  const isGlobalEntry = state.frames.length === 1 && frame.subprog > 0 && frame.callsite === -1;
  if (!isGlobalEntry || needs.hasSlots() || (mask & ~ARGS_MASK) !== 0) {
    const text = `backtracking func entry subprog ${frame.subprog} reg_mask ${mask.toString(16)} stack_mask 0`;
    env.log.write(`verifier bug: ${text}\n`);
    rejectSilently(env, "LIMIT_BACKTRACK", "EFAULT", `verifier bug: ${text}`);
  }
  for (let i = 1; i <= 5; i++) {
    if (((mask >> i) & 1) === 0) continue;
    const reg = frame.regs[i] as Reg;
    if (reg.type !== REG.scalar) continue;
    frame.regs[i] = withPrecise(reg, true);
    if (result !== undefined) result.hasChanged = true;
  }
}

/** Sets the marks in a checkpoint; what is marked already, or is no scalar, is needed no further. */
function markCheckpoint(env: Env, state: State, result: Propagation | undefined): void {
  for (let frameno = needs.frame; frameno >= 0; frameno--) {
    const frame = state.frames[frameno];
    if (frame === undefined) continue;
    for (let left = needs.regMask(frameno); left !== 0; left &= left - 1) {
      const i = lowestBit(left);
      const reg = frame.regs[i] as Reg;
      if (reg.type !== REG.scalar || reg.isPrecise) needs.dropReg(i, frameno);
      else {
        frame.regs[i] = withPrecise(reg, true);
        if (result !== undefined) result.hasChanged = true;
      }
    }
    for (const base of HALVES) {
      for (let left = needs.slotMask(base, frameno); left !== 0; left &= left - 1) {
        markSlot(frame, base + lowestBit(left), frameno, result);
      }
    }
    if (env.log.isVerbose) {
      env.log.write(
        `mark_precise: frame${frameno}: parent state regs=${needs.printRegs(frameno)} stack=${needs.printSlots(frameno)}: ${printState(env, state, frameno, true)}`,
      );
    }
  }
}

const HALVES = [0, 32] as const;
const lowestBit = (mask: number): number => 31 - Math.clz32(mask & -mask);

function markSlot(frame: Frame, spi: number, frameno: number, result: Propagation | undefined): void {
  const slot = frame.stack[spi];
  const reg = slot?.reg;
  if (slot === undefined || reg === null || reg === undefined || !isSpilled(slot))
    needs.dropSlot(spi, frameno);
  else if (reg.type !== REG.scalar || reg.isPrecise) needs.dropSlot(spi, frameno);
  else {
    frame.stack[spi] = { kinds: slot.kinds, reg: withPrecise(reg, true) };
    if (result !== undefined) result.hasChanged = true;
  }
}

/** Gives up tracking: every scalar of every checkpoint on the path becomes precise. */
export function forceAllPrecise(env: Env, start: State): void {
  const log = env.log;
  if (log.isVerbose) {
    log.write(`mark_precise: frame${start.frames.length - 1}: falling back to forcing all scalars precise\n`);
  }
  for (let state = start.parent; state !== null; state = state.parent) {
    state.frames.forEach((frame, frameno) => {
      for (let i = 0; i < 10; i++) {
        const reg = frame.regs[i] as Reg;
        if (reg.type !== REG.scalar || reg.isPrecise) continue;
        frame.regs[i] = withPrecise(reg, true);
        if (log.isVerbose) log.write(`force_precise: frame${frameno}: forcing r${i} to be precise\n`);
      }
      for (let spi = 0; spi < frame.stack.length; spi++) {
        const slot = frame.stack[spi] as Slot;
        if (slot.reg === null || !isSpilled(slot)) continue;
        if (slot.reg.type !== REG.scalar || slot.reg.isPrecise) continue;
        frame.stack[spi] = { kinds: slot.kinds, reg: withPrecise(slot.reg, true) };
        if (log.isVerbose) {
          log.write(`force_precise: frame${frameno}: forcing fp${-8 * (spi + 1)} to be precise\n`);
        }
      }
    });
  }
}

/** Marks a spilled scalar of the current state as needed exactly. */
export function forcePreciseSlot(env: Env, frameno: number, spi: number): void {
  needs.reset();
  needs.frame = frameno;
  needs.addSlot(spi, frameno);
  markChain(env, env.cur);
}
