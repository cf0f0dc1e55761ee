import { type Insn, targetSlotOf } from "@tsbpf/isa";
import type { Env } from "../env.ts";
import { printState } from "../log/print-state.ts";
import { reject } from "../reject.ts";
import { curFrame } from "../state/state.ts";
import { subprogAt } from "../structure/subprogs.ts";
import { scratchCallerSaved } from "../walk/regs.ts";
import { copyArgs, pushFrame } from "./frames.ts";
import { callGlobal, noteStaticCall } from "./global.ts";

/** A bpf-to-bpf call: static functions are walked here and now, global ones are believed (C-50..C-57, C-81). */
export function walkSubprogCall(env: Env, insn: Insn): void {
  const target = targetSlotOf(insn, env.insnIdx) ?? -1;
  const callee = subprogAt(env, target);
  if (callee === undefined) {
    reject(env, "CFG_CALL_TARGET", "EFAULT", `verifier bug: no program starts at insn ${target}`);
  }
  if (callee.linkage === "global") {
    callGlobal(env, callee);
    env.insnIdx++;
    return;
  }
  noteStaticCall(env, callee);
  const caller = curFrame(env.cur);
  const frame = pushFrame(env, env.cur, callee.idx, env.insnIdx);
  copyArgs(caller, frame);
  scratchCallerSaved(env, caller);
  env.insnIdx = callee.start;
  if (!env.log.showsInsns) return;
  env.log.write(
    `caller:\n${printState(env, env.cur, caller.frameno, true)}callee:\n${printState(env, env.cur, frame.frameno, true)}`,
  );
}
