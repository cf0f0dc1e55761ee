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

/** The reader of one format, fed by a `ChunkFeed`. */
export interface FormatReader {
  /** Fills the cursor with the next packet; false when the feed has no whole one. */
  next(cursor: PacketCursor): boolean;
  /** Decodes what the cursor's block says beside the packet. */
  annotations(cursor: PacketCursor): PacketAnnotations;
  /** What the feed's unread bytes are the beginning of, for the truncation warning. */
  describeTail(): string;
  /** Whether the file is unusable when it ends here: its header is not whole. */
  isHeaderMissing(): boolean;
}
