import type { Env, Subprog } from "../env.ts";
import { reject } from "../reject.ts";
import { UNKNOWN_REG } from "../state/reg.ts";
import { curFrame } from "../state/state.ts";
import { scratchCallerSaved, writeReg } from "../walk/regs.ts";
import { checkCallArgs } from "./global-args.ts";
import { clearPacketPointers } from "./refs.ts";

/** A call or callback of a static function: a mismatch with its BTF only makes that unreliable (C-50). */
export function noteStaticCall(env: Env, callee: Subprog): void {
  if (!callee.isUnreliable) checkCallArgs(env, callee);
}

/** A call of a global function: its arguments are checked against BTF, its result is any number (C-81, C-82). */
export function callGlobal(env: Env, callee: Subprog): void {
  const state = env.cur;
  const mismatch = checkCallArgs(env, callee);
  const bad = (code: string, text: string): never => reject(env, code, "EINVAL", text);
  if (state.activeLocks > 0) {
    bad(
      "CALL_UNDER_LOCK",
      "global function calls are not allowed while holding a lock,\nuse static function instead",
    );
  }
  const isAtomic = state.isRcu || state.preemptLocks > 0 || state.activeIrqId !== 0 || !state.inSleepable;
  if (callee.mightSleep && isAtomic) {
    bad(
      "CALL_GLOBAL_SLEEP",
      "global functions that may sleep are not allowed in non-sleepable context,\ni.e., in a RCU/IRQ/preempt-disabled section, or in\na non-sleepable BPF program context",
    );
  }
  if (mismatch !== undefined) {
    reject(
      env,
      "CALL_GLOBAL_ARGS",
      mismatch,
      `Caller passes invalid args into func#${callee.idx} ('${callee.name}')`,
    );
  }
  env.log.write(`Func#${callee.idx} ('${callee.name}') is global and assumed valid.\n`);
  if (callee.changesPacket) clearPacketPointers(env);
  callee.isCalled = true;
  scratchCallerSaved(env, curFrame(state));
  writeReg(env, 0, UNKNOWN_REG);
}
