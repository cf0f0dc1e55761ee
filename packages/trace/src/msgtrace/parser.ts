import { InputError, UnsupportedError } from "@tsbpf/base";
import { ChunkFeed } from "../capture/feed.ts";
import { createTimeScale, splitTicks } from "../capture/time.ts";
import { TRACE_LIMITS } from "../limits.ts";
import { type TraceWarning, WarningLog } from "../warnings.ts";
import { BlockReader, type TraceBlock } from "./blocks.ts";
import type { TraceCursor } from "./cursor.ts";
import { decodeContents, decodeDefinitions, undefinedIdx } from "./definitions.ts";
import { decodeEvent, runOfEvent } from "./events.ts";
import { Fields } from "./fields.ts";
import { BLOCK_HEADER_BYTES, BLOCK_TYPE, blockTypeName, type FileVersion } from "./frame.ts";
import type { DamagedByte, TraceItem, TraceOptions, TraceParser } from "./parser-types.ts";
import { findRunSpan, type RunSpan } from "./run-span.ts";
import { decodeRuns, RUN_FLAG, RUN_FLAGS_MASK, type RunsBlock } from "./runs.ts";
import type {
  TraceEvent,
  TraceHelper,
  TraceInfo,
  TraceInterface,
  TraceMap,
  TraceProgram,
  TraceRun,
} from "./types.ts";

/** Creates a parser for tsbpf traces. */
export function createTraceParser(options: TraceOptions = {}): TraceParser {
  return new Parser(options);
}

class Parser implements TraceParser {
  readonly programs: TraceProgram[] = [];
  readonly maps: TraceMap[] = [];
  readonly interfaces: TraceInterface[] = [];
  readonly helpers: TraceHelper[] = [];
  private readonly feed: ChunkFeed;
  private readonly blocks: BlockReader;
  private readonly log: WarningLog;
  private readonly maxMetadataBytes: number;
  private metadataBytes = 0;
  private traceInfo: TraceInfo = {};
  private current: RunsBlock | undefined;
  /** Place of the next run, packet, ctx and event within the current block. */
  private run_ = 0;
  private packetAt = 0;
  private ctxAt = 0;
  private eventAt = 0;
  private runCount = 0;
  private isClosed_ = false;
  private isTailChecked = false;
  private failure: unknown;
  private readonly onDamage: TraceOptions["onDamage"];
  private readonly onBlock: TraceOptions["onBlock"];
  declaredRunCount: number | undefined;
  private readonly scale = createTimeScale({ base: 10, exponent: 9 }, 0n);
  /** Number of the block last asked for. */
  private openIdx = 0;
  /** Whether the next block has to be searched for. */
  private isLost = false;
  /** Whether blocks may be missing, so that runs cannot be counted. */
  private isBehindDamage = false;

  constructor(options: TraceOptions) {
    const { maxBlockBytes = TRACE_LIMITS.blockBytes, memory } = options;
    this.feed = new ChunkFeed(memory?.join);
    this.blocks = new BlockReader(this.feed, maxBlockBytes, memory);
    this.log = new WarningLog(options.strict ?? false);
    this.onDamage = options.onDamage;
    this.onBlock = options.onBlock;
    this.maxMetadataBytes = options.maxMetadataBytes ?? TRACE_LIMITS.metadataBytes;
  }

  get info(): TraceInfo {
    return this.traceInfo;
  }
  get warnings(): readonly TraceWarning[] {
    return this.log.list;
  }
  get version(): FileVersion | undefined {
    return this.blocks.version;
  }
  get blockCount(): number {
    return this.blocks.nextIdx;
  }
  get isClosed(): boolean {
    return this.isClosed_;
  }

  push(chunk: Uint8Array): void {
    if (this.feed.isEnded)
      throw new InputError("TRACE_ENDED", "bytes were pushed after the end of the trace");
    this.feed.push(chunk);
  }

  room(): Uint8Array | undefined {
    return this.feed.room();
  }

  isPastDefinitions(): boolean {
    if (this.current !== undefined || this.isClosed_) return true;
    const type = this.blocks.upcomingType();
    return type !== undefined && type !== BLOCK_TYPE.definitions;
  }

