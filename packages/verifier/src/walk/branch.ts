import type { Action, Insn, JmpOp } from "@tsbpf/isa";
import { branchTaken } from "../domain/branch.ts";
import { refineBranch, refineFirst, refineSelf } from "../domain/refine.ts";
import { isConst, isConst32 } from "../domain/scalar.ts";
import type { Env } from "../env.ts";
import { logInsnState } from "../log/print-state.ts";
import { pushHistory } from "../precise/history.ts";
import { markPrecise } from "../precise/mark.ts";
import { findLoopEntry, widenState } from "../prune/widen.ts";
import { reject } from "../reject.ts";
import { isMaybeNull, isNeverNull, isPointer, REG, type Reg, withVal } from "../state/reg.ts";
import { curFrame, type Frame, type LinkedPlace, type State } from "../state/state.ts";
import { collectLinked, syncLinked } from "./linked.ts";
import { dropNull, markNullness } from "./null-check.ts";
import { comparePackets, discoverRange, isAnyPacket } from "./packet-range.ts";
import { pushState } from "./pending.ts";
import { immediateReg, isLeak, readReg } from "./regs.ts";
import { pushUntaken } from "./speculation.ts";

type BranchAction = Extract<Action, { kind: "branch" }>;

const FLIPPED: Readonly<Record<JmpOp, JmpOp>> = {
  jeq: "jeq",
  jne: "jne",
  jset: "jset",
  jgt: "jlt",
  jge: "jle",
  jlt: "jgt",
  jle: "jge",
  jsgt: "jslt",
  jsge: "jsle",
  jslt: "jsgt",
  jsle: "jsge",
};

/** may_goto: the loop may end here, or go on with the following instruction. */
export function walkMayGoto(env: Env, insn: Insn): void {
  if (insn.src !== 0 || insn.dst !== 0 || insn.imm !== 0) {
    reject(env, "ISA_RESERVED_FIELD", "EINVAL", `invalid may_goto imm ${insn.imm}`);
  }
  const entry = findLoopEntry(env, env.cur.parent, env.insnIdx);
  const queued = pushState(env, env.insnIdx + 1, env.insnIdx);
  queued.mayGotoDepth++;
  if (entry !== undefined) widenState(env, entry, queued);
  env.insnIdx += insn.off + 1;
}

const isKnownIn = (reg: Reg, width: 32 | 64): boolean =>
  reg.type === REG.scalar && (width === 32 ? isConst32(reg.val) : isConst(reg.val));

/** Decides a jump where that is possible (S-143..S-149). */
function decide(action: BranchAction, dst: Reg, src: Reg): boolean | undefined {
  let op = action.jmpOp;
  if (isAnyPacket(dst) && isAnyPacket(src) && action.width === 64) return comparePackets(op, dst, src);
  let a = dst;
  let b = src;
  if (!isKnownIn(b, action.width)) {
    op = FLIPPED[op];
    [a, b] = [b, a];
  }
  if (isPointer(a)) {
    if (!isKnownIn(b, action.width) || !isNeverNull(a)) return undefined;
    if (b.val.bitsLo !== 0 || (action.width === 64 && b.val.bitsHi !== 0)) return undefined;
    return op === "jeq" ? false : op === "jne" ? true : undefined;
  }
  if (a.type !== REG.scalar || b.type !== REG.scalar) return undefined;
  return branchTaken(op, action.width, a.val, b.val);
}

/** Conditional jumps (S-140..S-173). */
export function walkBranch(env: Env, insn: Insn, action: BranchAction): void {
  const isX = action.source === "x";
  const dst = readReg(env, insn.dst);
  if (isX ? insn.imm !== 0 : insn.src !== 0) {
    reject(env, "ISA_RESERVED_FIELD", "EINVAL", "BPF_JMP/JMP32 uses reserved fields");
  }
  let src: Reg;
  if (isX) {
    src = readReg(env, insn.src);
    if (!(isAnyPacket(dst) && isAnyPacket(src)) && isLeak(env, src)) {
      reject(env, "REG_POINTER_COMPARE", "EACCES", `R${insn.src} pointer comparison prohibited`);
    }
  } else src = immediateReg(env);
  if (isX && (dst.type === REG.stack || src.type === REG.stack)) {
    const entry = pushHistory(env);
    if (dst.type === REG.stack) entry.isDstStack = true;
    if (src.type === REG.stack) entry.isSrcStack = true;
  }
  const taken = decide(action, dst, src);
  if (taken !== undefined) {
    if (!isPointer(dst)) markPrecise(env, insn.dst);
    if (isX && !isPointer(src)) markPrecise(env, insn.src);
    if (!env.isPerfmon) {
      pushUntaken(env, env.insnIdx + (taken ? 1 : insn.off + 1), insn.dst, isX ? insn.src : -1);
    }
    if (env.log.showsInsns) logInsnState(env);
    env.insnIdx += taken ? insn.off + 1 : 1;
    return;
  }
  split(env, insn, action, isX, src);
}

