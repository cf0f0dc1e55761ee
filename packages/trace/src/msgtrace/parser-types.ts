import type { TraceWarning } from "../warnings.ts";
import type { ChecksumMemory } from "./crc32c-wasm.ts";
import type { TraceCursor } from "./cursor.ts";
import type { RunSpan } from "./run-span.ts";
import type { TraceDefinitions, TraceRun } from "./types.ts";

export interface TraceOptions {
  /** Throws what would be a warning: a truncated tail, a trace that was not closed. */
  readonly strict?: boolean;
  /** Most bytes of one block. */
  readonly maxBlockBytes?: number;
  /** Most bytes of definitions kept. */
  readonly maxMetadataBytes?: number;
  /** Where chunks lie, when they lie in a linear memory: blocks are summed there then. */
  readonly memory?: TraceMemory;
  /** Called for every damaged place, which is then passed over; without it, damage ends the reading with an error. */
  readonly onDamage?: (damage: TraceDamage) => void;
  /** Called for every whole block, before what it holds is handed out. */
  readonly onBlock?: (block: TraceBlockInfo) => void;
}

/** A linear memory that chunks lie in; it may not grow while they are read. */
export interface TraceMemory extends ChecksumMemory {
  /**
   * Bytes of it where blocks that straddle chunks are put together, as long as they suffice; what the parser has handed
   * out from there is overwritten when `next` is called.
   */
  readonly join?: Uint8Array | undefined;
}

/** A byte that is not what the writer wrote. */
export interface DamagedByte {
  /** File offset. */
  readonly offset: number;
  readonly found: number;
  /** What makes the checksum right. */
  readonly expected: number;
}

/** What a whole block holds, as `onBlock` is told. */
export interface TraceBlockInfo {
  readonly blockIdx: number;
  /** `definitions`, `contents`, `runs`, `end`, or `type N` for one of a later version. */
  readonly type: string;
  /** File offset of the header. */
  readonly offset: number;
  /** Bytes with the header. */
  readonly bytes: number;
  /** Of a block of runs: number of the first, how many, and how many events. */
  readonly runFirst?: number;
  readonly runCount?: number;
  readonly eventCount?: number;
}

/** A place of a trace that cannot be read. */
export interface TraceDamage {
  readonly code: string;
  /** Names the block and the offset. */
  readonly message: string;
  /** Number of the block, from 0; -1 for the file header. */
  readonly blockIdx: number;
  /** File offset of what is wrong, in bytes. */
  readonly offset: number;
  /** The one byte that is wrong, where the checksum tells it. */
  readonly byte?: DamagedByte;
  /** Number that the next run would have had: the first that may be lost. */
  readonly runFirst: number;
}

/** What `next` has filled in: a run, initial contents of a map, or events that no run of their block follows. */
export type TraceItem = "run" | "contents" | "events";

/**
 * Turns the bytes of a trace, pushed in chunks of any size, into runs, map contents and events, in file order.
 *
 * As with captures, chunks are read in place: a chunk may be reused after `next` has returned undefined.
 */
export interface TraceParser extends TraceDefinitions {
  readonly warnings: readonly TraceWarning[];
  /** Version of the format that the file names; undefined before its header is read. */
  readonly version: { readonly major: number; readonly minor: number } | undefined;
  /** Whole blocks read so far. */
  readonly blockCount: number;
  /** Whether the end block was there: the writer has closed the trace. */
  readonly isClosed: boolean;
  /** Runs that the end block counts; undefined without one. */
  readonly declaredRunCount: number | undefined;
  /** Says whether the definitions at hand are followed by something else, so that what is known is what the trace begins with. */
  isPastDefinitions(): boolean;
  push(chunk: Uint8Array): void;
  /**
   * Returns where the next chunk is best put, in `memory.join`, so that a block which straddles it and the last one needs
   * no copy; undefined when any place is as good. For after `next` has returned undefined.
   */
  room(): Uint8Array | undefined;
  /** Declares that no more bytes come. */
  end(): void;
  /**
   * Fills the cursor with the next item; a run without events costs no allocation.
   *
   * @returns undefined when more bytes are needed or, after `end`, when the trace is over.
   * @throws TRACE_…, UNSUPPORTED_TRACE_VERSION (InputError) naming the damaged block and its offset; every later call
   * throws the same error.
   */
  next(cursor: TraceCursor): TraceItem | undefined;
  /**
   * Returns the runs that follow in the block at hand, as far as they are plain packets from one place, for callers that
   * take many at once; undefined where the next run needs `next`. Looking takes nothing.
   */
  span(): RunSpan | undefined;
  /** Goes past runs of a {@link span}, whose packets have so many bytes together. */
  skip(packetBytes: number, runs: number): void;
  /** Copies the run that `next` has just filled in. */
  run(cursor: TraceCursor): TraceRun;
}
