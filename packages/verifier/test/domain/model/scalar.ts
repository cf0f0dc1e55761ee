import { S32_MAX, S32_MIN, S64_MAX, S64_MIN, U32_MAX, U64_MAX } from "@tsbpf/base";
import { isTnumWithin, TNUM_UNKNOWN, type Tnum } from "./tnum.ts";

/**
 * What is known of a 64-bit number: bits, and ranges in four readings. Immutable; states share the objects.
 *
 * Of a pointer register it describes the variable part of the offset. A constant has a tnum without unknown bits
 * and all eight bounds equal to it.
 *
 * @source reference rules S-5..S-7, S-95
 */
export interface Scalar {
  readonly tnum: Tnum;
  readonly smin: bigint;
  readonly smax: bigint;
  readonly umin: bigint;
  readonly umax: bigint;
  readonly s32min: number;
  readonly s32max: number;
  readonly u32min: number;
  readonly u32max: number;
}

/** The scalar of which nothing is known. */
export const UNKNOWN_SCALAR: Scalar = {
  tnum: TNUM_UNKNOWN,
  smin: S64_MIN,
  smax: S64_MAX,
  umin: 0n,
  umax: U64_MAX,
  s32min: S32_MIN,
  s32max: S32_MAX,
  u32min: 0,
  u32max: U32_MAX,
};

function makeConst(value: bigint): Scalar {
  const unsigned = BigInt.asUintN(64, value);
  const signed = BigInt.asIntN(64, value);
  const low = Number(BigInt.asIntN(32, value));
  return {
    tnum: { value: unsigned, mask: 0n },
    smin: signed,
    smax: signed,
    umin: unsigned,
    umax: unsigned,
    s32min: low,
    s32max: low,
    u32min: low >>> 0,
    u32max: low >>> 0,
  };
}

const CACHE_HALF = 1024;
const CACHE: readonly Scalar[] = Array.from({ length: 2 * CACHE_HALF + 1 }, (_, i) =>
  makeConst(BigInt(i - CACHE_HALF)),
);

/** Returns the scalar of a constant, wrapped to 64 bits. */
export function constScalar(value: bigint | number): Scalar {
  if (typeof value === "number") {
    if (value >= -CACHE_HALF && value <= CACHE_HALF) return CACHE[value + CACHE_HALF] as Scalar;
    return makeConst(BigInt(value));
  }
  if (value >= -1024n && value <= 1024n) return CACHE[Number(value) + CACHE_HALF] as Scalar;
  return makeConst(value);
}

export const ZERO_SCALAR: Scalar = constScalar(0);

/** Says whether the scalar is one known value; `umin` is that value. */
export const isConst = (a: Scalar): boolean => a.tnum.mask === 0n;

/** Says whether the low 32 bits are known. */
export const isConst32 = (a: Scalar): boolean => (a.tnum.mask & 0xffff_ffffn) === 0n;

/** Says whether nothing at all is known. */
export const isUnknown = (a: Scalar): boolean =>
  a === UNKNOWN_SCALAR ||
  (a.tnum.mask === U64_MAX &&
    a.smin === S64_MIN &&
    a.smax === S64_MAX &&
    a.umin === 0n &&
    a.umax === U64_MAX &&
    a.s32min === S32_MIN &&
    a.s32max === S32_MAX &&
    a.u32min === 0 &&
    a.u32max === U32_MAX);

/** Says whether two scalars know exactly the same. */
export const isSameScalar = (a: Scalar, b: Scalar): boolean =>
  a === b ||
  (a.tnum.value === b.tnum.value &&
    a.tnum.mask === b.tnum.mask &&
    a.smin === b.smin &&
    a.smax === b.smax &&
    a.umin === b.umin &&
    a.umax === b.umax &&
    a.s32min === b.s32min &&
    a.s32max === b.s32max &&
    a.u32min === b.u32min &&
    a.u32max === b.u32max);

/** Says whether all bounds and bits of `inner` lie inside those of `outer` (the comparison of S/X-43). */
export const isScalarWithin = (outer: Scalar, inner: Scalar): boolean =>
  outer === inner ||
  (outer.umin <= inner.umin &&
    outer.umax >= inner.umax &&
    outer.smin <= inner.smin &&
    outer.smax >= inner.smax &&
    outer.u32min <= inner.u32min &&
    outer.u32max >= inner.u32max &&
    outer.s32min <= inner.s32min &&
    outer.s32max >= inner.s32max &&
    isTnumWithin(outer.tnum, inner.tnum));

/** Says whether the value fits the low `bits` bits, unsigned. */
export const fitsBits = (a: Scalar, bits: number): boolean => bits >= 64 || a.umax < 1n << BigInt(bits);
