import { InputError, printHex, UnsupportedError } from "@tsbpf/base";
import type { PacketCursor } from "../capture/cursor.ts";
import type { ChunkFeed } from "../capture/feed.ts";
import type { FormatReader, ReaderContext } from "../capture/reader.ts";
import { createTimeScale, splitTicks, type TimeScale } from "../capture/time.ts";
import type { CaptureInterface, PacketAnnotations } from "../capture/types.ts";
import { type Block, blockTooShort } from "./block.ts";
import {
  BLOCK,
  BLOCK_BYTES_MIN,
  BLOCK_HEADER_BYTES,
  BYTE_ORDER_MAGIC,
  PACKET_BLOCK_NO_DROPS,
  SECTION_VERSION_MAJOR,
  skippedBlockName,
} from "./constants.ts";
import {
  decodeInterface,
  decodeNames,
  decodeSection,
  decodeStatistics,
  statisticsInterface,
} from "./metadata.ts";
import { decodePacketAnnotations } from "./packet.ts";

/** Bytes of packet blocks without data and options: header, fixed fields, trailing length. */
const ENHANCED_BYTES_MIN = 32;
const SIMPLE_BYTES_MIN = 16;
const PACKET_DATA_AT = 28;
const SIMPLE_DATA_AT = 12;
/** Minor versions that are read alike. @source pcapng §4.1 */
const SECTION_VERSION_MINORS = [0, 2];
/** What one kept object costs beside its bytes, roughly. */
const METADATA_OBJECT_BYTES = 512;
const NAME_BYTES = 64;
const SKIPPED_TYPES_MAX = 64;
const FURTHER_TYPES = -1;

/** Reads pcapng files: sections of both byte orders, every packet block, interfaces, names, statistics. */
export class PcapngReader implements FormatReader {
  private readonly feed: ChunkFeed;
  private readonly context: ReaderContext;
  private isLittle = true;
  private packetCount = 0;
  private metadataBytes = 0;
  /** Bytes of the biggest statistics block of each interface. */
  private readonly statisticsBytes = new Map<number, number>();
  /** Index of the current section's first interface within the context's. */
  private sectionBase = 0;
  private interfaces: readonly CaptureInterface[];
  private scales: readonly TimeScale[];

  constructor(feed: ChunkFeed, context: ReaderContext) {
    this.feed = feed;
    this.context = context;
    this.interfaces = context.interfaces;
    this.scales = context.scales;
  }

  next(cursor: PacketCursor): boolean {
    const feed = this.feed;
    while (feed.ensure(BLOCK_BYTES_MIN)) {
      const type = feed.view.getUint32(feed.pos, this.isLittle);
      if (type === BLOCK.section) this.readByteOrder();
      const totalBytes = feed.view.getUint32(feed.pos + 4, this.isLittle);
      if (totalBytes < BLOCK_BYTES_MIN || (totalBytes & 3) !== 0 || totalBytes > this.context.maxBlockBytes) {
        this.refuseLength(type, totalBytes);
      }
      if (!feed.ensure(totalBytes)) return false;
      const trailer = feed.view.getUint32(feed.pos + totalBytes - 4, this.isLittle);
      if (trailer !== totalBytes) this.refuseTrailer(type, totalBytes, trailer);
      const isPacket = this.readBlock(cursor, type, totalBytes);
      feed.pos += totalBytes;
      if (isPacket) {
        cursor.index = this.packetCount++;
        return true;
      }
    }
    return false;
  }

  annotations(cursor: PacketCursor): PacketAnnotations {
    return decodePacketAnnotations(cursor);
  }

  describeTail(): string {
    return this.isHeaderMissing() ? "the section header block" : `a block after ${this.packetCount} packets`;
  }

  isHeaderMissing(): boolean {
    return this.context.sections.length === 0;
  }

  private readBlock(cursor: PacketCursor, type: number, totalBytes: number): boolean {
    switch (type) {
      case BLOCK.enhancedPacket:
        return this.readTimedPacket(cursor, type, totalBytes);
      case BLOCK.simplePacket:
        return this.readSimplePacket(cursor, totalBytes);
      case BLOCK.packet:
        return this.readTimedPacket(cursor, type, totalBytes);
      case BLOCK.section:
        return this.readSection(totalBytes);
      case BLOCK.interface:
        return this.readInterface(totalBytes);
      case BLOCK.names:
        return this.readNames(totalBytes);
      case BLOCK.statistics:
        return this.readStatistics(totalBytes);
      default:
        return this.skipBlock(type);
    }
  }

