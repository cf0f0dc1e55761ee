import { isZero } from "./ctx-bytes.ts";
import { refuse } from "./refuse.ts";
import { CB_BYTES, SKB, SKB_BYTES } from "./skb-fields.ts";

/** Fields of `__sk_buff` that a test run takes from the caller: offset and bytes (T-24). */
const TAKEN = [
  [SKB.mark, 4],
  [SKB.priority, 4],
  [SKB.ingressIfindex, 4],
  [SKB.ifindex, 4],
  [SKB.cb, CB_BYTES],
  [SKB.tstamp, 8],
  [SKB.wireLen, 4],
  [SKB.gsoSegs, 4],
  [SKB.gsoSize, 4],
  [SKB.hwtstamp, 8],
] as const;

/** Fields that a test run gives back (T-25); all others are as the caller gave them. */
const GIVEN_BACK = TAKEN.filter(([offset]) => offset !== SKB.gsoSize);

/** Largest length on the wire, and most segments, that a test run takes. @source linux include/linux/netdevice.h GSO_LEGACY_MAX_SIZE, GSO_MAX_SEGS */
const WIRE_BYTES_MAX = 65_536;
const SEGMENTS_MAX = 65_535;

/**
 * Puts the caller's fields into a context.
 *
 * @throws RUN_INPUT (InputError) with -EINVAL where the kernel's test run refuses.
 */
export function applyTestRunCtx(view: DataView, address: number, ctx: Uint8Array, packetBytes: number): void {
  let end = 0;
  for (const [offset, bytes] of [...TAKEN, [SKB_BYTES, 0] as const]) {
    if (!isZero(ctx, end, offset)) {
      throw refuse("EINVAL", `bytes ${end}..${offset - 1} of the context must be zero`);
    }
    end = offset + bytes;
  }
  const given = new DataView(ctx.buffer, ctx.byteOffset, ctx.byteLength);
  const wireLen = given.getUint32(SKB.wireLen, true);
  if (wireLen !== 0 && (wireLen < packetBytes || wireLen > WIRE_BYTES_MAX)) {
    throw refuse("EINVAL", `wire_len is ${wireLen}, ${packetBytes}..${WIRE_BYTES_MAX} allowed`);
  }
  const segments = given.getUint32(SKB.gsoSegs, true);
  if (segments > SEGMENTS_MAX) throw refuse("EINVAL", `gso_segs is ${segments}, ${SEGMENTS_MAX} allowed`);
  for (const [offset, bytes] of TAKEN) {
    if (offset === SKB.ifindex) continue;
    for (let i = 0; i < bytes; i++) view.setUint8(address + offset + i, given.getUint8(offset + i));
  }
  if (wireLen === 0) view.setUint32(address + SKB.wireLen, packetBytes, true);
}

/** Makes the context bytes that a test run gives back. */
export function testRunCtxOut(live: Uint8Array, given: Uint8Array): Uint8Array {
  const bytes = new Uint8Array(given);
  for (const [offset, size] of GIVEN_BACK) bytes.set(live.subarray(offset, offset + size), offset);
  return bytes;
}
