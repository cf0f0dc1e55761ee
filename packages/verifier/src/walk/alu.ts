import type { Action, Insn } from "@tsbpf/isa";
import { aluScalar, endScalar, isSignMask, type ScalarAluOp } from "../domain/alu.ts";
import { withKnown32 } from "../domain/cast.ts";
import { constScalar, isConst, isConst32, type Scalar } from "../domain/scalar.ts";
import type { Env } from "../env.ts";
import { aluText } from "../log/print-insn.ts";
import { markPrecise } from "../precise/mark.ts";
import { reject } from "../reject.ts";
import { isPointer, REG, type Reg, scalarReg, UNKNOWN_REG } from "../state/reg.ts";
import { curFrame } from "../state/state.ts";
import { walkMov } from "./mov.ts";
import { pushState } from "./pending.ts";
import { offsetPointer } from "./pointer-alu.ts";
import { checkWritable, immediateReg, isLeak, readReg, writeReg } from "./regs.ts";
import { sanitizeScalar } from "./sanitize.ts";

type AluAction = Extract<Action, { kind: "alu" }>;
type EndAction = Extract<Action, { kind: "end" }>;

/** Byte swaps and truncations (S-111). */
export function walkEnd(env: Env, insn: Insn, action: EndAction): void {
  if (insn.src !== 0 || insn.off !== 0) {
    reject(env, "ISA_RESERVED_FIELD", "EINVAL", "BPF_END uses reserved fields");
  }
  const reg = readReg(env, insn.dst);
  if (isLeak(env, reg)) {
    reject(env, "REG_POINTER_ARITHMETIC", "EACCES", `R${insn.dst} pointer arithmetic prohibited`);
  }
  checkWritable(env, insn.dst);
  if (reg.type !== REG.scalar) {
    writeReg(env, insn.dst, UNKNOWN_REG);
    return;
  }
  writeReg(env, insn.dst, scalarReg(endScalar(action.order, action.bits, reg.val), reg.isPrecise));
}

function walkNeg(env: Env, insn: Insn, width: 32 | 64): void {
  if (insn.src !== 0 || insn.off !== 0 || insn.imm !== 0) {
    reject(env, "ISA_RESERVED_FIELD", "EINVAL", "BPF_NEG uses reserved fields");
  }
  const reg = readReg(env, insn.dst);
  if (isLeak(env, reg)) {
    reject(env, "REG_POINTER_ARITHMETIC", "EACCES", `R${insn.dst} pointer arithmetic prohibited`);
  }
  checkWritable(env, insn.dst);
  if (reg.type !== REG.scalar) {
    writeReg(env, insn.dst, UNKNOWN_REG);
    return;
  }
  writeReg(env, insn.dst, scalarReg(aluScalar("neg", width, reg.val, reg.val), reg.isPrecise));
}

function checkImmediate(env: Env, insn: Insn, action: AluAction): void {
  if (action.source !== "k") return;
  const op = action.aluOp;
  if ((op === "div" || op === "mod" || op === "sdiv" || op === "smod") && insn.imm === 0) {
    reject(env, "REG_DIV_ZERO", "EINVAL", "div by zero");
  }
  if ((op === "lsh" || op === "rsh" || op === "arsh") && (insn.imm < 0 || insn.imm >= action.width)) {
    reject(env, "REG_SHIFT", "EINVAL", `invalid shift ${insn.imm}`);
  }
}

