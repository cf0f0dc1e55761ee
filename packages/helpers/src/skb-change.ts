import { SKB_STATE } from "@tsbpf/abi";
import type { HelperEnv, HelperPlugin, RawHelper } from "@tsbpf/plugin";
import { skbHelper } from "./guarded.ts";
import { fail, isZero, R2, R3, setU32, u32 } from "./regs.ts";
import {
  clearHash,
  FIELD,
  headerOffset,
  insertZeros,
  isSegmented,
  PROTOCOL,
  packetOf,
  removeBytes,
  SKB_BYTES_MAX,
  setPacketBounds,
  setWord,
  shiftHeader,
  word,
} from "./skb.ts";

const U16_MASK = 65_535;
/** Bytes that an IPv6 header has more than an IPv4 one. */
const HEADER_DIFFERENCE = 20;
const TYPE_MAX = 3;
const S32_MAX = 0x7fff_ffff;

/** Bytes from the link-layer header to the network header. */
export const macHeaderBytes = (env: HelperEnv): number =>
  word(env, SKB_STATE.networkHeader) - word(env, SKB_STATE.macHeader);

/** Inserts zeros into the headers; those before them move, so the noted starts do. */
export function pushHeaders(env: HelperEnv, offset: number, bytes: number): boolean {
  if (!insertZeros(env, offset, bytes)) return false;
  moveHeaders(env, -bytes);
  return true;
}

/** Removes bytes of the headers. */
export function popHeaders(env: HelperEnv, offset: number, bytes: number): boolean {
  if (offset + bytes > packetOf(env).lengthBytes) return false;
  removeBytes(env, offset, bytes);
  moveHeaders(env, bytes);
  return true;
}

function moveHeaders(env: HelperEnv, bytes: number): void {
  const isTransportAtNetwork = word(env, SKB_STATE.transportHeader) === word(env, SKB_STATE.networkHeader);
  shiftHeader(env, SKB_STATE.macHeader, bytes);
  shiftHeader(env, SKB_STATE.networkHeader, bytes);
  if (isTransportAtNetwork) setWord(env, SKB_STATE.transportHeader, word(env, SKB_STATE.networkHeader));
}

const changeProto: RawHelper = (regs, env) => {
  if (!isZero(regs, R3)) return fail(regs, "EINVAL");
  const from = word(env, FIELD.protocol);
  const to = u32(regs, R2) & U16_MASK;
  const at = macHeaderBytes(env);
  let isMoved: boolean;
  if (from === PROTOCOL.ipv4 && to === PROTOCOL.ipv6) isMoved = pushHeaders(env, at, HEADER_DIFFERENCE);
  else if (from === PROTOCOL.ipv6 && to === PROTOCOL.ipv4) isMoved = popHeaders(env, at, HEADER_DIFFERENCE);
  else return fail(regs, "ENOTSUPP");
  if (!isMoved) return fail(regs, "ENOMEM");
  setWord(env, FIELD.protocol, to);
  clearHash(env);
  setU32(regs, 0);
};

const changeType: RawHelper = (regs, env) => {
  const type = u32(regs, R2);
  if (type > TYPE_MAX || word(env, FIELD.pktType) > TYPE_MAX) return fail(regs, "EINVAL");
  setWord(env, FIELD.pktType, type);
  setU32(regs, 0);
};

/** Smallest length that leaves the headers whole (HF-9). */
function minLength(env: HelperEnv): number {
  const network = headerOffset(env, SKB_STATE.networkHeader);
  const hasTransport = word(env, SKB_STATE.transportHeader) !== 0;
  const transport = hasTransport ? headerOffset(env, SKB_STATE.transportHeader) : 0;
  return transport > 0 ? transport : Math.max(network, 0);
}

/** Forgets segmentation, as a change of the length makes it wrong. */
function resetSegments(env: HelperEnv): void {
  if (!isSegmented(env)) return;
  setWord(env, FIELD.gsoSize, 0);
  setWord(env, FIELD.gsoSegs, 0);
  setWord(env, SKB_STATE.gsoType, 0);
}

const changeTail: RawHelper = (regs, env) => {
  const length = u32(regs, R2);
  const packet = packetOf(env);
  if (!isZero(regs, R3) || length > SKB_BYTES_MAX || length < minLength(env)) return fail(regs, "EINVAL");
  if (word(env, SKB_STATE.isEncapsulated) !== 0) return fail(regs, "ENOTSUPP");
  const { dataStart, dataEnd } = packet;
  const end = dataStart + length;
  if (end > packet.end) return fail(regs, "ENOMEM");
  if (end > dataEnd) env.memory.u8.fill(0, dataEnd, end);
  setPacketBounds(env, dataStart, end);
  resetSegments(env);
  setU32(regs, 0);
};

