import { CSUM_STATE, FRAME_TAILROOM_BYTES, SKB_STATE, STRUCT_LAYOUTS } from "@tsbpf/abi";
import { type LinearMemory, PacketBuffer, PERM } from "@tsbpf/memory";
import type { ProgContext, ProgHost, RunInput } from "@tsbpf/plugin";
import { fitCtx } from "./ctx-bytes.ts";
import { addressesOf, checkDevice, LOOPBACK_IFINDEX } from "./devices.ts";
import { ETH_HEADER_BYTES, etherProtocol, PROTOCOL, packetType } from "./ethernet.ts";
import { writeFields } from "./fields.ts";
import { refuse } from "./refuse.ts";
import { applyTestRunCtx, testRunCtxOut } from "./skb-ctx.ts";
import { FAMILY, SKB, SKB_BYTES, SOCK, SOCK_BYTES } from "./skb-fields.ts";

const LAYOUT = STRUCT_LAYOUTS.__sk_buff;
const PAGE_BYTES = 4096;
/** Bytes that the kernel leaves before a received packet. @source linux include/linux/skbuff.h NET_SKB_PAD */
const SKB_PAD_BYTES = 64;
/** Largest packet of a test run. */
const TEST_RUN_BYTES_MAX = PAGE_BYTES - SKB_PAD_BYTES - FRAME_TAILROOM_BYTES;
/** Room before the packet, for headers that helpers push. */
const HEADROOM_BYTES = 256;
/** Largest packet that helpers can grow one to, and room for one more header. */
const GROWN_BYTES_MAX = 16_064 + PAGE_BYTES;
const IPV4_HEADER_BYTES = 20;
const IPV6_HEADER_BYTES = 40;
const TCP_CLOSE = 7;

/** How the skb types differ. */
export interface SkbKind {
  /** Whether the program sees the Ethernet header. */
  readonly isLinkLayer: boolean;
  /** Whether the program reads the socket's addresses as fields of its own. */
  readonly hasSockFields: boolean;
}

/** The `__sk_buff` of one machine. */
export class SkbContext implements ProgContext {
  readonly address: number;
  readonly packet: PacketBuffer;
  private readonly memory: LinearMemory;
  private readonly host: ProgHost;
  private readonly kind: SkbKind;
  private readonly sockAddress: number;
  /** The caller's context, for `readCtx`. */
  private given: Uint8Array | undefined;
  /** Whether the Ethernet header lies before the program's view. */
  private isPulled = false;

  constructor(host: ProgHost, kind: SkbKind) {
    this.host = host;
    this.kind = kind;
    this.memory = host.memory;
    this.address = host.memory.allocRaw(SKB_STATE.bytes);
    host.memory.regions.add({
      start: this.address,
      end: this.address + SKB_BYTES,
      perm: PERM.readWrite,
      kind: "ctx",
      name: "__sk_buff",
    });
    this.sockAddress = host.memory.alloc(SOCK_BYTES, { kind: "ctx", name: "bpf_sock", perm: PERM.read });
    this.packet = new PacketBuffer(host.memory, {
      ctxAddress: this.address,
      fields: { data: SKB.data, dataEnd: SKB.dataEnd, dataMeta: SKB.dataMeta },
      headroomBytes: HEADROOM_BYTES,
      maxBytes: Math.max(host.maxPacketBytes + PAGE_BYTES, GROWN_BYTES_MAX),
    });
  }

  load(input: RunInput): void {
    const packet = input.packet ?? new Uint8Array();
    this.checkSize(packet.length);
    const ctx = input.ctx === undefined ? undefined : fitCtx(input.ctx, SKB_BYTES);
    const ifindex =
      ctx === undefined ? 0 : new DataView(ctx.buffer, ctx.byteOffset).getUint32(SKB.ifindex, true);
    if (ifindex > LOOPBACK_IFINDEX && this.host.isTestRun) checkDevice(this.host, ifindex);
    const device = ifindex === 0 ? LOOPBACK_IFINDEX : ifindex;

    this.memory.u8.fill(0, this.address, this.address + SKB_STATE.bytes);
    this.packet.load(packet);
    this.placeHeaders(packet, device, input.startsAt);
    if (ctx !== undefined) this.applyCtx(ctx);
    this.given = ctx;
    if (input.fields !== undefined) writeFields(this.memory.view, this.address, LAYOUT, input.fields);
  }

  private checkSize(bytes: number): void {
    if (bytes < ETH_HEADER_BYTES) {
      throw refuse("EINVAL", `packet of ${bytes} bytes found, at least ${ETH_HEADER_BYTES} needed`);
    }
    const limit = this.host.isTestRun ? TEST_RUN_BYTES_MAX : this.host.maxPacketBytes;
    if (bytes > limit) throw refuse("EINVAL", `packet of ${bytes} bytes found, ${limit} allowed`);
  }