/** Every instruction of the two arithmetic classes but byte swaps. */
export function walkAlu(env: Env, insn: Insn, action: AluAction): void {
  const op = action.aluOp;
  if (op === "mov" || op === "movsx8" || op === "movsx16" || op === "movsx32") {
    walkMov(env, insn, action);
    return;
  }
  if (op === "neg") {
    walkNeg(env, insn, action.width);
    return;
  }
  const isOffFine = insn.off === 0 || op === "sdiv" || op === "smod";
  if (!isOffFine || (action.source === "x" ? insn.imm !== 0 : insn.src !== 0)) {
    reject(env, "ISA_RESERVED_FIELD", "EINVAL", "BPF_ALU uses reserved fields");
  }
  let src: Reg | undefined;
  if (action.source === "x") src = readReg(env, insn.src);
  const dst = readReg(env, insn.dst);
  checkImmediate(env, insn, action);
  checkWritable(env, insn.dst);
  if (dst.type === REG.arena) return;
  if (isPointer(dst) || (src !== undefined && isPointer(src))) {
    walkPointerAlu(env, insn, action, dst, src);
    return;
  }
  if (src !== undefined && dst.isPrecise) markPrecise(env, insn.src);
  const srcVal = src === undefined ? immediateReg(env).val : src.val;
  walkScalarAlu(env, insn, action, curFrame(env.cur).regs[insn.dst] as Reg, op, srcVal);
}

function walkPointerAlu(env: Env, insn: Insn, action: AluAction, dst: Reg, src: Reg | undefined): void {
  const isSub = action.aluOp === "sub";
  if (src !== undefined && isPointer(src) && isPointer(dst)) {
    if (isSub && env.isPerfmon) {
      writeReg(env, insn.dst, UNKNOWN_REG);
      return;
    }
    const text = aluText(action.aluOp);
    reject(env, "REG_POINTER_ARITHMETIC", "EACCES", `R${insn.dst} pointer ${text} pointer prohibited`);
  }
  if (src !== undefined && isPointer(src)) {
    markPrecise(env, insn.dst);
    offsetPointer(env, insn, action, src, dst.val, false);
    return;
  }
  if (src !== undefined) markPrecise(env, insn.src);
  const by = src === undefined ? immediateReg(env).val : src.val;
  offsetPointer(env, insn, action, dst, by, true);
}

/** Splits the path when a sign mask meets a constant, so that both results stay exact (S-110). */
function forkSignMask(env: Env, insn: Insn, op: ScalarAluOp, dst: Reg, src: Scalar): Scalar {
  if ((op !== "and" && op !== "or") || !isConst(src)) return dst.val;
  const is64 = isSignMask(64, dst.val);
  if (!is64 && !isSignMask(32, dst.val)) return dst.val;
  const other = curFrame(pushState(env, env.insnIdx, env.insnIdx));
  const zero = is64 ? constScalar(0) : withKnown32(dst.val, 0);
  const before = other.regs[insn.dst] as Reg;
  other.regs[insn.dst] = { ...before, val: zero };
  return is64 ? constScalar(-1) : withKnown32(dst.val, -1);
}

function walkScalarAlu(
  env: Env,
  insn: Insn,
  action: AluAction,
  dst: Reg,
  op: ScalarAluOp,
  src: Scalar,
): void {
  if (!env.isPerfmon && (op === "add" || op === "sub")) sanitizeScalar(env, insn, op, action.source === "x");
  const before = forkSignMask(env, insn, op, dst, src);
  const val = aluScalar(op, action.width, before, src);
  let id = 0;
  let off = 0;
  let deltaBits: 0 | 32 | 64 = 0;
  if (dst.id !== 0 && dst.deltaBits === 0 && (op === "add" || op === "sub")) {
    const delta = deltaOf(action.width, dst.val, src, op === "sub");
    if (delta !== undefined) {
      id = dst.id;
      off = delta;
      deltaBits = action.width;
    }
  }
  writeReg(env, insn.dst, {
    type: REG.scalar,
    flags: 0,
    off,
    val,
    id,
    deltaBits,
    refObjId: 0,
    isPrecise: dst.isPrecise,
    x: dst.x,
  });
}

/** The constant by which a linked register now differs from its group, when that can be kept (S-134). */
function deltaOf(width: 32 | 64, dst: Scalar, src: Scalar, isSub: boolean): number | undefined {
  if (width === 64 ? !isConst(src) : !isConst32(src)) return undefined;
  if (width === 64 && src.bitsHi !== src.bitsLo >> 31) return undefined;
  if (width === 32 && dst.umaxHi !== 0) return undefined;
  const by = src.bitsLo;
  if (isSub && by === -0x8000_0000) return undefined;
  return isSub ? -by : by;
}
