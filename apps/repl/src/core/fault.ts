import { InputError, TsbpfError } from "@tsbpf/base";

/** Codes of what a user can get wrong at the prompt. */
export type ReplCode =
  | "REPL_VERB"
  | "REPL_USAGE"
  | "REPL_EXPR"
  | "REPL_PLACE"
  | "REPL_NO_PROG"
  | "REPL_MAP"
  | "REPL_PACKET"
  | "REPL_LINE"
  | "REPL_HELPER"
  | "REPL_UNSUPPORTED"
  | "REPL_NOTHING";

/** Makes an error of the prompt. */
export const fault = (code: ReplCode, text: string): InputError => new InputError(code, text);

interface HasFormat {
  format(): string;
}

const hasFormat = (error: unknown): error is HasFormat =>
  typeof (error as Partial<HasFormat> | null)?.format === "function";

const TEXT_CHARS_MAX = 200;

/** Says what was thrown, on one line; whatever it is. */
export function describeThrown(thrown: unknown): string {
  try {
    const text = thrown instanceof Error ? `${thrown.name}: ${thrown.message}` : String(thrown);
    return (text.split("\n").find((line) => line.trim() !== "") ?? "").slice(0, TEXT_CHARS_MAX);
  } catch {
    return "something without a text";
  }
}

/** Prints an error for people: place and caret where there are any, never a JavaScript stack. */
export function printFault(error: unknown): string {
  if (hasFormat(error)) return `error: ${error.format().replace(/^error: /, "")}`;
  if (error instanceof TsbpfError) return `error: ${error.message} [${error.code}]`;
  if (error instanceof RangeError) return `error: ${error.message} [REPL_RANGE]`;
  return `error: ${describeThrown(error)} [BUG_UNEXPECTED] (this is a bug in tsbpf, please report it)`;
}

/** Prints a text with a caret below one of its columns. */
export const withCaret = (text: string, column: number, length = 1): string =>
  `  ${text}\n  ${" ".repeat(column)}^${"~".repeat(Math.max(0, length - 1))}`;
