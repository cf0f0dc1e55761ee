import {
  FRAME_TAILROOM_BYTES,
  STRUCT_LAYOUTS,
  XDP_FRAG_BYTES,
  XDP_FRAGS_MAX,
  XDP_FRAME_HEADER_BYTES,
  XDP_STATE,
} from "@tsbpf/abi";
import { alignUp, LIMITS } from "@tsbpf/base";
import { type LinearMemory, PacketBuffer, PERM } from "@tsbpf/memory";
import { defineProgType, type ProgContext, type ProgHost, type RunInput } from "@tsbpf/plugin";
import { fitCtx } from "./ctx-bytes.ts";
import { checkDevice, LOOPBACK_IFINDEX } from "./devices.ts";
import { ETH_HEADER_BYTES } from "./ethernet.ts";
import { writeFields } from "./fields.ts";
import { refuse } from "./refuse.ts";
import { XDP_ACTIONS } from "./verdicts.ts";

const LAYOUT = STRUCT_LAYOUTS.xdp_md;
const FIELDS = { data: 0, dataEnd: 4, dataMeta: 8 } as const;
const INGRESS_IFINDEX = 12;
const RX_QUEUE_INDEX = 16;
const EGRESS_IFINDEX = 20;
const PAGE_BYTES = 4096;
/** Largest linear part in a frame of one page. */
const LINEAR_BYTES = PAGE_BYTES - LIMITS.xdpHeadroom - FRAME_TAILROOM_BYTES;
/** Largest metadata: it must fit before the packet and leave the frame's header alone. */
const METADATA_BYTES_MAX = LIMITS.xdpHeadroom - XDP_FRAME_HEADER_BYTES;
const METADATA_BYTES_LIMIT = 252;

/** What a context given by the caller says about the packet's parts. */
interface Parts {
  readonly metaBytes: number;
  /** Bytes of metadata and linear packet. */
  readonly linearBytes: number;
  readonly ctx: Uint8Array | undefined;
}

/** The `xdp_md` of one machine: a frame of one page as the test run makes it, or a larger one for replays. */
class XdpContext implements ProgContext {
  readonly address: number;
  readonly packet: PacketBuffer;
  private readonly memory: LinearMemory;
  private readonly host: ProgHost;
  private readonly fragArea: number;
  /** Bytes that the caller's context had, for `readCtx`. */
  private given: Uint8Array | undefined;

  constructor(host: ProgHost) {
    this.host = host;
    this.memory = host.memory;
    this.address = host.memory.allocRaw(XDP_STATE.bytes);
    host.memory.regions.add({
      start: this.address,
      end: this.address + LAYOUT.sizeBytes,
      // No program may write it (P-20); what moves the packet's bounds are helpers.
      perm: PERM.read,
      kind: "ctx",
      name: "xdp_md",
    });
    const linearMax = host.isTestRun ? LINEAR_BYTES : frameBytes(host.maxPacketBytes);
    this.packet = new PacketBuffer(host.memory, {
      ctxAddress: this.address,
      fields: FIELDS,
      headroomBytes: LIMITS.xdpHeadroom,
      maxBytes: linearMax,
    });
    // Programs reach fragments through slices of dynptrs alone.
    this.fragArea = host.isTestRun
      ? host.memory.alloc(XDP_FRAGS_MAX * XDP_FRAG_BYTES, { kind: "packet", name: "fragments" })
      : 0;
  }

  load(input: RunInput): void {
    const { packet } = input;
    if (
      packet !== undefined &&
      input.ctx === undefined &&
      input.fields === undefined &&
      !this.host.isTestRun
    ) {
      this.loadPlain(packet);
    } else this.loadAny(input);
  }

