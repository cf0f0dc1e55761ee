import type { Verdict } from "../verdict.ts";

/**
 * Prints what people need of a refusal: what, why, the way there, and what to try.
 *
 * @returns whole lines; empty for an accepted program.
 */
export function printExplanation(verdict: Verdict): string {
  if (verdict.isAccepted) return "";
  const lines = [`  what: ${verdict.summary}`, `  why:  ${verdict.reason}`];
  if (verdict.history.length > 0) lines.push("  history:");
  for (const { slot, text, source } of verdict.history) {
    lines.push(`    ${String(slot).padStart(4)}: ${text}${source === undefined ? "" : `   ; ${source}`}`);
  }
  lines.push(`  try:  ${verdict.suggestion}`);
  return `${lines.join("\n")}\n`;
}