const changeHead: RawHelper = (regs, env) => {
  const bytes = u32(regs, R2);
  const length = packetOf(env).lengthBytes + bytes;
  if (!isZero(regs, R3) || bytes > S32_MAX || (length > SKB_BYTES_MAX && !isSegmented(env))) {
    return fail(regs, "EINVAL");
  }
  if (!insertZeros(env, 0, bytes)) return fail(regs, "ENOMEM");
  setWord(env, SKB_STATE.macHeader, packetOf(env).dataStart);
  setU32(regs, 0);
};

/** Bytes of a VLAN tag, and where it lies in a frame. */
const TAG_BYTES = 4;
const TAG_OFFSET = 12;
const TAGGED_HEADER_BYTES = 18;
const ETH_HEADER_BYTES = 14;

const isVlan = (protocol: number): boolean => protocol === PROTOCOL.vlan || protocol === PROTOCOL.qinq;

function setTag(env: HelperEnv, isPresent: boolean, proto: number, tci: number): void {
  setWord(env, FIELD.vlanPresent, isPresent ? 1 : 0);
  setWord(env, FIELD.vlanProto, proto);
  setWord(env, FIELD.vlanTci, tci);
}

const vlanPush: RawHelper = (regs, env) => {
  const asked = u32(regs, R2) & U16_MASK;
  const proto = isVlan(asked) ? asked : PROTOCOL.vlan;
  if (word(env, FIELD.vlanPresent) !== 0) {
    const outer = word(env, FIELD.vlanProto);
    const tci = word(env, FIELD.vlanTci);
    if (!insertZeros(env, TAG_OFFSET, TAG_BYTES)) return fail(regs, "ENOMEM");
    const at = packetOf(env).dataStart + TAG_OFFSET;
    env.memory.view.setUint16(at, outer, true);
    env.memory.view.setUint16(at + 2, tci);
    setWord(env, FIELD.protocol, outer);
    shiftHeader(env, SKB_STATE.macHeader, -TAG_BYTES);
    shiftHeader(env, SKB_STATE.networkHeader, -TAG_BYTES);
  }
  setTag(env, true, proto, u32(regs, R3) & U16_MASK);
  setU32(regs, 0);
};

/** Takes the tag out of the frame and returns its control information, or -1 when the frame is too short. */
function removeInlineTag(env: HelperEnv): number {
  const { view } = env.memory;
  const { dataStart, lengthBytes } = packetOf(env);
  if (lengthBytes < TAGGED_HEADER_BYTES) return -1;
  const tci = view.getUint16(dataStart + ETH_HEADER_BYTES);
  removeBytes(env, TAG_OFFSET, TAG_BYTES);
  const start = packetOf(env).dataStart;
  setWord(env, FIELD.protocol, view.getUint16(start + TAG_OFFSET, true));
  shiftHeader(env, SKB_STATE.macHeader, TAG_BYTES);
  if (headerOffset(env, SKB_STATE.networkHeader) < ETH_HEADER_BYTES) {
    setWord(env, SKB_STATE.networkHeader, start + ETH_HEADER_BYTES);
  }
  return tci;
}

const vlanPop: RawHelper = (regs, env) => {
  if (word(env, FIELD.vlanPresent) !== 0) setTag(env, false, 0, 0);
  else if (!isVlan(word(env, FIELD.protocol))) return setU32(regs, 0);
  else if (removeInlineTag(env) < 0) return fail(regs, "ENOMEM");
  const next = word(env, FIELD.protocol);
  if (isVlan(next)) {
    const tci = removeInlineTag(env);
    if (tci < 0) return fail(regs, "ENOMEM");
    setTag(env, true, next, tci);
  }
  setU32(regs, 0);
};

/** Says whether r2 is within what `sk_skb` programs may change at the head, and changes it. */
export const changeSkSkbHead = (env: HelperEnv, delta: number): boolean => {
  const { dataStart, dataEnd, lengthBytes } = packetOf(env);
  if (delta >= 0) return insertZeros(env, 0, delta);
  if (-delta > lengthBytes) return false;
  setPacketBounds(env, dataStart - delta, dataEnd);
  return true;
};

/** Helpers that change headers, tags and length of `__sk_buff` packets. */
export const skbChangeHelpers: readonly HelperPlugin[] = [
  skbHelper(18, "Pushes a VLAN tag.", vlanPush),
  skbHelper(19, "Pops a VLAN tag.", vlanPop),
  skbHelper(
    31,
    "Turns an IPv4 packet into an IPv6 one or back, leaving the new header to the program.",
    changeProto,
  ),
  skbHelper(32, "Changes how the packet counts as received.", changeType),
  skbHelper(38, "Changes the length of the packet.", changeTail),
  skbHelper(43, "Adds zeros before the packet.", changeHead),
];
