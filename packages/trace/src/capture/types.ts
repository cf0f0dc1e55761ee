import type { Endian } from "@tsbpf/base";

export type CaptureFormat = "pcap" | "pcapng";

/** The way of a packet, seen from the host that captured it. @source pcapng §4.3.1 "Enhanced Packet Block Flags Word" */
export type PacketDirection = "inbound" | "outbound";

/** The unit of an interface's timestamps: `base` to the power of `-exponent` seconds. */
export interface TimeResolution {
  readonly base: 2 | 10;
  /** 0..127; base 10 with 6 is a microsecond, with 9 a nanosecond. */
  readonly exponent: number;
}

/** A pcapng option that this package does not interpret, kept for rewriting. */
export interface RawOption {
  readonly code: number;
  readonly value: Uint8Array;
  /** The byte order of the section it came from: what numbers inside `value` are written in. */
  readonly endian: Endian;
}

/**
 * What a program or device decided about a packet.
 *
 * `tc` and `xdp` carry the program's return value (TC_ACT_…, XDP_…); other kinds are opaque bytes.
 * @source pcapng §4.3 epb_verdict
 */
export type PacketVerdict =
  | { readonly kind: "tc" | "xdp"; readonly value: bigint }
  | { readonly kind: "hardware"; readonly bytes: Uint8Array }
  | { readonly kind: "other"; readonly type: number; readonly bytes: Uint8Array };

/** What only pcapng can say of a packet. */
export interface PacketAnnotations {
  readonly direction?: PacketDirection;
  /** The whole flags word, when the file had one; `direction` are its lowest two bits. */
  readonly flags?: number;
  /** Receive queue, 0..2^32-1. */
  readonly queue?: number;
  /** Packets lost between this one and the one before it on its interface. */
  readonly dropCount?: bigint;
  /** Equal for two records of one packet, for instance before and after a program. */
  readonly packetId?: bigint;
  readonly verdicts?: readonly PacketVerdict[];
  readonly comments?: readonly string[];
  readonly otherOptions?: readonly RawOption[];
}

/** One packet of a capture, its bytes copied out of the file. */
export interface PacketRecord extends PacketAnnotations {
  /** Position in the file, from 0; tshark's frame number less one. */
  readonly index: number;
  /** Nanoseconds since 1970-01-01 UTC, rounded down; 0 when `hasTime` is false. */
  readonly tsNs: bigint;
  /** False for a pcapng Simple Packet Block, which has no timestamp. */
  readonly hasTime: boolean;
  /** The raw timestamp in the interface's unit; present only when `tsNs` had to be rounded. */
  readonly tsTicks?: bigint;
  /** Bytes in `data`. */
  readonly capturedBytes: number;
  /** Bytes the packet had on the wire; more than `capturedBytes` when the capture cut it. */
  readonly originalBytes: number;
  readonly data: Uint8Array;
  /** Index into the capture's `interfaces`, which counts on over sections. */
  readonly interfaceIdx: number;
  /** LINKTYPE_ value of the interface; `linkTypeName` prints it. */
  readonly linkType: number;
  /** File offset of the packet's record or block, in bytes (of the decompressed file). */
  readonly fileOffset: number;
}

/** Counters of an interface, the last that the file gives. @source pcapng §4.6 */
export interface InterfaceStatistics {
  readonly tsNs: bigint;
  readonly startNs?: bigint;
  readonly endNs?: bigint;
  readonly receivedCount?: bigint;
  readonly droppedCount?: bigint;
  readonly filterAcceptedCount?: bigint;
  readonly osDroppedCount?: bigint;
  readonly deliveredCount?: bigint;
  readonly comments?: readonly string[];
}

/** What a capture says of one of its interfaces, as given to a writer. */
export interface InterfaceDescription {
  readonly linkType: number;
  /** Most bytes kept of a packet; 0 means no limit. */
  readonly snaplenBytes?: number;
  readonly name?: string;
  readonly description?: string;
  /** Capture filter as text. */
  readonly filter?: string;
  readonly os?: string;
  readonly hardware?: string;
  /** 6 bytes. */
  readonly macAddress?: Uint8Array;
  readonly speedBitsPerSec?: bigint;
  /** Writers use nanoseconds when it is missing. */
  readonly timeResolution?: TimeResolution;
  /** Seconds added to every timestamp of the interface; may be negative. */
  readonly timeOffsetSec?: bigint;
  /** Bytes of frame check sequence at the end of every packet. */
  readonly fcsBytes?: number;
  readonly comments?: readonly string[];
  readonly otherOptions?: readonly RawOption[];
}

/** One interface as read. A pcap file has exactly one. */
export interface CaptureInterface extends InterfaceDescription {
  /** Position in the capture's `interfaces`. */
  readonly index: number;
  readonly sectionIdx: number;
  readonly snaplenBytes: number;
  readonly timeResolution: TimeResolution;
  readonly timeOffsetSec: bigint;
  readonly statistics?: InterfaceStatistics;
}

/** What a pcapng section says of itself, as given to a writer. */
export interface SectionDescription {
  readonly hardware?: string;
  readonly os?: string;
  readonly application?: string;
  readonly comments?: readonly string[];
  readonly otherOptions?: readonly RawOption[];
}

/** One section as read. A pcap file counts as one. */
export interface CaptureSection extends SectionDescription {
  readonly endian: Endian;
  /** File offset of its header, in bytes. */
  readonly fileOffset: number;
}

/** Names of an address. @source pcapng §4.5 */
export interface NameEntry {
  readonly kind: "ipv4" | "ipv6" | "eui48" | "eui64";
  readonly address: Uint8Array;
  readonly names: readonly string[];
}

/** A type of pcapng block that holds no packets we know, and how many of it were passed over. */
export interface SkippedBlocks {
  /** Block type; -1 counts further types together, after the first 64. */
  readonly type: number;
  readonly name: string;
  count: number;
}

/** What is known of a capture besides its packets; grows while the file is read. */
export interface CaptureInfo {
  /** Undefined until the first bytes are read. */
  readonly format: CaptureFormat | undefined;
  readonly sections: readonly CaptureSection[];
  readonly interfaces: readonly CaptureInterface[];
  readonly names: readonly NameEntry[];
  readonly skippedBlocks: readonly SkippedBlocks[];
}

export interface CaptureOptions {
  /** Throws what would be a warning, a truncated tail for instance. */
  readonly strict?: boolean;
  /** Most bytes of one pcap packet. */
  readonly maxPacketBytes?: number;
  /** Most bytes of one pcapng block. */
  readonly maxBlockBytes?: number;
  /** Most bytes of sections, interfaces and names held at a time. */
  readonly maxMetadataBytes?: number;
}
