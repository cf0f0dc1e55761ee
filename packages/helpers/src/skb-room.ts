import type { ErrnoName } from "@tsbpf/abi";
import { SKB_STATE } from "@tsbpf/abi";
import type { HelperEnv, HelperPlugin, RawHelper } from "@tsbpf/plugin";
import { skbHelper } from "./guarded.ts";
import { fail, R2, R3, R4, s32, setU32, u32 } from "./regs.ts";
import {
  FIELD,
  headerOffset,
  isSegmented,
  PROTOCOL,
  packetOf,
  resetUnnecessary,
  SKB_BYTES_MAX,
  setWord,
  word,
} from "./skb.ts";
import { changeSkSkbHead, macHeaderBytes, popHeaders, pushHeaders } from "./skb-change.ts";

/** Bits of the flags. @source linux uapi/linux/bpf.h BPF_F_ADJ_ROOM_FIXED_GSO */
const ROOM = {
  fixedGso: 1,
  encapIpv4: 2,
  encapIpv6: 4,
  encapGre: 8,
  encapUdp: 16,
  noCsumReset: 32,
  encapEthernet: 64,
  decapIpv4: 128,
  decapIpv6: 256,
} as const;
const ROOM_FLAGS = Object.values(ROOM).reduce((all: number, bit) => all | bit, 0);
const ENCAP_L3 = ROOM.encapIpv4 | ROOM.encapIpv6;
const DECAP_L3 = ROOM.decapIpv4 | ROOM.decapIpv6;
const SHRINK_FLAGS = ROOM.fixedGso | DECAP_L3 | ROOM.noCsumReset;
/** The highest byte of the flags holds the length of an inner link-layer header. */
const INNER_MAC_SHIFT = 24;
const INNER_MAC_MASK = -(2 ** INNER_MAC_SHIFT);
const MODE = { network: 0, mac: 1 } as const;
const DIFFERENCE_MAX = 4095;
const IPV4_HEADER_BYTES = 20;
const IPV6_HEADER_BYTES = 40;
const ETH_HEADER_BYTES = 14;

/** A request, once its arguments are read. */
interface Room {
  readonly bytes: number;
  readonly isShrink: boolean;
  readonly flags: number;
  readonly innerMacBytes: number;
  /** Where the change begins. */
  readonly offset: number;
}

const headerBytesOf = (protocol: number): number =>
  protocol === PROTOCOL.ipv4 ? IPV4_HEADER_BYTES : protocol === PROTOCOL.ipv6 ? IPV6_HEADER_BYTES : 0;

const adjustRoom: RawHelper = (regs, env) => {
  if (env.progType === "sk_skb") return adjustSkSkb(regs, env);
  const errno = tryAdjust(regs, env);
  if (errno !== undefined) return fail(regs, errno);
  if ((u32(regs, R4) & ROOM.noCsumReset) === 0) resetUnnecessary(env);
  setU32(regs, 0);
};

const adjustSkSkb: RawHelper = (regs, env) => {
  const delta = s32(regs, R2);
  if (u32(regs, R4) !== 0 || regs[R4 + 1] !== 0 || u32(regs, R3) !== 0) return fail(regs, "EINVAL");
  if (Math.abs(delta) > DIFFERENCE_MAX) return fail(regs, "EFAULT");
  if (!changeSkSkbHead(env, delta)) return fail(regs, "ENOMEM");
  setU32(regs, 0);
};

