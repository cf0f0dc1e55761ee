import type { Insn } from "@tsbpf/isa";
import { isSyncTaker } from "../calls/call-kinds.ts";
import type { Env } from "../env.ts";
import { printInsn } from "../log/print-insn.ts";
import { rejectSilently } from "../reject.ts";
import type { HistoryEntry, LinkedPlace } from "../state/state.ts";
import { subprogOf } from "../structure/subprogs.ts";
import type { Needs } from "./needs.ts";

const ARGS_MASK = 0b11_1110;
const FRAME_POINTER = 10;
const MAX_FRAMES = 8;

/** What one backward step came to: go on, or give up and make everything precise. */
export type StepResult = "go on" | "give up";

function bug(env: Env, text: string): never {
  env.log.write(`verifier bug: ${text}\n`);
  return rejectSilently(env, "LIMIT_BACKTRACK", "EFAULT", `verifier bug: ${text}`);
}

const hex = (mask: number): string => (mask >>> 0).toString(16);

/** Whether one of the places is needed; no closure, which would cost an allocation at every step back. */
function needsAny(needs: Needs, places: readonly LinkedPlace[]): boolean {
  for (const { isReg, index, frameno } of places) {
    if (isReg ? needs.hasReg(index, frameno) : needs.hasSlot(index, frameno)) return true;
  }
  return false;
}

function syncLinked(needs: Needs, entry: HistoryEntry | undefined): void {
  const linked = entry?.linked;
  if (linked === undefined || linked === null || !needsAny(needs, linked)) return;
  for (const { isReg, index, frameno } of linked) {
    if (isReg) needs.addReg(index, frameno);
    else needs.addSlot(index, frameno);
  }
}

/**
 * Moves the needed set from behind an instruction to before it.
 *
 * @param nextIdx - the instruction that the path executed after this one; -1 when unknown.
 */
export function backtrackInsn(
  env: Env,
  idx: number,
  nextIdx: number,
  entry: HistoryEntry | undefined,
  needs: Needs,
): StepResult {
  const insn = env.insns[idx] as Insn;
  if (insn.op === 0) return "go on";
  if (env.log.isVerbose) {
    env.log.write(
      `mark_precise: frame${needs.frame}: regs=${needs.printRegs()} stack=${needs.printSlots()} before ${idx}: ${printInsn(env, idx)}`,
    );
  }
  syncLinked(needs, entry);
  place.idx = idx;
  place.nextIdx = nextIdx;
  place.entry = entry;
  const result = stepBack(env, insn, place, needs);
  if (result !== "done") {
    if (result === "go on") syncLinked(needs, entry);
    return result;
  }
  return "go on";
}

interface Place {
  readonly idx: number;
  readonly nextIdx: number;
  readonly entry: HistoryEntry | undefined;
}
/** The instruction that is stepped over, filled anew each time: paths are walked back far more often than forward. */
const place: { -readonly [K in keyof Place]: Place[K] } = { idx: 0, nextIdx: 0, entry: undefined };

/** `done`: linked places need no second look. */
type Inner = StepResult | "done";

function stepBack(env: Env, insn: Insn, place: Place, needs: Needs): Inner {
  switch (insn.op & 0x07) {
    case 0x04:
    case 0x07:
      return backAlu(insn, needs);
    case 0x01:
      return backLoad(insn, place.entry, needs);
    case 0x02:
    case 0x03:
      if (insn.op === 0xdb || insn.op === 0xc3 || insn.op === 0xd3 || insn.op === 0xcb) {
        if (insn.imm === 0x100) return backLoad(insn, place.entry, needs);
      }
      return backStore(insn, place.entry, needs);
    case 0x05:
    case 0x06:
      return backJump(env, insn, place, needs);
    default: {
      if (!needs.hasReg(insn.dst)) return "done";
      needs.dropReg(insn.dst);
      const mode = insn.op & 0xe0;
      return mode === 0x20 || mode === 0x40 ? "give up" : "go on";
    }
  }
}

function backAlu(insn: Insn, needs: Needs): Inner {
  if (!needs.hasReg(insn.dst)) return "done";
  const operation = insn.op & 0xf0;
  const isX = (insn.op & 0x08) !== 0;
  if (operation === 0xd0 || operation === 0x80) return "done";
  if (operation === 0xb0) needs.dropReg(insn.dst);
  if (isX && insn.src !== FRAME_POINTER) needs.addReg(insn.src);
  return "go on";
}

