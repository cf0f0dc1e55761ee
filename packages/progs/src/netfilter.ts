import { STRUCT_LAYOUTS } from "@tsbpf/abi";
import { type LinearMemory, PacketBuffer, PERM } from "@tsbpf/memory";
import { defineProgType, type ProgContext, type ProgHost, type RunInput } from "@tsbpf/plugin";
import { fitCtx } from "./ctx-bytes.ts";
import { ETH_HEADER_BYTES, etherProtocol, PROTOCOL } from "./ethernet.ts";
import { refuse } from "./refuse.ts";
import { FAMILY, SKB, SKB_BYTES } from "./skb-fields.ts";
import { netfilterVerdict } from "./verdicts.ts";

/** Bytes of the kernel's `nf_hook_state` on 64-bit machines; hook and family are its first two. */
const STATE_BYTES = 48;
const HOOK_LOCAL_OUT = 3;
const IPV4_HEADER_BYTES = 20;
const CTX_BYTES = STRUCT_LAYOUTS.bpf_nf_ctx.sizeBytes;
const SKB_POINTER = 8;

/**
 * The context of a netfilter program: two pointers to kernel objects. Of these, the hook's state is as the kernel has
 * it; the packet is reached through dynptrs only.
 */
class NetfilterContext implements ProgContext {
  readonly address: number;
  readonly packet: PacketBuffer;
  private readonly memory: LinearMemory;
  private readonly host: ProgHost;
  private readonly state: number;
  private readonly skb: number;

  constructor(host: ProgHost) {
    this.host = host;
    this.memory = host.memory;
    this.address = host.memory.alloc(CTX_BYTES, { kind: "ctx", name: "bpf_nf_ctx", perm: PERM.read });
    this.state = host.memory.alloc(STATE_BYTES, { kind: "ctx", name: "nf_hook_state", perm: PERM.read });
    this.skb = host.memory.allocRaw(SKB_BYTES);
    this.packet = new PacketBuffer(host.memory, {
      ctxAddress: this.skb,
      fields: { data: SKB.data, dataEnd: SKB.dataEnd, dataMeta: undefined },
      headroomBytes: 0,
      maxBytes: host.maxPacketBytes,
    });
  }

  load(input: RunInput): void {
    const packet = input.packet ?? new Uint8Array();
    const given = input.ctx === undefined ? undefined : fitCtx(input.ctx, STATE_BYTES);
    const hook = given?.[0] ?? HOOK_LOCAL_OUT;
    const family = given?.[1] ?? FAMILY.ipv4;
    if (packet.length < IPV4_HEADER_BYTES || packet.length > this.host.maxPacketBytes) {
      throw refuse(
        "EINVAL",
        `packet of ${packet.length} bytes found, ${IPV4_HEADER_BYTES}..${this.host.maxPacketBytes} allowed`,
      );
    }
    if (family !== FAMILY.ipv4 && family !== FAMILY.ipv6) {
      throw refuse("EINVAL", `protocol family is ${family}, ${FAMILY.ipv4} and ${FAMILY.ipv6} allowed`);
    }
    const isNetwork = given === undefined || hook === HOOK_LOCAL_OUT;
    if (!isNetwork) checkProtocol(packet, family);
    const { view, u8 } = this.memory;
    u8.fill(0, this.state, this.state + STATE_BYTES);
    u8[this.state] = hook;
    u8[this.state + 1] = family;
    view.setBigUint64(this.address, BigInt(this.state), true);
    view.setBigUint64(this.address + SKB_POINTER, BigInt(this.skb), true);
    this.packet.load(isNetwork ? packet : packet.subarray(ETH_HEADER_BYTES));
  }

  readPacket(): Uint8Array {
    return this.packet.bytes().slice();
  }

  readCtx(): Uint8Array {
    return this.memory.bytesAt(this.state, STATE_BYTES).slice();
  }
}

function checkProtocol(packet: Uint8Array, family: number): void {
  const protocol = etherProtocol(packet);
  if (protocol !== PROTOCOL.ipv4 && protocol !== PROTOCOL.ipv6) {
    throw refuse("EPROTO", "the Ethernet header names neither IPv4 nor IPv6");
  }
  if ((protocol === PROTOCOL.ipv4) === (family === FAMILY.ipv4)) return;
  throw refuse("EINVAL", `the Ethernet header does not fit protocol family ${family}`);
}

/** Netfilter programs. */
export const netfilter = defineProgType({
  type: "netfilter",
  summary: "Decides about packets at a netfilter hook.",
  source: "linux include/net/netfilter struct bpf_nf_ctx",
  ctx: STRUCT_LAYOUTS.bpf_nf_ctx,
  verdictName: netfilterVerdict,
  createContext: (host) => new NetfilterContext(host),
});
