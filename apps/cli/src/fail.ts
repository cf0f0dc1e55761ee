import { RejectError, TrapError, TsbpfError } from "@tsbpf/base";
import { EXIT } from "./exit.ts";

interface HasFormat {
  format(): string;
}

const hasFormat = (error: unknown): error is HasFormat =>
  typeof (error as Partial<HasFormat> | null)?.format === "function";

/** The text of an error for people; never a JavaScript stack, except for our own bugs under DEBUG=tsbpf. */
export function printError(error: unknown): string {
  if (hasFormat(error)) return error.format();
  if (error instanceof TsbpfError) return `error: ${error.message} [${error.code}]`;
  const text = error instanceof Error ? error.message : String(error);
  const stack = process.env.DEBUG === "tsbpf" && error instanceof Error ? `\n${error.stack}` : "";
  return `error: ${text} [BUG_UNEXPECTED] (this is a bug in tsbpf, please report it)${stack}`;
}

/** The exit status that an error stands for. */
export function exitCodeOf(error: unknown): number {
  return error instanceof RejectError || error instanceof TrapError ? EXIT.negative : EXIT.usage;
}
