import { XDP_FRAG_BYTES, XDP_FRAME_HEADER_BYTES, XDP_STATE } from "@tsbpf/abi";
import { S32_MIN } from "@tsbpf/base";
import type { HelperEnv, HelperPlugin } from "@tsbpf/plugin";
import { xdpHelper } from "./guarded.ts";
import { fail, R2, R3, R4, s32, setU32, u32 } from "./regs.ts";
import { packetOf, setWord, word } from "./skb.ts";

const ETH_HEADER_BYTES = 14;
/** Largest metadata; its length must also be a multiple of 4. @source linux include/net/xdp.h xdp_metalen_invalid */
const METADATA_BYTES_MAX = 252;
const U16_MAX = 65_535;

const adjustHead = xdpHelper(44, "Moves the start of the packet.", (regs, env) => {
  const packet = packetOf(env);
  const { dataStart, dataEnd, metaStart } = packet;
  const delta = s32(regs, R2);
  const metaBytes = dataStart - metaStart;
  const start = dataStart + delta;
  if (start < packet.start + XDP_FRAME_HEADER_BYTES + metaBytes || start > dataEnd - ETH_HEADER_BYTES) {
    return fail(regs, "EINVAL");
  }
  if (metaBytes > 0) env.memory.u8.copyWithin(metaStart + delta, metaStart, dataStart);
  packet.setBounds(start, dataEnd, start - metaBytes);
  env.packetMoved();
  setU32(regs, 0);
});

const adjustMeta = xdpHelper(54, "Moves the start of the metadata before the packet.", (regs, env) => {
  const packet = packetOf(env);
  const { dataStart, dataEnd } = packet;
  const meta = packet.metaStart + s32(regs, R2);
  const bytes = dataStart - meta;
  if (meta < packet.start + XDP_FRAME_HEADER_BYTES || bytes < 0) return fail(regs, "EINVAL");
  if (bytes % 4 !== 0 || bytes > METADATA_BYTES_MAX) return fail(regs, "EACCES");
  packet.setBounds(dataStart, dataEnd, meta);
  env.packetMoved();
  setU32(regs, 0);
});

const adjustTail = xdpHelper(65, "Moves the end of the packet.", (regs, env) => {
  const packet = packetOf(env);
  const { dataStart, dataEnd, metaStart } = packet;
  const delta = s32(regs, R2);
  const fragBytes = word(env, XDP_STATE.fragBytes);
  if (fragBytes > 0) {
    // The kernel negates the smallest number, which overflows, and then changes nothing.
    if (delta === S32_MIN) return setU32(regs, 0);
    if (!(delta < 0 ? shrinkFrags(env, fragBytes, -delta) : growFrags(env, fragBytes, delta))) {
      return fail(regs, "EINVAL");
    }
    return setU32(regs, 0);
  }
  const end = dataEnd + delta;
  if (end > packet.tailEnd || end < dataStart + ETH_HEADER_BYTES) return fail(regs, "EINVAL");
  if (delta > 0) env.memory.u8.fill(0, dataEnd, end);
  packet.setBounds(dataStart, end, metaStart);
  env.packetMoved();
  setU32(regs, 0);
});

/** Takes bytes off the fragments, then off the linear part. */
function shrinkFrags(env: HelperEnv, fragBytes: number, bytes: number): boolean {
  const packet = packetOf(env);
  if (bytes > packet.lengthBytes + fragBytes - ETH_HEADER_BYTES) return false;
  setWord(env, XDP_STATE.fragBytes, Math.max(0, fragBytes - bytes));
  if (bytes > fragBytes) {
    packet.setBounds(packet.dataStart, packet.dataEnd - (bytes - fragBytes), packet.metaStart);
    env.packetMoved();
  }
  return true;
}

/** Adds zeros to the last fragment, as far as its page goes. */
function growFrags(env: HelperEnv, fragBytes: number, bytes: number): boolean {
  const lastBytes = ((fragBytes - 1) % XDP_FRAG_BYTES) + 1;
  if (bytes > XDP_FRAG_BYTES - lastBytes) return false;
  const end = word(env, XDP_STATE.fragAddress) + fragBytes;
  env.memory.u8.fill(0, end, end + bytes);
  setWord(env, XDP_STATE.fragBytes, fragBytes + bytes);
  return true;
}

/** Bytes of the packet, fragments included. */
export const xdpLength = (env: HelperEnv): number =>
  packetOf(env).lengthBytes + word(env, XDP_STATE.fragBytes);

/** Returns the address of bytes that lie in one fragment, or 0. */
export function fragmentAddress(env: HelperEnv, offset: number, bytes: number): number {
  const from = offset - packetOf(env).lengthBytes;
  if (from < 0 || from + bytes > word(env, XDP_STATE.fragBytes)) return 0;
  const isOne = (from % XDP_FRAG_BYTES) + bytes <= XDP_FRAG_BYTES;
  return isOne ? word(env, XDP_STATE.fragAddress) + from : 0;
}

/** Copies bytes between the packet, fragments included, and a buffer; the caller checked the bounds. */
export function copyXdpBytes(
  env: HelperEnv,
  offset: number,
  buffer: number,
  size: number,
  isStore: boolean,
): void {
  const { dataStart, lengthBytes } = packetOf(env);
  const linear = Math.min(Math.max(lengthBytes - offset, 0), size);
  const fragFrom = word(env, XDP_STATE.fragAddress) + Math.max(offset - lengthBytes, 0);
  const { memory } = env;
  if (isStore) {
    if (linear > 0) memory.copy(dataStart + offset, buffer, linear);
    if (linear < size) memory.copy(fragFrom, buffer + linear, size - linear);
  } else {
    if (linear > 0) memory.copy(buffer, dataStart + offset, linear);
    if (linear < size) memory.copy(buffer + linear, fragFrom, size - linear);
  }
}

const getBuffLen = xdpHelper(188, "Returns the length of the packet, fragments included.", (regs, env) =>
  setU32(regs, xdpLength(env)),
);

const bytesHelper = (id: number, summary: string, isStore: boolean): HelperPlugin =>
  xdpHelper(id, summary, (regs, env) => {
    const offset = u32(regs, R2);
    const size = u32(regs, R4);
    if (offset > U16_MAX || size > U16_MAX) return fail(regs, "EFAULT");
    if (offset + size > xdpLength(env)) return fail(regs, "EINVAL");
    copyXdpBytes(env, offset, u32(regs, R3), size, isStore);
    setU32(regs, 0);
  });

/** Helpers of XDP programs on their packet. */
export const xdpHelpers: readonly HelperPlugin[] = [
  adjustHead,
  adjustMeta,
  adjustTail,
  getBuffLen,
  bytesHelper(189, "Copies bytes out of the packet.", false),
  bytesHelper(190, "Copies bytes into the packet.", true),
];