  end(): void {
    this.feed.isEnded = true;
  }

  next(cursor: TraceCursor): TraceItem | undefined {
    if (this.failure !== undefined) throw this.failure;
    for (;;) {
      try {
        return this.step(cursor);
      } catch (error) {
        if (this.passOver(error)) continue;
        this.failure = error;
        throw error;
      }
    }
  }

  span(): RunSpan | undefined {
    const { current, run_: run, eventAt: event, packetAt } = this;
    if (current === undefined || this.failure !== undefined || run >= current.count) return undefined;
    return findRunSpan(current, { run, event, packetAt }, this.interfaces);
  }

  skip(packetBytes: number, runs: number): void {
    this.packetAt += packetBytes;
    this.run_ += runs;
  }

  run(cursor: TraceCursor): TraceRun {
    return {
      index: cursor.index,
      tsNs: cursor.tsNs(),
      hasTime: cursor.hasTime,
      programIdx: cursor.programIdx,
      cpu: cursor.cpu,
      events: cursor.events,
      ...(cursor.hasInterface ? { interfaceIdx: cursor.interfaceIdx } : {}),
      ...(cursor.queue >= 0 ? { queue: cursor.queue } : {}),
      ...(cursor.direction === undefined ? {} : { direction: cursor.direction }),
      ...(cursor.hasPacket
        ? { packet: new Uint8Array(cursor.data()), originalBytes: cursor.originalBytes }
        : {}),
      ...(cursor.hasCtx ? { ctx: new Uint8Array(cursor.ctx()) } : {}),
      ...(cursor.hasResult ? { r0: cursor.r0() } : {}),
      ...(cursor.hasAnswers ? { hasAnswers: true } : {}),
    };
  }

  /** Reports damage and prepares to go on behind it; false when the error is not of that sort. */
  private passOver(error: unknown): boolean {
    const { blocks, feed } = this;
    const isDamage = error instanceof InputError && !(error instanceof UnsupportedError);
    if (this.onDamage === undefined || !isDamage || this.isTailChecked) return false;
    const blockIdx = blocks.version === undefined ? -1 : this.openIdx;
    const offset = Number(error.details.offset ?? feed.offset);
    const byte = error.details.byte as DamagedByte | undefined;
    this.onDamage({
      code: error.code,
      message: error.message,
      blockIdx,
      offset,
      ...(byte === undefined ? {} : { byte }),
      runFirst: this.runCount,
    });
    this.current = undefined;
    this.isBehindDamage = true;
    this.isLost = blocks.nextIdx === this.openIdx;
    // A sound header of an unexpected number is looked at again; anything else starts one byte further on.
    if (this.isLost && error.code !== "TRACE_BLOCK_ORDER") feed.pos++;
    return true;
  }

  private step(cursor: TraceCursor): TraceItem | undefined {
    for (;;) {
      const { current } = this;
      if (current !== undefined) {
        if (this.run_ < current.count) return this.fillRun(cursor, current);
        this.current = undefined;
        if (this.eventAt < current.events.lists.length) {
          cursor.clearExtras();
          cursor.events = this.takeEvents(current, current.count);
          return "events";
        }
      }
      const block = this.nextBlock();
      if (block === undefined) {
        this.checkTail();
        return undefined;
      }
      if (this.openBlock(cursor, block)) return "contents";
    }
  }

  private nextBlock(): TraceBlock | undefined {
    if (this.isClosed_) return undefined;
    if (this.isLost) {
      if (!this.blocks.resync()) return undefined;
      this.isLost = false;
    }
    this.openIdx = this.blocks.nextIdx;
    return this.blocks.next();
  }

