import type { HelperEnv, HelperPlugin, RawHelper } from "@tsbpf/plugin";
import {
  directAddress,
  holds,
  isNull,
  mayWritePacket,
  NULL_SPAN,
  readFrom,
  readSpan,
  SPAN_KIND,
  type Span,
  writeSpan,
  writeTo,
} from "./dynptr-span.ts";
import { kernelKfunc, shape } from "./kfunc-define.ts";
import { fail, isZero, R1, R2, R3, R4, R5, setU32, u32 } from "./regs.ts";
import { packetOf } from "./skb.ts";
import { xdpLength } from "./xdp.ts";

const BYTE_MASK = 255;
const DYNPTR_BYTES = 16;

const fromSkb: RawHelper = (regs, env) => {
  const at = u32(regs, R3);
  if (!isZero(regs, R2)) {
    writeSpan(env, at, NULL_SPAN);
    return fail(regs, "EINVAL");
  }
  const bytes = packetOf(env).lengthBytes;
  const isReadOnly = !mayWritePacket(env);
  writeSpan(env, at, { kind: SPAN_KIND.skb, address: env.ctxAddress, bytes, offset: 0, isReadOnly });
  setU32(regs, 0);
};

const fromXdp: RawHelper = (regs, env) => {
  const at = u32(regs, R3);
  if (!isZero(regs, R2)) {
    writeSpan(env, at, NULL_SPAN);
    return fail(regs, "EINVAL");
  }
  const bytes = xdpLength(env);
  writeSpan(env, at, { kind: SPAN_KIND.xdp, address: env.ctxAddress, bytes, offset: 0, isReadOnly: false });
  setU32(regs, 0);
};

/** Returns bytes in place, or copied to the buffer when they lie in several pieces. */
function sliceOf(env: HelperEnv, span: Span, offset: number, bytes: number, buffer: number): number {
  if (isNull(span) || !holds(span, offset, bytes)) return 0;
  const direct = directAddress(env, span, offset, bytes);
  if (direct !== 0) return direct;
  if (buffer === 0 || readFrom(env, span, offset, buffer, bytes) !== undefined) return 0;
  return buffer;
}

const slice =
  (isWritable: boolean): RawHelper =>
  (regs, env) => {
    const span = readSpan(env, u32(regs, R1));
    if (isWritable && span.isReadOnly) return setU32(regs, 0);
    setU32(regs, sliceOf(env, span, u32(regs, R2), u32(regs, R4), u32(regs, R3)));
  };

const adjust: RawHelper = (regs, env) => {
  const at = u32(regs, R1);
  const span = readSpan(env, at);
  const start = u32(regs, R2);
  const end = u32(regs, R3);
  if (isNull(span) || start > end) return fail(regs, "EINVAL");
  if (start > span.bytes || end > span.bytes) return fail(regs, "ERANGE");
  writeSpan(env, at, { ...span, offset: span.offset + start, bytes: end - start });
  setU32(regs, 0);
};

const clone: RawHelper = (regs, env) => {
  const span = readSpan(env, u32(regs, R1));
  writeSpan(env, u32(regs, R2), span);
  if (isNull(span)) return fail(regs, "EINVAL");
  setU32(regs, 0);
};

const isNullDynptr: RawHelper = (regs, env) => setU32(regs, isNull(readSpan(env, u32(regs, R1))) ? 1 : 0);

const isReadOnlyDynptr: RawHelper = (regs, env) => {
  const span = readSpan(env, u32(regs, R1));
  setU32(regs, !isNull(span) && span.isReadOnly ? 1 : 0);
};

const size: RawHelper = (regs, env) => {
  const span = readSpan(env, u32(regs, R1));
  if (!isNull(span)) return setU32(regs, span.bytes);
  // An error number in an unsigned result.
  fail(regs, "EINVAL");
  regs[1] = 0;
};

/** Copies between dynptrs; the bytes may overlap, and either side may lie in several pieces. */
const copy: RawHelper = (regs, env) => {
  const to = readSpan(env, u32(regs, R1));
  const toOffset = u32(regs, R2);
  const from = readSpan(env, u32(regs, R3));
  const fromOffset = u32(regs, R4);
  const bytes = u32(regs, R5);
  const source = sliceOf(env, from, fromOffset, bytes, 0);
  const target = to.isReadOnly ? 0 : sliceOf(env, to, toOffset, bytes, 0);
  if (source !== 0 && target !== 0) {
    env.memory.u8.copyWithin(target, source, source + bytes);
    return setU32(regs, 0);
  }
  const errno = copyInPieces(env, { to, toOffset, from, fromOffset, bytes });
  if (errno === undefined) setU32(regs, 0);
  else fail(regs, errno);
};

interface Copy {
  readonly to: Span;
  readonly toOffset: number;
  readonly from: Span;
  readonly fromOffset: number;
  readonly bytes: number;
}

