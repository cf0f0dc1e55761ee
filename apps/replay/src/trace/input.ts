import { joinBytes } from "@tsbpf/base";
import {
  type CaptureParser,
  createCaptureParser,
  createTraceParser,
  type InterfaceDescription,
  LINK_TYPE_ETHERNET,
  type MapContents,
  type PacketAnnotations,
  type PcapSpan,
  type RunSpan,
  SNIFF_BYTES,
  sniffFormat,
  type TraceCursor,
  type TraceDefinitions,
  type TraceEvent,
  type TraceMemory,
  type TraceParser,
  type TraceWarning,
} from "@tsbpf/trace";

const LOOPBACK = 1;

/** Where a packet came in, as its program sees it. */
export interface PacketOrigin {
  ifindex: number;
  queue: number;
}

/** Takes what a trace holds beside runs. */
export interface TraceItems {
  contents(trace: TraceDefinitions, contents: MapContents): void;
  changes(trace: TraceDefinitions, events: readonly TraceEvent[]): void;
}

export interface InputOptions {
  readonly strict: boolean;
  readonly feed?: TraceItems | undefined;
  /** The linear memory that what is pushed lies in. */
  readonly memory?: TraceMemory | undefined;
}

/**
 * Turns the bytes of a capture or a trace, told apart by their first bytes, into packets, as `CaptureParser` does.
 * What a trace holds besides runs goes to the feed.
 */
export class InputParser {
  private readonly strict: boolean;
  private readonly feed: TraceItems | undefined;
  private readonly memory: TraceMemory | undefined;
  private head: Uint8Array = new Uint8Array(0);
  private capture: CaptureParser | undefined;
  /** Set once the first bytes are known to be a trace's. */
  trace: TraceParser | undefined;
  private readonly origin: PacketOrigin = { ifindex: 1, queue: 0 };

  constructor(options: InputOptions) {
    this.strict = options.strict;
    this.feed = options.feed;
    this.memory = options.memory;
  }

  get warnings(): readonly TraceWarning[] {
    return this.trace?.warnings ?? this.capture?.warnings ?? [];
  }
  get interfaces(): readonly InterfaceDescription[] {
    return this.trace?.interfaces ?? this.capture?.interfaces ?? [];
  }

  push(chunk: Uint8Array): void {
    const parser = this.trace ?? this.capture;
    if (parser !== undefined) {
      parser.push(chunk);
      return;
    }
    if (this.head.length === 0 && chunk.length >= SNIFF_BYTES) {
      this.open(chunk).push(chunk);
      return;
    }
    // A few bytes that say nothing yet; the rest of the chunk may be reused by its owner, so it is copied.
    this.head = joinBytes([this.head, chunk]);
    if (this.head.length >= SNIFF_BYTES) this.open(this.head).push(this.head);
  }

  /** See {@link TraceParser.room}; undefined for captures. */
  room(): Uint8Array | undefined {
    return this.trace?.room();
  }

  end(): void {
    const parser = this.trace ?? this.capture;
    if (parser !== undefined) parser.end();
    else {
      const opened = this.open(this.head);
      opened.push(this.head);
      opened.end();
    }
  }

  /**
   * Fills the cursor with the next packet or run.
   *
   * @returns false when more bytes are needed or the file is over.
   * @throws like the parsers of captures and traces.
   */
  next(cursor: TraceCursor): boolean {
    const { trace } = this;
    if (trace === undefined) return this.capture?.next(cursor) ?? false;
    for (let item = trace.next(cursor); item !== undefined; item = trace.next(cursor)) {
      if (item === "run") {
        // Runs without an interface are of Ethernet, as far as anybody can say.
        if (!cursor.hasInterface) cursor.linkType = LINK_TYPE_ETHERNET;
        return true;
      }
      if (item === "contents") this.feed?.contents(trace, cursor.contents);
      else this.feed?.changes(trace, cursor.events);
    }
    return false;
  }

  /** See {@link CaptureParser.span}; undefined for traces. */
  span(): PcapSpan | undefined {
    return this.capture?.span();
  }

  /** See {@link TraceParser.span}; undefined for captures. Runs without an interface are of Ethernet, as in `next`. */
  runSpan(): RunSpan | undefined {
    return this.trace?.span();
  }

  /** See {@link CaptureParser.skip} and {@link TraceParser.skip}. */
  skip(bytes: number, packets: number): void {
    (this.trace ?? this.capture)?.skip(bytes, packets);
  }

  /** Returns the number that programs know a trace's interface by; -1 stands for none. */
  ifindexOf(interfaceIdx: number): number {
    return this.trace?.interfaces[interfaceIdx]?.ifindex ?? LOOPBACK;
  }

  /** Says where the packet under the cursor came in; the object is reused. */
  originOf(cursor: TraceCursor): PacketOrigin {
    const { origin, trace } = this;
    origin.queue = 0;
    if (trace !== undefined) {
      origin.ifindex = this.ifindexOf(cursor.hasInterface ? cursor.interfaceIdx : -1);
      if (cursor.queue > 0) origin.queue = cursor.queue;
      return origin;
    }
    origin.ifindex = cursor.interfaceIdx + 1;
    if (cursor.optionsBytes > 0) origin.queue = this.annotations(cursor).queue ?? 0;
    return origin;
  }

  /** Decodes what a pcapng file says of the packet beside bytes and time. */
  annotations(cursor: TraceCursor): PacketAnnotations {
    return this.capture?.annotations(cursor) ?? {};
  }

  private open(head: Uint8Array): CaptureParser | TraceParser {
    if (sniffFormat(head.subarray(0, SNIFF_BYTES)).kind === "trace") {
      const { strict, memory } = this;
      this.trace = createTraceParser({ strict, ...(memory === undefined ? {} : { memory }) });
      return this.trace;
    }
    this.capture = createCaptureParser({ strict: this.strict });
    return this.capture;
  }
}
