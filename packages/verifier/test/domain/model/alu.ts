import { S32_MAX, S32_MIN, S64_MAX, S64_MIN, U32_MAX, U64_MAX } from "@tsbpf/base";
import type { AluOp, Width } from "@tsbpf/isa";
import { settle } from "./bounds.ts";
import { zeroExtend32 } from "./cast.ts";
import { type Draft, draftOf, lowS32, unbound32, unbound64 } from "./draft.ts";
import { constScalar, isConst, isConst32, type Scalar, UNKNOWN_SCALAR, ZERO_SCALAR } from "./scalar.ts";
import {
  type Tnum,
  tnumAdd,
  tnumAnd,
  tnumArshift,
  tnumCast,
  tnumLshift,
  tnumMul,
  tnumNeg,
  tnumOr,
  tnumRshift,
  tnumSub,
  tnumSubreg,
  tnumSwap,
  tnumXor,
} from "./tnum.ts";

// Computes: what is known of the result of an operation. Assumes: both operands hold their concrete values.
// Guarantees: the result holds the concrete result. Cost: constant, a product's bits aside. Soundness: bits follow
// the tnum operation; a range is kept only where no overflow can tear it apart, and is unbounded otherwise.

/** Arithmetic on two scalars; moves and sign extensions are in cast.ts. */
export type ScalarAluOp = Exclude<AluOp, "mov" | "movsx8" | "movsx16" | "movsx32">;

/** Operations with a transfer function; division and remainder are never tracked by 6.18 (S-105). */
type TrackedOp = Exclude<ScalarAluOp, "div" | "sdiv" | "mod" | "smod">;

type Transfer = (d: Draft, dst: Scalar, src: Scalar, width: Width) => void;

const TRANSFER: Readonly<Record<TrackedOp, Transfer>> = {
  add: addScalar,
  sub: subScalar,
  mul: mulScalar,
  and: (d, dst, src) => bitwise(d, dst, src, tnumAnd(dst.tnum, src.tnum), "and"),
  or: (d, dst, src) => bitwise(d, dst, src, tnumOr(dst.tnum, src.tnum), "or"),
  xor: (d, dst, src) => bitwise(d, dst, src, tnumXor(dst.tnum, src.tnum), "xor"),
  lsh: (d, dst, src, width) => shiftLeft(d, dst, shiftCount(src, width), width),
  rsh: (d, dst, src, width) => shiftRight(d, dst, shiftCount(src, width), width),
  arsh: (d, dst, src, width) => shiftRightSigned(d, dst, shiftCount(src, width), width),
  neg: (d, dst) => {
    subScalar(d, ZERO_SCALAR, dst);
    d.tnum = tnumNeg(dst.tnum);
  },
};

const isTracked = (op: ScalarAluOp): op is TrackedOp => op in TRANSFER;
const isShift = (op: TrackedOp): boolean => op === "lsh" || op === "rsh" || op === "arsh";

const shiftCount = (src: Scalar, width: Width): number => (width === 32 ? src.u32min : Number(src.umin));

/** Whether the shift count is one known number below the width (S-105). */
function isShiftKnown(src: Scalar, width: Width): boolean {
  return width === 32 ? isConst32(src) && src.u32max < 32 : isConst(src) && src.umax < 64n;
}

/**
 * The transfer function of every scalar operation (S-105..S-113), the final 32-bit zero extension and
 * synchronisation included; `neg` ignores `src`. Inconsistent results come back unbounded (S-100).
 *
 * The fork of S-110 is the caller's: see {@link isSignMask}.
 */
export function aluScalar(op: ScalarAluOp, width: Width, dst: Scalar, src: Scalar): Scalar {
  if (!isTracked(op)) return UNKNOWN_SCALAR;
  if (isShift(op) && !isShiftKnown(src, width)) return UNKNOWN_SCALAR;
  if (width === 64 && isConst(dst) && (op === "neg" || isConst(src)))
    return constScalar(computeConst(op, dst, src));
  const d = draftOf(dst);
  TRANSFER[op](d, dst, src, width);
  return width === 32 ? zeroExtend32(d) : settle(d);
}

function computeConst(op: TrackedOp, dst: Scalar, src: Scalar): bigint {
  const a = dst.umin;
  const b = src.umin;
  switch (op) {
    case "add":
      return a + b;
    case "sub":
      return a - b;
    case "mul":
      return a * b;
    case "and":
      return a & b;
    case "or":
      return a | b;
    case "xor":
      return a ^ b;
    case "lsh":
      return a << b;
    case "rsh":
      return a >> b;
    case "arsh":
      return dst.smin >> b;
    case "neg":
      return -a;
  }
}

