import { TRACE_LIMITS } from "../limits.ts";
import { WarningLog } from "../warnings.ts";
import type { PacketCursor } from "./cursor.ts";
import type { TimeScale } from "./time.ts";
import type {
  CaptureInterface,
  CaptureOptions,
  CaptureSection,
  NameEntry,
  PacketAnnotations,
  SkippedBlocks,
} from "./types.ts";

/** What the readers of both formats share: options, and what they learn beside packets. */
export interface ReaderContext {
  readonly warnings: WarningLog;
  /** Undefined: the limit depends on the link type. */
  readonly maxPacketBytes: number | undefined;
  readonly maxBlockBytes: number;
  readonly maxMetadataBytes: number;
  readonly sections: CaptureSection[];
  readonly interfaces: CaptureInterface[];
  /** Parallel to `interfaces`. */
  readonly scales: TimeScale[];
  readonly names: NameEntry[];
  readonly skippedBlocks: SkippedBlocks[];
}

export function createReaderContext(options: CaptureOptions): ReaderContext {
  return {
    warnings: new WarningLog(options.strict ?? false),
    maxPacketBytes: options.maxPacketBytes,
    maxBlockBytes: options.maxBlockBytes ?? TRACE_LIMITS.blockBytes,
    maxMetadataBytes: options.maxMetadataBytes ?? TRACE_LIMITS.metadataBytes,
    sections: [],
    interfaces: [],
    scales: [],
    names: [],
    skippedBlocks: [],
  };
}

/**
 * Unread records of a pcap file in the chunk that was pushed last, for who walks them without a cursor. What is not
 * plain (see the limits) must be left to `next`.
 */
export interface PcapSpan {
  readonly bytes: Uint8Array;
  /** Where the first record starts in `bytes`; the last may be cut off at `end`. */
  readonly start: number;
  readonly end: number;
  /** Position in the file of the first record's packet, from 0. */
  readonly index: number;
  readonly isLittle: boolean;
  readonly linkType: number;
  /** Most captured bytes of a plain record; nor are there more of them than original bytes. */
  readonly plainBytesMax: number;
  /** A plain record's fraction of a second is less. */
  readonly fractionEnd: number;
  readonly nsPerFraction: number;
}

/** The reader of one format, fed by a `ChunkFeed`. */
export interface FormatReader {
  /** Fills the cursor with the next packet; false when the feed has no whole one. */
  next(cursor: PacketCursor): boolean;
  /** Decodes what the cursor's block says beside the packet. */
  annotations(cursor: PacketCursor): PacketAnnotations;
  /** Returns what can be walked in bulk; pcap only. */
  span?(): PcapSpan | undefined;
  /** Passes over records that were walked in bulk. */
  skip?(bytes: number, packets: number): void;
  /** What the feed's unread bytes are the beginning of, for the truncation warning. */
  describeTail(): string;
  /** Whether the file is unusable when it ends here: its header is not whole. */
  isHeaderMissing(): boolean;
}
