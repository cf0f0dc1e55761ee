import { exitRange, PROG_TYPES } from "@tsbpf/abi";
import { S64_MAX, S64_MIN } from "@tsbpf/base";
import type { Insn } from "@tsbpf/isa";
import { checkUnmoved } from "../access/offsets.ts";
import { lsmResult } from "../btf/lsm-hooks.ts";
import { structOpsResult } from "../btf/struct-ops.ts";
import { checkNothingHeld } from "../calls/leaks.ts";
import type { Env } from "../env.ts";
import { regTypeName } from "../log/print-reg.ts";
import { printState } from "../log/print-state.ts";
import { markPrecise } from "../precise/mark.ts";
import { finishPath } from "../prune/liveness.ts";
import { findLoopEntry, widenState } from "../prune/widen.ts";
import { reject } from "../reject.ts";
import { REG, type Reg } from "../state/reg.ts";
import { curFrame, type Frame, frameAt, type RetRange } from "../state/state.ts";
import { isLeak, readReg } from "./regs.ts";

/** Where the walk goes after an exit. */
export type ExitResult = "path ends" | "returns";

/** EXIT: the end of the path in the entry frame, a return in others (C-70..C-74, C-126, H-160). */
export function walkExit(env: Env, insn: Insn): ExitResult {
  if (insn.imm !== 0 || insn.src !== 0 || insn.dst !== 0) {
    reject(env, "ISA_RESERVED_FIELD", "EINVAL", "BPF_EXIT uses reserved fields");
  }
  checkNothingHeld(env, "BPF_EXIT instruction in main prog", {
    checksLocks: env.cur.frames.length === 1,
  });
  if (env.cur.frames.length > 1) {
    returnToCaller(env);
    return "returns";
  }
  checkReturnCode(env, 0);
  return "path ends";
}

function invalidScalar(env: Env, reg: Reg, range: RetRange, where: string, name: string): never {
  let text = `${where} the register ${name} has`;
  const { smin, smax } = reg.val;
  if (smin > S64_MIN) text += ` smin=${smin}`;
  if (smax < S64_MAX) text += ` smax=${smax}`;
  if (smin === S64_MIN && smax === S64_MAX) text += " unknown scalar value";
  return reject(
    env,
    "REG_RETURN_RANGE",
    "EINVAL",
    `${text} should have been in [${range.min}, ${range.max}]`,
  );
}

const isWithinRange = (range: RetRange, reg: Reg): boolean =>
  range.is32
    ? BigInt(reg.val.s32min) >= range.min && BigInt(reg.val.s32max) <= range.max
    : reg.val.smin >= range.min && reg.val.smax <= range.max;

/** Leaves the current frame: its r0 is the caller's, or the callback's verdict (C-70..C-73, C-126, C-127). */
export function returnToCaller(env: Env): void {
  const state = env.cur;
  const callee = curFrame(state);
  const caller = frameAt(state, callee.frameno - 1);
  const r0 = callee.regs[0] as Reg;
  finishPath(env);
  if (r0.type === REG.stack) {
    reject(env, "CALL_RETURN_STACK", "EINVAL", "cannot return stack pointer to the caller");
  }
  if (callee.inCallback) checkCallbackResult(env, callee, r0);
  else caller.regs[0] = r0;
  env.insnIdx = callee.inCallback ? callee.callsite : callee.callsite + 1;
  if (env.log.showsInsns) {
    env.log.write(
      `returning from callee:\n${printState(env, state, callee.frameno, true)}to caller at ${env.insnIdx}:\n${printState(env, state, caller.frameno, true)}`,
    );
  }
  state.frames.pop();
  if (!callee.inCallback) return;
  const entry = findLoopEntry(env, state, env.insnIdx);
  if (entry !== undefined) widenState(env, entry, state);
}

function checkCallbackResult(env: Env, callee: Frame, r0: Reg): void {
  if (r0.type !== REG.scalar) reject(env, "CALL_CALLBACK_RESULT", "EACCES", "R0 not a scalar value");
  markPrecise(env, 0);
  if (!isWithinRange(callee.retRange, r0)) {
    invalidScalar(env, r0, callee.retRange, "At callback return", "R0");
  }
}

/** Checks the value that the program, a global function or an async callback ends with (C-87, C-132, H-160). */
export function checkReturnCode(env: Env, regno: number): void {
  const frame = frameAt(env.cur, 0);
  const isSubprog = frame.subprog !== 0;
  if (env.progType === PROG_TYPES.struct_ops && !isSubprog && !frame.inAsyncCallback) {
    if (!checkMemberResult(env, regno)) return;
  }
  const isHook = env.progType === PROG_TYPES.lsm && !env.isExtension;
  const hookRange = isHook ? lsmResult(env) : "any";
  // What a hook without a result returns is not looked at.
  if (hookRange === undefined && !(isSubprog && !frame.inExceptionCallback)) return;
  const reg = readReg(env, regno);
  if (isLeak(env, reg)) reject(env, "REG_LEAK", "EACCES", `R${regno} leaks addr as return value`);
  if (frame.inAsyncCallback) {
    enforce(env, reg, regno, frame.retRange, "At async callback return");
    return;
  }
  if (isSubprog && !frame.inExceptionCallback) {
    if (reg.type === REG.scalar) return;
    reject(
      env,
      "REG_RETURN_TYPE",
      "EINVAL",
      `At subprogram exit the register R${regno} is not a scalar value (${regTypeName(reg)})`,
    );
  }
  if (hookRange !== undefined && hookRange !== "any") enforce(env, reg, regno, hookRange, "At program exit");
  const range = exitRange(env.spec.type, env.attachType);
  if (range === undefined) return;
  enforce(env, reg, regno, { ...range, is32: false }, "At program exit");
}

/** The result of a member of a struct of functions (H-160). @returns false when there is nothing more to check. */
function checkMemberResult(env: Env, regno: number): boolean {
  const result = structOpsResult(env);
  if (result === "unchecked") return false;
  if (result === "any") return true;
  const reg = frameAt(env.cur, 0).regs[regno] as Reg;
  if (reg.refObjId !== 0 && reg.x.btf?.isKernel === true && reg.x.btf.name === result.struct) {
    checkUnmoved(env, reg, regno);
    return false;
  }
  enforce(env, readReg(env, regno), regno, { min: 0n, max: 0n, is32: false }, "At program exit");
  return false;
}

function enforce(env: Env, reg: Reg, regno: number, range: RetRange, where: string): void {
  if (reg.type !== REG.scalar) {
    reject(
      env,
      "REG_RETURN_TYPE",
      "EINVAL",
      `${where} the register R${regno} is not a known value (${regTypeName(reg)})`,
    );
  }
  markPrecise(env, regno);
  if (!isWithinRange(range, reg)) invalidScalar(env, reg, range, where, `R${regno}`);
}
