import { joinU64 } from "@tsbpf/base";
import { isExactNs, type TimeScale, ticksToNs } from "./time.ts";

const EMPTY = new Uint8Array(0);
const NS_PER_SEC = 1_000_000_000n;

/**
 * A place that a parser fills with one packet after the other, so that walking a capture allocates nothing.
 *
 * `bytes` is the parser's or the caller's memory: it is valid until the next call of `next` or `push`.
 */
export class PacketCursor {
  /** Position in the file, from 0; -1 before the first packet. */
  index = -1;
  /** Whole seconds since 1970-01-01 UTC, rounded down; exact up to 2^53. */
  tsSec = 0;
  /** Nanoseconds within the second, 0..999999999, rounded down. */
  tsNanos = 0;
  /** False when the file gives this packet no timestamp; both numbers are 0 then. */
  hasTime = false;
  /** Bytes present, at `bytes[dataOffset .. dataOffset + capturedBytes)`. */
  capturedBytes = 0;
  /** Bytes the packet had on the wire. */
  originalBytes = 0;
  bytes: Uint8Array = EMPTY;
  dataOffset = 0;
  /** File offset of `bytes[0]`. */
  bytesFileOffset = 0;
  interfaceIdx = 0;
  linkType = 0;
  /** File offset of the packet's record or block. */
  fileOffset = 0;
  /** 0 for pcap, else the type of the pcapng block. */
  blockType = 0;
  /** Where the block's options lie in `bytes`; `optionsBytes` is 0 when there are none. */
  optionsOffset = 0;
  optionsBytes = 0;
  isLittle = true;
  /** Packets lost before this one as an obsolete Packet Block counts them; -1 when it does not say. */
  blockDropCount = -1;
  /** Raw timestamp of a pcapng packet, high and low half. */
  ticksHi = 0;
  ticksLo = 0;
  /** Null for pcap. */
  scale: TimeScale | null = null;

  /** Returns nanoseconds since 1970-01-01 UTC; allocates, so keep it off hot paths. */
  tsNs(): bigint {
    if (!this.hasTime) return 0n;
    if (this.scale !== null) return ticksToNs(this.ticksHi, this.ticksLo, this.scale);
    return BigInt(this.tsSec) * NS_PER_SEC + BigInt(this.tsNanos);
  }

  /** Returns a view (not a copy) of the packet's bytes. */
  data(): Uint8Array {
    return this.bytes.subarray(this.dataOffset, this.dataOffset + this.capturedBytes);
  }
}

/** Returns the raw timestamp of a packet whose nanoseconds had to be rounded, otherwise undefined. */
export function roundedTicks({ scale, ticksHi, ticksLo }: PacketCursor): bigint | undefined {
  return scale === null || isExactNs(ticksHi, ticksLo, scale) ? undefined : joinU64(ticksLo, ticksHi);
}