  /** Reads an Enhanced Packet Block or the obsolete Packet Block; they differ in the first word only. @source pcapng §4.3 */
  private readTimedPacket(cursor: PacketCursor, type: number, totalBytes: number): boolean {
    const { view, pos } = this.feed;
    const isLittle = this.isLittle;
    const isEnhanced = type === BLOCK.enhancedPacket;
    if (totalBytes < ENHANCED_BYTES_MIN)
      this.refuseShort(isEnhanced ? "enhanced packet block" : "packet block", totalBytes, ENHANCED_BYTES_MIN);
    const localIdx = isEnhanced ? view.getUint32(pos + 8, isLittle) : view.getUint16(pos + 8, isLittle);
    const scale = this.scales[this.sectionBase + localIdx];
    const description = this.interfaces[this.sectionBase + localIdx];
    if (scale === undefined || description === undefined) return this.refuseInterface(localIdx);
    const capturedBytes = view.getUint32(pos + 20, isLittle);
    // Not `padTo4`: a length near 2^32 must not wrap.
    const dataEnd = PACKET_DATA_AT + Math.ceil(capturedBytes / 4) * 4;
    if (dataEnd > totalBytes - 4)
      return this.refusePacketLength(capturedBytes, totalBytes - 4 - PACKET_DATA_AT);

    cursor.hasTime = true;
    cursor.ticksHi = view.getUint32(pos + 12, isLittle);
    cursor.ticksLo = view.getUint32(pos + 16, isLittle);
    cursor.scale = scale;
    splitTicks(cursor, cursor.ticksHi, cursor.ticksLo, scale);
    const drops = isEnhanced ? PACKET_BLOCK_NO_DROPS : view.getUint16(pos + 10, isLittle);
    cursor.blockDropCount = drops === PACKET_BLOCK_NO_DROPS ? -1 : drops;
    cursor.optionsOffset = pos + dataEnd;
    cursor.optionsBytes = totalBytes - 4 - dataEnd;
    this.fill(cursor, type, description, capturedBytes, view.getUint32(pos + 24, isLittle), PACKET_DATA_AT);
    return true;
  }

  /** Reads a Simple Packet Block: interface 0, no timestamp; the interface's snaplen says how much is packet. @source pcapng §4.4 */
  private readSimplePacket(cursor: PacketCursor, totalBytes: number): boolean {
    if (totalBytes < SIMPLE_BYTES_MIN) this.refuseShort("simple packet block", totalBytes, SIMPLE_BYTES_MIN);
    const description = this.interfaces[this.sectionBase];
    if (description === undefined) return this.refuseInterface(0);
    const originalBytes = this.feed.view.getUint32(this.feed.pos + 8, this.isLittle);
    const { snaplenBytes } = description;
    const capturedBytes = snaplenBytes === 0 ? originalBytes : Math.min(originalBytes, snaplenBytes);
    const roomBytes = totalBytes - SIMPLE_BYTES_MIN;
    if (capturedBytes > roomBytes) return this.refusePacketLength(capturedBytes, roomBytes);
    cursor.hasTime = false;
    cursor.tsSec = 0;
    cursor.tsNanos = 0;
    cursor.scale = null;
    cursor.blockDropCount = -1;
    cursor.optionsBytes = 0;
    this.fill(cursor, BLOCK.simplePacket, description, capturedBytes, originalBytes, SIMPLE_DATA_AT);
    return true;
  }

  private fill(
    cursor: PacketCursor,
    type: number,
    description: CaptureInterface,
    capturedBytes: number,
    originalBytes: number,
    dataAt: number,
  ): void {
    const feed = this.feed;
    cursor.capturedBytes = capturedBytes;
    cursor.originalBytes = originalBytes;
    cursor.bytes = feed.bytes;
    cursor.bytesFileOffset = feed.baseOffset;
    cursor.dataOffset = feed.pos + dataAt;
    cursor.interfaceIdx = description.index;
    cursor.linkType = description.linkType;
    cursor.fileOffset = feed.baseOffset + feed.pos;
    cursor.blockType = type;
    cursor.isLittle = this.isLittle;
    if (originalBytes < capturedBytes) this.warnLengths(capturedBytes, originalBytes);
  }

  /** Learns the byte order of the section that starts here: its block length cannot be read before. */
  private readByteOrder(): void {
    const { view, pos, offset } = this.feed;
    if (view.getUint32(pos + 8, true) === BYTE_ORDER_MAGIC) this.isLittle = true;
    else if (view.getUint32(pos + 8, false) === BYTE_ORDER_MAGIC) this.isLittle = false;
    else {
      const found = printHex(view.getUint32(pos + 8, false));
      throw new InputError(
        "PCAPNG_BYTE_ORDER",
        `section header block has byte-order magic ${found}, 0x1a2b3c4d or 0x4d3c2b1a expected, at offset ${offset + 8}`,
        { details: { found, offset: offset + 8 } },
      );
    }
  }

  private readSection(totalBytes: number): boolean {
    const block = this.block("section header block", totalBytes);
    const section = decodeSection(block);
    const { view, pos, offset } = this.feed;
    const major = view.getUint16(pos + 12, this.isLittle);
    const minor = view.getUint16(pos + 14, this.isLittle);
    if (major !== SECTION_VERSION_MAJOR || !SECTION_VERSION_MINORS.includes(minor)) {
      throw new UnsupportedError(
        "UNSUPPORTED_PCAPNG_VERSION",
        `pcapng version ${major}.${minor} is not supported, version 1.0 is, at offset ${offset + 12}`,
        { details: { major, minor, offset: offset + 12 } },
      );
    }
    this.keep(totalBytes);
    this.context.sections.push(section);
    this.sectionBase = this.context.interfaces.length;
    return false;
  }

