import { CSUM_STATE, SKB_STATE } from "@tsbpf/abi";
import type { HelperEnv, HelperPlugin, RawHelper } from "@tsbpf/plugin";
import { kernelHelper } from "./define.ts";
import { skbHelper } from "./guarded.ts";
import { fail, isZero, R1, R2, R3, R4, R5, setS32, setU32, u32 } from "./regs.ts";
import { packetOf, resetUnnecessary, setWord, word } from "./skb.ts";
import {
  addSums,
  addToChecksum,
  checksumOf,
  foldSum,
  replace16InChecksum,
  replaceInChecksum,
  subSums,
  sumBytes,
} from "./sums.ts";

const U16_MAX = 65_535;
/** Bits of the flags that hold the size of the changed field. @source linux uapi/linux/bpf.h BPF_F_HDR_FIELD_MASK */
const SIZE_MASK = 15;
/** @source linux uapi/linux/bpf.h BPF_F_PSEUDO_HDR, BPF_F_MARK_MANGLED_0, BPF_F_MARK_ENFORCE, BPF_F_IPV6 */
const PSEUDO_HEADER = 16;
const MANGLED_ZERO = 32;
const ENFORCE = 64;
const IPV6 = 128;
const L4_FLAGS = SIZE_MASK | PSEUDO_HEADER | MANGLED_ZERO | ENFORCE | IPV6;

const csumDiff = kernelHelper(
  28,
  "Computes the difference that a change makes to a checksum.",
  (regs, env) => {
    const { memory } = env;
    const fromSize = u32(regs, R2);
    const toSize = u32(regs, R4);
    let sum = u32(regs, R5);
    if (fromSize !== 0 && toSize !== 0) {
      sum = subSums(
        sumBytes(memory, u32(regs, R3), toSize, sum),
        sumBytes(memory, u32(regs, R1), fromSize, 0),
      );
    } else if (toSize !== 0) {
      sum = sumBytes(memory, u32(regs, R3), toSize, sum);
    } else if (fromSize !== 0) {
      sum = ~sumBytes(memory, u32(regs, R1), fromSize, ~sum >>> 0) >>> 0;
    }
    setU32(regs, foldSum(sum));
  },
);

/** Returns the address of the checksum that r2 names, or 0 when no packet bytes lie there. */
function checksumAddress(regs: Int32Array, env: HelperEnv): number {
  const offset = u32(regs, R2);
  const packet = packetOf(env);
  if (offset > U16_MAX || (offset & 1) !== 0 || offset + 2 > packet.lengthBytes) return 0;
  return packet.dataStart + offset;
}

const l3CsumReplace = skbHelper(
  10,
  "Updates the checksum of an IPv4 header for a changed field.",
  (regs, env) => {
    const { view } = env.memory;
    const flags = u32(regs, R5);
    if ((flags & ~SIZE_MASK) !== 0 || regs[R5 + 1] !== 0) return fail(regs, "EINVAL");
    const address = checksumAddress(regs, env);
    if (address === 0) return fail(regs, "EFAULT");
    const checksum = view.getUint16(address, true);
    const from = u32(regs, R3);
    const to = u32(regs, R4);
    if (flags === 0) {
      if (!isZero(regs, R3)) return fail(regs, "EINVAL");
      view.setUint16(address, addToChecksum(checksum, to), true);
    } else if (flags === 2) view.setUint16(address, replace16InChecksum(checksum, from, to), true);
    else if (flags === 4) view.setUint16(address, replaceInChecksum(checksum, from, to), true);
    else return fail(regs, "EINVAL");
    setU32(regs, 0);
  },
);

const l4CsumReplace = skbHelper(
  11,
  "Updates the checksum of a TCP or UDP header for a changed field.",
  (regs, env) => {
    const { view } = env.memory;
    const flags = u32(regs, R5);
    if ((flags & ~L4_FLAGS) !== 0 || regs[R5 + 1] !== 0) return fail(regs, "EINVAL");
    const address = checksumAddress(regs, env);
    if (address === 0) return fail(regs, "EFAULT");
    const isMangled = (flags & MANGLED_ZERO) !== 0;
    if (isMangled && (flags & ENFORCE) === 0 && view.getUint16(address, true) === 0) return setU32(regs, 0);
    const size = flags & SIZE_MASK;
    if (size === 0) {
      if (!isZero(regs, R3)) return fail(regs, "EINVAL");
      replaceByDifference(env, address, u32(regs, R4), flags);
    } else if (size === 2)
      replaceField(env, address, u32(regs, R3) & U16_MAX, u32(regs, R4) & U16_MAX, flags);
    else if (size === 4) replaceField(env, address, u32(regs, R3), u32(regs, R4), flags);
    else return fail(regs, "EINVAL");
    if (isMangled && view.getUint16(address, true) === 0) view.setUint16(address, U16_MAX, true);
    setU32(regs, 0);
  },
);

