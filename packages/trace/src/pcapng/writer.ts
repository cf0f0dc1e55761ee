import { type Endian, InputError, printHex } from "@tsbpf/base";
import { checkU32, checkUpTo } from "../capture/checks.ts";
import type { PacketCursor } from "../capture/cursor.ts";
import { linkTypeName } from "../capture/link-types.ts";
import { ByteSink } from "../capture/sink.ts";
import { createTimeScale, joinTicks, nsToTicks, type TimeScale, ticksToNs } from "../capture/time.ts";
import type {
  InterfaceDescription,
  InterfaceStatistics,
  NameEntry,
  PacketAnnotations,
  SectionDescription,
} from "../capture/types.ts";
import type {
  CaptureWriter,
  PacketChanges,
  PacketInput,
  PcapngWriterOptions,
} from "../capture/writer-types.ts";
import { TRACE_LIMITS } from "../limits.ts";
import { type TraceWarning, WarningLog } from "../warnings.ts";
import { BLOCK } from "./constants.ts";
import { encodeInterface, encodeNames, encodeSection, encodeStatistics } from "./metadata-writer.ts";
import { OptionWriter } from "./option-writer.ts";
import { padTo4 } from "./options.ts";
import { encodePacketOptions, hasAnnotations } from "./packet-writer.ts";

const NANOSECONDS = { base: 10, exponent: 9 } as const;
const TICKS_END = 1n << 64n;
const LOW_MASK = 0xffff_ffffn;

interface WriterInterface {
  readonly linkType: number;
  readonly snaplenBytes: number;
  readonly scale: TimeScale;
}

/** Where a packet's bytes lie. */
interface PacketBytes {
  readonly bytes: Uint8Array;
  readonly offset: number;
  readonly capturedBytes: number;
  readonly originalBytes: number;
}

/** Writes pcapng files; see `CaptureWriter`. */
export class PcapngWriter implements CaptureWriter {
  readonly format = "pcapng";
  private readonly sink: ByteSink;
  private readonly log: WarningLog;
  private readonly interfaces: WriterInterface[] = [];
  private readonly ticks = { ticksHi: 0, ticksLo: 0 };
  private sectionBase = 0;
  private packetCount = 0;

  constructor(options: PcapngWriterOptions) {
    this.log = new WarningLog(options.strict ?? false);
    this.sink = new ByteSink(options.endian ?? "little");
    this.startSection(options.section, options.endian);
    for (const description of options.interfaces ?? []) this.addInterface(description);
  }

  get warnings(): readonly TraceWarning[] {
    return this.log.list;
  }
  get interfaceCount(): number {
    return this.interfaces.length;
  }
  get pendingBytes(): number {
    return this.sink.lengthBytes;
  }

  private get endian(): Endian {
    return this.sink.isLittle ? "little" : "big";
  }

  take(): Uint8Array {
    return this.sink.take();
  }

  startSection(section: SectionDescription = {}, endian: Endian = this.endian): void {
    const wasLittle = this.sink.isLittle;
    this.sink.isLittle = endian === "little";
    this.block(
      BLOCK.section,
      (options) => encodeSection(this.sink, options, section),
      () => {
        this.sink.isLittle = wasLittle;
      },
    );
    this.sectionBase = this.interfaces.length;
  }

  addInterface(description: InterfaceDescription): number {
    const resolution = description.timeResolution ?? NANOSECONDS;
    checkUpTo("timeResolution.exponent", resolution.exponent, 0x7f);
    const scale = createTimeScale(resolution, description.timeOffsetSec ?? 0n);
    const snaplenBytes = description.snaplenBytes ?? 0;
    this.block(BLOCK.interface, (options) => encodeInterface(this.sink, options, description, resolution));
    return this.interfaces.push({ linkType: description.linkType, snaplenBytes, scale }) - 1;
  }

