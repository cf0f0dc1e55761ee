import { InputError, printHexBytes, UnsupportedError } from "@tsbpf/base";
import { PcapReader } from "../pcap/reader.ts";
import { PcapngReader } from "../pcapng/reader.ts";
import type { TraceWarning } from "../warnings.ts";
import { type PacketCursor, roundedTicks } from "./cursor.ts";
import { ChunkFeed } from "./feed.ts";
import { createReaderContext, type FormatReader, type PcapSpan, type ReaderContext } from "./reader.ts";
import { SNIFF_BYTES, sniffFormat } from "./sniff.ts";
import type {
  CaptureFormat,
  CaptureInfo,
  CaptureInterface,
  CaptureOptions,
  CaptureSection,
  NameEntry,
  PacketAnnotations,
  PacketRecord,
  SkippedBlocks,
} from "./types.ts";

/**
 * Turns the bytes of a capture, pushed in chunks of any size, into packets.
 *
 * Chunks are read in place and not copied, but for a packet that straddles two of them: after `next` has returned
 * false, and only then, the caller may reuse a chunk's memory.
 */
export interface CaptureParser extends CaptureInfo {
  readonly warnings: readonly TraceWarning[];
  /** Hands over the next bytes of the file. */
  push(chunk: Uint8Array): void;
  /** Declares that no more bytes come; packets may still be waiting in `next`. */
  end(): void;
  /**
   * Fills the cursor with the next packet, without allocating.
   *
   * @returns false when more bytes are needed or, after `end`, when the capture is over.
   * @throws PCAP_…, PCAPNG_…, TRACE_…, UNSUPPORTED_… (InputError) when the bytes are not what they should be; every
   * later call throws the same error.
   */
  next(cursor: PacketCursor): boolean;
  /**
   * Returns the unread records of a pcap file as they lie in the chunk that was pushed, for who walks them in bulk and
   * then says how far with `skip`; undefined for pcapng, and where the next record is not whole in a chunk.
   *
   * @throws as `next` does.
   */
  span(): PcapSpan | undefined;
  /**
   * Passes over packets that somebody else has read: records of the last `span`, or, when `next` has returned false or
   * `span` has shown all that was pushed, a part of the file that goes on behind it; the next push begins where it ends.
   */
  skip(bytes: number, packets: number): void;
  /**
   * Copies the packet that `next` has just filled in, with all that the file says of it.
   *
   * @throws PCAPNG_OPTION_LENGTH, PCAPNG_OPTION_SIZE, PCAPNG_OPTION_COUNT (InputError) when its options are malformed.
   */
  record(cursor: PacketCursor): PacketRecord;
  /** Decodes only what the file says of that packet beside its bytes and time; throws as `record` does. */
  annotations(cursor: PacketCursor): PacketAnnotations;
}

/** Creates a parser for pcap and pcapng, told apart by their first bytes. */
export function createCaptureParser(options: CaptureOptions = {}): CaptureParser {
  return new Parser(options);
}

class Parser implements CaptureParser {
  private readonly feed = new ChunkFeed();
  private readonly context: ReaderContext;
  private reader: FormatReader | undefined;
  private knownFormat: CaptureFormat | undefined;
  private failure: unknown;
  private isTailChecked = false;

  constructor(options: CaptureOptions) {
    this.context = createReaderContext(options);
  }

  get format(): CaptureFormat | undefined {
    return this.knownFormat;
  }
  get sections(): readonly CaptureSection[] {
    return this.context.sections;
  }
  get interfaces(): readonly CaptureInterface[] {
    return this.context.interfaces;
  }
  get names(): readonly NameEntry[] {
    return this.context.names;
  }
  get skippedBlocks(): readonly SkippedBlocks[] {
    return this.context.skippedBlocks;
  }
  get warnings(): readonly TraceWarning[] {
    return this.context.warnings.list;
  }

  push(chunk: Uint8Array): void {
    if (this.feed.isEnded)
      throw new InputError("TRACE_ENDED", "bytes were pushed after the end of the capture");
    this.feed.push(chunk);
  }

  end(): void {
    this.feed.isEnded = true;
  }

