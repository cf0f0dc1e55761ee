import { InputError } from "@tsbpf/base";
import { checkU32 } from "../capture/checks.ts";
import type { PacketCursor } from "../capture/cursor.ts";
import { BULK_LINK_TYPES, linkTypeName } from "../capture/link-types.ts";
import { ByteSink } from "../capture/sink.ts";
import type { InterfaceDescription, PacketAnnotations } from "../capture/types.ts";
import type {
  CaptureWriter,
  PacketChanges,
  PacketInput,
  PcapWriterOptions,
} from "../capture/writer-types.ts";
import { TRACE_LIMITS } from "../limits.ts";
import { type TraceWarning, WarningLog } from "../warnings.ts";
import { encodePcapHeader } from "./header.ts";

const NS_PER_SEC = 1_000_000_000n;
const NS_PER_US = 1000;
const SEC_END = 2 ** 32;

/** The part of a packet that pcap keeps. */
interface PlainPacket {
  readonly tsSec: number;
  readonly tsNanos: number;
  readonly bytes: Uint8Array;
  readonly offset: number;
  readonly capturedBytes: number;
  readonly originalBytes: number;
}

/** Writes pcap files; see `CaptureWriter`. */
export class PcapWriter implements CaptureWriter {
  readonly format = "pcap";
  private readonly options: PcapWriterOptions;
  private readonly sink: ByteSink;
  private readonly log: WarningLog;
  private readonly isNs: boolean;
  private readonly packetBytesMax: number;
  private interfaces = 1;
  private packetCount = 0;

  constructor(options: PcapWriterOptions) {
    const endian = options.endian ?? "little";
    this.options = options;
    this.log = new WarningLog(options.strict ?? false);
    this.isNs = (options.resolution ?? "ns") === "ns";
    this.packetBytesMax = BULK_LINK_TYPES.has(options.linkType)
      ? TRACE_LIMITS.bulkPacketBytes
      : TRACE_LIMITS.packetBytes;
    this.sink = new ByteSink(endian);
    this.sink.raw(
      encodePcapHeader({
        endian,
        resolution: this.isNs ? "ns" : "us",
        snaplenBytes: checkU32("snaplenBytes", options.snaplenBytes ?? TRACE_LIMITS.packetBytes),
        linkType: options.linkType,
        ...(options.fcsBytes === undefined ? {} : { fcsBytes: options.fcsBytes }),
      }),
    );
  }

  get warnings(): readonly TraceWarning[] {
    return this.log.list;
  }
  get interfaceCount(): number {
    return this.interfaces;
  }
  get pendingBytes(): number {
    return this.sink.lengthBytes;
  }

  take(): Uint8Array {
    return this.sink.take();
  }

  addInterface(description: InterfaceDescription): number {
    this.checkLinkType(description.linkType);
    return this.interfaces++;
  }

  startSection(): never {
    throw new InputError("PCAP_NO_SECTIONS", "pcap has no sections, pcapng has");
  }

  write(packet: PacketInput): void {
    if (packet.linkType !== undefined) this.checkLinkType(packet.linkType);
    const hasTime = packet.hasTime ?? true;
    const tsNs = hasTime ? packet.tsNs : 0n;
    if (!hasTime) this.warn("PCAP_TIME_MISSING", "has no timestamp, which pcap cannot say: 0 is written");
    const nanos = ((tsNs % NS_PER_SEC) + NS_PER_SEC) % NS_PER_SEC;
    this.warnAnnotations(packet);
    this.put({
      tsSec: Number((tsNs - nanos) / NS_PER_SEC),
      tsNanos: Number(nanos),
      bytes: packet.data,
      offset: 0,
      capturedBytes: packet.data.byteLength,
      originalBytes: packet.originalBytes ?? packet.data.byteLength,
    });
  }

  writeFrom(cursor: PacketCursor, changes: PacketChanges = {}): void {
    this.checkLinkType(cursor.linkType);
    if (!cursor.hasTime)
      this.warn("PCAP_TIME_MISSING", "has no timestamp, which pcap cannot say: 0 is written");
    this.warnAnnotations(changes);
    const { data } = changes;
    this.put({
      tsSec: cursor.tsSec,
      tsNanos: cursor.tsNanos,
      bytes: data ?? cursor.bytes,
      offset: data === undefined ? cursor.dataOffset : 0,
      capturedBytes: data === undefined ? cursor.capturedBytes : data.byteLength,
      originalBytes: changes.originalBytes ?? data?.byteLength ?? cursor.originalBytes,
    });
  }

  writeStatistics(): void {
    this.warn("PCAP_STATISTICS_DROPPED", "is followed by interface statistics, which pcap cannot hold");
  }

  writeNames(): void {
    this.warn("PCAP_NAMES_DROPPED", "is followed by names, which pcap cannot hold");
  }

  private put(packet: PlainPacket): void {
    const { tsSec, tsNanos, capturedBytes, offset } = packet;
    const originalBytes = checkU32("originalBytes", packet.originalBytes);
    if (tsSec < 0 || tsSec >= SEC_END) {
      throw new InputError(
        "PCAP_TIME_RANGE",
        `packet ${this.packetCount} lies ${tsSec} seconds after 1970, pcap holds 0..${SEC_END - 1}`,
      );
    }
    if (capturedBytes > this.packetBytesMax) {
      throw new InputError(
        "PCAP_PACKET_TOO_BIG",
        `packet ${this.packetCount} has ${capturedBytes} bytes, readers take at most ${this.packetBytesMax} of ${linkTypeName(this.options.linkType)}`,
      );
    }
    if (!this.isNs && tsNanos % NS_PER_US !== 0) {
      this.warn("PCAP_TIME_ROUNDED", `lies ${tsNanos} ns after the second, which microseconds round down`);
    }
    const { sink } = this;
    sink.u32(tsSec);
    sink.u32(this.isNs ? tsNanos : Math.floor(tsNanos / NS_PER_US));
    sink.u32(capturedBytes);
    sink.u32(originalBytes);
    sink.raw(packet.bytes.subarray(offset, offset + capturedBytes));
    this.packetCount++;
  }

  private checkLinkType(linkType: number): void {
    if (linkType === this.options.linkType) return;
    throw new InputError(
      "PCAP_MIXED_LINK_TYPES",
      `link type ${linkTypeName(linkType)} cannot go into a pcap file of ${linkTypeName(this.options.linkType)}, pcapng holds both`,
      { details: { linkType, fileLinkType: this.options.linkType } },
    );
  }

  private warnAnnotations(packet: PacketAnnotations): void {
    const { direction, flags, queue, dropCount, packetId, verdicts, comments, otherOptions } = packet;
    const first =
      direction ??
      flags ??
      queue ??
      dropCount ??
      packetId ??
      verdicts?.[0] ??
      comments?.[0] ??
      otherOptions?.[0];
    if (first === undefined) return;
    this.warn(
      "PCAP_ANNOTATIONS_DROPPED",
      "has a comment, direction, queue or verdict, which pcap cannot hold",
    );
  }

  private warn(code: string, text: string): void {
    this.log.add(code, 0, () => `packet ${this.packetCount} ${text}`);
  }
}
