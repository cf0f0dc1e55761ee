import { defsOf, type Insn } from "@tsbpf/isa";
import type { Env } from "../env.ts";
import { printInsn } from "../log/print-insn.ts";
import type { HistoryStep } from "../verdict.ts";

/** Steps that a trace looks back, and steps that it shows. */
const LOOK_BACK = 4096;
const SHOWN = 12;

/** Goes back along the failing path, one instruction at a time, through its checkpoints. */
function* pathBefore(env: Env, insnIdx: number): Generator<number> {
  let state = env.cur;
  let left = state.history.length;
  let idx = insnIdx;
  for (let steps = 0; steps < LOOK_BACK; steps++) {
    const isStart = idx === state.firstIdx && (left === 0 || (left === 1 && state.history[0]?.idx === idx));
    if (isStart) {
      if (state.parent === null) return;
      idx = state.lastIdx;
      state = state.parent;
      left = state.history.length;
    } else {
      const entry = left > 0 ? state.history[left - 1] : undefined;
      if (entry !== undefined && entry.idx === idx) {
        idx = entry.prevIdx;
        left--;
      } else idx--;
    }
    if (idx < 0 || idx >= env.len) return;
    if (env.insns[idx]?.op !== 0) yield idx;
  }
}

const isMove = (insn: Insn): boolean => insn.op === 0xbf || insn.op === 0xbc;
const isStackLoad = (insn: Insn): boolean => (insn.op & 0x07) === 0x01 && insn.src === 10;
const isStackStore = (insn: Insn): boolean =>
  ((insn.op & 0x07) === 0x03 || (insn.op & 0x07) === 0x02) && insn.dst === 10;

/**
 * Lists the instructions of the failing path that shaped a register, oldest first: what set it, through moves and
 * spills, and the compares that looked at it.
 */
export function traceRegister(env: Env, insnIdx: number, regno: number | undefined): readonly HistoryStep[] {
  const steps: HistoryStep[] = [toStep(env, insnIdx)];
  if (regno === undefined) return steps;
  let reg: number | undefined = regno;
  let slotOff: number | undefined;
  for (const idx of pathBefore(env, insnIdx)) {
    if (steps.length >= SHOWN) break;
    const insn = env.insns[idx] as Insn;
    if (reg === undefined) {
      if (!isStackStore(insn) || insn.off !== slotOff) continue;
      steps.push(toStep(env, idx));
      if ((insn.op & 0x07) === 0x02) break;
      reg = insn.src;
      slotOff = undefined;
      continue;
    }
    const kind = env.rows[idx]?.action.kind;
    if (kind === "branch" && (insn.dst === reg || ((insn.op & 0x08) !== 0 && insn.src === reg))) {
      steps.push(toStep(env, idx));
      continue;
    }
    if (((defsOf(insn) >> reg) & 1) === 0) continue;
    steps.push(toStep(env, idx));
    if (isMove(insn)) reg = insn.src;
    else if (isStackLoad(insn)) {
      slotOff = insn.off;
      reg = undefined;
    } else if (kind !== "alu" || (insn.op & 0xf0) === 0xb0) break;
  }
  return steps.reverse();
}

function toStep(env: Env, slot: number): HistoryStep {
  const text = printInsn(env, slot).trimEnd();
  const line = env.spec.lines.filter((one) => one.slot <= slot).at(-1);
  if (line === undefined) return { slot, text };
  const base = line.fileName.slice(line.fileName.lastIndexOf("/") + 1);
  return { slot, text, source: `${base}:${line.line} ${line.text.trim()}` };
}
