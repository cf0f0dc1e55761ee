import { errnoName } from "@tsbpf/abi";
import type { Env } from "./env.ts";
import { categoryOf, explain, isOfOneInsn } from "./explain/explain.ts";
import { factsOf } from "./facts.ts";
import type { Rejection } from "./reject.ts";
import type { Verdict } from "./verdict.ts";

/** Builds the answer from what the passes left. */
export function toVerdict(env: Env, refusal: Rejection | undefined): Verdict {
  const stats = {
    processedInsns: env.processed,
    maxStatesPerInsn: env.maxStatesPerInsn,
    totalStates: env.totalStates,
    peakStates: env.peakStates,
    stackBytes: env.subprogs.map((subprog) => subprog.stackBytes),
  };
  const log = env.log.toString();
  if (refusal === undefined) {
    return {
      isAccepted: true,
      errno: 0,
      errnoName: "",
      code: "",
      summary: `accepted: ${env.spec.name || env.spec.type}, ${env.processed} instructions walked`,
      message: "",
      category: undefined,
      reason: "",
      suggestion: "",
      insnIdx: undefined,
      history: [],
      log,
      stats,
      facts: factsOf(env),
    };
  }
  const isOne = isOfOneInsn(refusal);
  const words = explain(env, refusal);
  return {
    isAccepted: false,
    errno: refusal.errno,
    errnoName: errnoName(refusal.errno),
    code: refusal.code,
    summary: `${refusal.code}: ${refusal.message.replace(/\s+/g, " ").trim()}${isOne ? `, at slot ${refusal.insnIdx}` : ""}`,
    message: refusal.message,
    category: categoryOf(refusal.code),
    reason: words.reason,
    suggestion: words.suggestion,
    insnIdx: isOne ? refusal.insnIdx : undefined,
    history: words.history,
    log,
    stats,
    facts: undefined,
  };
}
