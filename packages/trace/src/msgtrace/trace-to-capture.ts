import type { Endian } from "@tsbpf/base";
import { type ByteSource, decompressCapture } from "../capture/decompress.ts";
import { LINK_TYPE_ETHERNET } from "../capture/link-types.ts";
import type {
  CaptureFormat,
  PacketAnnotations,
  PacketVerdict,
  SectionDescription,
} from "../capture/types.ts";
import { createCaptureWriter } from "../capture/writer.ts";
import type { CaptureWriter } from "../capture/writer-types.ts";
import { type TraceWarning, WarningLog } from "../warnings.ts";
import { type Conversion, PIECE_BYTES } from "./capture-to-trace.ts";
import { TraceCursor } from "./cursor.ts";
import { createTraceParser } from "./parser.ts";
import type { TraceOptions, TraceParser } from "./parser-types.ts";
import type { PacketNotes, TraceEvent, TraceProgram } from "./types.ts";

export interface TraceToCaptureOptions {
  readonly format: CaptureFormat;
  readonly trace?: TraceOptions;
  readonly endian?: Endian;
  /** Of pcap timestamps; nanoseconds when missing. */
  readonly resolution?: "us" | "ns";
  /** Throws instead of leaving out what the format cannot hold. */
  readonly strict?: boolean;
}

/**
 * Converts the packets of a trace to a capture, with time, interface, direction, queue, comments and verdict.
 *
 * What the format cannot hold is left out, with a warning a kind: runs without packets, ctx bytes, CPUs, map contents,
 * clocks, random values, helper results.
 *
 * @throws like `readTrace` and `createCaptureWriter`, when iterated.
 */
export function traceToCapture(source: ByteSource, options: TraceToCaptureOptions): Conversion {
  const parser = createTraceParser(options.trace);
  const bytes = decompressCapture(source, options.trace);
  const exporter = new Exporter(parser, options);
  return {
    get warnings() {
      return [...bytes.warnings, ...parser.warnings, ...exporter.warnings];
    },
    [Symbol.asyncIterator]: () => exportTrace(parser, bytes, exporter),
  };
}

async function* exportTrace(
  parser: TraceParser,
  bytes: AsyncIterable<Uint8Array>,
  exporter: Exporter,
): AsyncGenerator<Uint8Array, void, undefined> {
  const cursor = new TraceCursor();
  const drain = (): void => {
    for (let item = parser.next(cursor); item !== undefined; item = parser.next(cursor)) {
      if (item === "run") exporter.writeRun(cursor);
      else exporter.leaveOut(item, cursor);
    }
  };
  for await (const chunk of bytes) {
    parser.push(chunk);
    drain();
    if (exporter.pendingBytes >= PIECE_BYTES) yield exporter.take();
  }
  parser.end();
  drain();
  exporter.finish();
  yield exporter.take();
}

const VERDICT_KINDS: ReadonlyMap<string, "xdp" | "tc"> = new Map([
  ["xdp", "xdp"],
  ["sched_cls", "tc"],
  ["sched_act", "tc"],
]);

class Exporter {
  private readonly parser: TraceParser;
  private readonly options: TraceToCaptureOptions;
  private readonly log: WarningLog;
  private writer: CaptureWriter | undefined;
  /** Index in the capture of each of the trace's interfaces, and of the assumed one under -1. */
  private readonly targets = new Map<number, number>();

  constructor(parser: TraceParser, options: TraceToCaptureOptions) {
    this.parser = parser;
    this.options = options;
    this.log = new WarningLog(options.strict ?? false);
  }

  get warnings(): readonly TraceWarning[] {
    return [...this.log.list, ...(this.writer?.warnings ?? [])];
  }
  get pendingBytes(): number {
    return this.writer?.pendingBytes ?? 0;
  }
  take(): Uint8Array {
    return this.writer?.take() ?? new Uint8Array(0);
  }

  writeRun(cursor: TraceCursor): void {
    const { index } = cursor;
    const notes = this.takeNotes(cursor.events, index);
    if (cursor.hasCtx)
      this.warn("TRACE_CTX_DROPPED", `run ${index + 1} has a ctx, which captures do not hold`);
    if (cursor.cpu !== 0)
      this.warn("TRACE_CPU_DROPPED", `run ${index + 1} ran on CPU ${cursor.cpu}, which captures do not hold`);
    if (!cursor.hasPacket) {
      this.warn("TRACE_RUN_DROPPED", `run ${index + 1} has no packet, captures hold packets only`);
      return;
    }
    const { tsTicks, ...annotations } = notes;
    const writer = this.open(cursor);
    writer.write({
      ...annotations,
      ...this.columnsOf(cursor, notes),
      tsNs: cursor.tsNs(),
      hasTime: cursor.hasTime,
      ...(tsTicks === undefined ? {} : { tsTicks }),
      data: cursor.data(),
      originalBytes: cursor.originalBytes,
      interfaceIdx: this.targetOf(writer, cursor),
    });
  }