function split(env: Env, insn: Insn, action: BranchAction, isX: boolean, srcReg: Reg): void {
  const here = env.cur;
  const frame = curFrame(here);
  const linked = findLinked(env, here, insn, isX);
  if (linked.length > 1) pushHistory(env).linked = linked;

  const other = pushState(env, env.insnIdx + insn.off + 1, env.insnIdx);
  const dst = frame.regs[insn.dst] as Reg;
  const src = isX ? (frame.regs[insn.src] as Reg) : srcReg;
  if (dst.type === REG.scalar && src.type === REG.scalar) {
    refineSide(frame, insn, action, isX, { dst, src }, false);
    refineSide(curFrame(other), insn, action, isX, { dst, src }, true);
  }
  if (isX && src.type === REG.scalar && src.id !== 0) {
    syncLinked(env, here, insn.src, linked);
    syncLinked(env, other, insn.src, linked);
  }
  if (dst.type === REG.scalar && dst.id !== 0) {
    syncLinked(env, here, insn.dst, linked);
    syncLinked(env, other, insn.dst, linked);
  }
  if (action.width === 64 && isX) liftNull(frame, curFrame(other), insn, action.jmpOp, dst, src);
  const op = action.jmpOp;
  if (action.width === 64 && !isX && insn.imm === 0 && (op === "jeq" || op === "jne") && isMaybeNull(dst)) {
    markNullness(here, insn.dst, op === "jne");
    markNullness(other, insn.dst, op === "jeq");
    if (env.log.showsInsns) logInsnState(env);
    env.insnIdx++;
    return;
  }
  const operands = { dst, dstNo: insn.dst, src, srcNo: insn.src };
  const isPair = isX && action.width === 64 && discoverRange(op, operands, here, other);
  if (!isPair && isLeak(env, dst)) {
    reject(env, "REG_POINTER_COMPARE", "EACCES", `R${insn.dst} pointer comparison prohibited`);
  }
  if (env.log.showsInsns) logInsnState(env);
  env.insnIdx++;
}

const NONE: readonly LinkedPlace[] = [];

const linkOf = (reg: Reg): number => (reg.type === REG.scalar ? reg.id : 0);

/** Finds what is linked to the operands of a jump, and learns what they do (S-133). */
function findLinked(env: Env, here: State, insn: Insn, isX: boolean): readonly LinkedPlace[] {
  const { regs } = curFrame(here);
  const srcLink = isX ? linkOf(regs[insn.src] as Reg) : 0;
  if (srcLink === 0 && linkOf(regs[insn.dst] as Reg) === 0) return NONE;
  const linked: LinkedPlace[] = [];
  if (srcLink !== 0) collectLinked(env, here, srcLink, linked);
  // The destination may just have left the group.
  const dstLink = linkOf(regs[insn.dst] as Reg);
  if (dstLink !== 0) collectLinked(env, here, dstLink, linked);
  return linked;
}

function refineSide(
  frame: Frame,
  insn: Insn,
  action: BranchAction,
  isX: boolean,
  operands: { readonly dst: Reg; readonly src: Reg },
  isTaken: boolean,
): void {
  const { jmpOp, width } = action;
  if (isX && insn.src === insn.dst) {
    const val = refineSelf(jmpOp, width, operands.dst.val, isTaken);
    frame.regs[insn.dst] = withVal(frame.regs[insn.dst] as Reg, val);
    return;
  }
  const vals = { dst: operands.dst.val, src: operands.src.val };
  if (!isX) {
    const val = refineFirst(jmpOp, width, vals, isTaken);
    if (val !== vals.dst) frame.regs[insn.dst] = withVal(frame.regs[insn.dst] as Reg, val);
    return;
  }
  const refined = refineBranch(jmpOp, width, vals, isTaken);
  if (refined.dst !== vals.dst) frame.regs[insn.dst] = withVal(frame.regs[insn.dst] as Reg, refined.dst);
  if (refined.src !== vals.src) {
    frame.regs[insn.src] = withVal(frame.regs[insn.src] as Reg, refined.src);
  }
}

/** Equal pointers: when one of them cannot be null, the other is not null either (S-163). */
function liftNull(here: Frame, other: Frame, insn: Insn, op: JmpOp, dst: Reg, src: Reg): void {
  if (!isPointer(dst) || !isPointer(src) || isMaybeNull(dst) === isMaybeNull(src)) return;
  if (dst.type === REG.btfId || src.type === REG.btfId) return;
  const frame = op === "jeq" ? other : op === "jne" ? here : undefined;
  if (frame === undefined) return;
  const regno = isMaybeNull(dst) ? insn.dst : insn.src;
  frame.regs[regno] = dropNull(frame.regs[regno] as Reg);
}
