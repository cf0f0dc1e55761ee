import { createReadStream } from "node:fs";
import { readFile } from "node:fs/promises";
import { InputError } from "@tsbpf/base";
import { EXIT } from "./exit.ts";

/** Lets `tsbpf … | head` end quietly: a closed pipe is no failure of ours. A disk that is full is told of. */
export function watchStandardOutput(): void {
  const streams = [
    [process.stdout, "standard output"],
    [process.stderr, "standard error"],
  ] as const;
  for (const [stream, name] of streams) {
    stream.on("error", (error: NodeJS.ErrnoException) => {
      if (error.code === "EPIPE") process.exit(EXIT.ok);
      const { message, code } = writeError(name, error);
      if (stream !== process.stderr) process.stderr.write(`error: ${message} [${code}]\n`);
      process.exit(EXIT.usage);
    });
  }
}

const REASONS: Readonly<Record<string, string>> = {
  ENOENT: "no such file",
  EACCES: "permission denied",
  EISDIR: "is a directory",
  ENOTDIR: "not in a directory",
  ENOSPC: "no space left on the device",
  EDQUOT: "no space left in the quota",
  EFBIG: "larger than a file may be",
  EROFS: "read-only file system",
};

/** Turns a failure of the file system into an input error that names the file. */
export function fileError(path: string, error: unknown): InputError {
  const code = (error as NodeJS.ErrnoException).code ?? "";
  return new InputError("FILE_UNREADABLE", `${path}: ${REASONS[code] ?? code}`, {
    cause: error,
    details: { path },
  });
}

/** Turns a failure to write into an input error that names the file. */
export function writeError(path: string, error: unknown): InputError {
  const code = (error as NodeJS.ErrnoException).code ?? "";
  // A file that is written need not be there, its folder must.
  const why = code === "ENOENT" ? "no such folder" : (REASONS[code] ?? code);
  return new InputError("FILE_UNWRITABLE", `${path}: ${why}`, {
    cause: error,
    details: { path },
  });
}

/** Reads a whole file; `-` is standard input. */
export async function readInput(path: string): Promise<Uint8Array> {
  if (path === "-") return readStdin();
  try {
    return new Uint8Array(await readFile(path));
  } catch (error) {
    throw fileError(path, error);
  }
}

/** Reads standard input to its end; a terminal there is a usage error. */
async function readStdin(): Promise<Uint8Array> {
  if (process.stdin.isTTY)
    throw new InputError("FILE_STDIN_TTY", "standard input is a terminal, a file or pipe needed");
  const chunks: Uint8Array[] = [];
  for await (const chunk of process.stdin) chunks.push(chunk as Uint8Array);
  return new Uint8Array(Buffer.concat(chunks));
}

/** Streams a file; `-` is standard input. Chunks are plain arrays, of which views are cheaper than of Buffers. */
export async function* streamInput(path: string, signal?: AbortSignal): AsyncGenerator<Uint8Array> {
  if (path === "-" && process.stdin.isTTY) {
    throw new InputError("FILE_STDIN_TTY", "standard input is a terminal, a file or pipe needed");
  }
  const stream = path === "-" ? process.stdin : createReadStream(path, { highWaterMark: 1 << 20 });
  // A pipe may stay silent for long; Ctrl-C must not wait for it.
  const end = (): void => void stream.destroy();
  signal?.addEventListener("abort", end, { once: true });
  try {
    for await (const chunk of stream as AsyncIterable<Buffer>) {
      yield new Uint8Array(chunk.buffer, chunk.byteOffset, chunk.byteLength);
    }
  } catch (error) {
    if (signal?.aborted !== true) throw error;
  } finally {
    signal?.removeEventListener("abort", end);
  }
}