  private fillRun(cursor: TraceCursor, block: RunsBlock): TraceItem {
    const run = this.run_++;
    const flags = block.flags.at(run);
    cursor.clearExtras();
    cursor.index = block.first + run;
    cursor.hasTime = (flags & RUN_FLAG.time) !== 0;
    cursor.ticksHi = block.time.hiAt(run);
    cursor.ticksLo = block.time.loAt(run);
    cursor.scale = this.scale;
    splitTicks(cursor, cursor.ticksHi, cursor.ticksLo, this.scale);
    cursor.programIdx = block.program.at(run);
    cursor.cpu = block.cpu.at(run);
    cursor.hasInterface = (flags & RUN_FLAG.interface) !== 0;
    cursor.interfaceIdx = block.iface.at(run);
    cursor.linkType = cursor.hasInterface ? this.linkType(cursor.interfaceIdx) : 0;
    cursor.queue = (flags & RUN_FLAG.queue) === 0 ? -1 : block.queue.at(run);
    cursor.direction =
      (flags & RUN_FLAG.inbound) !== 0
        ? "inbound"
        : (flags & RUN_FLAG.outbound) !== 0
          ? "outbound"
          : undefined;
    cursor.hasPacket = (flags & RUN_FLAG.packet) !== 0;
    cursor.capturedBytes = block.packetSizes.at(run);
    cursor.originalBytes = block.wireSizes === undefined ? cursor.capturedBytes : block.wireSizes.at(run);
    cursor.bytes = block.packets;
    cursor.dataOffset = this.packetAt;
    this.packetAt += cursor.capturedBytes;
    cursor.hasCtx = (flags & RUN_FLAG.ctx) !== 0;
    cursor.ctxSource = block.ctxs;
    cursor.ctxOffset = this.ctxAt;
    cursor.ctxBytes = block.ctxSizes.at(run);
    this.ctxAt += cursor.ctxBytes;
    cursor.hasAnswers = (flags & RUN_FLAG.answers) !== 0;
    cursor.hasResult = (flags & RUN_FLAG.result) !== 0;
    cursor.r0Hi = block.r0.hiAt(run);
    cursor.r0Lo = block.r0.loAt(run);
    if (runOfEvent(block.events, this.eventAt) === run) cursor.events = this.takeEvents(block, run);
    if (flags > RUN_FLAGS_MASK) this.warnLater(this.feed.offset, `flags ${flags} of run ${cursor.index}`);
    return "run";
  }

  private takeEvents(block: RunsBlock, run: number): TraceEvent[] {
    const events: TraceEvent[] = [];
    const { offset } = block.events;
    for (; runOfEvent(block.events, this.eventAt) === run; this.eventAt++) {
      const event = decodeEvent(block.events, this.eventAt);
      if (event === undefined) this.warnLater(offset, `event ${this.eventAt} of ${block.events.what}`);
      else {
        if (event.kind === "map") this.checkMap(event.mapIdx, offset);
        else if (event.kind === "call")
          for (const change of event.changes ?? []) this.checkMap(change.mapIdx, offset);
        events.push(event);
      }
    }
    return events;
  }

  private checkMap(mapIdx: number, offset: number): void {
    if (mapIdx >= this.maps.length) throw undefinedIdx("map", mapIdx, this.maps.length, offset);
  }

  private linkType(interfaceIdx: number): number {
    const description = this.interfaces[interfaceIdx];
    if (description === undefined)
      throw undefinedIdx("interface", interfaceIdx, this.interfaces.length, this.feed.offset);
    return description.linkType;
  }

  /** Takes in a block; true when it holds map contents, which the cursor then shows. */
  private openBlock(cursor: TraceCursor, block: TraceBlock): boolean {
    const fields = new Fields(block.payload, block.what, block.offset);
    if (block.type !== BLOCK_TYPE.runs) this.tell(block);
    if (block.type === BLOCK_TYPE.runs) this.openRuns(fields, block);
    else if (block.type === BLOCK_TYPE.definitions) this.addDefinitions(fields, block);
    else if (block.type === BLOCK_TYPE.end) this.close(fields, block);
    else if (block.type === BLOCK_TYPE.contents) {
      cursor.clearExtras();
      cursor.contents = decodeContents(fields, this.maps);
      return true;
    } else this.warnLater(block.offset, `block ${block.blockIdx} of type ${block.type}`);
    return false;
  }

