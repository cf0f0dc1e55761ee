import { SKB_STATE, STRUCT_LAYOUTS } from "@tsbpf/abi";
import { canAccess, PERM } from "@tsbpf/memory";
import type { HelperEnv, HelperPlugin, RawHelper } from "@tsbpf/plugin";
import { kernelHelper } from "./define.ts";
import { skbHelper } from "./guarded.ts";
import { fail, isZero, R1, R2, R3, setU32, setU64, u32 } from "./regs.ts";
import { clearHash, FIELD, isSkbType, PROTOCOL, packetOf, setWord, word } from "./skb.ts";
import { addSums16 } from "./sums.ts";

const OVERFLOW_UID = 65_534;
const SOCK_BYTES = STRUCT_LAYOUTS.bpf_sock.sizeBytes;
/** Cookie and cgroup of the one socket that a test run has. */
const SOCKET_COOKIE = 1n;
const ROOT_CGROUP_ID = 1n;
/** Cookie of the one network namespace. */
const NETNS_COOKIE = 1n;

const hasSocket = (env: HelperEnv): boolean => word(env, SKB_STATE.sock) !== 0;

const socketCookie: RawHelper = (regs, env) => {
  const exists = isSkbType(env) ? hasSocket(env) : !isZero(regs, R1);
  setU64(regs, exists ? SOCKET_COOKIE : 0n);
};

const skbCgroupId: RawHelper = (regs, env) => setU64(regs, hasSocket(env) ? ROOT_CGROUP_ID : 0n);

const skbAncestorCgroupId: RawHelper = (regs, env) =>
  setU64(regs, hasSocket(env) && u32(regs, R2) === 0 ? ROOT_CGROUP_ID : 0n);

const HASH_PRIME = 0x9e37_79b1;
const HASH_ROUNDS = 2;
/** Bytes of the network header that hold the addresses, and the protocol of the next header. */
const FLOW = {
  ipv4: { addresses: 12, addressBytes: 8, protocol: 9 },
  ipv6: { addresses: 8, addressBytes: 32, protocol: 6 },
} as const;
const PORT_BYTES = 4;
const IPV6_HEADER_BYTES = 40;
const IHL_MASK = 15;

/** Mixes the flow of a packet: addresses, protocol and ports where there are some; never 0. */
function flowHash(env: HelperEnv): number {
  const { view, u8 } = env.memory;
  const network = word(env, SKB_STATE.networkHeader);
  const end = packetOf(env).dataEnd;
  const protocol = word(env, FIELD.protocol);
  let hash = protocol;
  const mix = (value: number): void => {
    for (let i = 0; i < HASH_ROUNDS; i++) hash = Math.imul(hash ^ value ^ (hash >>> 15), HASH_PRIME);
  };
  if (protocol === PROTOCOL.ipv4 || protocol === PROTOCOL.ipv6) {
    const isIpv4 = protocol === PROTOCOL.ipv4;
    const flow = isIpv4 ? FLOW.ipv4 : FLOW.ipv6;
    const ports = network + (isIpv4 ? ((u8[network] as number) & IHL_MASK) * 4 : IPV6_HEADER_BYTES);
    for (let at = flow.addresses; at < flow.addresses + flow.addressBytes; at += 4) {
      if (network + at + 4 <= end) mix(view.getUint32(network + at, true));
    }
    mix(u8[network + flow.protocol] as number);
    if (ports + PORT_BYTES <= end) mix(view.getUint32(ports, true));
  }
  return hash >>> 0 || 1;
}

const getHashRecalc: RawHelper = (regs, env) => {
  if (word(env, FIELD.hash) === 0 && word(env, SKB_STATE.hasHash) === 0) {
    setWord(env, FIELD.hash, flowHash(env));
    setWord(env, SKB_STATE.hasHash, 1);
  }
  setU32(regs, word(env, FIELD.hash));
};

const setHashInvalid: RawHelper = (regs, env) => {
  clearHash(env);
  setU32(regs, 0);
};

const setHash: RawHelper = (regs, env) => {
  setWord(env, FIELD.hash, u32(regs, R2));
  setWord(env, SKB_STATE.hasHash, 1);
  setU32(regs, 0);
};

/** Clocks of a time stamp. @source linux uapi/linux/bpf.h BPF_SKB_CLOCK_REALTIME */
const CLOCK_MAX = 2;

const setTstamp: RawHelper = (regs, env) => {
  const protocol = word(env, FIELD.protocol);
  if (protocol !== PROTOCOL.ipv4 && protocol !== PROTOCOL.ipv6) return fail(regs, "EOPNOTSUPP");
  const clock = u32(regs, R3);
  if (clock > CLOCK_MAX || (clock !== 0 && isZero(regs, R2))) return fail(regs, "EINVAL");
  setWord(env, FIELD.tstamp, u32(regs, R2));
  setWord(env, FIELD.tstamp + 4, u32(regs, R2 + 1));
  env.memory.view.setUint8(env.ctxAddress + FIELD.tstampType, clock);
  setU32(regs, 0);
};

