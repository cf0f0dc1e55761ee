import type { LinearMemory } from "./linear-memory.ts";
import { PERM } from "./region.ts";

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

/**
 * One packet with room before and after it. Its bounds live in the context's own fields, so that programs, helpers,
 * generated code and this class see the same bytes.
 */
export class PacketBuffer {
  readonly start: number;
  readonly end: number;
  readonly headroomBytes: number;
  private readonly memory: LinearMemory;
  private readonly ctxAddress: number;
  private readonly fields: PacketFields;
  /** Bytes after `start` where the tail may not go further; set by each load. */
  private tailLimit: number;

  constructor(memory: LinearMemory, options: PacketBufferOptions) {
    this.memory = memory;
    this.ctxAddress = options.ctxAddress;
    this.fields = options.fields;
    this.headroomBytes = options.headroomBytes;
    const bytes = options.headroomBytes + options.maxBytes;
    this.start = memory.allocRaw(bytes, 64);
    this.end = this.start + bytes;
    this.tailLimit = this.end;
    this.setBounds(this.start + options.headroomBytes, this.start + options.headroomBytes);
    this.syncRegion();
  }

  get dataStart(): number {
    return this.memory.view.getUint32(this.ctxAddress + this.fields.data, true);
  }
  get dataEnd(): number {
    return this.memory.view.getUint32(this.ctxAddress + this.fields.dataEnd, true);
  }
  get metaStart(): number {
    return this.fields.dataMeta === undefined
      ? this.dataStart
      : this.memory.view.getUint32(this.ctxAddress + this.fields.dataMeta, true);
  }
  get lengthBytes(): number {
    return this.dataEnd - this.dataStart;
  }
  /** One past the last byte that the tail may grow to. */
  get tailEnd(): number {
    return this.tailLimit;
  }

  /** Returns a view (not a copy) of the packet. */
  bytes(): Uint8Array {
    return this.memory.u8.subarray(this.dataStart, this.dataEnd);
  }

  /**
   * Copies a packet in, with the whole headroom before it and no metadata.
   *
   * @param tailroomBytes - how far the tail may grow; the whole buffer when omitted.
   * @returns false when the packet is larger than the buffer.
   */
  load(packet: Uint8Array, tailroomBytes?: number): boolean {
    const dataStart = this.start + this.headroomBytes;
    const dataEnd = dataStart + packet.byteLength;
    if (dataEnd > this.end) return false;
    this.memory.u8.set(packet, dataStart);
    this.tailLimit = tailroomBytes === undefined ? this.end : Math.min(this.end, dataEnd + tailroomBytes);
    this.setBounds(dataStart, dataEnd);
    return true;
  }

  /** Moves the packet's bounds; metadata is empty afterwards unless `metaStart` says where it begins. */
  setBounds(dataStart: number, dataEnd: number, metaStart = dataStart): void {
    const { view } = this.memory;
    view.setUint32(this.ctxAddress + this.fields.data, dataStart, true);
    view.setUint32(this.ctxAddress + this.fields.dataEnd, dataEnd, true);
    if (this.fields.dataMeta !== undefined) {
      view.setUint32(this.ctxAddress + this.fields.dataMeta, metaStart, true);
    }
  }

  /** Makes the checked region equal to the bounds; runs without proofs call it after every change of bounds. */
  syncRegion(): void {
    const { regions } = this.memory;
    if (this.registeredStart !== undefined) regions.remove(this.registeredStart);
    const start = this.metaStart;
    this.registeredStart = start;
    regions.add({ start, end: this.dataEnd, perm: PERM.readWrite, kind: "packet", name: "packet" });
  }
  private registeredStart: number | undefined;
}
