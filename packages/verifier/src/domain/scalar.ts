import { hiOf, loOf } from "@tsbpf/base";
import { areBitsWithin, type Bits } from "./bits.ts";
import { bigS, bigU, isBelow, isLess, numberS, numberU } from "./words.ts";

/** A tracked number as bit strings of 64 bits. */
export interface Tnum {
  /** Bits known to be one. */
  readonly value: bigint;
  /** Bits that are not known. */
  readonly mask: bigint;
}

/** All 64-bit numbers of a scalar in halves, and the ends of its 32-bit ranges; every field is an int32. */
export interface Words extends Bits {
  readonly sminHi: number;
  readonly sminLo: number;
  readonly smaxHi: number;
  readonly smaxLo: number;
  readonly uminHi: number;
  readonly uminLo: number;
  readonly umaxHi: number;
  readonly umaxLo: number;
  readonly s32min: number;
  readonly s32max: number;
  /** Unsigned ends, wrapped to an int32. */
  readonly u32minWord: number;
  readonly u32maxWord: number;
}

/**
 * What is known of a 64-bit number: bits, and ranges in four readings. Immutable; states share the objects.
 *
 * Of a pointer register it describes the variable part of the offset. A constant has no unknown bits and all eight
 * bounds equal to it. The walk computes with the halves; the bigints are made when asked for.
 *
 * @source reference rules S-5..S-7, S-95
 */
export class Scalar implements Words {
  // Only declared: a field that is first defined as undefined would lose its small-integer representation.
  declare readonly bitsHi: number;
  declare readonly bitsLo: number;
  declare readonly maskHi: number;
  declare readonly maskLo: number;
  declare readonly sminHi: number;
  declare readonly sminLo: number;
  declare readonly smaxHi: number;
  declare readonly smaxLo: number;
  declare readonly uminHi: number;
  declare readonly uminLo: number;
  declare readonly umaxHi: number;
  declare readonly umaxLo: number;
  declare readonly s32min: number;
  declare readonly s32max: number;
  declare readonly u32minWord: number;
  declare readonly u32maxWord: number;

  constructor(words: Words) {
    this.bitsHi = words.bitsHi;
    this.bitsLo = words.bitsLo;
    this.maskHi = words.maskHi;
    this.maskLo = words.maskLo;
    this.sminHi = words.sminHi;
    this.sminLo = words.sminLo;
    this.smaxHi = words.smaxHi;
    this.smaxLo = words.smaxLo;
    this.uminHi = words.uminHi;
    this.uminLo = words.uminLo;
    this.umaxHi = words.umaxHi;
    this.umaxLo = words.umaxLo;
    this.s32min = words.s32min;
    this.s32max = words.s32max;
    this.u32minWord = words.u32minWord;
    this.u32maxWord = words.u32maxWord;
  }

  get tnum(): Tnum {
    return { value: bigU(this.bitsHi, this.bitsLo), mask: bigU(this.maskHi, this.maskLo) };
  }
  get smin(): bigint {
    return bigS(this.sminHi, this.sminLo);
  }
  get smax(): bigint {
    return bigS(this.smaxHi, this.smaxLo);
  }
  get umin(): bigint {
    return bigU(this.uminHi, this.uminLo);
  }
  get umax(): bigint {
    return bigU(this.umaxHi, this.umaxLo);
  }
  get u32min(): number {
    return this.u32minWord >>> 0;
  }
  get u32max(): number {
    return this.u32maxWord >>> 0;
  }
  /** `smin` as a number, exact within 2^53 and rounded beyond. */
  get sminNumber(): number {
    return numberS(this.sminHi, this.sminLo);
  }
  /** `smax` as a number, exact within 2^53 and rounded beyond. */
  get smaxNumber(): number {
    return numberS(this.smaxHi, this.smaxLo);
  }
  /** `umin` as a number, exact below 2^53 and rounded above. */
  get uminNumber(): number {
    return numberU(this.uminHi, this.uminLo);
  }
  /** `umax` as a number, exact below 2^53 and rounded above. */
  get umaxNumber(): number {
    return numberU(this.umaxHi, this.umaxLo);
  }
}

const SIGN = -0x8000_0000;