function backLoad(insn: Insn, entry: HistoryEntry | undefined, needs: Needs): Inner {
  if (!needs.hasReg(insn.dst)) return "done";
  needs.dropReg(insn.dst);
  if (entry === undefined || entry.spi < 0) return "done";
  needs.addSlot(entry.spi, entry.frameno);
  return "go on";
}

function backStore(insn: Insn, entry: HistoryEntry | undefined, needs: Needs): Inner {
  if (needs.hasReg(insn.dst)) return "give up";
  if (entry === undefined || entry.spi < 0) return "done";
  if (!needs.hasSlot(entry.spi, entry.frameno)) return "done";
  needs.dropSlot(entry.spi, entry.frameno);
  if ((insn.op & 0x07) === 0x03) needs.addReg(insn.src);
  return "go on";
}

function backJump(env: Env, insn: Insn, place: Place, needs: Needs): Inner {
  const operation = insn.op & 0xf0;
  if (insn.op === 0x85 && insn.src === 1) return backCall(env, insn, place, needs);
  if (operation === 0x80) {
    if (isSyncTaker(env, place.idx) && place.idx !== place.nextIdx - 1) return leaveCallback(env, needs);
    if (insn.src === 2 && insn.imm === 0 && !env.kfuncOfSlot.has(place.idx)) return "give up";
    needs.dropReg(0);
    if ((needs.regMask() & ARGS_MASK) !== 0) {
      bug(env, `backtracking call unexpected regs ${hex(needs.regMask())}`);
    }
    if (insn.src === 0 && insn.imm === 12 && place.nextIdx - place.idx !== 1) enter(env, needs);
    return "go on";
  }
  if (operation === 0x90) return backExit(env, place, needs);
  if (operation === 0x00 || (insn.op & 0x08) === 0) return "go on";
  if (!needs.hasReg(insn.dst) && !needs.hasReg(insn.src)) return "done";
  if (place.entry?.isSrcStack !== true) needs.addReg(insn.src);
  if (place.entry?.isDstStack !== true) needs.addReg(insn.dst);
  return "go on";
}

/** Going back over a call: into the callee's past is the caller (C-51). */
function backCall(env: Env, insn: Insn, place: Place, needs: Needs): Inner {
  const callee = subprogOf(env, place.idx + insn.imm + 1);
  if (callee.linkage === "global") {
    if ((needs.regMask() & ARGS_MASK) !== 0) {
      bug(env, `global subprog unexpected regs ${hex(needs.regMask())}`);
    }
    needs.dropReg(0);
    return "done";
  }
  if ((needs.regMask() & ~ARGS_MASK) !== 0) {
    bug(env, `static subprog unexpected regs ${hex(needs.regMask())}`);
  }
  if (needs.hasSlots()) bug(env, "static subprog leftover stack slots");
  for (let i = 1; i <= 5; i++) {
    if (!needs.hasReg(i)) continue;
    needs.dropReg(i);
    needs.addReg(i, needs.frame - 1);
  }
  leave(env, needs);
  return "done";
}

function leaveCallback(env: Env, needs: Needs): Inner {
  if ((needs.regMask() & ~ARGS_MASK) !== 0) {
    bug(env, `callback unexpected regs ${hex(needs.regMask())}`);
  }
  if (needs.hasSlots()) bug(env, "callback leftover stack slots");
  for (let i = 1; i <= 5; i++) needs.dropReg(i);
  leave(env, needs);
  return "done";
}

function backExit(env: Env, place: Place, needs: Needs): Inner {
  if (place.nextIdx >= 0 && env.callsCallback[place.nextIdx] === 1) {
    for (let i = 1; i <= 5; i++) needs.dropReg(i);
  }
  if ((needs.regMask() & ARGS_MASK) !== 0) {
    bug(env, `backtracking exit unexpected regs ${hex(needs.regMask())}`);
  }
  const call = env.insns[place.nextIdx - 1];
  const isResultNeeded = call !== undefined && call.op === 0x85 && call.src === 1 && needs.hasReg(0);
  needs.dropReg(0);
  enter(env, needs);
  if (isResultNeeded) needs.addReg(0);
  return "done";
}

function enter(env: Env, needs: Needs): void {
  if (needs.frame >= MAX_FRAMES - 1) bug(env, "BUG subprog enter from frame 7");
  needs.frame++;
}
function leave(env: Env, needs: Needs): void {
  if (needs.frame === 0) bug(env, "BUG subprog exit from frame 0");
  needs.frame--;
}