  /** Does what the receive path does: notes protocol and type, pulls the Ethernet header (T-21..T-23). */
  private placeHeaders(packet: Uint8Array, device: number, startsAt: RunInput["startsAt"]): void {
    const { view } = this.memory;
    const { address } = this;
    const start = this.packet.dataStart;
    const protocol = etherProtocol(packet);
    view.setUint32(address + SKB.protocol, protocol, true);
    view.setUint32(address + SKB.pktType, packetType(packet, addressesOf(this.host, device)), true);
    view.setUint32(address + SKB.ifindex, device, true);
    view.setUint32(address + SKB_STATE.macHeader, start, true);
    view.setUint32(address + SKB_STATE.networkHeader, start + ETH_HEADER_BYTES, true);
    view.setUint32(address + SKB_STATE.csumState, CSUM_STATE.none, true);
    this.placeSock(protocol, packet.length - ETH_HEADER_BYTES, start + ETH_HEADER_BYTES);
    const isLink = startsAt === undefined ? this.kind.isLinkLayer : startsAt === "link";
    this.isPulled = !isLink;
    if (!isLink) this.packet.setBounds(start + ETH_HEADER_BYTES, this.packet.dataEnd);
    view.setUint32(address + SKB.len, this.packet.lengthBytes, true);
  }

  /** Gives the packet a closed socket with the packet's addresses, as the test run does. */
  private placeSock(protocol: number, bytes: number, ip: number): void {
    const { view, u8 } = this.memory;
    const sock = this.sockAddress;
    u8.fill(0, sock, sock + SOCK_BYTES);
    view.setUint32(sock + SOCK.state, TCP_CLOSE, true);
    view.setInt32(sock + SOCK.rxQueueMapping, -1, true);
    view.setUint32(this.address + SKB.sk, sock, true);
    view.setUint32(this.address + SKB_STATE.sock, sock, true);
    if (protocol === PROTOCOL.ipv4) {
      this.checkHeader(bytes, IPV4_HEADER_BYTES);
      view.setUint32(sock + SOCK.family, FAMILY.ipv4, true);
      u8.copyWithin(sock + SOCK.srcIp4, ip + 12, ip + 16);
      u8.copyWithin(sock + SOCK.dstIp4, ip + 16, ip + 20);
    } else if (protocol === PROTOCOL.ipv6) {
      this.checkHeader(bytes, IPV6_HEADER_BYTES);
      view.setUint32(sock + SOCK.family, FAMILY.ipv6, true);
      u8.copyWithin(sock + SOCK.srcIp6, ip + 8, ip + 24);
      u8.copyWithin(sock + SOCK.dstIp6, ip + 24, ip + 40);
    }
    if (!this.kind.hasSockFields) return;
    u8.copyWithin(this.address + SKB.family, sock + SOCK.family, sock + SOCK.family + 4);
    u8.copyWithin(this.address + SKB.localIp4, sock + SOCK.srcIp4, sock + SOCK.srcIp4 + 4);
    u8.copyWithin(this.address + SKB.remoteIp4, sock + SOCK.dstIp4, sock + SOCK.dstIp4 + 4);
    u8.copyWithin(this.address + SKB.localIp6, sock + SOCK.srcIp6, sock + SOCK.srcIp6 + 16);
    u8.copyWithin(this.address + SKB.remoteIp6, sock + SOCK.dstIp6, sock + SOCK.dstIp6 + 16);
  }

  private checkHeader(bytes: number, needed: number): void {
    if (bytes >= needed || !this.host.isTestRun) return;
    throw refuse("EINVAL", `${bytes} bytes after the Ethernet header found, the IP header needs ${needed}`);
  }

  private applyCtx(ctx: Uint8Array): void {
    const { u8, view } = this.memory;
    if (this.host.isTestRun) {
      applyTestRunCtx(view, this.address, ctx, this.packet.lengthBytes);
      return;
    }
    // A replay may give everything that does not follow from the packet; zero means "as received".
    for (const field of LAYOUT.fields) {
      if (field.holds !== "scalar" || field.offset === SKB.len) continue;
      const end = field.offset + field.sizeBytes * field.count;
      if (ctx.subarray(field.offset, end).some((byte) => byte !== 0)) {
        u8.set(ctx.subarray(field.offset, end), this.address + field.offset);
      }
    }
  }

  readPacket(): Uint8Array {
    const packet = this.packet.bytes();
    if (!this.isPulled) return packet.slice();
    const bytes = new Uint8Array(ETH_HEADER_BYTES + packet.length);
    bytes.set(packet, ETH_HEADER_BYTES);
    if (!this.host.isTestRun) {
      // The test run gives zeros here; whoever writes a capture wants the header that was received.
      const mac = this.memory.view.getUint32(this.address + SKB_STATE.macHeader, true);
      bytes.set(this.memory.bytesAt(mac, ETH_HEADER_BYTES));
    }
    return bytes;
  }

  readCtx(): Uint8Array {
    const live = this.memory.bytesAt(this.address, SKB_BYTES);
    if (this.host.isTestRun) return testRunCtxOut(live, this.given ?? new Uint8Array(SKB_BYTES));
    const bytes = live.slice();
    const view = new DataView(bytes.buffer);
    const base = this.packet.metaStart;
    for (const offset of [SKB.data, SKB.dataEnd, SKB.dataMeta]) {
      view.setUint32(offset, view.getUint32(offset, true) - base, true);
    }
    bytes.fill(0, SKB.sk, SKB.sk + 8);
    return bytes;
  }
}