  private readInterface(totalBytes: number): boolean {
    const { interfaces, scales, sections } = this.context;
    this.keep(totalBytes);
    const block = this.block("interface description block", totalBytes);
    const description = decodeInterface(block, interfaces.length, sections.length - 1);
    interfaces.push(description);
    scales.push(createTimeScale(description.timeResolution, description.timeOffsetSec));
    return false;
  }

  private readNames(totalBytes: number): boolean {
    this.keep(totalBytes);
    const block = this.block("name resolution block", totalBytes);
    const entries = decodeNames(block, (nameCount) => this.keep(nameCount * NAME_BYTES));
    for (const entry of entries) this.context.names.push(entry);
    return false;
  }

  private readStatistics(totalBytes: number): boolean {
    const block = this.block("interface statistics block", totalBytes);
    const idx = this.sectionBase + statisticsInterface(block);
    const description = this.context.interfaces[idx];
    const scale = this.scales[idx];
    if (description === undefined || scale === undefined) return this.refuseInterface(idx - this.sectionBase);
    // The last block of an interface replaces the one before it, so only growth is paid for.
    const paidBytes = this.statisticsBytes.get(idx) ?? 0;
    if (totalBytes > paidBytes) {
      this.keep(totalBytes - paidBytes);
      this.statisticsBytes.set(idx, totalBytes);
    }
    this.context.interfaces[idx] = { ...description, statistics: decodeStatistics(block, scale) };
    return false;
  }

  private skipBlock(type: number): boolean {
    const { skippedBlocks } = this.context;
    const known =
      skippedBlocks.find((entry) => entry.type === type) ??
      skippedBlocks.find((entry) => entry.type === FURTHER_TYPES);
    if (known !== undefined) known.count++;
    else if (skippedBlocks.length < SKIPPED_TYPES_MAX) {
      skippedBlocks.push({ type, name: skippedBlockName(type), count: 1 });
    } else skippedBlocks.push({ type: FURTHER_TYPES, name: "further types", count: 1 });
    return false;
  }

  private block(name: string, totalBytes: number): Block {
    const { bytes, pos, baseOffset } = this.feed;
    return { name, bytes, at: pos, totalBytes, endian: this.isLittle ? "little" : "big", baseOffset };
  }

  /** Counts what is kept for good, so that a file of headers only cannot fill the memory. */
  private keep(bytes: number): void {
    this.metadataBytes += bytes + METADATA_OBJECT_BYTES;
    if (this.metadataBytes <= this.context.maxMetadataBytes) return;
    throw new InputError(
      "PCAPNG_METADATA_LIMIT",
      `sections, interfaces and names need more than ${this.context.maxMetadataBytes} bytes, at offset ${this.feed.offset}`,
      { details: { max: this.context.maxMetadataBytes, offset: this.feed.offset } },
    );
  }

  private warnLengths(capturedBytes: number, originalBytes: number): void {
    const { offset } = this.feed;
    this.context.warnings.add(
      "PCAPNG_ORIGINAL_LENGTH",
      offset,
      () =>
        `packet ${this.packetCount} has ${capturedBytes} captured bytes of ${originalBytes} original ones, at offset ${offset}`,
    );
  }

  private refuseLength(type: number, totalBytes: number): never {
    const { offset } = this.feed;
    const max = this.context.maxBlockBytes;
    throw new InputError(
      "PCAPNG_BLOCK_LENGTH",
      `block of type ${printHex(type)} claims ${totalBytes} bytes, multiples of 4 in ${BLOCK_BYTES_MIN}..${max} are allowed, at offset ${offset + 4}`,
      { details: { type, totalBytes, min: BLOCK_BYTES_MIN, max, offset } },
    );
  }

  private refuseTrailer(type: number, totalBytes: number, trailer: number): never {
    const { offset } = this.feed;
    throw new InputError(
      "PCAPNG_BLOCK_TRAILER",
      `block of type ${printHex(type)} starts with length ${totalBytes} and ends with length ${trailer}, they must be equal, at offset ${offset}`,
      { details: { type, totalBytes, trailer, offset } },
    );
  }

  private refuseShort(name: string, totalBytes: number, fixedBytes: number): never {
    throw blockTooShort(name, totalBytes, fixedBytes, this.feed.offset);
  }

  private refuseInterface(localIdx: number): never {
    const { offset } = this.feed;
    const count = this.context.interfaces.length - this.sectionBase;
    throw new InputError(
      "PCAPNG_INTERFACE",
      `block refers to interface ${localIdx}, the section has ${count}, at offset ${offset + BLOCK_HEADER_BYTES}`,
      { details: { interface: localIdx, count, offset } },
    );
  }

  private refusePacketLength(capturedBytes: number, roomBytes: number): never {
    const { offset } = this.feed;
    throw new InputError(
      "PCAPNG_PACKET_LENGTH",
      `packet ${this.packetCount} claims ${capturedBytes} captured bytes, its block has room for ${Math.max(0, roomBytes)}, at offset ${offset}`,
      { details: { index: this.packetCount, capturedBytes, room: roomBytes, offset } },
    );
  }
}
