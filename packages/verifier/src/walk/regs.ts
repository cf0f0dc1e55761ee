import type { Env } from "../env.ts";
import { reject } from "../reject.ts";
import { constReg, NOT_INIT, REG, type Reg } from "../state/reg.ts";
import { curFrame, type Frame } from "../state/state.ts";

const FRAME_POINTER = 10;

function checkRegNumber(env: Env, regno: number): void {
  if (regno > FRAME_POINTER) reject(env, "REG_NUMBER", "EINVAL", `R${regno} is invalid`);
}

/** Returns a register that an instruction reads; refuses one without a value (S-124). */
export function readReg(env: Env, regno: number): Reg {
  checkRegNumber(env, regno);
  env.scratchedRegs |= 1 << regno;
  const reg = curFrame(env.cur).regs[regno] as Reg;
  if (reg.type === REG.notInit) reject(env, "REG_UNINIT", "EACCES", `R${regno} !read_ok`);
  return reg;
}

/** Checks that an instruction may write a register. */
export function checkWritable(env: Env, regno: number): void {
  checkRegNumber(env, regno);
  env.scratchedRegs |= 1 << regno;
  if (regno === FRAME_POINTER) reject(env, "REG_FP_READ_ONLY", "EACCES", "frame pointer is read only");
}

/** Sets a register of the current frame. */
export function writeReg(env: Env, regno: number, reg: Reg): void {
  env.scratchedRegs |= 1 << regno;
  curFrame(env.cur).regs[regno] = reg;
}

/** Leaves r0..r5 without a value: what every call does (C-53). */
export function scratchCallerSaved(env: Env, frame: Frame): void {
  for (let i = 0; i <= 5; i++) frame.regs[i] = NOT_INIT;
  env.scratchedRegs |= 0x3f;
}

/** Says whether a value may not be leaked by this program: a pointer without CAP_PERFMON. */
export const isLeak = (env: Env, reg: Reg): boolean =>
  !env.isPerfmon && reg.type !== REG.scalar && reg.type !== REG.notInit;

/** The immediate of the current instruction, sign-extended, as a register. */
export const immediateReg = (env: Env): Reg =>
  env.fixedRegs[env.insnIdx] ?? fixReg(env, env.insnIdx, constReg(env.insns[env.insnIdx]?.imm ?? 0));

/** Remembers the register that an instruction names or gives whenever it is walked. */
export function fixReg(env: Env, slot: number, reg: Reg): Reg {
  env.fixedRegs[slot] = reg;
  return reg;
}
