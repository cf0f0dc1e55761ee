import type { Insn } from "@tsbpf/isa";
import type { Env, Subprog } from "../env.ts";
import { reject } from "../reject.ts";

const CALL = 0x80;
const EXIT = 0x90;
const TAIL_CALL_ID = 12;

const isJumpClass = (insn: Insn): boolean => (insn.op & 0x07) === 0x05 || (insn.op & 0x07) === 0x06;
const operationOf = (insn: Insn): number => insn.op & 0xf0;
const isPacketLoad = (insn: Insn): boolean =>
  (insn.op & 0x07) === 0 && ((insn.op & 0xe0) === 0x20 || (insn.op & 0xe0) === 0x40);

/** Checks that jumps stay inside their function and that each function ends in an exit or jump (C-20..C-22). */
export function checkLayout(env: Env): void {
  let at = 0;
  let subprog = env.subprogs[0] as Subprog;
  for (let slot = 0; slot < env.len; slot++) {
    const insn = env.insns[slot] as Insn;
    if (insn.op === 0x85 && insn.src === 0 && insn.imm === TAIL_CALL_ID) subprog.hasTailCall = true;
    if (isPacketLoad(insn)) subprog.hasLdAbs = true;
    if (isJumpClass(insn) && operationOf(insn) !== CALL && operationOf(insn) !== EXIT) {
      const target = slot + 1 + (insn.op === 0x06 ? insn.imm : insn.off);
      if (target < subprog.start || target >= subprog.end) {
        env.insnIdx = slot;
        reject(env, "CFG_JUMP_RANGE", "EINVAL", `jump out of range from insn ${slot} to ${target}`);
      }
    }
    if (slot !== subprog.end - 1) continue;
    if (insn.op !== 0x95 && insn.op !== 0x05 && insn.op !== 0x06) {
      env.insnIdx = slot;
      reject(env, "CFG_FALL_THROUGH", "EINVAL", "last insn is not an exit or jmp");
    }
    at++;
    const next = env.subprogs[at];
    if (next !== undefined) subprog = next;
  }
}

/** Checks what tail calls and packet loads need of a function's BTF return type (C-23, C-24). */
export function checkAbnormalReturns(
  env: Env,
  returnsInt: ((subprog: Subprog) => boolean) | undefined,
): void {
  for (const subprog of env.subprogs.slice(1)) {
    const isFine = returnsInt?.(subprog) ?? false;
    if (isFine) continue;
    const suffix =
      returnsInt === undefined
        ? "is not allowed in subprogs without BTF"
        : "is only allowed in functions that return 'int'.";
    if (subprog.hasLdAbs) reject(env, "CFG_LD_ABS_RETURN", "EINVAL", `LD_ABS ${suffix}`);
    if (subprog.hasTailCall) reject(env, "CFG_TAIL_CALL_RETURN", "EINVAL", `tail_call ${suffix}`);
  }
}
