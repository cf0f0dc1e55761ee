import type { ErrnoName } from "@tsbpf/abi";
import type { HelperEnv } from "@tsbpf/plugin";
import { isSkbType, packetOf } from "./skb.ts";
import { storeSkbBytes } from "./skb-bytes.ts";
import { copyXdpBytes, fragmentAddress, xdpLength } from "./xdp.ts";

/** What a dynptr points into. @source linux include/linux/bpf.h enum bpf_dynptr_type */
export const SPAN_KIND = { null: 0, local: 1, ringbuf: 2, skb: 3, xdp: 4 } as const;
export type SpanKind = (typeof SPAN_KIND)[keyof typeof SPAN_KIND];

/** Layout of the 16 bytes that a program keeps for a dynptr and cannot look into. */
const DYNPTR = { data: 0, size: 8, offset: 12 } as const;
/** Largest span of a dynptr. @source linux kernel/bpf DYNPTR_MAX_SIZE */
export const SPAN_BYTES_MAX = 0xff_ffff;
const KIND_SHIFT = 28;
const KIND_MASK = 7;
const READ_ONLY = 0x8000_0000;

/** A dynptr as its functions see it. */
export interface Span {
  readonly kind: SpanKind;
  /** First address of memory, or the context of a packet; 0 for a null dynptr. */
  readonly address: number;
  readonly bytes: number;
  /** Bytes that were cut off the front. */
  readonly offset: number;
  readonly isReadOnly: boolean;
}

export const NULL_SPAN: Span = { kind: SPAN_KIND.null, address: 0, bytes: 0, offset: 0, isReadOnly: false };

/** Reads a dynptr. */
export function readSpan(env: HelperEnv, at: number): Span {
  const { view } = env.memory;
  const size = view.getUint32(at + DYNPTR.size, true);
  return {
    kind: ((size >>> KIND_SHIFT) & KIND_MASK) as SpanKind,
    address: view.getUint32(at + DYNPTR.data, true),
    bytes: size & SPAN_BYTES_MAX,
    offset: view.getUint32(at + DYNPTR.offset, true),
    isReadOnly: size >= READ_ONLY,
  };
}

/** Writes a dynptr. */
export function writeSpan(env: HelperEnv, at: number, span: Span): void {
  const { view } = env.memory;
  view.setUint32(at + DYNPTR.data, span.address, true);
  view.setUint32(at + DYNPTR.data + 4, 0, true);
  view.setUint32(
    at + DYNPTR.size,
    span.bytes + span.kind * 2 ** KIND_SHIFT + (span.isReadOnly ? READ_ONLY : 0),
    true,
  );
  view.setUint32(at + DYNPTR.offset, span.offset, true);
}

/** Makes a dynptr of memory. */
export const memorySpan = (kind: SpanKind, address: number, bytes: number, isReadOnly = false): Span => ({
  kind,
  address,
  bytes,
  offset: 0,
  isReadOnly,
});

export const isNull = (span: Span): boolean => span.address === 0;

/** Says whether `bytes` at `offset` lie within a span. */
export const holds = (span: Span, offset: number, bytes: number): boolean =>
  bytes <= span.bytes && offset <= span.bytes - bytes;

const isPacket = (span: Span): boolean => span.kind === SPAN_KIND.skb || span.kind === SPAN_KIND.xdp;

/**
 * Returns the address of bytes of a span that lie in one piece, or 0.
 *
 * The packet may have become shorter since the dynptr was made.
 */
export function directAddress(env: HelperEnv, span: Span, offset: number, bytes: number): number {
  const from = span.offset + offset;
  if (!isPacket(span)) return span.address + from;
  const { dataStart, lengthBytes } = packetOf(env);
  if (from + bytes <= lengthBytes) return dataStart + from;
  return span.kind === SPAN_KIND.xdp ? fragmentAddress(env, from, bytes) : 0;
}

/** Copies bytes out of a span; the caller checked `holds`. Returns why not. */
export function readFrom(
  env: HelperEnv,
  span: Span,
  offset: number,
  to: number,
  bytes: number,
): ErrnoName | undefined {
  const from = directAddress(env, span, offset, bytes);
  if (from !== 0) {
    env.memory.copy(to, from, bytes);
    return undefined;
  }
  if (span.kind === SPAN_KIND.xdp && span.offset + offset + bytes <= xdpLength(env)) {
    copyXdpBytes(env, span.offset + offset, to, bytes, false);
    return undefined;
  }
  return span.kind === SPAN_KIND.xdp ? "EINVAL" : "EFAULT";
}

/** Copies bytes into a span; the caller checked `holds`. Returns why not. */
export function writeTo(
  env: HelperEnv,
  span: Span,
  offset: number,
  source: { readonly from: number; readonly bytes: number; readonly flags: number },
): ErrnoName | undefined {
  const { from, bytes, flags } = source;
  if (span.kind === SPAN_KIND.skb) return storeSkbBytes(env, span.offset + offset, from, bytes, flags);
  if (flags !== 0) return "EINVAL";
  const to = directAddress(env, span, offset, bytes);
  if (to !== 0) {
    env.memory.copy(to, from, bytes);
    return undefined;
  }
  if (span.kind !== SPAN_KIND.xdp || span.offset + offset + bytes > xdpLength(env)) return "EINVAL";
  copyXdpBytes(env, span.offset + offset, from, bytes, true);
  return undefined;
}

/** Types that may write their packet. @source linux net/core may_access_direct_pkt_data */
export const mayWritePacket = (env: HelperEnv): boolean =>
  isSkbType(env) && ["sched_cls", "sched_act", "lwt_xmit", "sk_skb"].includes(env.progType);
