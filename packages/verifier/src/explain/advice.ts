import type { Advice, Rule } from "./rule.ts";
import { CALL_RULES } from "./rules-calls.ts";
import { KFUNC_RULES } from "./rules-kfuncs.ts";
import { MEMORY_RULES } from "./rules-memory.ts";
import { STRUCTURE_RULES } from "./rules-structure.ts";
import { VALUE_RULES } from "./rules-values.ts";

const RULES: readonly Rule[] = [
  ...STRUCTURE_RULES,
  ...VALUE_RULES,
  ...MEMORY_RULES,
  ...CALL_RULES,
  ...KFUNC_RULES,
];

/** Finds reason and action for a refusal; undefined for a code that nothing is known of. */
export function adviceFor(code: string, message: string): Advice | undefined {
  for (const rule of RULES) {
    if (!code.startsWith(rule.code)) continue;
    const match = rule.text?.exec(message);
    if (match === null) continue;
    const fill = (text: string): string =>
      text.replace(/\$(\d)/g, (_, n: string) => match?.[Number(n)] ?? "");
    return { reason: fill(rule.reason), suggestion: fill(rule.suggestion) };
  }
  return undefined;
}
