import type { CtxLayout } from "@tsbpf/abi";
import { type LinearMemory, type LiveRegion, PacketBuffer, type PacketFields, PERM } from "@tsbpf/memory";
import type { ProgContext, ProgHost, RunInput } from "@tsbpf/plugin";
import { fitCtx } from "./ctx-bytes.ts";
import { writeFields } from "./fields.ts";
import { refuse } from "./refuse.ts";

/** What a plain context is made of. */
export interface BlobKind {
  readonly layout: CtxLayout;
  /** Largest context in bytes; the struct's size when omitted. */
  readonly maxBytes?: number;
  /** Bytes of a context that the caller does not give; the struct's size when omitted. */
  readonly defaultBytes?: number;
  /** Where the packet's bounds lie, for contexts with one. */
  readonly packetFields?: PacketFields;
  /** Offset of a u32 that holds the packet's length. */
  readonly lengthField?: number;
}

/** A context whose bytes the caller gives whole: registers, event records, argument arrays, structs of socket hooks. */
export class BlobContext implements ProgContext {
  readonly address: number;
  readonly packet: PacketBuffer | undefined;
  private readonly memory: LinearMemory;
  private readonly kind: BlobKind;
  private readonly region: LiveRegion;
  private readonly maxBytes: number;
  private bytes: number;

  constructor(host: ProgHost, kind: BlobKind) {
    this.memory = host.memory;
    this.kind = kind;
    this.maxBytes = kind.maxBytes ?? kind.layout.sizeBytes;
    this.bytes = kind.defaultBytes ?? kind.layout.sizeBytes;
    this.address = host.memory.allocRaw(this.maxBytes);
    this.region = host.memory.regions.add({
      start: this.address,
      end: this.address + this.maxBytes,
      perm: PERM.readWrite,
      kind: "ctx",
      name: kind.layout.struct,
    });
    if (kind.packetFields === undefined) return;
    this.packet = new PacketBuffer(host.memory, {
      ctxAddress: this.address,
      fields: kind.packetFields,
      headroomBytes: 0,
      maxBytes: host.maxPacketBytes,
    });
  }

  load(input: RunInput): void {
    const { u8, view } = this.memory;
    const given = this.fit(input.ctx);
    this.bytes = given?.length ?? this.kind.defaultBytes ?? this.kind.layout.sizeBytes;
    this.region.move(this.address, this.address + this.bytes);
    u8.fill(0, this.address, this.address + this.maxBytes);
    if (given !== undefined) u8.set(given, this.address);
    if (this.packet !== undefined) this.loadPacket(this.packet, input.packet ?? new Uint8Array());
    else if (input.packet !== undefined && input.packet.length > 0) {
      throw refuse(
        "EINVAL",
        `packet of ${input.packet.length} bytes found, ${this.kind.layout.struct} has none`,
      );
    }
    if (input.fields !== undefined) writeFields(view, this.address, this.kind.layout, input.fields);
  }

  private fit(ctx: Uint8Array | undefined): Uint8Array | undefined {
    if (ctx === undefined) return undefined;
    if (this.kind.maxBytes === undefined) return fitCtx(ctx, this.kind.layout.sizeBytes);
    if (ctx.length <= this.maxBytes) return ctx;
    throw refuse("EINVAL", `context of ${ctx.length} bytes found, ${this.maxBytes} allowed`);
  }

  private loadPacket(buffer: PacketBuffer, packet: Uint8Array): void {
    if (!buffer.load(packet)) {
      throw refuse("EINVAL", `packet of ${packet.length} bytes found, ${buffer.end - buffer.start} allowed`);
    }
    const { lengthField } = this.kind;
    if (lengthField !== undefined)
      this.memory.view.setUint32(this.address + lengthField, packet.length, true);
  }

  readPacket(): Uint8Array {
    return this.packet?.bytes().slice() ?? new Uint8Array();
  }

  readCtx(): Uint8Array {
    const bytes = this.memory.bytesAt(this.address, this.bytes).slice();
    const fields = this.kind.packetFields;
    if (this.packet === undefined || fields === undefined) return bytes;
    const view = new DataView(bytes.buffer);
    const base = this.packet.dataStart;
    for (const offset of [fields.data, fields.dataEnd]) {
      view.setUint32(offset, view.getUint32(offset, true) - base, true);
    }
    return bytes;
  }
}
