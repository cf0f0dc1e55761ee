import { type ByteSource, decompressCapture } from "../capture/decompress.ts";
import { type TraceWarning, WarningLog } from "../warnings.ts";
import { type Conversion, PIECE_BYTES } from "./capture-to-trace.ts";
import { createDefined, TraceCopier } from "./copier.ts";
import { TraceCursor } from "./cursor.ts";
import { createTraceParser } from "./parser.ts";
import type { TraceOptions, TraceParser } from "./parser-types.ts";
import type { TraceEvent } from "./types.ts";
import { createTraceWriter } from "./writer.ts";
import type { TraceWriter } from "./writer-types.ts";

/** Which runs of a trace are kept. */
export interface CutOptions {
  readonly trace?: TraceOptions;
  /** Says by number, from 0; all when missing. */
  readonly keeps?: (index: number) => boolean;
  /**
   * Nanoseconds, as in the trace: the first to keep, and the first not to keep. Runs without a time are left out. A
   * function gets the time of the first run that has one.
   */
  readonly fromNs?: TimeLimit;
  readonly toNs?: TimeLimit;
}

export type TimeLimit = bigint | ((firstNs: bigint) => bigint);

/**
 * Copies a part of a trace. Contents of maps and what the host changed before a kept run come along; what runs that are
 * left out did to maps does not, which a warning says.
 *
 * @throws like `readTrace`, when iterated.
 */
export function cutTrace(source: ByteSource, options: CutOptions): Conversion {
  const parser = createTraceParser(options.trace);
  const bytes = decompressCapture(source, options.trace);
  const log = new WarningLog(false);
  const cutter = new Cutter(parser, options, log);
  return {
    get warnings(): readonly TraceWarning[] {
      return [...bytes.warnings, ...parser.warnings, ...log.list];
    },
    [Symbol.asyncIterator]: () => cut(parser, bytes, cutter),
  };
}

async function* cut(
  parser: TraceParser,
  bytes: AsyncIterable<Uint8Array>,
  cutter: Cutter,
): AsyncGenerator<Uint8Array, void, undefined> {
  for await (const chunk of bytes) {
    parser.push(chunk);
    cutter.drain();
    if (cutter.pendingBytes >= PIECE_BYTES) yield cutter.take();
  }
  parser.end();
  cutter.drain();
  cutter.finish();
  yield cutter.take();
}

class Cutter {
  private readonly parser: TraceParser;
  private readonly options: CutOptions;
  private readonly log: WarningLog;
  private readonly cursor = new TraceCursor();
  private writer: TraceWriter | undefined;
  private copier: TraceCopier | undefined;
  private hasLeftOut = false;
  private firstNs: bigint | undefined;

  constructor(parser: TraceParser, options: CutOptions, log: WarningLog) {
    this.parser = parser;
    this.options = options;
    this.log = log;
  }

  get pendingBytes(): number {
    return this.writer?.pendingBytes ?? 0;
  }

  take(): Uint8Array {
    return this.writer?.take() ?? new Uint8Array(0);
  }

  drain(): void {
    const { parser, cursor } = this;
    for (let item = parser.next(cursor); item !== undefined; item = parser.next(cursor)) {
      const copier = this.open();
      if (item === "contents") copier.contents(cursor.contents);
      else if (item === "events") copier.events(cursor.events);
      else if (this.isKept(cursor)) this.keep(copier);
      else {
        this.hasLeftOut = true;
        copier.events(cursor.events.filter(isHostChange));
      }
    }
  }

  finish(): void {
    this.open().define();
    this.writer?.end();
  }

  private keep(copier: TraceCopier): void {
    const { parser, cursor, hasLeftOut } = this;
    if (hasLeftOut && parser.programs.length > 0 && parser.maps.length > 0) {
      this.log.add(
        "TRACE_STATE_CUT",
        0,
        () => "runs before others are left out: what they did to maps is not in the copy",
      );
    }
    copier.run(parser, cursor);
  }

  private isKept(cursor: TraceCursor): boolean {
    const { keeps, fromNs, toNs } = this.options;
    const hasLimit = fromNs !== undefined || toNs !== undefined;
    if (hasLimit && cursor.hasTime) this.firstNs ??= cursor.tsNs();
    if (keeps !== undefined && !keeps(cursor.index)) return false;
    if (!hasLimit) return true;
    if (!cursor.hasTime) return false;
    const ns = cursor.tsNs();
    const first = this.firstNs ?? ns;
    const limit = (one: TimeLimit): bigint => (typeof one === "bigint" ? one : one(first));
    return (fromNs === undefined || ns >= limit(fromNs)) && (toNs === undefined || ns < limit(toNs));
  }

  private open(): TraceCopier {
    if (this.copier === undefined) {
      this.writer = createTraceWriter({ info: this.parser.info });
      this.copier = new TraceCopier(this.parser, this.writer, createDefined());
    }
    return this.copier;
  }
}

const isHostChange = (event: TraceEvent): boolean => event.kind === "map" && event.phase === "before";
