import { readFile, writeFile } from "node:fs/promises";
import { PassThrough } from "node:stream";
import { fileURLToPath } from "node:url";
import { InputError } from "../../../packages/base/src/index.ts";
import { Repl, type ReplHost, type ReplOptions, runRepl } from "../src/index.ts";

export const root = fileURLToPath(new URL("../../../", import.meta.url));

/** A host on the files of the tree; what is written stays in memory. */
export function createHost(
  parts: Partial<ReplHost> = {},
): ReplHost & { readonly written: Map<string, Uint8Array | string> } {
  const written = new Map<string, Uint8Array | string>();
  let now = 0n;
  return {
    written,
    async readFile(path) {
      const own = written.get(path);
      if (own !== undefined) return typeof own === "string" ? new TextEncoder().encode(own) : own;
      try {
        return new Uint8Array(await readFile(`${root}${path}`));
      } catch {
        throw new InputError("FILE_UNREADABLE", `${path}: no such file`);
      }
    },
    async writeFile(path, data) {
      written.set(path, data);
    },
    breathe: async () => false,
    nowNs: () => (now += 1_000_000n),
    ...parts,
  };
}

/** Executes lines one after the other; gives what each printed, errors included. */
export async function talk(
  lines: readonly string[],
  repl = new Repl({ host: createHost() }),
): Promise<string[]> {
  const answers: string[] = [];
  for (const line of lines) {
    const { output, error } = await repl.execute(line);
    answers.push(`${output}${error === undefined ? "" : `${error}\n`}`);
  }
  return answers;
}

/** Executes lines and gives the answer to the last. */
export const last = async (lines: readonly string[], repl?: Repl): Promise<string> =>
  (await talk(lines, repl)).at(-1) ?? "";

export const createRepl = (isInteractive = false, host = createHost()): Repl =>
  new Repl({ host, isInteractive });

export interface Piped {
  readonly status: number;
  readonly out: string;
  readonly err: string;
}

/** Runs the whole application with a text as standard input, not a terminal. */
export async function pipe(text: string, options: ReplOptions = {}): Promise<Piped> {
  const input = new PassThrough();
  const [output, errors] = [new PassThrough(), new PassThrough()];
  const collected = { out: "", err: "" };
  output.on("data", (chunk) => (collected.out += String(chunk)));
  errors.on("data", (chunk) => (collected.err += String(chunk)));
  input.end(text);
  const status = await runRepl(options, { input, output, errors });
  await new Promise((resolve) => setImmediate(resolve));
  return { status, ...collected };
}

export { writeFile };