  next(cursor: PacketCursor): boolean {
    if (this.failure !== undefined) throw this.failure;
    try {
      const reader = this.reader ?? this.start();
      if (reader?.next(cursor)) return true;
      if (this.feed.isEnded && !this.isTailChecked) this.checkTail();
      return false;
    } catch (error) {
      this.failure = error;
      throw error;
    }
  }

  span(): PcapSpan | undefined {
    if (this.failure !== undefined) throw this.failure;
    try {
      return (this.reader ?? this.start())?.span?.();
    } catch (error) {
      this.failure = error;
      throw error;
    }
  }

  skip(bytes: number, packets: number): void {
    this.reader?.skip?.(bytes, packets);
  }

  record(cursor: PacketCursor): PacketRecord {
    const tsTicks = roundedTicks(cursor);
    return {
      index: cursor.index,
      tsNs: cursor.tsNs(),
      hasTime: cursor.hasTime,
      ...(tsTicks === undefined ? {} : { tsTicks }),
      capturedBytes: cursor.capturedBytes,
      originalBytes: cursor.originalBytes,
      data: cursor.bytes.slice(cursor.dataOffset, cursor.dataOffset + cursor.capturedBytes),
      interfaceIdx: cursor.interfaceIdx,
      linkType: cursor.linkType,
      fileOffset: cursor.fileOffset,
      ...this.annotations(cursor),
    };
  }

  annotations(cursor: PacketCursor): PacketAnnotations {
    return this.reader?.annotations(cursor) ?? {};
  }

  /** Chooses the reader as soon as enough bytes are there. */
  private start(): FormatReader | undefined {
    const { feed } = this;
    if (!feed.ensure(SNIFF_BYTES) && !feed.isEnded) return undefined;
    const head = feed.bytes.subarray(feed.pos, Math.min(feed.end, feed.pos + SNIFF_BYTES));
    this.knownFormat = requireCapture(head);
    this.reader =
      this.knownFormat === "pcap" ? new PcapReader(feed, this.context) : new PcapngReader(feed, this.context);
    return this.reader;
  }

  private checkTail(): void {
    const { feed, reader, context } = this;
    this.isTailChecked = true;
    if (reader === undefined) return;
    const isHeader = reader.isHeaderMissing();
    if (feed.restBytes === 0 && !isHeader) return;
    const code = this.knownFormat === "pcap" ? "PCAP_TRUNCATED" : "PCAPNG_TRUNCATED";
    const { offset, restBytes, wantedBytes } = feed;
    const text = `file ends within ${reader.describeTail()}: ${restBytes} of ${wantedBytes} bytes are there, at offset ${offset}`;
    if (isHeader) throw new InputError(code, text, { details: { offset, restBytes, wantedBytes } });
    context.warnings.add(code, offset, () => text, { restBytes, wantedBytes });
  }
}

/** Refuses by name whatever is not a capture. */
function requireCapture(head: Uint8Array): CaptureFormat {
  if (head.byteLength === 0)
    throw new InputError("TRACE_EMPTY", "the file is empty, a pcap or pcapng capture expected");
  const sniffed = sniffFormat(head);
  switch (sniffed.kind) {
    case "capture":
      return sniffed.format;
    case "gzip":
      throw new UnsupportedError(
        "UNSUPPORTED_GZIP_HERE",
        "the capture is gzip-compressed, which only asynchronous reading can undo: use readCapture or decompressCapture",
      );
    case "trace":
      throw new InputError(
        "TRACE_NOT_CAPTURE",
        "the file is a tsbpf trace, a pcap or pcapng capture expected",
      );
    case "known":
      throw new UnsupportedError(
        "UNSUPPORTED_CAPTURE_FORMAT",
        `${sniffed.name} is not supported, pcap and pcapng are: ${sniffed.advice}`,
        { details: { found: sniffed.name } },
      );
    case "unknown":
      throw new InputError(
        "TRACE_MAGIC",
        `the file starts with bytes ${printHexBytes(head.subarray(0, 4))}, a pcap or pcapng capture expected`,
        { details: { head: printHexBytes(head) } },
      );
  }
}
