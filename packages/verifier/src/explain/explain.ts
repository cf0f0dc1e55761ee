import type { Env } from "../env.ts";
import type { Rejection } from "../reject.ts";
import type { HistoryStep, RejectCategory } from "../verdict.ts";
import { adviceFor } from "./advice.ts";
import { detailOf } from "./detail.ts";
import { traceRefusal } from "./trace.ts";

/** Of a code without advice; a test holds that there is none. */
const UNKNOWN = {
  reason: "Linux asks for more than is known of the program here",
  suggestion: "read the kernel's message, and the log of level 2 up to it",
};

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

/** Codes of refusals that no single instruction is to blame for. */
const WHOLE_PROGRAM: ReadonlySet<string> = new Set([
  "LIMIT_STACK",
  "LIMIT_TAIL_CALL_STACK",
  "LIMIT_SLOTS",
  "LIMIT_SUBPROGS",
  "CALL_PRIVILEGE",
  "CALL_SLEEPABLE",
  "CALL_EXCEPTION",
  "CALL_EXTENSION",
  "CALL_STRUCT_OPS",
  "CFG_FUNC_INFO",
  "CFG_LINE_INFO",
]);

/** Whether the instruction that was looked at last has to do with a refusal. */
export const isOfOneInsn = ({ code, message }: Rejection): boolean =>
  !WHOLE_PROGRAM.has(code) && !message.endsWith("too deep !");

/** Explains a refusal: what was missing, what to do, and which instructions led there. */
export function explain(env: Env, refusal: Rejection): Explanation {
  const isOne = isOfOneInsn(refusal);
  const hasWalked = isOne && env.cur !== undefined && env.processed > 0;
  const advice = adviceFor(refusal.code, refusal.message) ?? UNKNOWN;
  const detail = detailOf(env, refusal, hasWalked);
  return {
    reason: detail === "" ? advice.reason : `${advice.reason} (${detail})`,
    suggestion: advice.suggestion,
    history: hasWalked ? traceRefusal(env, refusal) : [],
  };
}
