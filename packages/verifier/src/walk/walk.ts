import type { Insn } from "@tsbpf/isa";
import type { Env } from "../env.ts";
import { logBeforeInsn, printState, scratchAll } from "../log/print-state.ts";
import { pushHistory } from "../precise/history.ts";
import { beginInsn, commitInsn, finishPath } from "../prune/liveness.ts";
import { leaveBranches, visitCheckpoint } from "../prune/visit.ts";
import { reject } from "../reject.ts";
import { isBarred, stepGuarded } from "./guarded-step.ts";
import { popState } from "./pending.ts";
import { type StepEnd, stepInsn } from "./step.ts";

const fromLine = (env: Env): string =>
  `\nfrom ${env.prevIdx} to ${env.insnIdx}${env.cur.isSpeculative ? " (speculative execution)" : ""}:`;

/** Ends the current path and takes the next pending one; false when none is left. */
function nextPath(env: Env): boolean {
  scratchAll(env);
  leaveBranches(env, env.cur);
  finishPath(env);
  return popState(env, !env.log.isVerbose);
}

/** Walks all paths from the current state until none is left. */
export function walkAll(env: Env): void {
  let isAfterJump = false;
  let prevIdx = -1;
  for (;;) {
    env.historyEntry = null;
    env.prevIdx = prevIdx;
    const idx = env.insnIdx;
    const insn = env.insns[idx] as Insn | undefined;
    if (insn === undefined) {
      reject(env, "CFG_RANGE", "EFAULT", `invalid insn idx ${idx} insn_cnt ${env.len}`);
    }
    if (++env.processed > env.insnLimit) {
      reject(env, "LIMIT_INSNS", "E2BIG", `BPF program is too large. Processed ${env.processed} insn`);
    }
    env.cur.lastIdx = prevIdx;
    env.cur.insnIdx = idx;
    if (env.isPrunePoint[idx] === 1 && visitCheckpoint(env, idx)) {
      if (env.log.showsInsns) {
        env.log.write(isAfterJump ? `${fromLine(env)} safe\n` : `${idx}: safe\n`);
      }
      if (!nextPath(env)) return;
      prevIdx = env.prevIdx;
      isAfterJump = true;
      continue;
    }
    if (env.isJumpPoint[idx] === 1) pushHistory(env);
    if (isAfterJump && env.log.isVerbose) {
      env.log.write(fromLine(env) + printState(env, env.cur, env.cur.frames.length - 1, true));
      isAfterJump = false;
    }
    if (env.log.showsInsns) logBeforeInsn(env);
    env.options.onState?.(idx, env.cur);
    const { speculation } = env;
    if (speculation === undefined || !env.cur.isSpeculative) env.seen[idx] = 1;
    prevIdx = idx;
    let end: StepEnd;
    if (speculation === undefined) {
      beginInsn(env, idx);
      end = stepInsn(env, insn);
      commitInsn(env);
    } else if (isBarred(env, idx)) end = "path ends";
    else {
      beginInsn(env, idx);
      end = stepGuarded(env, insn, speculation);
      commitInsn(env);
    }
    if (end === "next") continue;
    if (end === "returns") {
      isAfterJump = true;
      continue;
    }
    if (!nextPath(env)) return;
    prevIdx = env.prevIdx;
    isAfterJump = true;
  }
}
