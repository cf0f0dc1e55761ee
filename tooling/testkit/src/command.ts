import { readFileSync } from "node:fs";
import { type ParseArgsConfig, parseArgs } from "node:util";
import { InputError } from "@tsbpf/base";

type Options = NonNullable<ParseArgsConfig["options"]>;

/** The words of a command line, as `node:util` parses them. */
export type CommandWords<T extends Options> = ReturnType<
  typeof parseArgs<{ readonly allowPositionals: true; readonly options: T }>
>;

/** What a command of the tooling is. */
export interface ToolCommand<T extends Options> {
  readonly usage: string;
  readonly options: T;
  /** @returns the exit code, 0 when undefined. */
  readonly run: (words: CommandWords<T>) => number | undefined | Promise<number | undefined>;
}

/**
 * Runs a command of the tooling: `--help` prints its usage, wrong words and unreadable input end it with 2 and one line.
 *
 * What is neither is a fault of the tool itself, and keeps its stack.
 */
export async function runToolCommand<const T extends Options>({
  usage,
  options,
  run,
}: ToolCommand<T>): Promise<void> {
  const args = process.argv.slice(2);
  if (args.includes("--help")) {
    process.stdout.write(usage);
    return;
  }
  try {
    process.exitCode = await run(parseArgs({ args, allowPositionals: true, options }));
  } catch (error) {
    const why = complaintOf(error);
    if (why === undefined) throw error;
    process.stderr.write(`error: ${why}\n`);
    process.exitCode = 2;
  }
}

const isFromParseArgs = (error: unknown): error is Error =>
  error instanceof TypeError && "code" in error && String(error.code).startsWith("ERR_PARSE_ARGS");

const complaintOf = (error: unknown): string | undefined => {
  if (error instanceof InputError) return error.summary();
  return isFromParseArgs(error) ? `${error.message}; --help shows the usage` : undefined;
};

const WHY_UNREADABLE: Readonly<Record<string, string>> = {
  ENOENT: "no such file",
  EISDIR: "is a directory",
  EACCES: "may not be read",
};

/** @throws FILE_UNREADABLE (InputError). */
export function readBytes(path: string): Uint8Array {
  try {
    return new Uint8Array(readFileSync(path));
  } catch (error) {
    const code = error instanceof Error && "code" in error ? String(error.code) : "";
    throw new InputError("FILE_UNREADABLE", `${path}: ${WHY_UNREADABLE[code] ?? code}`, { cause: error });
  }
}

/** @throws FILE_UNREADABLE (InputError). */
export const readText = (path: string): string => new TextDecoder().decode(readBytes(path));

/** @throws JSON_MALFORMED (InputError) with the number of the line. */
export function readJsonLines(path: string): readonly unknown[] {
  return readText(path)
    .split("\n")
    .flatMap((line, idx) => {
      if (line.trim() === "") return [];
      try {
        return [JSON.parse(line) as unknown];
      } catch (error) {
        throw new InputError("JSON_MALFORMED", `${path}:${idx + 1}: no JSON: ${line.slice(0, 40)}`, {
          cause: error,
        });
      }
    });
}
