import { InputError } from "@tsbpf/base";
import type { PacketCursor } from "../capture/cursor.ts";
import type { ChunkFeed } from "../capture/feed.ts";
import { BULK_LINK_TYPES } from "../capture/link-types.ts";
import type { FormatReader, PcapSpan, ReaderContext } from "../capture/reader.ts";
import { createTimeScale } from "../capture/time.ts";
import type { PacketAnnotations } from "../capture/types.ts";
import { TRACE_LIMITS } from "../limits.ts";
import { decodePcapHeader, PCAP_HEADER_BYTES, PCAP_RECORD_BYTES } from "./header.ts";

const NO_ANNOTATIONS: PacketAnnotations = Object.freeze({});
const US_PER_SEC = 1_000_000;
const NS_PER_SEC = 1_000_000_000;
const NS_PER_US = 1000;

/** Reads pcap files of both byte orders and both resolutions. */
export class PcapReader implements FormatReader {
  private readonly feed: ChunkFeed;
  private readonly context: ReaderContext;
  private isStarted = false;
  private isLittle = true;
  private fractionEnd = 0;
  private nsPerFraction = 0;
  private linkType = 0;
  private snaplenBytes = 0;
  private packetBytesMax = 0;
  private packetCount = 0;

  constructor(feed: ChunkFeed, context: ReaderContext) {
    this.feed = feed;
    this.context = context;
  }

  next(cursor: PacketCursor): boolean {
    const feed = this.feed;
    if (!this.isStarted && !this.start()) return false;
    if (!feed.ensure(PCAP_RECORD_BYTES)) return false;
    const capturedBytes = feed.view.getUint32(feed.pos + 8, this.isLittle);
    if (capturedBytes > this.packetBytesMax) this.refuseLength(capturedBytes);
    if (!feed.ensure(PCAP_RECORD_BYTES + capturedBytes)) return false;

    const { view, pos } = feed;
    const fraction = view.getUint32(pos + 4, this.isLittle);
    const originalBytes = view.getUint32(pos + 12, this.isLittle);
    cursor.tsSec = view.getUint32(pos, this.isLittle);
    cursor.tsNanos = fraction * this.nsPerFraction;
    if (fraction >= this.fractionEnd) this.carryFraction(cursor, fraction);
    if (originalBytes < capturedBytes || capturedBytes > this.snaplenBytes)
      this.warnLengths(capturedBytes, originalBytes);
    cursor.index = this.packetCount++;
    cursor.hasTime = true;
    cursor.capturedBytes = capturedBytes;
    cursor.originalBytes = originalBytes;
    cursor.bytes = feed.bytes;
    cursor.bytesFileOffset = feed.baseOffset;
    cursor.dataOffset = pos + PCAP_RECORD_BYTES;
    cursor.interfaceIdx = 0;
    cursor.linkType = this.linkType;
    cursor.fileOffset = feed.baseOffset + pos;
    cursor.blockType = 0;
    cursor.blockDropCount = -1;
    cursor.optionsBytes = 0;
    cursor.isLittle = this.isLittle;
    cursor.scale = null;
    feed.pos = pos + PCAP_RECORD_BYTES + capturedBytes;
    return true;
  }

  /** Returns the unread records of the chunk at hand; undefined where there are none, or only in the feed's own memory. */
  span(): PcapSpan | undefined {
    const { feed } = this;
    if (!this.isStarted && !this.start()) return undefined;
    if (!feed.ensure(1) || !feed.isInPlace) return undefined;
    return {
      bytes: feed.bytes,
      start: feed.pos,
      end: feed.end,
      index: this.packetCount,
      isLittle: this.isLittle,
      linkType: this.linkType,
      plainBytesMax: Math.min(this.packetBytesMax, this.snaplenBytes),
      fractionEnd: this.fractionEnd,
      nsPerFraction: this.nsPerFraction,
    };
  }

  skip(bytes: number, packets: number): void {
    this.feed.pass(bytes);
    this.packetCount += packets;
  }

  annotations(): PacketAnnotations {
    return NO_ANNOTATIONS;
  }

  describeTail(): string {
    return this.isStarted ? `packet ${this.packetCount}` : "the file header";
  }

  isHeaderMissing(): boolean {
    return !this.isStarted;
  }

  private start(): boolean {
    const { feed, context } = this;
    if (!feed.ensure(PCAP_HEADER_BYTES)) return false;
    const header = decodePcapHeader(feed.bytes.subarray(feed.pos, feed.pos + PCAP_HEADER_BYTES));
    const fileOffset = feed.offset;
    feed.pos += PCAP_HEADER_BYTES;
    const isNs = header.resolution === "ns";
    this.isLittle = header.endian === "little";
    this.fractionEnd = isNs ? NS_PER_SEC : US_PER_SEC;
    this.nsPerFraction = isNs ? 1 : NS_PER_US;
    this.linkType = header.linkType;
    this.packetBytesMax = context.maxPacketBytes ?? packetBytesLimit(header.linkType);
    this.snaplenBytes = header.snaplenBytes === 0 ? this.packetBytesMax : header.snaplenBytes;
    const timeResolution = { base: 10, exponent: isNs ? 9 : 6 } as const;
    context.sections.push({ endian: header.endian, fileOffset });
    context.interfaces.push({
      index: 0,
      sectionIdx: 0,
      linkType: header.linkType,
      snaplenBytes: header.snaplenBytes,
      timeResolution,
      timeOffsetSec: 0n,
      ...(header.fcsBytes === undefined ? {} : { fcsBytes: header.fcsBytes }),
    });
    context.scales.push(createTimeScale(timeResolution, 0n));
    this.isStarted = true;
    return true;
  }

  private refuseLength(capturedBytes: number): never {
    const offset = this.feed.offset;
    throw new InputError(
      "PCAP_PACKET_LENGTH",
      `packet ${this.packetCount} claims ${capturedBytes} captured bytes, at most ${this.packetBytesMax} are allowed, at offset ${offset + 8}`,
      { details: { index: this.packetCount, capturedBytes, max: this.packetBytesMax, offset } },
    );
  }

  private carryFraction(cursor: PacketCursor, fraction: number): void {
    const carry = Math.floor(fraction / this.fractionEnd);
    cursor.tsSec += carry;
    cursor.tsNanos = (fraction - carry * this.fractionEnd) * this.nsPerFraction;
    const { offset } = this.feed;
    this.context.warnings.add(
      "PCAP_TIME_FRACTION",
      offset,
      () =>
        `packet ${this.packetCount} has a second's fraction of ${fraction}, less than ${this.fractionEnd} expected, at offset ${offset + 4}`,
    );
  }

  private warnLengths(capturedBytes: number, originalBytes: number): void {
    const { offset } = this.feed;
    const index = this.packetCount;
    if (originalBytes < capturedBytes) {
      this.context.warnings.add(
        "PCAP_ORIGINAL_LENGTH",
        offset,
        () =>
          `packet ${index} has ${capturedBytes} captured bytes of ${originalBytes} original ones, at offset ${offset + 8}`,
      );
    }
    if (capturedBytes > this.snaplenBytes) {
      this.context.warnings.add(
        "PCAP_SNAPLEN",
        offset,
        () =>
          `packet ${index} has ${capturedBytes} captured bytes, the file header allows ${this.snaplenBytes}, at offset ${offset + 8}`,
      );
    }
  }
}

function packetBytesLimit(linkType: number): number {
  return BULK_LINK_TYPES.has(linkType) ? TRACE_LIMITS.bulkPacketBytes : TRACE_LIMITS.packetBytes;
}