function setS64(d: Draft, min: bigint, max: bigint): void {
  const fits = min >= S64_MIN && max <= S64_MAX;
  d.smin = fits ? min : S64_MIN;
  d.smax = fits ? max : S64_MAX;
}

function setS32(d: Draft, min: number, max: number): void {
  const fits = min >= S32_MIN && max <= S32_MAX;
  d.s32min = fits ? min : S32_MIN;
  d.s32max = fits ? max : S32_MAX;
}

/** Keeps a wrapped unsigned range unless exactly one end wrapped. */
function setU64(d: Draft, min: bigint, max: bigint): void {
  const isMinIn = min >= 0n && min <= U64_MAX;
  const isMaxIn = max >= 0n && max <= U64_MAX;
  const isTorn = isMinIn !== isMaxIn;
  d.umin = isTorn ? 0n : BigInt.asUintN(64, min);
  d.umax = isTorn ? U64_MAX : BigInt.asUintN(64, max);
}

function setU32(d: Draft, min: number, max: number): void {
  const isMinIn = min >= 0 && min <= U32_MAX;
  const isMaxIn = max >= 0 && max <= U32_MAX;
  const isTorn = isMinIn !== isMaxIn;
  d.u32min = isTorn ? 0 : min >>> 0;
  d.u32max = isTorn ? U32_MAX : max >>> 0;
}

function addScalar(d: Draft, dst: Scalar, src: Scalar): void {
  setS64(d, dst.smin + src.smin, dst.smax + src.smax);
  setU64(d, dst.umin + src.umin, dst.umax + src.umax);
  setS32(d, dst.s32min + src.s32min, dst.s32max + src.s32max);
  setU32(d, dst.u32min + src.u32min, dst.u32max + src.u32max);
  d.tnum = tnumAdd(dst.tnum, src.tnum);
}

function subScalar(d: Draft, dst: Scalar, src: Scalar): void {
  setS64(d, dst.smin - src.smax, dst.smax - src.smin);
  setU64(d, dst.umin - src.umax, dst.umax - src.umin);
  setS32(d, dst.s32min - src.s32max, dst.s32max - src.s32min);
  setU32(d, dst.u32min - src.u32max, dst.u32max - src.u32min);
  d.tnum = tnumSub(dst.tnum, src.tnum);
}

function mulScalar(d: Draft, dst: Scalar, src: Scalar): void {
  const umax = dst.umax * src.umax;
  d.umin = umax > U64_MAX ? 0n : dst.umin * src.umin;
  d.umax = umax > U64_MAX ? U64_MAX : umax;
  const corners = [dst.smin * src.smin, dst.smin * src.smax, dst.smax * src.smin, dst.smax * src.smax];
  setS64(
    d,
    corners.reduce((a, b) => (a < b ? a : b)),
    corners.reduce((a, b) => (a > b ? a : b)),
  );
  // Products of 32-bit numbers need exact 64-bit arithmetic.
  const u32max = BigInt(dst.u32max) * BigInt(src.u32max);
  d.u32min = u32max > BigInt(U32_MAX) ? 0 : Number(BigInt(dst.u32min) * BigInt(src.u32min));
  d.u32max = u32max > BigInt(U32_MAX) ? U32_MAX : Number(u32max);
  const corners32 = [
    dst.s32min * src.s32min,
    dst.s32min * src.s32max,
    dst.s32max * src.s32min,
    dst.s32max * src.s32max,
  ];
  setS32(d, Math.min(...corners32) + 0, Math.max(...corners32) + 0);
  d.tnum = tnumMul(dst.tnum, src.tnum);
}

/** And, or, xor: the result's bits give the range, the operands' ranges narrow one end. */
function bitwise(d: Draft, dst: Scalar, src: Scalar, tnum: Tnum, op: "and" | "or" | "xor"): void {
  d.tnum = tnum;
  const low = tnumSubreg(tnum);
  const most = tnum.value | tnum.mask;
  const most32 = Number(low.value | low.mask);
  if (isConst(src) && tnum.mask === 0n) {
    d.umin = d.umax = tnum.value;
    d.smin = d.smax = BigInt.asIntN(64, tnum.value);
  } else {
    d.umin = op === "or" ? (dst.umin > src.umin ? dst.umin : src.umin) : tnum.value;
    d.umax = op === "and" ? (dst.umax < src.umax ? dst.umax : src.umax) : most;
    signedFromUnsigned64(d);
  }
  if (isConst32(src) && low.mask === 0n) {
    d.u32min = d.u32max = Number(low.value);
    d.s32min = d.s32max = Number(low.value) | 0;
  } else {
    d.u32min = op === "or" ? Math.max(dst.u32min, src.u32min) : Number(low.value);
    d.u32max = op === "and" ? Math.min(dst.u32max, src.u32max) : most32;
    signedFromUnsigned32(d);
  }
}

