import type { SizeBytes, Width } from "@tsbpf/isa";
import { settle } from "./bounds.ts";
import { draftOf, lowS32, unbound32 } from "./draft.ts";
import { constScalar, isConst, type Scalar, UNKNOWN_SCALAR } from "./scalar.ts";
import { tnumCast, tnumRange, tnumSubreg } from "./tnum.ts";

// Computes: width changes. Guarantees: the result holds the concrete result of the cast. Cost: constant.

/** Zero-extends the low 32 bits: the end of every 32-bit operation (S-101), with synchronisation. */
export function zeroExtend32(a: Scalar): Scalar {
  if (isConst(a)) return constScalar(BigInt.asUintN(32, a.tnum.value));
  const d = draftOf(a);
  d.tnum = tnumSubreg(a.tnum);
  d.umin = BigInt(a.u32min);
  d.umax = BigInt(a.u32max);
  const isNonNegative = a.s32min >= 0 && a.s32max >= 0;
  d.smin = isNonNegative ? BigInt(a.s32min) : 0n;
  d.smax = isNonNegative ? BigInt(a.s32max) : 0xffff_ffffn;
  return settle(d);
}

/** What a load of `size` bytes leaves of a value: truncation without sign (S-115), with synchronisation. */
export function truncateScalar(a: Scalar, size: SizeBytes): Scalar {
  if (size === 8) return a;
  if (isConst(a)) return constScalar(BigInt.asUintN(size * 8, a.umin));
  const mask = (1n << BigInt(size * 8)) - 1n;
  const d = draftOf(a);
  d.tnum = tnumCast(a.tnum, size);
  const isUnbroken = (a.umin & ~mask) === (a.umax & ~mask);
  d.umin = isUnbroken ? a.umin & mask : 0n;
  d.umax = isUnbroken ? a.umax & mask : mask;
  d.smin = d.umin;
  d.smax = d.umax;
  if (size < 4) unbound32(d);
  return settle(d);
}

/** Sign-extends the low `fromBits` bits to `width` bits, and to 64 with zeros when `width` is 32 (S-121, S-122). */
export function signExtendScalar(a: Scalar, fromBits: 8 | 16 | 32, width: Width): Scalar {
  if (isConst(a)) return constScalar(BigInt.asUintN(width, BigInt.asIntN(fromBits, a.umin)));
  return width === 64 ? signExtend64(a, fromBits) : zeroExtend32(signExtendLow(a, fromBits));
}

const isOneSign = (min: bigint, max: bigint): boolean => min >= 0n === max >= 0n;

/** Returns the sign-extended ends, smaller first; undefined when the cut-off bits differ or the signs do. */
function extendEnds(min: bigint, max: bigint, bits: number): readonly [bigint, bigint] | undefined {
  const shift = BigInt(bits);
  if (min >> shift !== max >> shift) return undefined;
  const a = BigInt.asIntN(bits, min);
  const b = BigInt.asIntN(bits, max);
  const ends = a < b ? ([a, b] as const) : ([b, a] as const);
  return isOneSign(ends[0], ends[1]) ? ends : undefined;
}

function signExtend64(a: Scalar, bits: 8 | 16 | 32): Scalar {
  const ends = extendEnds(a.smin, a.smax, bits);
  const d = draftOf(UNKNOWN_SCALAR);
  if (ends === undefined) {
    const half = 1n << BigInt(bits - 1);
    d.smin = -half;
    d.smax = half - 1n;
    d.s32min = Number(d.smin);
    d.s32max = Number(d.smax);
    return d;
  }
  const [min, max] = ends;
  d.smin = min;
  d.smax = max;
  d.umin = BigInt.asUintN(64, min);
  d.umax = BigInt.asUintN(64, max);
  d.s32min = Number(min);
  d.s32max = Number(max);
  d.u32min = d.s32min >>> 0;
  d.u32max = d.s32max >>> 0;
  d.tnum = tnumRange(d.umin, d.umax);
  return min === max ? constScalar(min) : d;
}

function signExtendLow(a: Scalar, bits: 8 | 16 | 32): Scalar {
  const ends = extendEnds(BigInt(a.s32min), BigInt(a.s32max), bits);
  const d = draftOf(UNKNOWN_SCALAR);
  if (ends === undefined) {
    const half = 2 ** (bits - 1);
    d.s32min = -half;
    d.s32max = half - 1;
    return d;
  }
  d.s32min = lowS32(ends[0]);
  d.s32max = lowS32(ends[1]);
  d.u32min = d.s32min >>> 0;
  d.u32max = d.s32max >>> 0;
  d.tnum = tnumSubreg(tnumRange(BigInt.asUintN(64, ends[0]), BigInt.asUintN(64, ends[1])));
  return d;
}

/** Fixes the low 32 bits to a value and leaves the high ones as they are, synchronised (S-110 in 32 bits). */
export function withKnown32(a: Scalar, value: number): Scalar {
  return isConst(a) ? constScalar((a.umin & ~0xffff_ffffn) | BigInt(value >>> 0)) : UNKNOWN_SCALAR;
}
