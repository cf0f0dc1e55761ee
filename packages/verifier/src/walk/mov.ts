import type { Action, Insn } from "@tsbpf/isa";
import { signExtendScalar, zeroExtend32 } from "../domain/cast.ts";
import { fitsBits, isConst } from "../domain/scalar.ts";
import { type Env, newId } from "../env.ts";
import { reject } from "../reject.ts";
import { constReg, REG, type Reg, UNKNOWN_REG, withId, withVal } from "../state/reg.ts";
import { curFrame } from "../state/state.ts";
import { checkWritable, fixReg, isLeak, readReg, writeReg } from "./regs.ts";

type AluAction = Extract<Action, { kind: "alu" }>;

/** Gives a scalar that is about to be copied an id, so that both stay linked (S-131). */
export function linkScalar(env: Env, reg: Reg): Reg {
  let next = reg;
  if (next.deltaBits !== 0) next = withId(next, 0, 0, 0);
  if (next.id === 0 && !isConst(next.val)) next = withId(next, newId(env));
  return next;
}

const unlinked = (reg: Reg): Reg => (reg.id === 0 ? reg : withId(reg, 0, 0, 0));

/** Moves of every kind (S-120..S-122). */
export function walkMov(env: Env, insn: Insn, action: AluAction): void {
  if (action.source === "k") {
    if (insn.src !== 0 || insn.off !== 0) {
      reject(env, "ISA_RESERVED_FIELD", "EINVAL", "BPF_MOV uses reserved fields");
    }
    checkWritable(env, insn.dst);
    const known = env.fixedRegs[env.insnIdx];
    const value = action.width === 64 ? insn.imm : insn.imm >>> 0;
    writeReg(env, insn.dst, known ?? fixReg(env, env.insnIdx, constReg(value)));
    return;
  }
  if (insn.imm !== 0) reject(env, "ISA_RESERVED_FIELD", "EINVAL", "BPF_MOV uses reserved fields");
  let src = readReg(env, insn.src);
  checkWritable(env, insn.dst);
  const isSigned = action.aluOp !== "mov";
  if (action.width === 64 && !isSigned) {
    if (src.type === REG.scalar) {
      const linked = linkScalar(env, src);
      if (linked !== src) curFrame(env.cur).regs[insn.src] = linked;
      src = linked;
    }
    writeReg(env, insn.dst, src);
    return;
  }
  if (isLeak(env, src)) {
    const what =
      isSigned && action.width === 64 ? "sign-extension part of pointer" : "partial copy of pointer";
    reject(env, "REG_POINTER_COPY", "EACCES", `R${insn.src} ${what}`);
  }
  if (src.type !== REG.scalar) {
    const reg = action.width === 64 ? UNKNOWN_REG : withVal(UNKNOWN_REG, zeroExtend32(UNKNOWN_REG.val));
    writeReg(env, insn.dst, reg);
    return;
  }
  const fromBits = isSigned ? (insn.off as 8 | 16 | 32) : 32;
  const isSame = fitsBits(src.val, isSigned ? fromBits - 1 : 32);
  if (isSame) {
    const linked = linkScalar(env, src);
    if (linked !== src) curFrame(env.cur).regs[insn.src] = linked;
    src = linked;
  }
  const val = isSigned ? signExtendScalar(src.val, fromBits, action.width) : zeroExtend32(src.val);
  writeReg(env, insn.dst, withVal(isSame ? src : unlinked(src), val));
}

/** Casts between address spaces of an arena (S-123). */
export function walkAddrCast(env: Env, insn: Insn): void {
  if (insn.imm !== 1 && insn.imm !== 0x10000) {
    reject(
      env,
      "REG_ADDR_CAST",
      "EINVAL",
      "addr_space_cast insn can only convert between address space 1 and 0",
    );
  }
  if (!env.maps.some((map, idx) => map.spec.type === "arena" && env.mapOfSlot.includes(idx))) {
    reject(
      env,
      "REG_ADDR_CAST",
      "EINVAL",
      "addr_space_cast insn can only be used in a program that has an associated arena",
    );
  }
  readReg(env, insn.src);
  checkWritable(env, insn.dst);
  writeReg(env, insn.dst, insn.imm === 1 ? { ...UNKNOWN_REG, type: REG.arena } : UNKNOWN_REG);
}
