import { joinU64 } from "@tsbpf/base";
import { PacketCursor } from "../capture/cursor.ts";
import type { PacketDirection } from "../capture/types.ts";
import type { MapContents, TraceEvent } from "./types.ts";

const NO_EVENTS: readonly TraceEvent[] = Object.freeze([]);
const EMPTY = new Uint8Array(0);
const NO_CONTENTS: MapContents = Object.freeze({ mapIdx: -1, entryCount: 0, keys: EMPTY, values: EMPTY });

/**
 * A place that a trace parser fills with one item after the other; a run's packet lies where a capture's packet would.
 *
 * Numbers and `bytes` are valid until the next call of `next` or `push`; `events` and `contents` are copies.
 */
export class TraceCursor extends PacketCursor {
  programIdx = 0;
  cpu = 0;
  /** -1 when the run has none. */
  queue = -1;
  direction: PacketDirection | undefined = undefined;
  /** False for a run without a packet; `capturedBytes` is 0 then. */
  hasPacket = false;
  /** False for a run without an interface; `interfaceIdx` and `linkType` are 0 then. */
  hasInterface = false;
  /** The ctx lies at `ctxSource[ctxOffset .. ctxOffset + ctxBytes)`. */
  hasCtx = false;
  ctxSource: Uint8Array = EMPTY;
  ctxOffset = 0;
  ctxBytes = 0;
  /** Whether the trace says what the program returned. */
  hasResult = false;
  /** Whether the events hold all that the run asked of the world around it. */
  hasAnswers = false;
  r0Hi = 0;
  r0Lo = 0;
  /** Of a run, or, for an item of kind "events", of the time before the next run. */
  events: readonly TraceEvent[] = NO_EVENTS;
  /** Of an item of kind "contents". */
  contents: MapContents = NO_CONTENTS;

  /** Returns what the program returned; 0 when the trace does not say. */
  r0(): bigint {
    return joinU64(this.r0Lo, this.r0Hi);
  }

  /** Returns a view (not a copy) of the ctx. */
  ctx(): Uint8Array {
    return this.ctxSource.subarray(this.ctxOffset, this.ctxOffset + this.ctxBytes);
  }

  /** Forgets events and contents of the item before. */
  clearExtras(): void {
    this.events = NO_EVENTS;
    this.contents = NO_CONTENTS;
  }
}
