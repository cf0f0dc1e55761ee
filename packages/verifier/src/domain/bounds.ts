import { type Bits, intersectRange, stepBits, stepped } from "./bits.ts";
import {
  createDraft,
  type Draft,
  fixDraft,
  loadDraft,
  lowerSmax,
  lowerUmax,
  meetS32,
  meetU32,
  raiseSmin,
  raiseUmin,
  unbound32,
  unbound64,
} from "./draft.ts";
import { constScalar, constWords, isConst, Scalar, UNKNOWN_SCALAR, type Words } from "./scalar.ts";
import { isBelow, isLess, lowMaskLo } from "./words.ts";

// Computes: agreement between the bits and the four ranges of a scalar. Assumes: each part alone holds the concrete
// value. Guarantees: so does the result, and no part is wider than before. Cost: constant, some hundred 32-bit
// operations. Soundness: every step intersects a part with what another part implies for the same value.

const SIGN = -0x8000_0000;
const S32_MAX = 0x7fff_ffff;

/** U of S-96: ranges cannot exceed what the known bits allow. */
function boundsFromBits(d: Draft): void {
  const { bitsHi, bitsLo, maskHi, maskLo } = d;
  meetS32(d, bitsLo | (maskLo & SIGN), bitsLo | (maskLo & S32_MAX));
  meetU32(d, bitsLo, bitsLo | maskLo);
  raiseSmin(d, bitsHi | (maskHi & SIGN), bitsLo);
  lowerSmax(d, bitsHi | (maskHi & S32_MAX), bitsLo | maskLo);
  raiseUmin(d, bitsHi, bitsLo);
  lowerUmax(d, bitsHi | maskHi, bitsLo | maskLo);
  if ((maskHi & maskLo) !== -1 && hasOneMember(d)) fixDraft(d, stepped.hi, stepped.lo);
}

/** Whether the bits have exactly one member in the unsigned range; {@link stepped} is then that member (S-96). */
function hasOneMember(d: Draft): boolean {
  const { uminHi, uminLo, umaxHi, umaxLo } = d;
  const isMember = (uminHi & ~d.maskHi) === d.bitsHi && (uminLo & ~d.maskLo) === d.bitsLo;
  stepBits(d, uminHi, uminLo);
  const { hi, lo } = stepped;
  if (isMember) {
    const isOnly = isBelow(umaxHi, umaxLo, hi, lo) || (hi === uminHi && lo === uminLo);
    stepped.hi = uminHi;
    stepped.lo = uminLo;
    return isOnly;
  }
  if (isLargest(d, hi, lo)) return true;
  if (isBelow(umaxHi, umaxLo, hi, lo)) return false;
  stepBits(d, hi, lo);
  const isOnly = isBelow(umaxHi, umaxLo, stepped.hi, stepped.lo);
  stepped.hi = hi;
  stepped.lo = lo;
  return isOnly;
}

const isLargest = (a: Bits, hi: number, lo: number): boolean =>
  hi === (a.bitsHi | a.maskHi) && lo === (a.bitsLo | a.maskLo);

/** Meets the 32-bit ranges with the low halves of a 64-bit one whose high halves are equal or neighbours (S-97 a-c). */
function narrow32(d: Draft, minHi: number, minLo: number, maxHi: number, maxLo: number): void {
  if (minHi === maxHi) {
    if (minLo >>> 0 <= maxLo >>> 0) meetU32(d, minLo, maxLo);
    if (minLo <= maxLo) meetS32(d, minLo, maxLo);
  } else if (((minHi + 1) | 0) === maxHi && minLo < 0 && maxLo >= 0) {
    meetS32(d, minLo, maxLo);
  }
}