  private openRuns(fields: Fields, block: TraceBlock): void {
    const first = this.isBehindDamage ? undefined : this.runCount;
    const runs = decodeRuns(fields, block.what, block.offset, first);
    this.checkIndices(runs, block.offset);
    this.current = runs;
    this.run_ = 0;
    this.packetAt = 0;
    this.ctxAt = 0;
    this.eventAt = 0;
    this.runCount = runs.first + runs.count;
    this.isBehindDamage = false;
    this.tell(block, runs);
  }

  private tell({ blockIdx, type, offset, payloadBytes }: TraceBlock, runs?: RunsBlock): void {
    this.onBlock?.({
      blockIdx,
      type: blockTypeName(type),
      offset,
      bytes: BLOCK_HEADER_BYTES + payloadBytes,
      ...(runs === undefined
        ? {}
        : { runFirst: runs.first, runCount: runs.count, eventCount: runs.events.lists.length }),
    });
  }

  private checkIndices(runs: RunsBlock, offset: number): void {
    const programEnd = Math.max(1, this.programs.length);
    const program = runs.program.max(runs.count);
    if (program >= programEnd) throw undefinedIdx("program", program, programEnd, offset);
  }

  private addDefinitions(fields: Fields, block: TraceBlock): void {
    this.metadataBytes += METADATA_FACTOR * (block.payloadBytes + BLOCK_OVERHEAD_BYTES);
    if (this.metadataBytes > this.maxMetadataBytes) {
      throw new InputError(
        "TRACE_METADATA_LIMIT",
        `definitions need more than ${this.maxMetadataBytes} bytes, at offset ${block.offset}`,
        { details: { max: this.maxMetadataBytes, offset: block.offset } },
      );
    }
    const part = decodeDefinitions(fields, block.what, block.offset);
    if (part.info !== undefined) this.traceInfo = { ...this.traceInfo, ...part.info };
    for (const program of part.programs) this.programs.push(program);
    for (const map of part.maps) this.maps.push(map);
    for (const description of part.interfaces) this.interfaces.push(description);
    for (const helper of part.helpers) this.helpers.push(helper);
  }

  private close(fields: Fields, block: TraceBlock): void {
    const runs = fields.uint("runs", Number.MAX_SAFE_INTEGER);
    const blocks = fields.uint("blocks");
    if (runs !== this.runCount && !this.isBehindDamage)
      throw fields.wrong("runs", `${this.runCount} runs, as many as there were,`);
    if (blocks !== block.blockIdx)
      throw fields.wrong("blocks", `${block.blockIdx} blocks, as many as there were,`);
    this.isClosed_ = true;
    this.declaredRunCount = runs;
  }

  private checkTail(): void {
    const { feed, blocks } = this;
    while (this.isClosed_ && feed.ensure(1)) {
      const { offset } = feed;
      feed.pos = feed.end;
      this.log.add("TRACE_AFTER_END", offset, () => `bytes follow the end block, at offset ${offset}`);
    }
    if (!feed.isEnded || this.isTailChecked) return;
    this.isTailChecked = true;
    const { offset, restBytes, wantedBytes } = feed;
    if (blocks.version === undefined) {
      throw new InputError(
        "TRACE_HEADER_TRUNCATED",
        `file ends within its header: ${restBytes} of ${wantedBytes} bytes are there`,
      );
    }
    if (this.isClosed_) return;
    if (restBytes > 0) {
      this.log.add(
        "TRACE_TRUNCATED",
        offset,
        () =>
          `file ends within block ${blocks.nextIdx}: ${restBytes} of ${wantedBytes} bytes are there, at offset ${offset}`,
      );
    }
    this.log.add(
      "TRACE_NOT_CLOSED",
      offset,
      () => `trace ends without an end block, after ${blocks.nextIdx} blocks: its writer was stopped`,
    );
  }

  private warnLater(offset: number, found: string): void {
    const { version } = this.blocks;
    this.log.add(
      "TRACE_LATER_VERSION",
      offset,
      () =>
        `${found} is unknown to version 1.0 and passed over, the file has version ${version?.major}.${version?.minor}, at offset ${offset}`,
    );
  }
}

/** Decoded definitions take more memory than their bytes. */
const METADATA_FACTOR = 4;
const BLOCK_OVERHEAD_BYTES = 64;
