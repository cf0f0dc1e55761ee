import type { PacketCursor } from "../capture/cursor.ts";
import type {
  MapContents,
  TraceEvent,
  TraceHelper,
  TraceInfo,
  TraceInterface,
  TraceMap,
  TraceProgram,
  TraceRunInput,
} from "./types.ts";

/** What a cursor does not say of a run, or what shall be said otherwise. */
export type RunColumns = Omit<TraceRunInput, "tsNs" | "packet" | "originalBytes">;

export interface TraceWriterOptions {
  readonly info?: TraceInfo;
  readonly programs?: readonly TraceProgram[];
  readonly maps?: readonly TraceMap[];
  readonly interfaces?: readonly TraceInterface[];
  readonly helpers?: readonly TraceHelper[];
  /** Size at which a block is closed, about: what a crash can lose. 262144 bytes when missing. */
  readonly blockBytes?: number;
}

/**
 * Encodes a tsbpf trace, block by block: add runs and events, `take` the bytes, append them to the file.
 *
 * A file that ends after any whole block is readable; `flush` closes the block at hand, so a recorder that calls it
 * every second loses at most that second when it is killed.
 */
export interface TraceWriter {
  readonly programCount: number;
  readonly mapCount: number;
  readonly interfaceCount: number;
  /** Runs written so far; the index of the next one. */
  readonly runCount: number;
  /** Bytes that `take` would return: whole blocks only. */
  readonly pendingBytes: number;
  take(): Uint8Array;
  /** Define something for the runs and events to come, and return its index. */
  defineProgram(program: TraceProgram): number;
  defineMap(map: TraceMap): number;
  defineInterface(description: TraceInterface): number;
  defineHelper(helper: TraceHelper): number;
  /** Writes initial contents of a map, in as many blocks as they need. */
  writeContents(contents: MapContents): void;
  /** Adds a run; events of phase "before" that were added before belong to it, those added after too. */
  writeRun(run: TraceRunInput): void;
  /** Adds the packet under a capture parser's or trace parser's cursor as a run, without the detour of a record. */
  writeRunFrom(cursor: PacketCursor, more?: RunColumns): void;
  /** Adds an event: of the next run when its phase is "before", of the last run when it is "during". */
  writeEvent(event: TraceEvent): void;
  /** Closes the block at hand. */
  flush(): void;
  /** Closes the trace; nothing can be written afterwards. */
  end(): void;
}
