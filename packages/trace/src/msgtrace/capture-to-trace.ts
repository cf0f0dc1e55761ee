import { PacketCursor, roundedTicks } from "../capture/cursor.ts";
import { type ByteSource, decompressCapture } from "../capture/decompress.ts";
import { type CaptureParser, createCaptureParser } from "../capture/parser.ts";
import type { CaptureInterface, CaptureOptions, CaptureSection } from "../capture/types.ts";
import { type TraceWarning, WarningLog } from "../warnings.ts";
import type { PacketNotes, TraceInfo } from "./types.ts";
import { createTraceWriter } from "./writer.ts";
import type { TraceWriter, TraceWriterOptions } from "./writer-types.ts";

/** The bytes of a converted file, and what the conversion had to leave out. Can be walked once. */
export interface Conversion extends AsyncIterable<Uint8Array> {
  readonly warnings: readonly TraceWarning[];
}

export interface CaptureToTraceOptions {
  readonly capture?: CaptureOptions;
  /** Programs and settings of the trace; interfaces come from the capture. */
  readonly trace?: Omit<TraceWriterOptions, "interfaces">;
}

/** Bytes gathered before they are handed on. */
export const PIECE_BYTES = 64 * 1024;

/**
 * Converts a capture to a trace of one run a packet; everything a packet record says is kept.
 *
 * Interface `i` of the capture gets ifindex `i + 1`. Names and interface statistics are left out, with a warning.
 *
 * @throws like `readCapture` and `createTraceWriter`, when iterated.
 */
export function captureToTrace(source: ByteSource, options: CaptureToTraceOptions = {}): Conversion {
  const parser = createCaptureParser(options.capture);
  const bytes = decompressCapture(source, options.capture);
  const log = new WarningLog(options.capture?.strict ?? false);
  return {
    get warnings() {
      return [...bytes.warnings, ...parser.warnings, ...log.list];
    },
    [Symbol.asyncIterator]: () => recordCapture(parser, bytes, options.trace ?? {}, log),
  };
}

async function* recordCapture(
  parser: CaptureParser,
  bytes: AsyncIterable<Uint8Array>,
  options: TraceWriterOptions,
  log: WarningLog,
): AsyncGenerator<Uint8Array, void, undefined> {
  const cursor = new PacketCursor();
  let writer: TraceWriter | undefined;
  const drain = (): TraceWriter | undefined => {
    while (parser.next(cursor)) {
      // Only now the first section is known, which goes into the trace's first block.
      writer ??= createTraceWriter({ ...options, info: { ...infoOf(parser.sections[0]), ...options.info } });
      recordPacket(writer, parser, cursor);
    }
    return writer;
  };
  for await (const chunk of bytes) {
    parser.push(chunk);
    const open = drain();
    if (open !== undefined && open.pendingBytes >= PIECE_BYTES) yield open.take();
  }
  parser.end();
  const last =
    drain() ?? createTraceWriter({ ...options, info: { ...infoOf(parser.sections[0]), ...options.info } });
  defineMissing(last, parser.interfaces);
  last.end();
  warnLeftOut(parser, log);
  yield last.take();
}

function recordPacket(writer: TraceWriter, parser: CaptureParser, cursor: PacketCursor): void {
  defineMissing(writer, parser.interfaces);
  const { direction, queue, ...rest } = parser.annotations(cursor);
  const tsTicks = roundedTicks(cursor);
  const notes: PacketNotes = { ...rest, ...(tsTicks === undefined ? {} : { tsTicks }) };
  if (Object.keys(notes).length > 0) writer.writeEvent({ kind: "notes", phase: "before", notes });
  writer.writeRunFrom(cursor, {
    ...(direction === undefined ? {} : { direction }),
    ...(queue === undefined ? {} : { queue }),
  });
}

function defineMissing(writer: TraceWriter, interfaces: readonly CaptureInterface[]): void {
  for (const description of interfaces.slice(writer.interfaceCount)) {
    const { index, sectionIdx: _, statistics: __, ...rest } = description;
    writer.defineInterface({ ...rest, ifindex: index + 1 });
  }
}

const infoOf = (section: CaptureSection | undefined): TraceInfo => ({
  ...(section?.application === undefined ? {} : { application: section.application }),
  ...(section?.comments === undefined ? {} : { comments: section.comments }),
});

function warnLeftOut(parser: CaptureParser, log: WarningLog): void {
  if (parser.names.length > 0) {
    log.add(
      "TRACE_NAMES_DROPPED",
      0,
      () => `${parser.names.length} names of addresses are left out, a trace holds none`,
    );
  }
  if (parser.interfaces.some((iface) => iface.statistics !== undefined)) {
    log.add("TRACE_STATISTICS_DROPPED", 0, () => "interface statistics are left out, a trace holds none");
  }
  if (
    parser.sections.length > 1 ||
    parser.sections.some(({ os, hardware }) => (os ?? hardware) !== undefined)
  ) {
    log.add(
      "TRACE_SECTION_DROPPED",
      0,
      () => "section descriptions are left out but for the first one's application and comments",
    );
  }
}
