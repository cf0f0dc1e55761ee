import { S64_MIN } from "@tsbpf/base";
import type { Action, Insn } from "@tsbpf/isa";
import { offsetScalar } from "../domain/alu.ts";
import { isConst, isZero, type Scalar } from "../domain/scalar.ts";
import { isBelow, isLess } from "../domain/words.ts";
import { type Env, newId } from "../env.ts";
import { aluText } from "../log/print-insn.ts";
import { regTypeName } from "../log/print-reg.ts";
import { reject } from "../reject.ts";
import {
  FLAG,
  isMaybeNull,
  isPacketPointer,
  REG,
  type Reg,
  type RegBase,
  UNKNOWN_REG,
  withMove,
  withRange,
} from "../state/reg.ts";
import { writeReg } from "./regs.ts";
import { beginMove, checkMoved, endMove } from "./sanitize.ts";

type AluAction = Extract<Action, { kind: "alu" }>;
const MAX_OFF = 2 ** 29;

const MOVABLE: ReadonlySet<RegBase> = new Set<RegBase>([
  REG.ctx,
  REG.mapValue,
  REG.mapKey,
  REG.stack,
  REG.pktMeta,
  REG.pkt,
  REG.tpBuffer,
  REG.btfId,
  REG.mem,
  REG.buf,
  REG.func,
  REG.dynptr,
]);

const bad = (env: Env, text: string): never => reject(env, "REG_POINTER_ARITHMETIC", "EACCES", text);

/** Checks that neither the offset nor the pointer leaves the range in which offsets stay exact (S-186). */
function checkSane(env: Env, pointer: Reg, off: number, val: Scalar): void {
  const smin = val.sminNumber;
  if (isInRange(smin) && isInRange(off)) return;
  const type = regTypeName(pointer);
  const outOfRange = (text: string): never => reject(env, "REG_POINTER_RANGE", "EINVAL", text);
  if (isConst(val) && !isInRange(smin)) {
    outOfRange(`math between ${type} pointer and ${val.smin} is not allowed`);
  }
  if (!isInRange(off)) outOfRange(`${type} pointer offset ${off} is not allowed`);
  if (val.smin === S64_MIN) {
    outOfRange(`math between ${type} pointer and register with unbounded min value is not allowed`);
  }
  outOfRange(`value ${val.smin} makes ${type} pointer be out of bounds`);
}

const isInRange = (off: number): boolean => off < MAX_OFF && off > -MAX_OFF;

/** Whether ranges exclude each other, as on sides of branches that cannot happen. */
const isContradictory = (a: Scalar): boolean =>
  isLess(a.smaxHi, a.smaxLo, a.sminHi, a.sminLo) ||
  isBelow(a.umaxHi, a.umaxLo, a.uminHi, a.uminLo) ||
  (isConst(a) &&
    (a.sminLo !== a.smaxLo || a.sminHi !== a.smaxHi || a.uminLo !== a.umaxLo || a.uminHi !== a.umaxHi));

function checkKind(env: Env, insn: Insn, action: AluAction, pointer: Reg, by: Scalar): boolean {
  if (action.width === 32) {
    if (action.aluOp === "sub" && env.isPerfmon) {
      writeReg(env, insn.dst, UNKNOWN_REG);
      return false;
    }
    bad(env, `R${insn.dst} 32-bit pointer arithmetic prohibited`);
  }
  if (isMaybeNull(pointer)) {
    bad(env, `R${insn.dst} pointer arithmetic on ${regTypeName(pointer)} prohibited, null-check it first`);
  }
  const isUntrustedMem =
    pointer.type === REG.mem &&
    (pointer.flags & (FLAG.rdonly | FLAG.untrusted)) === (FLAG.rdonly | FLAG.untrusted);
  if (isUntrustedMem) {
    writeReg(env, insn.dst, pointer);
    return false;
  }
  if (MOVABLE.has(pointer.type)) return true;
  const isConstOffset = isConst(by);
  if (pointer.type === REG.flowKeys && isConstOffset) return true;
  if ((pointer.type === REG.mapPtr || pointer.type === REG.flowKeys) && isZero(by)) {
    if (action.aluOp === "add") return true;
  }
  bad(env, `R${insn.dst} pointer arithmetic on ${regTypeName(pointer)} prohibited`);
  return false;
}

/**
 * Pointer plus or minus scalar (S-180..S-188).
 *
 * @param isPointerFirst - whether the destination held the pointer; it matters for subtraction.
 */
export function offsetPointer(
  env: Env,
  insn: Insn,
  action: AluAction,
  pointer: Reg,
  by: Scalar,
  isPointerFirst: boolean,
): void {
  const isConstOffset = isConst(by);
  if (isContradictory(by)) {
    writeReg(env, insn.dst, UNKNOWN_REG);
    return;
  }
  if (!checkKind(env, insn, action, pointer, by)) return;
  checkSane(env, pointer, 0, by);
  checkSane(env, pointer, pointer.off, pointer.val);
  const op = action.aluOp;
  if (op !== "add" && op !== "sub") {
    const text = aluText(op);
    if (op === "and" || op === "or" || op === "xor") {
      bad(env, `R${insn.dst} bitwise operator ${text} on pointer prohibited`);
    }
    bad(env, `R${insn.dst} pointer arithmetic with ${text} operator prohibited`);
    return;
  }
  const move = { insn, op, pointer, by, isPointerFirst };
  const plan = env.isPerfmon ? undefined : beginMove(env, move, action.source === "x");
  if (op === "sub") {
    if (!isPointerFirst) bad(env, `R${insn.dst} tried to subtract pointer from scalar`);
    if (pointer.type === REG.stack) bad(env, `R${insn.dst} subtraction from stack pointer prohibited`);
  }
  const sign = op === "add" ? 1 : -1;
  const delta = isConstOffset ? by.sminNumber * sign : 0;
  let next: Reg;
  if (isConstOffset && Number.isSafeInteger(delta) && isS32(pointer.off + delta)) {
    next = withMove(pointer, pointer.off + delta, pointer.val, pointer.id, pointer.x);
  } else {
    const isPacket = isPacketPointer(pointer);
    const id = isPacket ? newId(env) : pointer.id;
    next = withMove(pointer, pointer.off, offsetScalar(op, pointer.val, by), id, pointer.x);
    if (isPacket && (op === "add" || by.sminHi < 0)) next = withRange(next, 0);
  }
  checkSane(env, next, next.off, next.val);
  if (!env.isPerfmon) checkMoved(env, insn.dst, next);
  if (plan !== undefined) endMove(env, move, plan, next);
  writeReg(env, insn.dst, next);
}

const isS32 = (value: number): boolean => value >= -0x8000_0000 && value <= 0x7fff_ffff;
