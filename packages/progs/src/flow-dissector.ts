import { STRUCT_LAYOUTS } from "@tsbpf/abi";
import { type LinearMemory, PacketBuffer, PERM } from "@tsbpf/memory";
import { defineProgType, type ProgContext, type ProgHost, type RunInput } from "@tsbpf/plugin";
import { fitCtx, isZero } from "./ctx-bytes.ts";
import { ETH_HEADER_BYTES } from "./ethernet.ts";
import { writeFields } from "./fields.ts";
import { refuse } from "./refuse.ts";
import { SKB, SKB_BYTES } from "./skb-fields.ts";
import { flowVerdict } from "./verdicts.ts";

const KEYS_BYTES = STRUCT_LAYOUTS.bpf_flow_keys.sizeBytes;
const KEYS = { nhoff: 0, thoff: 2, nProto: 10, flags: 48, flowLabel: 52 } as const;
const ETHER_TYPE_OFFSET = 12;
const TEST_RUN_BYTES_MAX = 4096;

/** The context of a flow dissector: packet bounds, and the keys that it fills. */
class FlowDissectorContext implements ProgContext {
  readonly address: number;
  readonly packet: PacketBuffer;
  private readonly memory: LinearMemory;
  private readonly host: ProgHost;
  private readonly keys: number;
  private given: Uint8Array | undefined;

  constructor(host: ProgHost) {
    this.host = host;
    this.memory = host.memory;
    this.address = host.memory.alloc(SKB_BYTES, { kind: "ctx", name: "__sk_buff" });
    this.keys = host.memory.alloc(KEYS_BYTES, { kind: "ctx", name: "bpf_flow_keys", perm: PERM.readWrite });
    this.packet = new PacketBuffer(host.memory, {
      ctxAddress: this.address,
      fields: { data: SKB.data, dataEnd: SKB.dataEnd, dataMeta: undefined },
      headroomBytes: 0,
      maxBytes: Math.max(host.maxPacketBytes, TEST_RUN_BYTES_MAX),
    });
  }

  load(input: RunInput): void {
    const packet = input.packet ?? new Uint8Array();
    const limit = this.host.isTestRun ? TEST_RUN_BYTES_MAX : this.host.maxPacketBytes;
    if (packet.length < ETH_HEADER_BYTES || packet.length > limit) {
      throw refuse("EINVAL", `packet of ${packet.length} bytes found, ${ETH_HEADER_BYTES}..${limit} allowed`);
    }
    const given = input.ctx === undefined ? undefined : fitCtx(input.ctx, KEYS_BYTES);
    if (given !== undefined && !(isZero(given, 0, KEYS.flags) && isZero(given, KEYS.flowLabel, KEYS_BYTES))) {
      throw refuse("EINVAL", "only flags of the flow keys may be given");
    }
    this.given = given;
    const { u8, view } = this.memory;
    u8.fill(0, this.address, this.address + SKB_BYTES);
    this.packet.load(packet);
    view.setUint32(this.address + SKB.flowKeys, this.keys, true);
    u8.fill(0, this.keys, this.keys + KEYS_BYTES);
    view.setUint16(this.keys + KEYS.nhoff, ETH_HEADER_BYTES, true);
    view.setUint16(this.keys + KEYS.thoff, ETH_HEADER_BYTES, true);
    u8.set(packet.subarray(ETHER_TYPE_OFFSET, ETH_HEADER_BYTES), this.keys + KEYS.nProto);
    if (given !== undefined) u8.set(given.subarray(KEYS.flags, KEYS.flowLabel), this.keys + KEYS.flags);
    if (input.fields !== undefined) writeFields(view, this.keys, STRUCT_LAYOUTS.bpf_flow_keys, input.fields);
  }

  /** Returns the flow keys, with the offsets cut to the packet as the kernel does (P-40). */
  readPacket(): Uint8Array {
    const bytes = this.memory.bytesAt(this.keys, KEYS_BYTES).slice();
    const view = new DataView(bytes.buffer);
    const length = this.packet.lengthBytes;
    const nhoff = clamp(view.getUint16(KEYS.nhoff, true), ETH_HEADER_BYTES, length);
    view.setUint16(KEYS.nhoff, nhoff, true);
    view.setUint16(KEYS.thoff, clamp(view.getUint16(KEYS.thoff, true), nhoff, length), true);
    return bytes;
  }

  readCtx(): Uint8Array {
    return this.given?.slice() ?? new Uint8Array(KEYS_BYTES);
  }
}

const clamp = (value: number, min: number, max: number): number => Math.min(Math.max(value, min), max);

/** Flow dissectors: which flow a packet belongs to. */
export const flowDissector = defineProgType({
  type: "flow_dissector",
  summary: "Finds the flow keys of a packet.",
  source: "linux uapi/linux/bpf.h struct bpf_flow_keys",
  ctx: STRUCT_LAYOUTS.__sk_buff,
  verdictName: flowVerdict,
  createContext: (host) => new FlowDissectorContext(host),
});
