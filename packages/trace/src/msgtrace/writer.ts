import { hiOf, InputError, joinBytes, loOf } from "@tsbpf/base";
import { checkU32, checkU64, checkUpTo } from "../capture/checks.ts";
import type { PacketCursor } from "../capture/cursor.ts";
import { joinTicks, NANOSECOND_SCALE } from "../capture/time.ts";
import { TRACE_LIMITS } from "../limits.ts";
import { type DefinitionsPart, encodeContents, encodeDefinitions } from "./definitions.ts";
import { encodeEvent, type Measure, measure } from "./events.ts";
import { BLOCK_TYPE, encodeBlockHeader, encodeFileHeader } from "./frame.ts";
import { type MsgpackMap, packMap, VALUES_MAX } from "./msgpack.ts";
import { RUN_FLAG, type RunRow, RunsBuilder } from "./runs.ts";
import type {
  MapContents,
  TraceEvent,
  TraceHelper,
  TraceInterface,
  TraceMap,
  TraceProgram,
  TraceRunInput,
} from "./types.ts";
import {
  checkEvent,
  checkIdx,
  checkLength,
  checkPart,
  noRunForEvent,
  PART_BYTES_MAX,
  tooBig,
  tooManyEvents,
  unknownIdx,
} from "./writer-checks.ts";
import type { RunColumns, TraceWriter, TraceWriterOptions } from "./writer-types.ts";

/**
 * Creates a writer of tsbpf traces; its methods throw an InputError (TRACE_…) when a value does not fit the format.
 *
 * @source packages/trace/FORMAT.md
 */
export function createTraceWriter(options: TraceWriterOptions = {}): TraceWriter {
  return new Writer(options);
}

const BLOCK_BYTES_DEFAULT = 256 * 1024;
/** Values of a block's events at which it is closed, and which it may have at most: readers take few more. */
const BLOCK_VALUES_DEFAULT = VALUES_MAX / 16;
const BLOCK_VALUES_MAX = VALUES_MAX - 1024;
const BLOCK_BYTES_MAX = TRACE_LIMITS.blockBytes - 64 * 1024;

class Writer implements TraceWriter {
  private readonly blockBytes: number;
  private readonly runs = new RunsBuilder();
  private readonly ticks = { ticksHi: 0, ticksLo: 0 };
  private readonly maps: TraceMap[] = [];
  private parts: Uint8Array[] = [];
  private partsBytes = 0;
  private blockCount = 0;
  private programs = 0;
  private interfaces = 0;
  private helpers = 0;
  private isEnded = false;

  constructor(options: TraceWriterOptions) {
    this.blockBytes = checkUpTo(
      "blockBytes",
      options.blockBytes ?? BLOCK_BYTES_DEFAULT,
      TRACE_LIMITS.blockBytes / 2,
    );
    this.append(encodeFileHeader());
    const { info = {}, programs = [], maps = [], interfaces = [], helpers = [] } = options;
    this.define({ info, programs, maps, interfaces, helpers });
  }

  get programCount(): number {
    return this.programs;
  }
  get mapCount(): number {
    return this.maps.length;
  }
  get interfaceCount(): number {
    return this.interfaces;
  }
  get runCount(): number {
    return this.runs.nextIndex;
  }
  get pendingBytes(): number {
    return this.partsBytes;
  }

  take(): Uint8Array {
    const taken = joinBytes(this.parts);
    this.parts = [];
    this.partsBytes = 0;
    return taken;
  }

  defineProgram(program: TraceProgram): number {
    this.define({ programs: [program] });
    return this.programs - 1;
  }

  defineMap(map: TraceMap): number {
    this.define({ maps: [map] });
    return this.maps.length - 1;
  }

  defineHelper(helper: TraceHelper): number {
    this.define({ helpers: [helper] });
    return this.helpers - 1;
  }

  defineInterface(description: TraceInterface): number {
    this.define({ interfaces: [description] });
    return this.interfaces - 1;
  }

  writeContents(contents: MapContents): void {
    this.flush();
    const map = this.mapAt(contents.mapIdx);
    const valueBytes = map.valueBytes * (map.slotCount ?? 1);
    checkLength("keys", contents.keys, contents.entryCount * map.keyBytes);
    checkLength("values", contents.values, contents.entryCount * valueBytes);
    const step = Math.max(1, Math.floor(this.blockBytes / Math.max(1, map.keyBytes + valueBytes)));
    let from = 0;
    do {
      const to = Math.min(contents.entryCount, from + step);
      const part: MapContents = {
        mapIdx: contents.mapIdx,
        entryCount: to - from,
        keys: contents.keys.subarray(from * map.keyBytes, to * map.keyBytes),
        values: contents.values.subarray(from * valueBytes, to * valueBytes),
      };
      this.block(BLOCK_TYPE.contents, encodeContents(part));
      from = to;
      // An empty map has contents too: none.
    } while (from < contents.entryCount);
  }

  writeRun(run: TraceRunInput): void {
    const tsNs = checkU64("tsNs", run.tsNs);
    const r0 = checkU64("r0", run.r0 ?? 0n);
    this.addRun(
      run,
      hiOf(tsNs) >>> 0,
      loOf(tsNs) >>> 0,
      run.originalBytes ?? run.packet?.byteLength ?? 0,
      hiOf(r0) >>> 0,
      loOf(r0) >>> 0,
    );
  }

