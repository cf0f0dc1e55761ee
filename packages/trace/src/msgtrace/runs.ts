import { Column, U32ColumnBuilder, U64ColumnBuilder } from "./columns.ts";
import { type EventLists, type Measure, openEvents } from "./events.ts";
import type { Fields } from "./fields.ts";
import type { MsgpackMap } from "./msgpack.ts";
import { compact } from "./packet-notes.ts";

/** Bits of the flags column. */
export const RUN_FLAG = {
  packet: 1,
  ctx: 2,
  time: 4,
  result: 8,
  interface: 16,
  queue: 32,
  inbound: 64,
  outbound: 128,
  answers: 256,
} as const;
export const RUN_FLAGS_MASK = 0x1ff;

/** One run in the form that columns take. */
export interface RunRow {
  readonly flags: number;
  readonly tsHi: number;
  readonly tsLo: number;
  readonly programIdx: number;
  readonly cpu: number;
  readonly interfaceIdx: number;
  readonly queue: number;
  readonly originalBytes: number;
  readonly r0Hi: number;
  readonly r0Lo: number;
}

const EMPTY = new Uint8Array(0);
const NO_EVENTS: readonly unknown[] = [];

/** Gathers the runs and events of one block. */
export class RunsBuilder {
  private readonly flags = new U32ColumnBuilder();
  private readonly time = new U64ColumnBuilder();
  private readonly program = new U32ColumnBuilder();
  private readonly cpu = new U32ColumnBuilder();
  private readonly iface = new U32ColumnBuilder();
  private readonly queue = new U32ColumnBuilder();
  private readonly packetSizes = new U32ColumnBuilder();
  private readonly wireSizes = new U32ColumnBuilder();
  private readonly ctxSizes = new U32ColumnBuilder();
  private readonly r0 = new U64ColumnBuilder();
  private readonly packets = new Bytes();
  private readonly ctxs = new Bytes();
  private events: (readonly unknown[])[] = [];
  private eventSize: Measure = { bytes: 0, values: 0 };
  private isWireOther = false;
  private first = 0;
  private count = 0;

  /** Runs in the block so far. */
  get runCount(): number {
    return this.count;
  }
  /** Index of the next run in the whole trace. */
  get nextIndex(): number {
    return this.first + this.count;
  }
  get isEmpty(): boolean {
    return this.count === 0 && this.events.length === 0;
  }
  /** How many values the events take, list heads included. */
  get eventValues(): number {
    return this.eventSize.values;
  }
  /** About how many bytes the block will have. */
  get estimatedBytes(): number {
    return this.packets.lengthBytes + this.ctxs.lengthBytes + this.eventSize.bytes + this.count * ROW_BYTES;
  }

  addRun(row: RunRow, packet: Uint8Array = EMPTY, ctx: Uint8Array = EMPTY): void {
    this.flags.push(row.flags);
    this.time.push(row.tsHi, row.tsLo);
    this.program.push(row.programIdx);
    this.cpu.push(row.cpu);
    this.iface.push(row.interfaceIdx);
    this.queue.push(row.queue);
    this.packetSizes.push(packet.byteLength);
    this.wireSizes.push(row.originalBytes);
    this.ctxSizes.push(ctx.byteLength);
    this.r0.push(row.r0Hi, row.r0Lo);
    this.packets.push(packet);
    this.ctxs.push(ctx);
    if (row.originalBytes !== packet.byteLength) this.isWireOther = true;
    this.count++;
  }

  /** Adds an event, encoded for this block. */
  addEvent(event: readonly unknown[], size: Measure): void {
    this.events.push(event);
    this.eventSize.bytes += size.bytes;
    this.eventSize.values += size.values;
  }

