import { joinBytes } from "@tsbpf/base";
import {
  createTraceParser,
  decompressCapture,
  namingFile,
  SNIFF_BYTES,
  sniffFormat,
  TraceCursor,
  type TraceDefinitions,
} from "@tsbpf/trace";
import type { ByteFile, ReplayIo } from "../io.ts";

/** Bytes read at a time: definitions rarely need more. */
const STEP_BYTES = 16 * 1024;
/** Bytes of definitions after which a trace is not looked at further before it is replayed. */
const PEEK_BYTES_MAX = 64 * 1024 * 1024;

/** Files of which the beginning is read twice: once to know what a program needs, once to replay. */
export interface PeekingIo {
  readonly io: ReplayIo;
  /**
   * Reads what a trace defines before its first run; undefined for captures.
   *
   * @throws like the parser of traces.
   */
  peek(path: string): Promise<TraceDefinitions | undefined>;
  /** Reads what the traces among several files define, in their order. */
  peekAll(paths: readonly string[]): Promise<TraceDefinitions[]>;
}

/** Wraps inputs so that those that can be read once only, standard input and pipes, are kept as far as they were looked at. */
export function createPeekingIo(io: ReplayIo): PeekingIo {
  const pipes = new Map<string, Pipe>();
  const peek = async (path: string): Promise<TraceDefinitions | undefined> => {
    const file = pipes.has(path) ? undefined : await io.open(path);
    if (file !== undefined) return readDefinitions(readSteps(file));
    const pipe = pipes.get(path) ?? new Pipe(io.read(path));
    pipes.set(path, pipe);
    return readDefinitions(pipe.look());
  };
  return {
    io: { ...io, read: (path) => pipes.get(path)?.read() ?? io.read(path) },
    peek,
    async peekAll(paths) {
      const found: TraceDefinitions[] = [];
      for (const path of paths) {
        const definitions = await namingFile(path, () => peek(path));
        if (definitions !== undefined) found.push(definitions);
      }
      return found;
    },
  };
}

/** An input that can be read once only. */
class Pipe {
  private readonly chunks: AsyncIterator<Uint8Array>;
  private kept: Uint8Array[] = [];

  constructor(bytes: AsyncIterable<Uint8Array>) {
    this.chunks = bytes[Symbol.asyncIterator]();
  }

  /** Reads on and keeps what comes, for `read`. */
  async *look(): AsyncGenerator<Uint8Array> {
    for (let next = await this.chunks.next(); next.done !== true; next = await this.chunks.next()) {
      // The chunk may be reused by whoever reads on.
      this.kept.push(new Uint8Array(next.value));
      yield next.value;
    }
  }

  /** Reads everything from the start, once. */
  async *read(): AsyncGenerator<Uint8Array> {
    yield* this.kept.splice(0);
    for (let next = await this.chunks.next(); next.done !== true; next = await this.chunks.next())
      yield next.value;
  }
}

/** Reads a file in small steps: nobody wants a megabyte for a few definitions. */
async function* readSteps(file: ByteFile): AsyncGenerator<Uint8Array> {
  try {
    for (;;) {
      const chunk = new Uint8Array(STEP_BYTES);
      const bytes = await file.read(chunk);
      if (bytes === 0) return;
      yield chunk.subarray(0, bytes);
    }
  } finally {
    await file.close();
  }
}

async function readDefinitions(source: AsyncIterable<Uint8Array>): Promise<TraceDefinitions | undefined> {
  const parser = createTraceParser();
  const cursor = new TraceCursor();
  let head = new Uint8Array(0);
  let isTrace = false;
  let read = 0;
  for await (const chunk of decompressCapture(source)) {
    let bytes = chunk;
    if (!isTrace) {
      head = joinBytes([head, chunk]);
      if (head.length < SNIFF_BYTES) continue;
      if (sniffFormat(head).kind !== "trace") return undefined;
      isTrace = true;
      bytes = head;
    }
    parser.push(bytes);
    if (parser.next(cursor) !== undefined || parser.isPastDefinitions()) break;
    read += bytes.length;
    if (read > PEEK_BYTES_MAX) break;
  }
  if (!isTrace) return undefined;
  const { info, programs, maps, interfaces, helpers } = parser;
  return { info, programs, maps, interfaces, helpers };
}
