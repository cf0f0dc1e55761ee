import { CSUM_STATE, SKB_STATE } from "@tsbpf/abi";
import type { HelperEnv, HelperPlugin, RawHelper } from "@tsbpf/plugin";
import { kernelHelper } from "./define.ts";
import { skbHelper } from "./guarded.ts";
import { fail, R2, R3, R4, R5, setU32, u32 } from "./regs.ts";
import { clearHash, isSkbType, packetOf, setWord, word } from "./skb.ts";
import { addSums, subSums, sumBytes } from "./sums.ts";

const S32_MAX = 0x7fff_ffff;
const U16_MAX = 65_535;
/** @source linux uapi/linux/bpf.h BPF_F_RECOMPUTE_CSUM, BPF_F_INVALIDATE_HASH */
const RECOMPUTE = 1;
const INVALIDATE_HASH = 2;
/** Where an offset counts from. @source linux uapi/linux/bpf.h enum bpf_hdr_start_off */
const START = { mac: 0, network: 1 } as const;

/** Zeroes the buffer of r3, r4 and fails. */
function failCleared(regs: Int32Array, env: HelperEnv): void {
  const to = u32(regs, R3);
  env.memory.u8.fill(0, to, to + u32(regs, R4));
  fail(regs, "EFAULT");
}

const loadBytes: RawHelper = (regs, env) => {
  const packet = packetOf(env);
  const offset = u32(regs, R2);
  const size = u32(regs, R4);
  const limit = env.progType === "flow_dissector" ? U16_MAX : S32_MAX;
  if (offset > limit || offset + size > packet.lengthBytes) return failCleared(regs, env);
  env.memory.copy(u32(regs, R3), packet.dataStart + offset, size);
  setU32(regs, 0);
};

const loadBytesRelative: RawHelper = (regs, env) => {
  const offset = u32(regs, R2);
  const size = u32(regs, R4);
  const start = u32(regs, R5);
  const isStart = start === START.mac || start === START.network;
  if (offset > U16_MAX || !isStart || !isSkbType(env)) return failCleared(regs, env);
  const from = word(env, start === START.mac ? SKB_STATE.macHeader : SKB_STATE.networkHeader) + offset;
  if (from + size > packetOf(env).dataEnd) return failCleared(regs, env);
  env.memory.copy(u32(regs, R3), from, size);
  setU32(regs, 0);
};

/** Adds to or takes from the sum of the whole packet what bytes at an offset count for. */
function changeSum(env: HelperEnv, at: number, offset: number, size: number, isAdded: boolean): void {
  const part = sumBytes(env.memory, at, size, 0);
  // Bytes at odd offsets count in the other half of their word.
  const shifted = (offset & 1) === 0 ? part : ((part << 8) | (part >>> 24)) >>> 0;
  const sum = word(env, SKB_STATE.csum);
  setWord(env, SKB_STATE.csum, isAdded ? addSums(sum, shifted) : subSums(sum, shifted));
}

/** Copies bytes into the packet as `bpf_skb_store_bytes` does; returns why not. */
export function storeSkbBytes(
  env: HelperEnv,
  offset: number,
  from: number,
  size: number,
  flags: number,
): "EINVAL" | "EFAULT" | undefined {
  const packet = packetOf(env);
  if ((flags & ~(RECOMPUTE | INVALIDATE_HASH)) !== 0) return "EINVAL";
  if (offset > S32_MAX || offset + size > packet.lengthBytes) return "EFAULT";
  const at = packet.dataStart + offset;
  const keepsSum = (flags & RECOMPUTE) !== 0 && word(env, SKB_STATE.csumState) === CSUM_STATE.complete;
  if (keepsSum) changeSum(env, at, offset, size, false);
  env.memory.copy(at, from, size);
  if (keepsSum) changeSum(env, at, offset, size, true);
  if ((flags & INVALIDATE_HASH) !== 0) clearHash(env);
  return undefined;
}

const storeBytes: RawHelper = (regs, env) => {
  if (regs[R5 + 1] !== 0) return fail(regs, "EINVAL");
  const errno = storeSkbBytes(env, u32(regs, R2), u32(regs, R3), u32(regs, R4), u32(regs, R5));
  if (errno === undefined) setU32(regs, 0);
  else fail(regs, errno);
};

const pullData: RawHelper = (regs, env) => {
  // The whole packet lies in one piece, so there is nothing to pull.
  if (u32(regs, R2) > packetOf(env).lengthBytes) return fail(regs, "ENOMEM");
  setU32(regs, 0);
};

/** Helpers that copy bytes of `__sk_buff` packets. */
export const skbBytesHelpers: readonly HelperPlugin[] = [
  skbHelper(9, "Copies bytes into the packet.", storeBytes),
  kernelHelper(26, "Copies bytes out of the packet.", loadBytes),
  skbHelper(39, "Makes bytes of the packet directly accessible.", pullData),
  kernelHelper(68, "Copies bytes out of the packet, counted from a header.", loadBytesRelative),
];