function signedFromUnsigned64(d: Draft): void {
  const min = BigInt.asIntN(64, d.umin);
  const max = BigInt.asIntN(64, d.umax);
  d.smin = min <= max ? min : S64_MIN;
  d.smax = min <= max ? max : S64_MAX;
}

function signedFromUnsigned32(d: Draft): void {
  const min = d.u32min | 0;
  const max = d.u32max | 0;
  d.s32min = min <= max ? min : S32_MIN;
  d.s32max = min <= max ? max : S32_MAX;
}

function shiftLeft(d: Draft, dst: Scalar, by: number, width: Width): void {
  if (width === 64) {
    const isHalf = by === 32;
    d.smin = isHalf ? BigInt(dst.s32min) << 32n : S64_MIN;
    d.smax = isHalf ? BigInt(dst.s32max) << 32n : S64_MAX;
    const fits = dst.umax <= 1n << BigInt(63 - by);
    d.umin = fits ? dst.umin << BigInt(by) : 0n;
    d.umax = fits ? dst.umax << BigInt(by) : U64_MAX;
    d.tnum = tnumLshift(dst.tnum, by);
  } else {
    unbound64(d);
    d.tnum = tnumLshift(tnumSubreg(dst.tnum), by);
  }
  const fits32 = by <= 31 && dst.u32max <= 2 ** (31 - by);
  d.u32min = fits32 ? dst.u32min * 2 ** by : 0;
  d.u32max = fits32 ? dst.u32max * 2 ** by : U32_MAX;
  d.s32min = S32_MIN;
  d.s32max = S32_MAX;
}

function shiftRight(d: Draft, dst: Scalar, by: number, width: Width): void {
  unbound64(d);
  unbound32(d);
  if (width === 64) {
    d.umin = dst.umin >> BigInt(by);
    d.umax = dst.umax >> BigInt(by);
    d.tnum = tnumRshift(dst.tnum, by);
    return;
  }
  d.u32min = dst.u32min >>> by;
  d.u32max = dst.u32max >>> by;
  d.tnum = tnumRshift(tnumSubreg(dst.tnum), by);
}

function shiftRightSigned(d: Draft, dst: Scalar, by: number, width: Width): void {
  unbound64(d);
  unbound32(d);
  if (width === 64) {
    d.smin = dst.smin >> BigInt(by);
    d.smax = dst.smax >> BigInt(by);
    d.tnum = tnumArshift(dst.tnum, by, 64);
    return;
  }
  d.s32min = dst.s32min >> by;
  d.s32max = dst.s32max >> by;
  d.tnum = tnumArshift(tnumSubreg(dst.tnum), by, 32);
}

/** Byte-order operations with their truncation (S-111). */
export function endScalar(order: "le" | "be" | "swap", bits: 16 | 32 | 64, a: Scalar): Scalar {
  if (order === "le" && bits === 64) return a;
  const d = draftOf(UNKNOWN_SCALAR);
  d.tnum = order === "le" ? tnumCast(a.tnum, bits / 8) : tnumSwap(a.tnum, bits);
  return settle(d);
}

/** Says whether `and`/`or` with a constant forks the state: the signed range (in `width`) is exactly [-1, 0] (S-110). */
export const isSignMask = (width: Width, dst: Scalar): boolean =>
  width === 64 ? dst.smin === -1n && dst.smax === 0n : dst.s32min === -1 && dst.s32max === 0;

/**
 * The variable part of a pointer after adding or subtracting a scalar (S-187): 64-bit bounds and tnum move, an
 * overflow gives the full range, the 32-bit bounds are derived anew.
 */
export function offsetScalar(op: "add" | "sub", variable: Scalar, by: Scalar): Scalar {
  if (isConst(variable) && isConst(by)) {
    return constScalar(op === "add" ? variable.umin + by.umin : variable.umin - by.umin);
  }
  const d = draftOf(variable);
  if (op === "add") addScalar(d, variable, by);
  else subScalar(d, variable, by);
  if (op === "add" && variable.umax + by.umax > U64_MAX) {
    d.umin = 0n;
    d.umax = U64_MAX;
  }
  if (op === "sub" && variable.umin < by.umax) {
    d.umin = 0n;
    d.umax = U64_MAX;
  }
  unbound32(d);
  return settle(d);
}

/** The value of a known low half, signed; for callers that fold 32-bit constants. */
export const lowConst = (a: Scalar): number => lowS32(a.tnum.value);
