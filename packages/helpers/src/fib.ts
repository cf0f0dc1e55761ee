import { STRUCT_LAYOUTS } from "@tsbpf/abi";
import type { HelperEnv, HelperPlugin, NetDevice } from "@tsbpf/plugin";
import { kernelHelper } from "./define.ts";
import { deviceOf, headerBytesOf } from "./devices.ts";
import { type FibTable, fibTable, findNeighbour, findRoute, MAIN_TABLE, type Route } from "./fib-table.ts";
import { parseMac } from "./ip.ts";
import { fail, R2, R3, R4, setU32, u32 } from "./regs.ts";
import { isSegmented, packetOf } from "./skb.ts";

const PARAM_BYTES = STRUCT_LAYOUTS.bpf_fib_lookup.sizeBytes;
/** Offsets in `bpf_fib_lookup`. */
const PARAM = {
  family: 0,
  totLen: 6,
  ifindex: 8,
  metric: 12,
  src: 16,
  dst: 32,
  vlan: 48,
  tbid: 48,
  smac: 52,
  dmac: 58,
} as const;
/** Bits of the flags. @source linux uapi/linux/bpf.h BPF_FIB_LOOKUP_DIRECT */
const FLAG = { direct: 1, output: 2, skipNeigh: 4, tbid: 8, src: 16, mark: 32 } as const;
const FLAGS = Object.values(FLAG).reduce((all: number, bit) => all | bit, 0);
/** Answers. @source linux uapi/linux/bpf.h BPF_FIB_LKUP_RET_SUCCESS */
const ANSWER = {
  success: 0,
  blackhole: 1,
  unreachable: 2,
  prohibit: 3,
  notForwarded: 4,
  forwardingOff: 5,
  noNeighbour: 7,
  fragNeeded: 8,
  noSource: 9,
} as const;
const FAMILY = { ipv4: 2, ipv6: 10 } as const;
const IPV4_BYTES = 4;
const IPV6_BYTES = 16;
const VLAN_TAG_BYTES = 4;

/** One lookup. */
interface Lookup {
  readonly env: HelperEnv;
  readonly fib: FibTable;
  /** Address of the program's struct. */
  readonly at: number;
  readonly flags: number;
  readonly isIpv6: boolean;
  /** Whether the packet's own length is checked, not `tot_len`. */
  readonly checksPacket: boolean;
}

const fibLookup = kernelHelper(69, "Looks up where a packet would be forwarded to.", (regs, env) => {
  const { view } = env.memory;
  const flags = u32(regs, R4);
  const at = u32(regs, R2);
  if (u32(regs, R3) < PARAM_BYTES || (flags & ~FLAGS) !== 0) return fail(regs, "EINVAL");
  const family = view.getUint8(at + PARAM.family);
  if (family !== FAMILY.ipv4 && family !== FAMILY.ipv6) return fail(regs, "EAFNOSUPPORT");
  const device = deviceOf(env, view.getUint32(at + PARAM.ifindex, true));
  if (device === undefined) return fail(regs, "ENODEV");
  const checksPacket = env.progType !== "xdp" && view.getUint16(at + PARAM.totLen, true) === 0;
  const lookup: Lookup = { env, fib: fibTable(env), at, flags, isIpv6: family === FAMILY.ipv6, checksPacket };
  let answer = lookUp(lookup, device);
  if (answer === ANSWER.success && checksPacket) answer = checkPacket(lookup);
  setU32(regs, answer);
});

function lookUp(lookup: Lookup, device: NetDevice): number {
  const { env, fib, at, flags } = lookup;
  const { view } = env.memory;
  if (!(device.isForwarding ?? env.services.network.isForwarding ?? true)) return ANSWER.forwardingOff;
  let table = MAIN_TABLE;
  if ((flags & FLAG.direct) !== 0 && (flags & FLAG.tbid) !== 0) {
    table = view.getUint32(at + PARAM.tbid, true);
    view.setUint32(at + PARAM.tbid, 0, true);
  }
  const destination = addressAt(lookup, PARAM.dst);
  const route = findRoute(fib, table, destination);
  switch (route?.kind) {
    case "blackhole":
      return ANSWER.blackhole;
    case "unreachable":
      return ANSWER.unreachable;
    case "prohibit":
      return ANSWER.prohibit;
    case "unicast":
      return forward(lookup, route, device);
    default:
      return ANSWER.notForwarded;
  }
}

const addressAt = ({ env, at, isIpv6 }: Lookup, offset: number): Uint8Array =>
  env.memory.bytesAt(at + offset, isIpv6 ? IPV6_BYTES : IPV4_BYTES).slice();

/** Fills the struct as far as the kernel does before each answer (HLP-69a). */
function forward(lookup: Lookup, route: Route, from: NetDevice): number {
  const { env, fib, at, flags, isIpv6, checksPacket } = lookup;
  const { view, u8 } = env.memory;
  const egress = deviceOf(env, route.ifindex);
  if (egress === undefined || egress.isUp === false) return ANSWER.notForwarded;
  if ((flags & FLAG.output) !== 0 && egress.ifindex !== from.ifindex) return ANSWER.notForwarded;
  if (!checksPacket && view.getUint16(at + PARAM.totLen, true) > egress.mtu) {
    view.setUint16(at + PARAM.totLen, egress.mtu, true);
    return ANSWER.fragNeeded;
  }
  const nextHop = route.via ?? addressAt(lookup, PARAM.dst);
  const oldMetric = view.getUint32(at + PARAM.metric, true);
  view.setUint32(at + PARAM.metric, route.metric, true);
  view.setUint32(at + PARAM.ifindex, egress.ifindex, true);
  if ((flags & FLAG.src) !== 0) {
    if (route.src === undefined) {
      view.setUint32(at + PARAM.metric, oldMetric, true);
      return ANSWER.noSource;
    }
    u8.set(route.src, at + PARAM.src);
  }
  if (route.via !== undefined) {
    if (!isIpv6 && route.via.length === IPV6_BYTES) {
      u8[at + PARAM.family] = FAMILY.ipv6;
      u8.fill(0, at + PARAM.src + IPV4_BYTES, at + PARAM.src + IPV6_BYTES);
    }
    u8.set(route.via, at + PARAM.dst);
  }
  if ((flags & FLAG.skipNeigh) === 0) {
    const mac = findNeighbour(fib, egress.ifindex, nextHop);
    if (mac === undefined) return ANSWER.noNeighbour;
    u8.set(parseMac(egress.mac), at + PARAM.smac);
    u8.set(mac, at + PARAM.dmac);
  }
  view.setUint32(at + PARAM.vlan, 0, true);
  if (!checksPacket) view.setUint16(at + PARAM.totLen, egress.mtu, true);
  return ANSWER.success;
}

/** Checks the packet itself against the interface that was found, as `skb` programs without `tot_len` ask for. */
function checkPacket({ env, at }: Lookup): number {
  const { view } = env.memory;
  const egress = deviceOf(env, view.getUint32(at + PARAM.ifindex, true));
  if (egress === undefined) return ANSWER.success;
  view.setUint16(at + PARAM.totLen, egress.mtu, true);
  const limit = egress.mtu + headerBytesOf(egress) + VLAN_TAG_BYTES;
  return packetOf(env).lengthBytes <= limit || isSegmented(env) ? ANSWER.success : ANSWER.fragNeeded;
}

/** Helpers on routes. */
export const fibHelpers: readonly HelperPlugin[] = [fibLookup];