  leaveOut(item: "contents" | "events", cursor: TraceCursor): void {
    if (item === "contents")
      this.warn("TRACE_CONTENTS_DROPPED", "initial contents of maps are left out, captures hold none");
    else this.takeNotes(cursor.events, -1);
  }

  /** Makes sure that the file has a header and all interfaces, even without packets. */
  finish(): void {
    const writer = this.writer ?? this.create(this.parser.interfaces[0]?.linkType ?? LINK_TYPE_ETHERNET);
    if (writer.format === "pcapng") this.addInterfaces(writer);
  }

  /** Adds all interfaces that the trace has defined so far. */
  private addInterfaces(writer: CaptureWriter): void {
    this.parser.interfaces.forEach((description, idx) => {
      if (!this.targets.has(idx)) this.targets.set(idx, writer.addInterface(description));
    });
  }

  private open(cursor: TraceCursor): CaptureWriter {
    return this.writer ?? this.create(cursor.hasInterface ? cursor.linkType : LINK_TYPE_ETHERNET);
  }

  private create(linkType: number): CaptureWriter {
    const { format, endian, resolution, strict } = this.options;
    const common = {
      ...(endian === undefined ? {} : { endian }),
      ...(strict === undefined ? {} : { strict }),
    };
    this.writer =
      format === "pcap"
        ? createCaptureWriter({
            format,
            linkType,
            ...(resolution === undefined ? {} : { resolution }),
            ...common,
          })
        : createCaptureWriter({ format, section: this.section(), ...common });
    return this.writer;
  }

  private section(): SectionDescription {
    const { application, comments } = this.parser.info;
    return {
      ...(application === undefined ? {} : { application }),
      ...(comments === undefined ? {} : { comments }),
    };
  }

  /** Finds or adds the run's interface; interfaces keep their order as far as they are known. */
  private targetOf(writer: CaptureWriter, cursor: TraceCursor): number {
    if (writer.format === "pcap") {
      const linkType = cursor.hasInterface ? cursor.linkType : LINK_TYPE_ETHERNET;
      if (!this.targets.has(linkType)) this.targets.set(linkType, writer.addInterface({ linkType }));
      return 0;
    }
    const idx = cursor.hasInterface ? cursor.interfaceIdx : -1;
    const known = this.targets.get(idx);
    if (known !== undefined) return known;
    if (idx >= 0) this.addInterfaces(writer);
    else {
      this.warn(
        "TRACE_INTERFACE_ASSUMED",
        `run ${cursor.index + 1} has no interface, one of Ethernet is assumed`,
      );
      this.targets.set(idx, writer.addInterface({ linkType: LINK_TYPE_ETHERNET }));
    }
    // The parser has refused runs of undefined interfaces.
    return this.targets.get(idx) ?? 0;
  }

  private columnsOf(cursor: TraceCursor, notes: PacketNotes): PacketAnnotations {
    const { direction, queue } = cursor;
    const verdicts = [...(notes.verdicts ?? []), ...this.resultOf(cursor, notes)];
    return {
      ...(direction === undefined ? {} : { direction }),
      ...(queue < 0 ? {} : { queue }),
      ...(verdicts.length === 0 ? {} : { verdicts }),
    };
  }

  /** The program's return value as a verdict, unless the packet already has one of that kind. */
  private resultOf(cursor: TraceCursor, notes: PacketNotes): PacketVerdict[] {
    if (!cursor.hasResult) return [];
    const program: TraceProgram | undefined = this.parser.programs[cursor.programIdx];
    const kind = VERDICT_KINDS.get(program?.progType ?? "");
    if (kind === undefined) {
      this.warn(
        "TRACE_RESULT_DROPPED",
        `run ${cursor.index + 1} returned a value that is no xdp or tc verdict, captures hold only those`,
      );
      return [];
    }
    return notes.verdicts?.some((verdict) => verdict.kind === kind) ? [] : [{ kind, value: cursor.r0() }];
  }

  private takeNotes(events: readonly TraceEvent[], run: number): PacketNotes {
    let notes: PacketNotes = {};
    for (const event of events) {
      if (event.kind === "notes") notes = { ...notes, ...event.notes };
      else
        this.warn(
          "TRACE_EVENTS_DROPPED",
          `${run < 0 ? "the trace" : `run ${run + 1}`} has a ${event.kind} event, captures hold none`,
        );
    }
    return notes;
  }

  private warn(code: string, text: string): void {
    this.log.add(code, 0, () => text);
  }
}
