import type { LinearMemory } from "./linear-memory.ts";
import { type LiveRegion, PERM } from "./region.ts";

/** Where a context keeps its packet pointers, as offsets from its start. */
export interface PacketFields {
  readonly data: number;
  readonly dataEnd: number;
  readonly dataMeta: number | undefined;
}

export interface PacketBufferOptions {
  readonly ctxAddress: number;
  readonly fields: PacketFields;
  /** Bytes before the packet that adjusting its head may use. */
  readonly headroomBytes: number;
  /** Largest packet, with what adjusting its tail may add. */
  readonly maxBytes: number;
}

/** Headrooms are multiples of this, so packets start at a cache line. */
const BUFFER_ALIGN = 64;

/**
 * One packet with room before and after it. Its bounds live in the context's own fields, so that programs, helpers,
 * generated code and this class see the same bytes.
 *
 * The buffer owns the region "packet" of the memory and keeps it at the bounds. Code that writes the fields itself
 * calls `syncRegion` before the next checked access and before the next `load`.
 */
export class PacketBuffer {
  readonly start: number;
  readonly end: number;
  readonly headroomBytes: number;
  private readonly memory: LinearMemory;
  private readonly region: LiveRegion;
  /** Addresses of the context's fields; `metaField` equals `dataField` where there is no metadata. */
  private readonly dataField: number;
  private readonly endField: number;
  private readonly metaField: number;
  /** Address where the tail may not go further; set by each load. */
  private tailLimit: number;
  /** Lowest address that may hold bytes of the last packet; the headroom below it is zero. */
  private lowest: number;

  constructor(memory: LinearMemory, options: PacketBufferOptions) {
    const { ctxAddress, fields } = options;
    this.memory = memory;
    this.dataField = ctxAddress + fields.data;
    this.endField = ctxAddress + fields.dataEnd;
    this.metaField = ctxAddress + (fields.dataMeta ?? fields.data);
    this.headroomBytes = options.headroomBytes;
    const bytes = options.headroomBytes + options.maxBytes;
    this.start = memory.allocRaw(bytes, BUFFER_ALIGN);
    this.end = this.start + bytes;
    this.tailLimit = this.end;
    this.region = memory.regions.add({
      start: this.start,
      end: this.end,
      perm: PERM.readWrite,
      kind: "packet",
      name: "packet",
    });
    this.lowest = this.start + options.headroomBytes;
    this.setBounds(this.lowest, this.lowest);
  }

  get dataStart(): number {
    return this.memory.view.getUint32(this.dataField, true);
  }
  get dataEnd(): number {
    return this.memory.view.getUint32(this.endField, true);
  }
  get metaStart(): number {
    return this.memory.view.getUint32(this.metaField, true);
  }
  get lengthBytes(): number {
    return this.dataEnd - this.dataStart;
  }
  /** One past the last byte that the tail may grow to. */
  get tailEnd(): number {
    return this.tailLimit;
  }

  /** Returns a view (not a copy) of the packet; of bounds that a program without proofs wrote, what lies in the buffer. */
  bytes(): Uint8Array {
    const start = Math.max(this.dataStart, this.start);
    return this.memory.u8.subarray(start, Math.max(start, Math.min(this.dataEnd, this.end)));
  }

  /**
   * Copies a packet in, with the whole headroom before it, zeroed, and no metadata. Allocates nothing.
   *
   * @param tailroomBytes - how far the tail may grow; the whole buffer when omitted.
   * @returns false when the packet is larger than the buffer; the last packet then stays.
   */
  load(packet: Uint8Array, tailroomBytes?: number): boolean {
    const dataStart = this.start + this.headroomBytes;
    const dataEnd = dataStart + packet.length;
    if (dataEnd > this.end) return false;
    const { u8 } = this.memory;
    if (this.lowest < dataStart) u8.fill(0, this.lowest, dataStart);
    this.lowest = dataStart;
    u8.set(packet, dataStart);
    this.tailLimit = tailroomBytes === undefined ? this.end : Math.min(dataEnd + tailroomBytes, this.end);
    this.setBounds(dataStart, dataEnd);
    return true;
  }

  /** Moves the packet's bounds; metadata is empty afterwards unless `metaStart` says where it begins. */
  setBounds(dataStart: number, dataEnd: number, metaStart = dataStart): void {
    const { i32 } = this.memory;
    i32[this.metaField >>> 2] = metaStart;
    i32[this.dataField >>> 2] = dataStart;
    i32[this.endField >>> 2] = dataEnd;
    this.moveRegion(Math.min(metaStart, dataStart), dataEnd);
  }

  /** Takes over bounds that something else wrote to the context's fields; what lies outside the buffer is cut off. */
  syncRegion(): void {
    this.moveRegion(Math.min(this.metaStart, this.dataStart), this.dataEnd);
  }

  private moveRegion(start: number, end: number): void {
    this.region.move(start, end);
    if (this.region.start < this.lowest) this.lowest = this.region.start;
  }
}