/** @source linux net/core inet_proto_csum_replace4; HF-2, HF-3 */
function replaceField(env: HelperEnv, address: number, from: number, to: number, flags: number): void {
  const { view } = env.memory;
  const isPseudo = (flags & PSEUDO_HEADER) !== 0;
  const state = word(env, SKB_STATE.csumState);
  const checksum = view.getUint16(address, true);
  if (state !== CSUM_STATE.partial) {
    view.setUint16(address, replaceInChecksum(checksum, from, to), true);
    if (state === CSUM_STATE.complete && isPseudo) {
      setWord(env, SKB_STATE.csum, ~addSums(subSums(~word(env, SKB_STATE.csum) >>> 0, from), to) >>> 0);
    }
  } else if (isPseudo) {
    view.setUint16(address, ~checksumOf(addSums(subSums(checksum, from), to)) & U16_MAX, true);
  }
}

/** @source linux net/core inet_proto_csum_replace_by_diff */
function replaceByDifference(env: HelperEnv, address: number, difference: number, flags: number): void {
  const { view } = env.memory;
  const isPseudo = (flags & PSEUDO_HEADER) !== 0;
  const state = word(env, SKB_STATE.csumState);
  const checksum = view.getUint16(address, true);
  if (state !== CSUM_STATE.partial) {
    view.setUint16(address, addToChecksum(checksum, difference), true);
    if (state === CSUM_STATE.complete && isPseudo && (flags & IPV6) === 0) {
      setWord(env, SKB_STATE.csum, ~subSums(difference, word(env, SKB_STATE.csum)) >>> 0);
    }
  } else if (isPseudo) {
    view.setUint16(address, ~checksumOf(addSums(difference, checksum)) & U16_MAX, true);
  }
}

const csumUpdate: RawHelper = (regs, env) => {
  if (word(env, SKB_STATE.csumState) !== CSUM_STATE.complete) return fail(regs, "ENOTSUPP");
  const sum = addSums(word(env, SKB_STATE.csum), u32(regs, R2));
  setWord(env, SKB_STATE.csum, sum);
  setU32(regs, sum);
};

/** What `bpf_csum_level` is asked for. @source linux uapi/linux/bpf.h BPF_CSUM_LEVEL_QUERY */
const LEVEL = { query: 0, increase: 1, decrease: 2, reset: 3 } as const;
/** Highest level that is counted. @source linux include/linux/skbuff.h SKB_MAX_CSUM_LEVEL */
const LEVEL_MAX = 3;

const csumLevel: RawHelper = (regs, env) => {
  const state = word(env, SKB_STATE.csumState);
  const level = word(env, SKB_STATE.csumLevel);
  const isVerified = state === CSUM_STATE.unnecessary;
  if (regs[R2 + 1] !== 0) return fail(regs, "EINVAL");
  switch (u32(regs, R2)) {
    case LEVEL.query:
      return isVerified ? setU32(regs, level) : fail(regs, "EACCES");
    case LEVEL.increase:
      if (isVerified) setWord(env, SKB_STATE.csumLevel, Math.min(level + 1, LEVEL_MAX));
      else if (state === CSUM_STATE.none) {
        setWord(env, SKB_STATE.csumState, CSUM_STATE.unnecessary);
        setWord(env, SKB_STATE.csumLevel, 0);
      }
      return setS32(regs, 0);
    case LEVEL.decrease:
      if (isVerified && level === 0) setWord(env, SKB_STATE.csumState, CSUM_STATE.none);
      else if (isVerified) setWord(env, SKB_STATE.csumLevel, level - 1);
      return setS32(regs, 0);
    case LEVEL.reset:
      resetUnnecessary(env);
      return setS32(regs, 0);
    default:
      return fail(regs, "EINVAL");
  }
};

/** Helpers on checksums. */
export const csumHelpers: readonly HelperPlugin[] = [
  csumDiff,
  l3CsumReplace,
  l4CsumReplace,
  skbHelper(40, "Adds to the sum that the receiving device computed.", csumUpdate),
  skbHelper(135, "Asks for or changes how many checksums are verified.", csumLevel),
];
