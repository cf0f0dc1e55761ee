import { InputError } from "@tsbpf/base";
import { type ByteSource, decompressCapture } from "../capture/decompress.ts";
import type { TraceWarning } from "../warnings.ts";
import { TraceCursor } from "./cursor.ts";
import { createTraceParser } from "./parser.ts";
import type { TraceItem, TraceOptions, TraceParser } from "./parser-types.ts";
import type { MapContents, TraceDefinitions, TraceEvent, TraceRun } from "./types.ts";

/** One item of a trace, its bytes copied out of the file. */
export type TraceRecord =
  | { readonly kind: "run"; readonly run: TraceRun }
  | { readonly kind: "contents"; readonly contents: MapContents }
  /** Events that no run of their block follows: changes before a run still to come, or at the trace's end. */
  | { readonly kind: "events"; readonly events: readonly TraceEvent[] };

/** The items of a trace, and what else is known of it so far. Can be walked once. */
export interface TraceReader extends AsyncIterable<TraceRecord>, TraceDefinitions {
  readonly warnings: readonly TraceWarning[];
  readonly version: TraceParser["version"];
  readonly blockCount: number;
  readonly isClosed: boolean;
  readonly declaredRunCount: number | undefined;
}

/**
 * Reads a trace item by item, holding one block of it at a time; gzip-compressed traces are decompressed.
 *
 * A trace whose writer was killed ends after its last whole block with a TRACE_TRUNCATED or TRACE_NOT_CLOSED warning.
 *
 * @throws TRACE_…, UNSUPPORTED_TRACE_VERSION (InputError) when iterated, after every item before the damage.
 */
export function readTrace(source: ByteSource, options: TraceOptions = {}): TraceReader {
  const parser = createTraceParser(options);
  const bytes = decompressCapture(source, options);
  let isTaken = false;
  return {
    get warnings() {
      return [...bytes.warnings, ...parser.warnings];
    },
    get info() {
      return parser.info;
    },
    get version() {
      return parser.version;
    },
    get blockCount() {
      return parser.blockCount;
    },
    get isClosed() {
      return parser.isClosed;
    },
    get declaredRunCount() {
      return parser.declaredRunCount;
    },
    programs: parser.programs,
    maps: parser.maps,
    interfaces: parser.interfaces,
    helpers: parser.helpers,
    [Symbol.asyncIterator]() {
      if (isTaken) throw new InputError("TRACE_CONSUMED", "a trace reader can be iterated once only");
      isTaken = true;
      return records(parser, bytes);
    },
  };
}

async function* records(
  parser: TraceParser,
  bytes: AsyncIterable<Uint8Array>,
): AsyncGenerator<TraceRecord, void, undefined> {
  const cursor = new TraceCursor();
  for await (const chunk of bytes) {
    parser.push(chunk);
    yield* drain(parser, cursor);
  }
  parser.end();
  yield* drain(parser, cursor);
}

function* drain(parser: TraceParser, cursor: TraceCursor): Generator<TraceRecord, void, undefined> {
  for (let item = parser.next(cursor); item !== undefined; item = parser.next(cursor)) {
    yield toRecord(parser, cursor, item);
  }
}

function toRecord(parser: TraceParser, cursor: TraceCursor, item: TraceItem): TraceRecord {
  if (item === "run") return { kind: item, run: parser.run(cursor) };
  if (item === "contents") return { kind: item, contents: cursor.contents };
  return { kind: item, events: cursor.events };
}