  /** The way of replays: a packet, and nothing said about it. */
  private loadPlain(packet: Uint8Array): void {
    const { length } = packet;
    if (length < ETH_HEADER_BYTES) throw refuseShort(length);
    if (length > this.host.maxPacketBytes) throw this.refuseLong(length);
    this.packet.load(packet, frameBytes(length) - length);
    const { i32 } = this.memory;
    const at = this.address >>> 2;
    i32[at + (INGRESS_IFINDEX >>> 2)] = LOOPBACK_IFINDEX;
    i32[at + (RX_QUEUE_INDEX >>> 2)] = 0;
    i32[at + (EGRESS_IFINDEX >>> 2)] = 0;
    i32[at + (XDP_STATE.fragBytes >>> 2)] = 0;
    this.given = undefined;
  }

  private loadAny(input: RunInput): void {
    const packet = input.packet ?? new Uint8Array();
    const parts = this.partsOf(packet, input.ctx);
    let ingress = LOOPBACK_IFINDEX;
    let queue = 0;
    let egress = 0;
    if (parts.ctx !== undefined) {
      const given = new DataView(parts.ctx.buffer, parts.ctx.byteOffset, parts.ctx.byteLength);
      queue = given.getUint32(RX_QUEUE_INDEX, true);
      egress = given.getUint32(EGRESS_IFINDEX, true);
      const ifindex = given.getUint32(INGRESS_IFINDEX, true);
      this.checkOrigin(ifindex, queue, egress);
      if (ifindex !== 0) ingress = ifindex;
    }
    this.place(packet, parts);
    const { view } = this.memory;
    view.setUint32(this.address + INGRESS_IFINDEX, ingress, true);
    view.setUint32(this.address + RX_QUEUE_INDEX, queue, true);
    view.setUint32(this.address + EGRESS_IFINDEX, egress, true);
    this.given = parts.ctx;
    if (input.fields !== undefined) writeFields(view, this.address, LAYOUT, input.fields);
  }

  /** Splits the input bytes; checks in the order of the kernel (T-10, T-11). */
  private partsOf(packet: Uint8Array, givenCtx: Uint8Array | undefined): Parts {
    let metaBytes = 0;
    let linearBytes = packet.length;
    let ctx: Uint8Array | undefined;
    if (givenCtx !== undefined) {
      ctx = fitCtx(givenCtx, LAYOUT.sizeBytes);
      const view = new DataView(ctx.buffer, ctx.byteOffset, ctx.byteLength);
      metaBytes = view.getUint32(FIELDS.data, true);
      linearBytes = view.getUint32(FIELDS.dataEnd, true);
      if (view.getUint32(FIELDS.dataMeta, true) !== 0) throw refuse("EINVAL", "data_meta must be 0");
      if (linearBytes > packet.length || metaBytes > linearBytes) {
        throw refuse(
          "EINVAL",
          `data ${metaBytes} and data_end ${linearBytes} found, data <= data_end <= ${packet.length} allowed`,
        );
      }
      if (metaBytes % 4 !== 0 || metaBytes > METADATA_BYTES_MAX || metaBytes > METADATA_BYTES_LIMIT) {
        throw refuse(
          "EINVAL",
          `${metaBytes} bytes of metadata found, multiples of 4 up to ${METADATA_BYTES_MAX} allowed`,
        );
      }
    }
    if (packet.length - metaBytes < ETH_HEADER_BYTES) throw refuseShort(packet.length - metaBytes);
    if (!this.host.isTestRun) return { metaBytes, linearBytes: packet.length, ctx };
    return { metaBytes, linearBytes: Math.min(linearBytes, LINEAR_BYTES + metaBytes), ctx };
  }