/** D32 of S-97. */
function derive32(d: Draft): void {
  narrow32(d, d.uminHi, d.uminLo, d.umaxHi, d.umaxLo);
  narrow32(d, d.sminHi, d.sminLo, d.smaxHi, d.smaxLo);
  if (d.u32minWord <= d.u32maxWord) meetS32(d, d.u32minWord, d.u32maxWord);
  if (d.s32min >>> 0 <= d.s32max >>> 0) {
    meetU32(d, d.s32min, d.s32max);
  } else if (d.u32maxWord >>> 0 < d.s32min >>> 0) {
    // The unsigned range ends before the negative numbers of the signed one begin.
    d.s32min = d.u32minWord;
    if (d.s32max >>> 0 < d.u32maxWord >>> 0) d.u32maxWord = d.s32max;
  } else if (d.s32max >>> 0 < d.u32minWord >>> 0) {
    d.s32max = d.u32maxWord;
    if (d.s32min >>> 0 > d.u32minWord >>> 0) d.u32minWord = d.s32min;
  }
}

/** D64 of S-98. */
function derive64(d: Draft): void {
  if (!isLess(d.umaxHi, d.umaxLo, d.uminHi, d.uminLo)) {
    raiseSmin(d, d.uminHi, d.uminLo);
    lowerSmax(d, d.umaxHi, d.umaxLo);
  }
  const { sminHi, sminLo, smaxHi, smaxLo } = d;
  if (!isBelow(smaxHi, smaxLo, sminHi, sminLo)) {
    raiseUmin(d, sminHi, sminLo);
    lowerUmax(d, smaxHi, smaxLo);
  } else if (isBelow(d.umaxHi, d.umaxLo, sminHi, sminLo)) {
    d.sminHi = d.uminHi;
    d.sminLo = d.uminLo;
    lowerUmax(d, smaxHi, smaxLo);
  } else if (isBelow(smaxHi, smaxLo, d.uminHi, d.uminLo)) {
    d.smaxHi = d.umaxHi;
    d.smaxLo = d.umaxLo;
    raiseUmin(d, sminHi, sminLo);
  }
}

/** Dmix of S-99. */
function deriveMixed(d: Draft): void {
  const min = d.u32minWord >>> 0;
  const max = d.u32maxWord >>> 0;
  if (min > d.uminLo >>> 0) d.uminLo = d.u32minWord;
  if (max < d.umaxLo >>> 0) d.umaxLo = d.u32maxWord;
  if (min > d.sminLo >>> 0) d.sminLo = d.u32minWord;
  if (max < d.smaxLo >>> 0) d.smaxLo = d.u32maxWord;
  const isMinS32 = d.sminHi >= 0 || (d.sminHi === -1 && d.sminLo < 0);
  const isMaxS32 = d.smaxHi < 0 || (d.smaxHi === 0 && d.smaxLo >= 0);
  if (d.s32min < 0 || !isMinS32 || !isMaxS32) return;
  const maxHi = d.s32max >> 31;
  d.sminHi = d.uminHi = 0;
  d.sminLo = d.uminLo = d.s32min;
  d.smaxHi = d.umaxHi = maxHi;
  d.smaxLo = d.umaxLo = d.s32max;
  intersectRange(d, 0, d.s32min, maxHi, d.s32max);
}

/** T of S-96: bits that all values of the ranges share are known. */
function bitsFromBounds(d: Draft): void {
  intersectRange(d, d.uminHi, d.uminLo, d.umaxHi, d.umaxLo);
  const unknown = lowMaskLo(32 - Math.clz32(d.u32minWord ^ d.u32maxWord));
  d.maskLo &= unknown;
  d.bitsLo = (d.bitsLo | (d.u32minWord & ~unknown)) & ~d.maskLo;
}

/** Brings the parts of a draft into agreement: S-96's U; D; D; D; T; U with S-97..S-99. */
export function syncDraft(d: Draft): void {
  boundsFromBits(d);
  if (isConst(d) && isFixed(d)) return;
  for (let round = 0; round < 3; round++) {
    derive32(d);
    derive64(d);
    deriveMixed(d);
  }
  bitsFromBounds(d);
  boundsFromBits(d);
}

const isFixed = (d: Words): boolean =>
  d.uminLo === d.bitsLo &&
  d.uminHi === d.bitsHi &&
  d.umaxLo === d.bitsLo &&
  d.umaxHi === d.bitsHi &&
  d.sminLo === d.bitsLo &&
  d.sminHi === d.bitsHi &&
  d.smaxLo === d.bitsLo &&
  d.smaxHi === d.bitsHi &&
  d.s32min === d.bitsLo &&
  d.s32max === d.bitsLo &&
  d.u32minWord === d.bitsLo &&
  d.u32maxWord === d.bitsLo;

