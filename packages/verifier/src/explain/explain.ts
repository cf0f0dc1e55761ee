import type { Env } from "../env.ts";
import type { Rejection } from "../reject.ts";
import type { HistoryStep, RejectCategory } from "../verdict.ts";

const CATEGORY_OF_PREFIX: readonly (readonly [string, RejectCategory])[] = [
  ["ISA_", "structure"],
  ["CFG_", "structure"],
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
  readonly reason: string;
  readonly suggestion: string;
  readonly history: readonly HistoryStep[];
}

/** Explains a refusal. */
export function explain(_env: Env, refusal: Rejection): Explanation {
  return { reason: refusal.message, suggestion: "", history: [] };
}
