import {
  createTraceParser,
  decompressCapture,
  SNIFF_BYTES,
  sniffFormat,
  TraceCursor,
  type TraceDefinitions,
} from "@tsbpf/trace";
import type { ReplayIo } from "../io.ts";

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
}

/** Wraps files so that standard input, which can be read once only, is kept as far as it was looked at. */
export function createPeekingIo(io: ReplayIo): PeekingIo {
  let kept: Uint8Array[] = [];
  let stdin: AsyncIterator<Uint8Array> | undefined;
  const readStdin = async function* (keeps: boolean): AsyncGenerator<Uint8Array> {
    if (!keeps) {
      const head = kept;
      kept = [];
      yield* head;
    }
    stdin ??= io.read("-")[Symbol.asyncIterator]();
    for (let next = await stdin.next(); next.done !== true; next = await stdin.next()) {
      // The chunk may be reused by whoever reads on.
      if (keeps) kept.push(new Uint8Array(next.value));
      yield next.value;
    }
  };
  return {
    io: { ...io, read: (path) => (path === "-" ? readStdin(false) : io.read(path)) },
    peek: (path) => readDefinitions(path === "-" ? readStdin(true) : readSteps(path, io)),
  };
}

/** Reads a file in small steps where that is possible: nobody wants a megabyte for a few definitions. */
async function* readSteps(path: string, io: ReplayIo): AsyncGenerator<Uint8Array> {
  const file = await io.open(path);
  if (file === undefined) {
    yield* io.read(path);
    return;
  }
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
      const joined = new Uint8Array(head.length + chunk.length);
      joined.set(head);
      joined.set(chunk, head.length);
      head = joined;
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
