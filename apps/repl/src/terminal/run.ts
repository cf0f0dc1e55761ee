import { once } from "node:events";
import { readFile } from "node:fs/promises";
import type { Readable, Writable } from "node:stream";
import { PROG_TYPES, type ProgTypeName } from "@tsbpf/abi";
import { Repl } from "../core/repl.ts";
import { type BatchEnd, type BatchIo, linesOf, printReply, runLines } from "./batch.ts";
import { runInteractive } from "./interactive.ts";
import { createNodeHost, type HostParts } from "./node-host.ts";
import { createPainter } from "./paint.ts";

/** How a REPL is started from a shell. */
export interface ReplOptions extends HostParts {
  /** Object, assembly text or raw instructions to load, `FILE` or `FILE:PROG`. */
  readonly object?: string | undefined;
  /** A filter of tcpdump to load as the program. */
  readonly filter?: string | undefined;
  /** What `.pkt` takes. */
  readonly packet?: string | undefined;
  readonly plugins?: readonly string[];
  readonly progType?: string | undefined;
  /** Instructions that a run may execute. */
  readonly fuel?: number | undefined;
  /** Commands to execute first, each perhaps of several lines. */
  readonly commands?: readonly string[];
  /** Scripts to execute first. */
  readonly scripts?: readonly string[];
  /** Leaves after commands and scripts. */
  readonly isBatch?: boolean;
  /** Goes on after errors where nobody types. */
  readonly keepGoing?: boolean;
  readonly isColoured?: boolean;
}

export interface ReplStreams {
  readonly input: Readable & { readonly isTTY?: boolean };
  readonly output: Writable & { readonly isTTY?: boolean };
  readonly errors: Writable;
}

const EXIT_OK = 0;
const EXIT_NEGATIVE = 1;
const EXIT_USAGE = 2;

/** Options as the inputs that mean the same. */
function preamble(options: ReplOptions): string[] {
  const lines = (options.plugins ?? []).map((path) => `.plugin ${path}`);
  if (options.object !== undefined) lines.push(`.load ${options.object}`);
  if (options.filter !== undefined) lines.push(`.filter ${options.filter}`);
  if (options.packet !== undefined) lines.push(`.pkt ${options.packet}`);
  return lines;
}

/**
 * Runs a REPL on streams: at a terminal with a prompt, else quietly until the first error.
 *
 * @returns the exit status: 0, or 1 after an error, or 2 when the options cannot be used.
 */
export async function runRepl(
  options: ReplOptions,
  streams: ReplStreams = { input: process.stdin, output: process.stdout, errors: process.stderr },
): Promise<number> {
  const { input, output, errors } = streams;
  const type = options.progType ?? "xdp";
  if (!(type in PROG_TYPES)) {
    errors.write(
      `error: program type ${type} found, one of these needed: ${Object.keys(PROG_TYPES).join(", ")}\n`,
    );
    return EXIT_USAGE;
  }
  const commands = options.commands ?? [];
  const scripts = options.scripts ?? [];
  const isTyped = input.isTTY === true && output.isTTY === true && options.isBatch !== true;
  const host = createNodeHost(options, isTyped);
  const repl = new Repl({
    host,
    progType: type as ProgTypeName,
    isInteractive: isTyped,
    ...(options.fuel === undefined ? {} : { fuel: options.fuel }),
  });
  const io: BatchIo = {
    async out(text) {
      if (!output.write(text)) await once(output, "drain");
    },
    err: (text) => void errors.write(text),
    paint: createPainter(options.isColoured ?? false),
  };
  for (const line of preamble(options)) {
    const reply = await repl.execute(line);
    if (await printReply(reply, io)) return EXIT_USAGE;
  }
  // What was loaded by options belongs to the session, so that `.save` writes it down.
  const keepGoing = options.keepGoing ?? false;
  let failed = false;
  for (const work of [...scripts.map(scriptLines), ...commands.map((text) => async () => text.split("\n"))]) {
    const end: BatchEnd = await runWork(work, repl, io, keepGoing);
    failed ||= end === "error";
    if (end === "quit") return failed ? EXIT_NEGATIVE : EXIT_OK;
    if (failed && !keepGoing) return EXIT_NEGATIVE;
  }
  const isDone = options.isBatch === true || (commands.length + scripts.length > 0 && !isTyped);
  if (isDone) return failed ? EXIT_NEGATIVE : EXIT_OK;
  if (isTyped) {
    await runInteractive(repl, io, host, options.isColoured ?? false);
    return EXIT_OK;
  }
  const end = await runLines(linesOf(input), repl, io, keepGoing);
  return end === "error" || failed ? EXIT_NEGATIVE : EXIT_OK;
}

const scriptLines = (path: string) => async (): Promise<string[]> =>
  (await readFile(path, "utf8")).split("\n");

async function runWork(
  work: () => Promise<string[]>,
  repl: Repl,
  io: BatchIo,
  keepGoing: boolean,
): Promise<BatchEnd> {
  let lines: string[];
  try {
    lines = await work();
  } catch (error) {
    io.err(`error: ${(error as Error).message} [FILE_UNREADABLE]\n`);
    return "error";
  }
  return runLines(lines, repl, io, keepGoing);
}