/** The scalar of which nothing is known. */
export const UNKNOWN_SCALAR: Scalar = new Scalar({
  bitsHi: 0,
  bitsLo: 0,
  maskHi: -1,
  maskLo: -1,
  sminHi: SIGN,
  sminLo: 0,
  smaxHi: ~SIGN,
  smaxLo: -1,
  uminHi: 0,
  uminLo: 0,
  umaxHi: -1,
  umaxLo: -1,
  s32min: SIGN,
  s32max: ~SIGN,
  u32minWord: 0,
  u32maxWord: -1,
});

const makeConst = (hi: number, lo: number): Scalar =>
  new Scalar({
    bitsHi: hi,
    bitsLo: lo,
    maskHi: 0,
    maskLo: 0,
    sminHi: hi,
    sminLo: lo,
    smaxHi: hi,
    smaxLo: lo,
    uminHi: hi,
    uminLo: lo,
    umaxHi: hi,
    umaxLo: lo,
    s32min: lo,
    s32max: lo,
    u32minWord: lo,
    u32maxWord: lo,
  });

const CACHE_HALF = 1024;
const CACHE: readonly Scalar[] = Array.from({ length: 2 * CACHE_HALF + 1 }, (_, i) =>
  makeConst(i < CACHE_HALF ? -1 : 0, i - CACHE_HALF),
);

/** Returns the scalar of a constant given as halves. */
export function constWords(hi: number, lo: number): Scalar {
  const isSmall = hi === lo >> 31 && lo >= -CACHE_HALF && lo <= CACHE_HALF;
  return isSmall ? (CACHE[lo + CACHE_HALF] as Scalar) : makeConst(hi, lo);
}

/**
 * Returns the scalar of a constant, wrapped to 64 bits.
 *
 * @param value - a number must be a whole one within 2^53.
 */
export const constScalar = (value: bigint | number): Scalar =>
  typeof value === "number"
    ? constWords(Math.floor(value / 2 ** 32) | 0, value | 0)
    : constWords(hiOf(value), loOf(value));

export const ZERO_SCALAR: Scalar = constScalar(0);

/** Says whether the scalar is one known value; `umin` is that value. */
export const isConst = (a: Bits): boolean => (a.maskHi | a.maskLo) === 0;

/** Says whether the low 32 bits are known. */
export const isConst32 = (a: Bits): boolean => a.maskLo === 0;

/** Says whether the scalar is the constant 0. */
export const isZero = (a: Bits): boolean => (a.maskHi | a.maskLo | a.bitsHi | a.bitsLo) === 0;

/** Says whether two scalars know exactly the same. */
export const isSameScalar = (a: Words, b: Words): boolean =>
  a === b ||
  (a.bitsLo === b.bitsLo &&
    a.maskLo === b.maskLo &&
    a.bitsHi === b.bitsHi &&
    a.maskHi === b.maskHi &&
    a.sminHi === b.sminHi &&
    a.sminLo === b.sminLo &&
    a.smaxHi === b.smaxHi &&
    a.smaxLo === b.smaxLo &&
    a.uminHi === b.uminHi &&
    a.uminLo === b.uminLo &&
    a.umaxHi === b.umaxHi &&
    a.umaxLo === b.umaxLo &&
    a.s32min === b.s32min &&
    a.s32max === b.s32max &&
    a.u32minWord === b.u32minWord &&
    a.u32maxWord === b.u32maxWord);

/** Says whether all bounds and bits of `inner` lie inside those of `outer` (the comparison of S/X-43). */
export const isScalarWithin = (outer: Scalar, inner: Scalar): boolean =>
  outer === inner ||
  (areBitsWithin(outer, inner) &&
    outer.s32min <= inner.s32min &&
    outer.s32max >= inner.s32max &&
    outer.u32minWord >>> 0 <= inner.u32minWord >>> 0 &&
    outer.u32maxWord >>> 0 >= inner.u32maxWord >>> 0 &&
    !isBelow(inner.uminHi, inner.uminLo, outer.uminHi, outer.uminLo) &&
    !isBelow(outer.umaxHi, outer.umaxLo, inner.umaxHi, inner.umaxLo) &&
    !isLess(inner.sminHi, inner.sminLo, outer.sminHi, outer.sminLo) &&
    !isLess(outer.smaxHi, outer.smaxLo, inner.smaxHi, inner.smaxLo));

/** Says whether the value fits the low `bits` bits, unsigned. */
export const fitsBits = (a: Scalar, bits: number): boolean =>
  bits >= 64 || (a.umaxHi === 0 && (bits >= 32 || a.umaxLo >>> bits === 0));