  write(packet: PacketInput): void {
    const idx = packet.interfaceIdx ?? 0;
    const target = this.interfaceAt(idx, packet.linkType);
    const place: PacketBytes = {
      bytes: packet.data,
      offset: 0,
      capturedBytes: packet.data.byteLength,
      originalBytes: checkU32("originalBytes", packet.originalBytes ?? packet.data.byteLength),
    };
    if (packet.hasTime ?? true) {
      this.setTicks(this.exactTicks(packet.tsNs, packet.tsTicks, target.scale));
      this.putTimed(idx, place, packet);
    } else {
      this.putUntimed(idx, place, packet);
    }
  }

  writeFrom(cursor: PacketCursor, changes: PacketChanges = {}): void {
    const idx = changes.interfaceIdx ?? cursor.interfaceIdx;
    const { scale } = this.interfaceAt(idx, cursor.linkType);
    const { data } = changes;
    const place: PacketBytes = {
      bytes: data ?? cursor.bytes,
      offset: data === undefined ? cursor.dataOffset : 0,
      capturedBytes: data === undefined ? cursor.capturedBytes : data.byteLength,
      originalBytes: checkU32(
        "originalBytes",
        changes.originalBytes ?? data?.byteLength ?? cursor.originalBytes,
      ),
    };
    if (!cursor.hasTime) {
      this.putUntimed(idx, place, changes);
      return;
    }
    const from = cursor.scale;
    if (from !== null && from.ticksPerSecBig === scale.ticksPerSecBig && from.offsetSec === scale.offsetSec) {
      this.ticks.ticksHi = cursor.ticksHi;
      this.ticks.ticksLo = cursor.ticksLo;
    } else if (!joinTicks(this.ticks, cursor.tsSec, cursor.tsNanos, scale)) {
      this.setTicks(this.exactTicks(cursor.tsNs(), undefined, scale));
    }
    this.putTimed(idx, place, changes);
  }

  writeStatistics(interfaceIdx: number, statistics: InterfaceStatistics): void {
    const { scale } = this.interfaceAt(interfaceIdx, undefined);
    const ticksOf = (ns: bigint): bigint => this.exactTicks(ns, undefined, scale);
    this.block(BLOCK.statistics, (options) => {
      this.sink.u32(interfaceIdx - this.sectionBase);
      encodeStatistics(this.sink, options, statistics, ticksOf);
      return 0;
    });
  }

  writeNames(entries: readonly NameEntry[]): void {
    this.block(BLOCK.names, () => {
      encodeNames(this.sink, entries);
      return 0;
    });
  }

  private putTimed(idx: number, place: PacketBytes, annotations: PacketAnnotations): void {
    const { sink, ticks } = this;
    this.block(BLOCK.enhancedPacket, (options) => {
      sink.u32(idx - this.sectionBase);
      sink.u32(ticks.ticksHi);
      sink.u32(ticks.ticksLo);
      sink.u32(place.capturedBytes);
      sink.u32(place.originalBytes);
      this.putData(place);
      return encodePacketOptions(options, annotations, sink.isLittle);
    });
    this.packetCount++;
  }

  /** Writes a Simple Packet Block, which alone has no time; what it cannot hold becomes an enhanced one of time 0. */
  private putUntimed(idx: number, place: PacketBytes, annotations: PacketAnnotations): void {
    const snaplenBytes = this.interfaces[idx]?.snaplenBytes ?? 0;
    const impliedBytes =
      snaplenBytes === 0 ? place.originalBytes : Math.min(place.originalBytes, snaplenBytes);
    const isFirst = idx === this.sectionBase;
    if (isFirst && impliedBytes === place.capturedBytes && !hasAnnotations(annotations)) {
      this.block(BLOCK.simplePacket, () => {
        this.sink.u32(place.originalBytes);
        this.putData(place);
        return 0;
      });
      this.packetCount++;
      return;
    }
    this.log.add(
      "PCAPNG_TIME_MISSING",
      0,
      () =>
        `packet ${this.packetCount} has no timestamp, and only plain packets of a section's first interface can be written without: 0 is written`,
    );
    this.ticks.ticksHi = 0;
    this.ticks.ticksLo = 0;
    this.putTimed(idx, place, annotations);
  }

