import { InputError } from "@tsbpf/base";
import type { ChunkFeed } from "../capture/feed.ts";
import { crc32c, crc32cIn } from "./crc32c.ts";
import type { ChecksumMemory } from "./crc32c-wasm.ts";
import {
  BLOCK_HEADER_BYTES,
  type BlockHeader,
  blockTypeName,
  checkCrc,
  decodeBlockHeader,
  decodeFileHeader,
  FILE_HEADER_BYTES,
  type FileVersion,
  isBlockHeader,
  locateInPayload,
  TRACE_VERSION_MAJOR,
  TRACE_VERSION_MINOR,
} from "./frame.ts";
import { type MsgpackMap, unpackMap } from "./msgpack.ts";

/** One whole, undamaged block. */
export interface TraceBlock extends BlockHeader {
  /** File offset of its header. */
  readonly offset: number;
  /** What error texts call it. */
  readonly what: string;
  readonly payload: MsgpackMap;
}

/** Takes blocks out of a feed and checks their frames. */
export class BlockReader {
  /** Set once the file header is read. */
  version: FileVersion | undefined;
  /** Number that the next block must have. */
  nextIdx = 0;
  private readonly feed: ChunkFeed;
  private readonly maxBlockBytes: number;
  private readonly checksum: (bytes: Uint8Array) => number;

  /** @param memory - what chunks lie in, where that is a linear memory. */
  constructor(feed: ChunkFeed, maxBlockBytes: number, memory?: ChecksumMemory) {
    this.feed = feed;
    this.maxBlockBytes = maxBlockBytes;
    this.checksum = memory === undefined ? crc32c : crc32cIn(memory);
  }

  /**
   * Returns the next block; its payload aliases the feed until the feed is asked again.
   *
   * @returns undefined when the feed has no whole one.
   * @throws TRACE_FILE_…, TRACE_SYNC, TRACE_BLOCK_…, TRACE_PAYLOAD… (InputError) when the file is damaged there.
   */
  next(): TraceBlock | undefined {
    const { feed } = this;
    if (!this.skipFileHeader() || !feed.ensure(BLOCK_HEADER_BYTES)) return undefined;
    const { offset } = feed;
    const header = decodeBlockHeader(feed.bytes, feed.pos, offset, this.nextIdx);
    this.checkHeader(header, offset);
    if (!feed.ensure(BLOCK_HEADER_BYTES + header.payloadBytes)) return undefined;
    const start = feed.pos + BLOCK_HEADER_BYTES;
    const bytes = feed.bytes.subarray(start, start + header.payloadBytes);
    // The header is sound, so that even if the payload is not, the next block is where it says.
    feed.pos = start + header.payloadBytes;
    this.nextIdx++;
    const what = `${blockTypeName(header.type)} block ${header.blockIdx}`;
    const payloadAt = offset + BLOCK_HEADER_BYTES;
    checkCrc("TRACE_PAYLOAD_CHECKSUM", {
      what,
      found: header.payloadCrc,
      computed: this.checksum(bytes),
      offset: payloadAt,
      block: header.blockIdx,
      locate: () => locateInPayload(bytes, header.payloadCrc, payloadAt),
    });
    return { ...header, offset, what, payload: unpackMap(bytes, what, payloadAt) };
  }

  /** The type of the block that comes next, as soon as its header is there and sound, whether or not its payload is. */
  upcomingType(): number | undefined {
    const { feed } = this;
    if (this.version === undefined || !feed.ensure(BLOCK_HEADER_BYTES)) return undefined;
    return isBlockHeader(feed.view, feed.bytes, feed.pos) ? feed.view.getUint8(feed.pos + 4) : undefined;
  }

  /**
   * Goes on behind damage: to the next sound block header that does not count backwards.
   *
   * @returns false when the feed has none; then it may be called again after more bytes have come.
   */
  resync(): boolean {
    const { feed } = this;
    this.version ??= { major: TRACE_VERSION_MAJOR, minor: TRACE_VERSION_MINOR };
    while (feed.ensure(BLOCK_HEADER_BYTES)) {
      const last = feed.end - BLOCK_HEADER_BYTES;
      for (; feed.pos <= last; feed.pos++) {
        if (!isBlockHeader(feed.view, feed.bytes, feed.pos)) continue;
        const idx = feed.view.getUint32(feed.pos + 8, true);
        const payloadBytes = feed.view.getUint32(feed.pos + 12, true);
        if (idx < this.nextIdx || payloadBytes > this.maxBlockBytes) continue;
        this.nextIdx = idx;
        return true;
      }
    }
    return false;
  }

  private skipFileHeader(): boolean {
    if (this.version !== undefined) return true;
    const { feed } = this;
    if (!feed.ensure(FILE_HEADER_BYTES)) return false;
    this.version = decodeFileHeader(feed.bytes, feed.pos);
    feed.pos += FILE_HEADER_BYTES;
    return true;
  }

  private checkHeader(header: BlockHeader, offset: number): void {
    if (header.blockIdx !== this.nextIdx) {
      throw new InputError(
        "TRACE_BLOCK_ORDER",
        `block ${header.blockIdx} stands where block ${this.nextIdx} belongs, at offset ${offset}`,
        { details: { block: header.blockIdx, expected: this.nextIdx, offset } },
      );
    }
    if (header.payloadBytes > this.maxBlockBytes) {
      throw new InputError(
        "TRACE_BLOCK_LENGTH",
        `block ${header.blockIdx} claims ${header.payloadBytes} bytes, at most ${this.maxBlockBytes} are allowed, at offset ${offset + 12}`,
        {
          details: {
            block: header.blockIdx,
            payloadBytes: header.payloadBytes,
            max: this.maxBlockBytes,
            offset,
          },
        },
      );
    }
  }
}
