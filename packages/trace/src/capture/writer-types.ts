import type { Endian } from "@tsbpf/base";
import type { TraceWarning } from "../warnings.ts";
import type { PacketCursor } from "./cursor.ts";
import type {
  CaptureFormat,
  InterfaceDescription,
  InterfaceStatistics,
  NameEntry,
  PacketAnnotations,
  SectionDescription,
} from "./types.ts";

/** A packet to write; a `PacketRecord` is one. */
export interface PacketInput extends PacketAnnotations {
  /** Nanoseconds since 1970-01-01 UTC. */
  readonly tsNs: bigint;
  /** True when missing. */
  readonly hasTime?: boolean;
  /** Raw timestamp in the interface's unit, used instead of `tsNs` when that unit is finer than a nanosecond. */
  readonly tsTicks?: bigint;
  readonly data: Uint8Array;
  /** Bytes on the wire; as many as `data` has when missing. */
  readonly originalBytes?: number;
  /** What `addInterface` returned; 0 when missing. */
  readonly interfaceIdx?: number;
  /** When given, must be the interface's. */
  readonly linkType?: number;
}

/** What to write otherwise than a cursor says. */
export interface PacketChanges extends PacketAnnotations {
  readonly data?: Uint8Array;
  /** When missing: the cursor's, or as many as `data` has when that is given. */
  readonly originalBytes?: number;
  readonly interfaceIdx?: number;
}

export interface PcapWriterOptions {
  readonly format: "pcap";
  readonly linkType: number;
  /** Unit of the timestamps; nanoseconds when missing. */
  readonly resolution?: "us" | "ns";
  /** 262144 when missing. */
  readonly snaplenBytes?: number;
  readonly fcsBytes?: number;
  /** Little when missing. */
  readonly endian?: Endian;
  /** Throws instead of dropping what pcap cannot hold. */
  readonly strict?: boolean;
}

export interface PcapngWriterOptions {
  readonly format: "pcapng";
  readonly section?: SectionDescription;
  /** Added before the first packet, in this order. */
  readonly interfaces?: readonly InterfaceDescription[];
  /** Little when missing. */
  readonly endian?: Endian;
  /** Throws instead of rounding or dropping what does not fit. */
  readonly strict?: boolean;
}

export type CaptureWriterOptions = PcapWriterOptions | PcapngWriterOptions;

/**
 * Encodes packets to a capture file, piece by piece: write some, `take` the bytes, append them to the file.
 *
 * Every method throws an InputError (PCAP_…, PCAPNG_…, TRACE_…) when a value does not fit the format, and leaves the
 * file as it was before the call. What the format can only hold in part is counted in `warnings`.
 */
export interface CaptureWriter {
  readonly format: CaptureFormat;
  readonly warnings: readonly TraceWarning[];
  /** Interfaces added so far; pcap has one from the start. */
  readonly interfaceCount: number;
  /** Bytes that `take` would return. */
  readonly pendingBytes: number;
  /** Returns all bytes encoded since the last call; they are the caller's. */
  take(): Uint8Array;
  /** Adds an interface and returns its index, counted on over sections. For pcap, its link type must be the file's. */
  addInterface(description: InterfaceDescription): number;
  /** Starts a new pcapng section; interfaces of earlier ones can no longer be written to. */
  startSection(section?: SectionDescription, endian?: Endian): void;
  write(packet: PacketInput): void;
  /** Writes the packet under a parser's cursor, without the detour of a record; its annotations are those given only. */
  writeFrom(cursor: PacketCursor, changes?: PacketChanges): void;
  writeStatistics(interfaceIdx: number, statistics: InterfaceStatistics): void;
  writeNames(entries: readonly NameEntry[]): void;
}
