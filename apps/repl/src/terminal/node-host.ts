import { spawnSync } from "node:child_process";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { constants, tmpdir } from "node:os";
import { join } from "node:path";
import { setImmediate as nextTurn } from "node:timers/promises";
import { createContext, Script } from "node:vm";
import { InputError } from "@tsbpf/base";
import type { Effect } from "@tsbpf/plugin";
import { describeThrown } from "../core/fault.ts";
import type { ReplHost, ReplPlugins } from "../core/host.ts";

/** What only the program around the REPL can do. */
export interface HostParts {
  loadPlugins?(path: string): Promise<ReplPlugins>;
  /** Imports a TypeScript module by path. */
  importTypeScript?(path: string): Promise<Record<string, unknown>>;
  describePacket?(packet: Uint8Array): string;
  describeEffect?(effect: Effect): string;
  /** How long what is typed as a helper may take to answer, in milliseconds; default 5000. */
  readonly helperMs?: number;
  /** Whether commands of the shell may be run also where nobody types. */
  readonly allowsShell?: boolean;
}

/** A host whose running command can be interrupted. */
export interface NodeHost extends ReplHost {
  /** Asks the command that runs to stop. */
  interrupt(): void;
  /** Forgets interruptions that were meant for commands before. */
  startCommand(): void;
}

const REASONS: Readonly<Record<string, string>> = {
  ENOENT: "no such file or directory",
  EACCES: "permission denied",
  EISDIR: "is a directory",
  ENOTDIR: "not a directory",
};

function fileError(path: string, error: unknown): InputError {
  const code = (error as NodeJS.ErrnoException).code ?? String(error);
  return new InputError("FILE_UNREADABLE", `${path}: ${REASONS[code] ?? code}`, { cause: error });
}

const FILE_BYTES_MAX = 1 << 30;

async function readWhole(path: string): Promise<Uint8Array> {
  try {
    const bytes = await readFile(path);
    if (bytes.length > FILE_BYTES_MAX)
      throw new InputError("FILE_SIZE", `${path} has ${bytes.length} bytes, ${FILE_BYTES_MAX} allowed`);
    return new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  } catch (error) {
    throw error instanceof InputError ? error : fileError(path, error);
  }
}

async function writeWhole(path: string, data: Uint8Array | string): Promise<void> {
  try {
    await writeFile(path, data);
  } catch (error) {
    throw fileError(path, error);
  }
}

/** Works in a directory that only this user can read, and removes it. */
async function inScratch<T>(work: (directory: string) => Promise<T>): Promise<T> {
  const directory = await mkdtemp(join(tmpdir(), "tsbpf-"));
  try {
    return await work(directory);
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
}

async function editText(text: string): Promise<string> {
  const editor = process.env.VISUAL || process.env.EDITOR;
  if (editor === undefined || editor === "" || !process.stdin.isTTY) {
    throw new InputError("REPL_UNSUPPORTED", "no editor: set EDITOR, and use a terminal");
  }
  return inScratch(async (directory) => {
    const path = join(directory, "input.s");
    await writeFile(path, `${text}\n`);
    const [command = "vi", ...words] = editor.split(" ");
    const { error } = spawnSync(command, [...words, path], { stdio: "inherit" });
    if (error !== undefined) throw new InputError("REPL_UNSUPPORTED", `${command} cannot be started`);
    return await readFile(path, "utf8");
  });
}

/** Evaluates a TypeScript expression as the body of a module in a file that is removed at once. */
function evaluator(importModule: (path: string) => Promise<Record<string, unknown>>, guard: Guard) {
  return (expression: string, names: Readonly<Record<string, unknown>>): Promise<unknown> =>
    inScratch(async (directory) => {
      const path = join(directory, "helper.mts");
      await writeFile(
        path,
        `export const make = (${Object.keys(names)
          .map((name) => `${name}: any`)
          .join(", ")}) => (${expression}\n);\n`,
      );
      try {
        const { make } = (await importModule(path)) as { make: (...values: unknown[]) => unknown };
        return guard(() => make(...Object.values(names)));
      } catch (error) {
        if (error instanceof InputError) throw error;
        // The transformer names the file and counts the mistakes before it says what they are.
        const text = /ERROR: (.*)/.exec(String((error as Partial<Error> | null)?.message))?.[1];
        const said = text ?? describeThrown(error).replaceAll(directory, "");
        throw new InputError("REPL_HELPER", `the text is no TypeScript expression: ${said}`);
      }
    });
}

const HELPER_MS = 5000;

type Guard = <T>(work: () => T) => T;

/** Runs JavaScript under the engine's own clock, which alone can stop a loop without end. */
function guardFor(timeout: number): Guard {
  const script = new Script("work()");
  let current: (() => unknown) | undefined;
  const context = createContext({ work: () => current?.() });
  return <T>(work: () => T): T => {
    // Within a guarded call the clock runs already.
    if (current !== undefined) return work();
    current = work;
    try {
      return script.runInContext(context, { timeout }) as T;
    } catch (error) {
      if ((error as NodeJS.ErrnoException | null)?.code !== "ERR_SCRIPT_EXECUTION_TIMEOUT") throw error;
      throw new InputError("REPL_HELPER", `no answer within ${timeout} ms`);
    } finally {
      current = undefined;
    }
  };
}

const SIGNAL_STATUS = 128;

/** Runs a command on the terminal, which reads keys one by one for us and lines for others. */
async function runInShell(command: string): Promise<number> {
  const { stdin } = process;
  const isRaw = stdin.isTTY && stdin.isRaw;
  if (isRaw) stdin.setRawMode(false);
  try {
    const { status, signal, error } = spawnSync(command, {
      shell: process.env.SHELL || true,
      stdio: [stdin.isTTY ? "inherit" : "ignore", "inherit", "inherit"],
    });
    if (error !== undefined) throw new InputError("REPL_UNSUPPORTED", `no shell: ${error.message}`);
    return status ?? (signal === null ? 0 : SIGNAL_STATUS + (constants.signals[signal] ?? 0));
  } finally {
    if (isRaw) stdin.setRawMode(true);
  }
}

/**
 * Makes the host that a REPL in Node has.
 *
 * @param isTyped - whether somebody types at a terminal.
 */
export function createNodeHost(parts: HostParts, isTyped: boolean): NodeHost {
  let isInterrupted = false;
  const { importTypeScript, helperMs = HELPER_MS } = parts;
  const guard = guardFor(helperMs);
  return {
    readFile: readWhole,
    writeFile: writeWhole,
    edit: editText,
    guard,
    nowNs: () => process.hrtime.bigint(),
    interrupt() {
      isInterrupted = true;
    },
    startCommand() {
      isInterrupted = false;
    },
    async breathe() {
      await nextTurn();
      const answer = isInterrupted;
      isInterrupted = false;
      return answer;
    },
    ...(isTyped || parts.allowsShell === true ? { shell: runInShell } : {}),
    allowsShellInScripts: parts.allowsShell ?? false,
    ...(parts.loadPlugins === undefined ? {} : { loadPlugins: parts.loadPlugins }),
    ...(parts.describePacket === undefined ? {} : { describePacket: parts.describePacket }),
    ...(parts.describeEffect === undefined ? {} : { describeEffect: parts.describeEffect }),
    ...(importTypeScript === undefined ? {} : { evalTypeScript: evaluator(importTypeScript, guard) }),
  };
}