  private putData({ bytes, offset, capturedBytes }: PacketBytes): void {
    this.sink.raw(bytes.subarray(offset, offset + capturedBytes));
    this.sink.zeros(padTo4(capturedBytes) - capturedBytes);
  }

  private interfaceAt(idx: number, linkType: number | undefined): WriterInterface {
    const found = idx < this.sectionBase ? undefined : this.interfaces[idx];
    if (found === undefined) {
      throw new InputError(
        "TRACE_INTERFACE",
        `packet ${this.packetCount} refers to interface ${idx}, the section has ${this.sectionBase}..${this.interfaces.length - 1}: add it before`,
        { details: { interface: idx, first: this.sectionBase, end: this.interfaces.length } },
      );
    }
    if (linkType === undefined || linkType === found.linkType) return found;
    throw new InputError(
      "TRACE_LINK_TYPE",
      `packet ${this.packetCount} has link type ${linkTypeName(linkType)}, its interface ${idx} has ${linkTypeName(found.linkType)}`,
      { details: { linkType, interface: idx, interfaceLinkType: found.linkType } },
    );
  }

  private setTicks(ticks: bigint): void {
    this.ticks.ticksHi = Number(ticks >> 32n);
    this.ticks.ticksLo = Number(ticks & LOW_MASK);
  }

  private exactTicks(tsNs: bigint, tsTicks: bigint | undefined, scale: TimeScale): bigint {
    // In a unit finer than a nanosecond the raw timestamp says more than `tsNs`, if it is in this interface's unit.
    const isSame =
      tsTicks !== undefined && ticksToNs(Number(tsTicks >> 32n), Number(tsTicks & LOW_MASK), scale) === tsNs;
    const { ticks, isExact } = isSame ? { ticks: tsTicks, isExact: true } : nsToTicks(tsNs, scale);
    if (ticks < 0n || ticks >= TICKS_END) {
      const { base, exponent } = scale.resolution;
      throw new InputError(
        "PCAPNG_TIME_RANGE",
        `packet ${this.packetCount} has time ${tsNs} ns, which 64 bits of ${base}^-${exponent} s from second ${scale.offsetSec} on do not hold`,
        { details: { tsNs, resolution: scale.resolution, offsetSec: scale.offsetSec } },
      );
    }
    if (!isExact) {
      this.log.add(
        "PCAPNG_TIME_ROUNDED",
        0,
        () => `packet ${this.packetCount} has time ${tsNs} ns, which its interface's unit rounds down`,
      );
    }
    return ticks;
  }

  private warnOptions(droppedCount: number): void {
    this.log.add(
      "PCAPNG_OPTION_DROPPED",
      0,
      () =>
        `packet ${this.packetCount} has ${droppedCount} unknown options of the other byte order, which cannot be converted`,
    );
  }

  /** Appends one block; when encoding fails, nothing of it remains. `encode` returns how many options it left out. */
  private block(type: number, encode: (options: OptionWriter) => number, undo?: () => void): void {
    const { sink } = this;
    const start = sink.lengthBytes;
    const options = new OptionWriter(sink);
    try {
      sink.u32(type);
      sink.u32(0);
      const droppedCount = encode(options);
      if (droppedCount > 0) this.warnOptions(droppedCount);
      options.end();
      const totalBytes = sink.lengthBytes - start + 4;
      if (totalBytes > TRACE_LIMITS.blockBytes) throw blockTooBig(type, totalBytes);
      sink.patchU32(start + 4, totalBytes);
      sink.u32(totalBytes);
    } catch (error) {
      sink.rollback(start);
      undo?.();
      throw error;
    }
  }
}

function blockTooBig(type: number, totalBytes: number): InputError {
  return new InputError(
    "PCAPNG_BLOCK_TOO_BIG",
    `block of type ${printHex(type)} needs ${totalBytes} bytes, readers take at most ${TRACE_LIMITS.blockBytes}`,
    { details: { type, totalBytes, max: TRACE_LIMITS.blockBytes } },
  );
}
