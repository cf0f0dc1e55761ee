import { parseExpr } from "../expr.ts";
import { fault } from "../fault.ts";
import type { Session } from "../session.ts";

/** Reads a count; `fallback` when there is none. */
export function countArg(args: string, session: Session, fallback: number): number {
  if (args === "") return fallback;
  const value = parseExpr(args)(session.values());
  if (value > 1_000_000_000_000n) throw fault("REPL_USAGE", `count ${value} found, at most 10^12 allowed`);
  return Number(value);
}

/** Splits off the first word. */
export function firstWord(args: string): readonly [word: string, rest: string] {
  const found = /^(\S+)\s*(.*)$/s.exec(args);
  return [found?.[1] ?? "", found?.[2] ?? ""];
}

/** Splits `PLACE if CONDITION`. */
export function splitIf(args: string): readonly [what: string, condition: string | undefined] {
  const found = /^(.*?)\s*\bif\s+(.+)$/s.exec(args);
  return found === null ? [args.trim(), undefined] : [(found[1] ?? "").trim(), found[2] ?? ""];
}

/** @throws REPL_USAGE (InputError) with the usage. */
export const usage = (text: string): never => {
  throw fault("REPL_USAGE", `usage: ${text}`);
};