const ECN_MASK = 3;
const ECN_CE = 3;
const IPV4_HEADER_BYTES = 20;
const TRAFFIC_CLASS = 1;
const ETH_HEADER_BYTES = 14;
const VLAN_TAG_BYTES = 4;
const U16_MAX = 65_535;
const IPV4_CHECKSUM = 10;
/** In an IPv6 header the two bits lie in the second byte, above the flow label. */
const IPV6_SHIFT = 4;

/** Returns the protocol after VLAN tags that lie in the packet. */
function innerProtocol(env: HelperEnv): number {
  const { view } = env.memory;
  const end = packetOf(env).dataEnd;
  let protocol = word(env, FIELD.protocol);
  let at = word(env, SKB_STATE.macHeader) + ETH_HEADER_BYTES;
  while ((protocol === PROTOCOL.vlan || protocol === PROTOCOL.qinq) && at + VLAN_TAG_BYTES <= end) {
    protocol = view.getUint16(at + 2, true);
    at += VLAN_TAG_BYTES;
  }
  return protocol;
}

/** Sets both bits in an IPv4 header; returns whether they are set. */
function setCeIpv4(env: HelperEnv, at: number): boolean {
  const { view } = env.memory;
  const tos = view.getUint8(at + TRAFFIC_CLASS);
  const ecn = tos & ECN_MASK;
  if (ecn === 0 || ecn === ECN_CE) return ecn === ECN_CE;
  view.setUint8(at + TRAFFIC_CLASS, tos | ECN_CE);
  // The word that holds the field grows, so its checksum shrinks by as much.
  const checksum = view.getUint16(at + IPV4_CHECKSUM);
  view.setUint16(at + IPV4_CHECKSUM, addSums16(checksum, U16_MAX - (ECN_CE - ecn)));
  return true;
}

function setCeIpv6(env: HelperEnv, at: number): boolean {
  const { view } = env.memory;
  const byte = view.getUint8(at + TRAFFIC_CLASS);
  if (((byte >> IPV6_SHIFT) & ECN_MASK) === 0) return false;
  view.setUint8(at + TRAFFIC_CLASS, byte | (ECN_CE << IPV6_SHIFT));
  return true;
}

const ecnSetCe: RawHelper = (regs, env) => {
  const at = word(env, SKB_STATE.networkHeader);
  const { lengthBytes, dataEnd } = packetOf(env);
  const protocol = innerProtocol(env);
  const bytes =
    protocol === PROTOCOL.ipv4 ? IPV4_HEADER_BYTES : protocol === PROTOCOL.ipv6 ? IPV6_HEADER_BYTES : 0;
  if (bytes === 0 || lengthBytes < bytes || at + bytes > dataEnd) return setU32(regs, 0);
  setU32(regs, (protocol === PROTOCOL.ipv4 ? setCeIpv4(env, at) : setCeIpv6(env, at)) ? 1 : 0);
};

/** Returns the socket itself where one can be read there. */
const fullSock: RawHelper = (regs, env) => {
  const address = u32(regs, R1);
  const isSock = regs[R1 + 1] === 0 && canAccess(env.memory, address, SOCK_BYTES, PERM.read);
  setU32(regs, isSock ? address : 0);
};

const nothing: RawHelper = (regs) => setU32(regs, 0);

/** Helpers on what belongs to a packet beside its bytes. */
export const skbMetaHelpers: readonly HelperPlugin[] = [
  kernelHelper(24, "Returns the realm of the packet's route, 0 without one.", nothing),
  skbHelper(34, "Returns the packet's hash, computing it when needed.", getHashRecalc),
  skbHelper(41, "Forgets the packet's hash.", setHashInvalid),
  skbHelper(48, "Sets the packet's hash.", setHash),
  kernelHelper(46, "Returns a number that tells sockets apart.", socketCookie),
  skbHelper(47, "Returns the owner of the packet's socket.", (regs, env) =>
    setU32(regs, hasSocket(env) ? 0 : OVERFLOW_UID),
  ),
  skbHelper(79, "Returns the cgroup of the packet's socket.", skbCgroupId),
  skbHelper(83, "Returns a cgroup above that of the packet's socket.", skbAncestorCgroupId),
  kernelHelper(95, "Returns a socket if it is a full one.", fullSock),
  skbHelper(97, "Marks the packet as having met congestion.", ecnSetCe),
  kernelHelper(122, "Returns a number that tells network namespaces apart.", (regs) =>
    setU64(regs, NETNS_COOKIE),
  ),
  kernelHelper(151, "Returns the class of the packet's socket for traffic control.", nothing),
  skbHelper(192, "Sets when the packet is to be delivered.", setTstamp),
];