/** Makes the scalar that a draft describes. */
export function finishDraft(d: Draft): Scalar {
  if (isConst(d) && isFixed(d)) return constWords(d.bitsHi, d.bitsLo);
  if ((d.maskHi & d.maskLo) === -1 && isUnbounded(d)) return UNKNOWN_SCALAR;
  return new Scalar(d);
}

const isUnbounded = (d: Words): boolean =>
  (d.uminHi | d.uminLo | d.sminLo | d.u32minWord) === 0 &&
  (d.umaxHi & d.umaxLo & d.smaxLo & d.u32maxWord) === -1 &&
  d.sminHi === SIGN &&
  d.smaxHi === S32_MAX &&
  d.s32min === SIGN &&
  d.s32max === S32_MAX;

/** Synchronises, and forgets the ranges when they contradict each other (S-100): the end of every transfer. */
export function settle(d: Draft): Scalar {
  settleDraft(d);
  return finishDraft(d);
}

/** {@link settle} without making a scalar of the draft. */
export function settleDraft(d: Draft): void {
  syncDraft(d);
  if (findInconsistency(d) === undefined) return;
  unbound64(d);
  unbound32(d);
}

const work = createDraft();

/**
 * Synchronises a freshly computed scalar.
 *
 * @returns the tightest scalar these rules find; possibly inconsistent (min above max), see {@link findInconsistency}.
 */
export function syncBounds(a: Scalar): Scalar {
  loadDraft(work, a);
  syncDraft(work);
  return finishDraft(work);
}

/** Forgets the 32-bit ranges, without synchronisation (S-191). */
export function unboundLow(a: Scalar): Scalar {
  loadDraft(work, a);
  unbound32(work);
  return new Scalar(work);
}

/** Why a scalar cannot be: the reasons of S-100, undefined when it is consistent. */
export function findInconsistency(
  a: Words,
):
  | "range bounds violation"
  | "const tnum out of sync with range bounds"
  | "const subreg tnum out of sync with range bounds"
  | undefined {
  if (
    a.s32min > a.s32max ||
    a.u32minWord >>> 0 > a.u32maxWord >>> 0 ||
    isBelow(a.umaxHi, a.umaxLo, a.uminHi, a.uminLo) ||
    isLess(a.smaxHi, a.smaxLo, a.sminHi, a.sminLo)
  ) {
    return "range bounds violation";
  }
  if (a.maskLo !== 0) return undefined;
  const { bitsHi: hi, bitsLo: lo } = a;
  if (a.maskHi === 0) {
    const isLowSame = a.uminLo === lo && a.umaxLo === lo && a.sminLo === lo && a.smaxLo === lo;
    const isHighSame = a.uminHi === hi && a.umaxHi === hi && a.sminHi === hi && a.smaxHi === hi;
    if (!isLowSame || !isHighSame) return "const tnum out of sync with range bounds";
  }
  if (a.u32minWord !== lo || a.u32maxWord !== lo || a.s32min !== lo || a.s32max !== lo) {
    return "const subreg tnum out of sync with range bounds";
  }
  return undefined;
}

/** Narrows a scalar by signed 64-bit bounds and synchronises: return ranges, errno results. */
export function assumeSigned(a: Scalar, min: bigint, max: bigint): Scalar {
  const low = constScalar(min);
  const high = constScalar(max);
  loadDraft(work, a);
  raiseSmin(work, low.sminHi, low.sminLo);
  lowerSmax(work, high.smaxHi, high.smaxLo);
  return settle(work);
}

/** Narrows by signed 64-bit and 32-bit bounds alike (H-55, S-205) and synchronises. */
export function assumeSignedBoth(a: Scalar, min: number, max: number): Scalar {
  loadDraft(work, a);
  raiseSmin(work, min >> 31, min);
  lowerSmax(work, max >> 31, max);
  meetS32(work, min, max);
  return settle(work);
}