  /** Returns the payload and starts the next block. */
  take(): MsgpackMap {
    const wire = this.wireSizes.take();
    const payload = compact({
      first: this.first,
      count: this.count,
      flags: this.flags.take(),
      time: this.time.takeBytes(),
      program: this.program.take(),
      cpu: this.cpu.take(),
      iface: this.iface.take(),
      queue: this.queue.take(),
      packetBytes: this.packetSizes.take(),
      wireBytes: this.isWireOther ? (wire ?? 0) : undefined,
      packets: this.packets.take(),
      ctxBytes: this.ctxSizes.take(),
      ctxs: this.ctxs.take(),
      r0: this.r0.take(),
      events: this.events.length === 0 ? undefined : this.events,
    });
    this.first += this.count;
    this.count = 0;
    this.events = [];
    this.eventSize = { bytes: 0, values: 0 };
    this.isWireOther = false;
    return payload;
  }
}

/** What the columns of one run take, at most. */
const ROW_BYTES = 48;

/** A growing row of bytes. */
class Bytes {
  private bytes = EMPTY;
  private end = 0;

  get lengthBytes(): number {
    return this.end;
  }

  push(part: Uint8Array): void {
    const need = this.end + part.byteLength;
    if (need > this.bytes.byteLength) {
      const grown = new Uint8Array(Math.max(need, 2 * this.bytes.byteLength));
      grown.set(this.bytes.subarray(0, this.end));
      this.bytes = grown;
    }
    this.bytes.set(part, this.end);
    this.end = need;
  }

  take(): Uint8Array | undefined {
    const taken = this.end === 0 ? undefined : this.bytes.subarray(0, this.end);
    this.end = 0;
    return taken;
  }
}

/** One block of runs, ready to be walked; its bytes alias the payload. */
export interface RunsBlock {
  readonly first: number;
  readonly count: number;
  readonly flags: Column;
  readonly time: Column;
  readonly program: Column;
  readonly cpu: Column;
  readonly iface: Column;
  readonly queue: Column;
  readonly packetSizes: Column;
  /** Undefined: as many as the packet has. */
  readonly wireSizes: Column | undefined;
  readonly packets: Uint8Array;
  readonly ctxSizes: Column;
  readonly ctxs: Uint8Array;
  readonly r0: Column;
  /** In the order of their runs. */
  readonly events: EventLists;
}

/**
 * Decodes a block of runs and checks that its parts fit together.
 *
 * @param first - the index its first run must have; undefined behind damage, where runs may be missing.
 * @throws TRACE_FIELD, TRACE_EVENT_ORDER (InputError).
 */
export function decodeRuns(
  fields: Fields,
  what: string,
  offset: number,
  first: number | undefined,
): RunsBlock {
  const found = fields.uint("first", Number.MAX_SAFE_INTEGER);
  if (first !== undefined && found !== first) throw fields.wrong("first", `run index ${first}`);
  const count = fields.uint("count");
  const time = Column.u64Bytes(fields, "time", count);
  const packetSizes = Column.u32(fields, "packetBytes", count);
  const ctxSizes = Column.u32(fields, "ctxBytes", count);
  const packets = fields.has("packets") ? fields.view("packets") : EMPTY;
  const ctxs = fields.has("ctxs") ? fields.view("ctxs") : EMPTY;
  const packetsBytes = packetSizes.sum(count);
  const ctxsBytes = ctxSizes.sum(count);
  if (packets.byteLength !== packetsBytes) throw fields.wrong("packets", `${packetsBytes} bytes`);
  if (ctxs.byteLength !== ctxsBytes) throw fields.wrong("ctxs", `${ctxsBytes} bytes`);
  return {
    first: found,
    count,
    flags: Column.u32(fields, "flags", count),
    time,
    program: Column.u32(fields, "program", count),
    cpu: Column.u32(fields, "cpu", count),
    iface: Column.u32(fields, "iface", count),
    queue: Column.u32(fields, "queue", count),
    packetSizes,
    wireSizes: fields.has("wireBytes") ? Column.u32(fields, "wireBytes", count) : undefined,
    packets,
    ctxSizes,
    ctxs,
    r0: Column.u64(fields, "r0", count),
    events: openEvents(fields.has("events") ? fields.list("events") : NO_EVENTS, what, offset, count),
  };
}
