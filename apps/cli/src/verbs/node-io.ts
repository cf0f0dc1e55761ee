import { once } from "node:events";
import { stat } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import type { ReplayIo } from "@tsbpf/replay";
import { type ColourMode, coloursFor } from "../colour.ts";
import { EXIT } from "../exit.ts";
import { fileError, readInput, streamInput } from "../io.ts";
import { loadPlugin } from "./load-plugin.ts";
import { openFile } from "./open-file.ts";
import { openSink } from "./open-sink.ts";

async function* readStream(path: string, signal?: AbortSignal): AsyncGenerator<Uint8Array> {
  try {
    yield* streamInput(path, signal);
  } catch (error) {
    throw (error as NodeJS.ErrnoException).code === undefined ? error : fileError(path, error);
  }
}

const BAD = /DROP|ABORTED|SHOT|trap|not run/;
const ELSEWHERE = /TX|REDIRECT/;

/** Green for what goes on, yellow for what goes elsewhere, red for what ends; the text says it all the same. */
function verdictPainter(mode: ColourMode): (verdict: string) => string {
  const colours = coloursFor(process.stdout, mode);
  return (verdict) => {
    if (BAD.test(verdict)) return colours.red(verdict);
    return ELSEWHERE.test(verdict) ? colours.yellow(verdict) : colours.green(verdict);
  };
}

/** What worker threads run: a bundle of its own, or from the sources a module that makes them loadable. */
const WORKER = fileURLToPath(
  new URL(
    import.meta.url.endsWith(".ts") ? "../workers/replay-worker.mjs" : "./replay-worker.js",
    import.meta.url,
  ),
);

/** Returns the size of a plain file; what has none, or is not there, has none. */
async function sizeOf(path: string): Promise<number | undefined> {
  if (path === "-") return undefined;
  try {
    const stats = await stat(path);
    return stats.isFile() ? stats.size : undefined;
  } catch {
    return undefined;
  }
}

const SIGNALS = ["SIGINT", "SIGTERM"] as const;

/** Aborted with its name by the first signal that asks us to end; the second one ends us at once. */
function endSignal(): AbortSignal {
  const abort = new AbortController();
  for (const name of SIGNALS) process.once(name, () => abort.abort(name));
  return abort.signal;
}

/** The exit status of what a signal ended, as shells tell it. */
export const exitCodeOfSignal = (signal: AbortSignal | undefined): number =>
  signal?.reason === "SIGTERM" ? EXIT.terminated : EXIT.interrupted;

/** Reads and writes through Node. Signals are listened to from when somebody asks for `signal`. */
export function createNodeIo(colour: ColourMode = "auto"): ReplayIo {
  let signal: AbortSignal | undefined;
  return {
    async out(text) {
      if (!process.stdout.write(text)) await once(process.stdout, "drain");
    },
    err: (text) => void process.stderr.write(text),
    read: (path) => readStream(path, signal),
    open: openFile,
    readAll: readInput,
    write: openSink,
    loadPlugin,
    workers: { filename: WORKER },
    sizeOf,
    progress: process.stderr.isTTY
      ? { stream: process.stderr, isShared: process.stdout.isTTY === true }
      : undefined,
    get signal() {
      signal ??= endSignal();
      return signal;
    },
    paintVerdict: verdictPainter(colour),
  };
}