/** Checks in the order of the kernel, then changes the packet; returns why not. */
function tryAdjust(regs: Int32Array, env: HelperEnv): ErrnoName | undefined {
  const flags = u32(regs, R4);
  const flagsHi = regs[R4 + 1] as number;
  const delta = s32(regs, R2);
  const bytes = Math.abs(delta);
  const isShrink = delta < 0;
  if ((flags & ~ROOM_FLAGS) !== 0 || (flagsHi & ~INNER_MAC_MASK) !== 0) return "EINVAL";
  if (bytes > DIFFERENCE_MAX) return "EFAULT";
  const headerBytes = headerBytesOf(word(env, FIELD.protocol));
  if (headerBytes === 0) return "ENOTSUPP";
  const mode = u32(regs, R3);
  if (mode !== MODE.network && mode !== MODE.mac) return "ENOTSUPP";
  let minBytes = headerBytes;
  if ((flags & DECAP_L3) !== 0) {
    if (!isShrink || (flags & DECAP_L3) === DECAP_L3) return "EINVAL";
    minBytes = (flags & ROOM.decapIpv4) !== 0 ? IPV4_HEADER_BYTES : IPV6_HEADER_BYTES;
  }
  const length = packetOf(env).lengthBytes;
  const networkBytes = length - headerOffset(env, SKB_STATE.networkHeader);
  if (isShrink && (bytes >= networkBytes || networkBytes - bytes < minBytes)) return "ENOTSUPP";
  if (!isShrink && length + bytes > SKB_BYTES_MAX && !isSegmented(env)) return "ENOTSUPP";
  const room: Room = {
    bytes,
    isShrink,
    flags,
    innerMacBytes: flagsHi >>> INNER_MAC_SHIFT,
    offset: macHeaderBytes(env) + (mode === MODE.network ? headerBytes : 0),
  };
  return isShrink ? shrink(env, room) : grow(env, room);
}

/** A packet that stands for segments of unknown kind cannot be resized. */
const hasOddSegments = (env: HelperEnv): boolean => isSegmented(env) && word(env, SKB_STATE.gsoType) === 0;

function shrink(env: HelperEnv, room: Room): ErrnoName | undefined {
  if ((room.flags & ~SHRINK_FLAGS) !== 0 || room.innerMacBytes !== 0) return "EINVAL";
  if (hasOddSegments(env)) return "ENOTSUPP";
  if (!popHeaders(env, room.offset, room.bytes)) return "ENOMEM";
  const protocol = word(env, FIELD.protocol);
  if (protocol === PROTOCOL.ipv4 && (room.flags & ROOM.decapIpv6) !== 0)
    setWord(env, FIELD.protocol, PROTOCOL.ipv6);
  else if (protocol === PROTOCOL.ipv6 && (room.flags & ROOM.decapIpv4) !== 0) {
    setWord(env, FIELD.protocol, PROTOCOL.ipv4);
  }
  return undefined;
}

function checkEncap(env: HelperEnv, { flags, innerMacBytes, bytes }: Room): ErrnoName | undefined {
  if ((flags & ENCAP_L3) === ENCAP_L3) return "EINVAL";
  if ((flags & ROOM.encapGre) !== 0 && (flags & ROOM.encapUdp) !== 0) return "EINVAL";
  if ((flags & ROOM.encapEthernet) !== 0 && innerMacBytes < ETH_HEADER_BYTES) return "EINVAL";
  if (word(env, SKB_STATE.isEncapsulated) !== 0) return "EALREADY";
  return innerMacBytes > bytes ? "EINVAL" : undefined;
}

function grow(env: HelperEnv, room: Room): ErrnoName | undefined {
  if (hasOddSegments(env)) return "ENOTSUPP";
  const isEncap = (room.flags & ENCAP_L3) !== 0;
  const macBytes = macHeaderBytes(env);
  if (isEncap) {
    const errno = checkEncap(env, room);
    if (errno !== undefined) return errno;
  }
  if (!pushHeaders(env, room.offset, room.bytes)) return "ENOMEM";
  if (isEncap) noteEncap(env, room, macBytes);
  return undefined;
}

function noteEncap(env: HelperEnv, { flags }: Room, macBytes: number): void {
  const start = packetOf(env).dataStart;
  const isIpv6 = (flags & ROOM.encapIpv6) !== 0;
  setWord(env, SKB_STATE.isEncapsulated, 1);
  setWord(env, SKB_STATE.networkHeader, start + macBytes);
  if ((flags & (ROOM.encapGre | ROOM.encapUdp)) !== 0) {
    const headerBytes = isIpv6 ? IPV6_HEADER_BYTES : IPV4_HEADER_BYTES;
    setWord(env, SKB_STATE.transportHeader, start + macBytes + headerBytes);
  }
  setWord(env, FIELD.protocol, isIpv6 ? PROTOCOL.ipv6 : PROTOCOL.ipv4);
}

/** Helpers that make room for headers or take it away. */
export const skbRoomHelpers: readonly HelperPlugin[] = [
  skbHelper(50, "Makes or takes away room in the headers of the packet.", adjustRoom),
];