  private place(packet: Uint8Array, { metaBytes, linearBytes }: Parts): void {
    const { view, u8 } = this.memory;
    const fragBytes = packet.length - linearBytes;
    if (fragBytes > XDP_FRAGS_MAX * XDP_FRAG_BYTES) {
      throw refuse("ENOMEM", `packet of ${packet.length} bytes needs more than ${XDP_FRAGS_MAX} fragments`);
    }
    const packetBytes = linearBytes - metaBytes;
    const room = this.host.isTestRun ? LINEAR_BYTES : frameBytes(packetBytes);
    const linear = fragBytes === 0 && metaBytes === 0 ? packet : packet.subarray(metaBytes, linearBytes);
    if (packetBytes > this.host.maxPacketBytes && !this.host.isTestRun) throw this.refuseLong(packetBytes);
    this.packet.load(linear, room - packetBytes);
    if (metaBytes > 0) {
      const { dataStart, dataEnd } = this.packet;
      u8.set(packet.subarray(0, metaBytes), dataStart - metaBytes);
      this.packet.setBounds(dataStart, dataEnd, dataStart - metaBytes);
    }
    view.setUint32(this.address + XDP_STATE.fragAddress, this.fragArea, true);
    view.setUint32(this.address + XDP_STATE.fragBytes, fragBytes, true);
    if (fragBytes > 0) u8.set(packet.subarray(linearBytes), this.fragArea);
  }

  private refuseLong(bytes: number): Error {
    const { maxPacketBytes } = this.host;
    return refuse("EINVAL", `packet of ${bytes} bytes found, ${maxPacketBytes} allowed by maxPacketBytes`);
  }

  private checkOrigin(ingress: number, queue: number, egress: number): void {
    if (egress !== 0 && this.host.isTestRun) throw refuse("EINVAL", `egress_ifindex is ${egress}, 0 allowed`);
    if (ingress === 0 && queue !== 0)
      throw refuse("EINVAL", `rx_queue_index is ${queue} without ingress_ifindex`);
    if (!this.host.isTestRun || ingress === 0) return;
    checkDevice(this.host, ingress);
    if (queue !== 0) throw refuse("EINVAL", `rx_queue_index is ${queue}, interface ${ingress} has one queue`);
  }

  readPacket(): Uint8Array {
    const { u8, view } = this.memory;
    const fragBytes = view.getUint32(this.address + XDP_STATE.fragBytes, true);
    const { metaStart, dataEnd } = this.packet;
    const bytes = new Uint8Array(dataEnd - metaStart + fragBytes);
    bytes.set(u8.subarray(metaStart, dataEnd));
    if (fragBytes > 0) bytes.set(u8.subarray(this.fragArea, this.fragArea + fragBytes), dataEnd - metaStart);
    return bytes;
  }

  readCtx(): Uint8Array {
    const { view } = this.memory;
    const bytes = new Uint8Array(LAYOUT.sizeBytes);
    const out = new DataView(bytes.buffer);
    const { metaStart, dataStart, dataEnd } = this.packet;
    if (this.given !== undefined) bytes.set(this.given);
    else if (!this.host.isTestRun) {
      for (const offset of [INGRESS_IFINDEX, RX_QUEUE_INDEX, EGRESS_IFINDEX]) {
        out.setUint32(offset, view.getUint32(this.address + offset, true), true);
      }
    }
    out.setUint32(FIELDS.data, dataStart - metaStart, true);
    out.setUint32(FIELDS.dataEnd, dataEnd - metaStart, true);
    return bytes;
  }
}

const refuseShort = (bytes: number): Error =>
  refuse("EINVAL", `packet of ${bytes} bytes found, at least ${ETH_HEADER_BYTES} needed`);

/** What a frame holds besides the packet and the room that it may grow into. */
const OVERHEAD_BYTES = LIMITS.xdpHeadroom + FRAME_TAILROOM_BYTES;

/** Returns how large a packet may grow in a frame of whole pages that holds `packetBytes`. */
function frameBytes(packetBytes: number): number {
  return alignUp(packetBytes + OVERHEAD_BYTES, PAGE_BYTES) - OVERHEAD_BYTES;
}

/** XDP: packets as a driver receives them. */
export const xdp = defineProgType({
  type: "xdp",
  summary: "Decides about packets as a network driver receives them.",
  source: "linux uapi/linux/bpf.h struct xdp_md, enum xdp_action",
  ctx: LAYOUT,
  verdictName: (r0) => XDP_ACTIONS[r0 >>> 0],
  createContext: (host) => new XdpContext(host),
});