/** Copies what does not lie in one piece, through a buffer of its own. */
function copyInPieces(env: HelperEnv, { to, toOffset, from, fromOffset, bytes }: Copy) {
  const source = sliceOf(env, from, fromOffset, bytes, 0);
  if (source !== 0) {
    if (isNull(to) || to.isReadOnly) return "EINVAL";
    if (!holds(to, toOffset, bytes)) return "E2BIG";
    return writeTo(env, to, toOffset, { from: source, bytes, flags: 0 });
  }
  const target = to.isReadOnly ? 0 : sliceOf(env, to, toOffset, bytes, 0);
  if (target !== 0) {
    if (isNull(from)) return "EINVAL";
    if (!holds(from, fromOffset, bytes)) return "E2BIG";
    return readFrom(env, from, fromOffset, target, bytes);
  }
  if (!holds(to, toOffset, bytes) || !holds(from, fromOffset, bytes)) return "E2BIG";
  if (isNull(to) || to.isReadOnly || isNull(from)) return "EINVAL";
  // Both sides lie in pieces of the same packet: a copy of the bytes outside of it makes their overlap harmless.
  const scratch = env.memory.tryAlloc(bytes, { kind: "scratch", name: "dynptr copy" });
  if (scratch === 0) return "ENOMEM";
  const errno =
    readFrom(env, from, fromOffset, scratch, bytes) ??
    writeTo(env, to, toOffset, { from: scratch, bytes, flags: 0 });
  env.memory.release(scratch, bytes);
  return errno;
}

const fill: RawHelper = (regs, env) => {
  const span = readSpan(env, u32(regs, R1));
  const offset = u32(regs, R2);
  const bytes = u32(regs, R3);
  const value = u32(regs, R4) & BYTE_MASK;
  if (span.isReadOnly) return fail(regs, "EINVAL");
  if (!holds(span, offset, bytes)) return fail(regs, "E2BIG");
  if (isNull(span)) return fail(regs, "EINVAL");
  const direct = directAddress(env, span, offset, bytes);
  if (direct !== 0) {
    env.memory.u8.fill(value, direct, direct + bytes);
    return setU32(regs, 0);
  }
  if (fillInPieces(env, span, { offset, bytes, value })) setU32(regs, 0);
  else fail(regs, "ENOMEM");
};

const CHUNK_BYTES = 256;

function fillInPieces(
  env: HelperEnv,
  span: Span,
  { offset, bytes, value }: { readonly offset: number; readonly bytes: number; readonly value: number },
): boolean {
  const chunk = env.memory.tryAlloc(CHUNK_BYTES, { kind: "scratch", name: "dynptr fill" });
  if (chunk === 0) return false;
  env.memory.u8.fill(value, chunk, chunk + CHUNK_BYTES);
  for (let done = 0; done < bytes; done += CHUNK_BYTES) {
    const part = Math.min(CHUNK_BYTES, bytes - done);
    writeTo(env, span, offset + done, { from: chunk, bytes: part, flags: 0 });
  }
  env.memory.release(chunk, CHUNK_BYTES);
  return true;
}

const dynptr = shape.dynptr("p");
const { scalar } = shape;
const made = shape.memory("ptr", DYNPTR_BYTES);
const sliced = [dynptr, scalar("offset"), shape.buffer("buffer", "size"), shape.size("size")] as const;

/** Kernel functions on dynptrs. */
export const dynptrKfuncs: readonly HelperPlugin[] = [
  kernelKfunc(
    "bpf_dynptr_from_skb",
    "Makes a dynptr of the packet.",
    [shape.ctx("s"), scalar("flags"), made],
    fromSkb,
  ),
  kernelKfunc(
    "bpf_dynptr_from_xdp",
    "Makes a dynptr of the packet.",
    [shape.ctx("x"), scalar("flags"), made],
    fromXdp,
  ),
  kernelKfunc("bpf_dynptr_slice", "Returns the address of bytes to read.", sliced, slice(false)),
  kernelKfunc("bpf_dynptr_slice_rdwr", "Returns the address of bytes to change.", sliced, slice(true)),
  kernelKfunc(
    "bpf_dynptr_adjust",
    "Cuts a dynptr to a part of it.",
    [dynptr, scalar("start"), scalar("end")],
    adjust,
  ),
  kernelKfunc("bpf_dynptr_clone", "Copies a dynptr.", [dynptr, made], clone),
  kernelKfunc("bpf_dynptr_is_null", "Says whether a dynptr points nowhere.", [dynptr], isNullDynptr),
  kernelKfunc(
    "bpf_dynptr_is_rdonly",
    "Says whether a dynptr is to be read only.",
    [dynptr],
    isReadOnlyDynptr,
  ),
  kernelKfunc("bpf_dynptr_size", "Returns how many bytes a dynptr points to.", [dynptr], size),
  kernelKfunc(
    "bpf_dynptr_copy",
    "Copies bytes from one dynptr to another.",
    [shape.dynptr("to"), scalar("to_offset"), shape.dynptr("from"), scalar("from_offset"), scalar("size")],
    copy,
  ),
  kernelKfunc(
    "bpf_dynptr_memset",
    "Sets bytes that a dynptr points to.",
    [dynptr, scalar("offset"), scalar("size"), scalar("value")],
    fill,
  ),
];
