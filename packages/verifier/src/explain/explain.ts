import type { Env } from "../env.ts";
import type { Rejection } from "../reject.ts";
import type { HistoryStep, RejectCategory } from "../verdict.ts";
import { adviceFor } from "./advice.ts";
import { traceRegister } from "./trace.ts";

const CATEGORY_OF_PREFIX: readonly (readonly [string, RejectCategory])[] = [
  ["ISA_", "structure"],
  ["CFG_", "structure"],
  ["CALL_HELPER_", "policy"],
  ["CALL_KFUNC_LICENSE", "policy"],
  ["CALL_SLEEPABLE", "execution context"],
  ["CALL_UNDER_LOCK", "execution context"],
  ["REG_", "register type"],
  ["MEM_", "memory"],
  ["REF_", "resource lifetime"],
  ["CALL_", "call"],
  ["LIMIT_", "limit"],
];

/** Returns the kind of refusal that a code belongs to. */
export const categoryOf = (code: string): RejectCategory =>
  CATEGORY_OF_PREFIX.find(([prefix]) => code.startsWith(prefix))?.[1] ?? "policy";

/** What people need beyond the kernel's line. */
export interface Explanation {
  /** The fact that could not be proven. */
  readonly reason: string;
  /** One action that may help. */
  readonly suggestion: string;
  readonly history: readonly HistoryStep[];
}

/** Names the register that a refusal is about, from its text. */
function blamedRegister(message: string): number | undefined {
  const match = /\bR(\d+)\b/.exec(message);
  const regno = match === null ? Number.NaN : Number(match[1]);
  return regno >= 0 && regno <= 10 ? regno : undefined;
}

/** Explains a refusal: what was missing, what to do, and which instructions led there. */
export function explain(env: Env, refusal: Rejection): Explanation {
  const advice = adviceFor(refusal.code, refusal.message);
  const regno = blamedRegister(refusal.message);
  const hasWalked = env.cur !== undefined && env.processed > 0;
  return {
    reason: advice.reason,
    suggestion: advice.suggestion,
    history: hasWalked ? traceRegister(env, refusal.insnIdx, regno) : [],
  };
}