  writeRunFrom(cursor: PacketCursor, more: RunColumns = {}): void {
    const { ticks } = this;
    if (!joinTicks(ticks, cursor.tsSec, cursor.tsNanos, NANOSECOND_SCALE)) {
      const tsNs = checkU64("tsNs", cursor.tsNs());
      ticks.ticksHi = hiOf(tsNs) >>> 0;
      ticks.ticksLo = loOf(tsNs) >>> 0;
    }
    const r0 = checkU64("r0", more.r0 ?? 0n);
    const run = {
      hasTime: cursor.hasTime,
      interfaceIdx: cursor.interfaceIdx,
      ...more,
      packet: cursor.data(),
    };
    this.addRun(run, ticks.ticksHi, ticks.ticksLo, cursor.originalBytes, hiOf(r0) >>> 0, loOf(r0) >>> 0);
  }

  writeEvent(event: TraceEvent): void {
    this.checkOpen();
    if (event.kind === "map") this.mapAt(event.mapIdx);
    if (event.kind === "call") for (const change of event.changes ?? []) this.mapAt(change.mapIdx);
    checkEvent(event);
    const isBefore = event.phase === "before";
    // Only before a run's first event, and not between a run and its events, may the block at hand be closed.
    if (isBefore) this.closeIfFull();
    else if (this.runs.runCount === 0) throw noRunForEvent(event.kind);
    const encoded = encodeEvent(isBefore ? this.runs.runCount : this.runs.runCount - 1, event);
    const size: Measure = { bytes: 0, values: 0 };
    measure(encoded, size);
    if (size.bytes > PART_BYTES_MAX) throw tooBig(`${event.kind} event`, size.bytes, PART_BYTES_MAX);
    const isTooMuch =
      this.runs.estimatedBytes + size.bytes > BLOCK_BYTES_MAX ||
      this.runs.eventValues + size.values > BLOCK_VALUES_MAX;
    if (isTooMuch) throw tooManyEvents(this.runs.nextIndex - 1, BLOCK_VALUES_MAX, BLOCK_BYTES_MAX);
    this.runs.addEvent(encoded, size);
  }

  flush(): void {
    this.checkOpen();
    if (!this.runs.isEmpty) this.block(BLOCK_TYPE.runs, this.runs.take());
  }

  end(): void {
    this.flush();
    this.block(BLOCK_TYPE.end, { runs: this.runs.nextIndex, blocks: this.blockCount });
    this.isEnded = true;
  }

  private addRun(
    run: Omit<TraceRunInput, "tsNs">,
    tsHi: number,
    tsLo: number,
    originalBytes: number,
    r0Hi: number,
    r0Lo: number,
  ): void {
    this.checkOpen();
    const row: RunRow = {
      flags: flagsOf(run),
      tsHi,
      tsLo,
      r0Hi,
      r0Lo,
      programIdx: checkIdx("programIdx", run.programIdx ?? 0, Math.max(1, this.programs)),
      cpu: checkU32("cpu", run.cpu ?? 0),
      interfaceIdx:
        run.interfaceIdx === undefined ? 0 : checkIdx("interfaceIdx", run.interfaceIdx, this.interfaces),
      queue: checkU32("queue", run.queue ?? 0),
      originalBytes: checkU32("originalBytes", originalBytes),
    };
    checkPart("packet", run.packet?.byteLength ?? 0);
    checkPart("ctx", run.ctx?.byteLength ?? 0);
    this.closeIfFull();
    this.runs.addRun(row, run.packet, run.ctx);
  }

  private define(part: DefinitionsPart): void {
    this.flush();
    this.block(BLOCK_TYPE.definitions, encodeDefinitions(part));
    this.programs += part.programs?.length ?? 0;
    this.interfaces += part.interfaces?.length ?? 0;
    this.helpers += part.helpers?.length ?? 0;
    this.maps.push(...(part.maps ?? []));
  }

  private closeIfFull(): void {
    const isFull =
      this.runs.estimatedBytes >= this.blockBytes || this.runs.eventValues >= BLOCK_VALUES_DEFAULT;
    if (isFull) this.block(BLOCK_TYPE.runs, this.runs.take());
  }

  private block(type: number, payload: MsgpackMap): void {
    const bytes = packMap(payload);
    if (bytes.byteLength > TRACE_LIMITS.blockBytes)
      throw tooBig("a block", bytes.byteLength, TRACE_LIMITS.blockBytes);
    this.append(encodeBlockHeader(type, this.blockCount, bytes));
    this.append(bytes);
    this.blockCount++;
  }

  private append(part: Uint8Array): void {
    this.parts.push(part);
    this.partsBytes += part.byteLength;
  }

  private mapAt(mapIdx: number): TraceMap {
    const map = this.maps[mapIdx];
    if (map === undefined) throw unknownIdx("mapIdx", mapIdx, this.maps.length);
    return map;
  }

  private checkOpen(): void {
    if (this.isEnded)
      throw new InputError("TRACE_WRITER_ENDED", "the trace is closed, nothing can be written to it");
  }
}

function flagsOf(run: Omit<TraceRunInput, "tsNs">): number {
  let flags = 0;
  if (run.packet !== undefined) flags |= RUN_FLAG.packet;
  if (run.ctx !== undefined) flags |= RUN_FLAG.ctx;
  if (run.hasTime ?? true) flags |= RUN_FLAG.time;
  if (run.r0 !== undefined) flags |= RUN_FLAG.result;
  if (run.interfaceIdx !== undefined) flags |= RUN_FLAG.interface;
  if (run.queue !== undefined) flags |= RUN_FLAG.queue;
  if (run.hasAnswers === true) flags |= RUN_FLAG.answers;
  if (run.direction === "inbound") flags |= RUN_FLAG.inbound;
  if (run.direction === "outbound") flags |= RUN_FLAG.outbound;
  return flags;
}
