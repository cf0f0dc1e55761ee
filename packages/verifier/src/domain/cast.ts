import type { SizeBytes, Width } from "@tsbpf/isa";
import { castBits, rangeBits } from "./bits.ts";
import { settle } from "./bounds.ts";
import { createDraft, type Draft, loadDraft, unbound32, unboundDraft } from "./draft.ts";
import { constWords, isConst, Scalar, UNKNOWN_SCALAR, type Words } from "./scalar.ts";
import { lowMaskLo, sarHi, sarLo } from "./words.ts";

// Computes: width changes. Guarantees: the result holds the concrete result of the cast. Cost: constant.

const work = createDraft();

/** Makes a draft know the low 32 bits alone, zero-extended: the end of every 32-bit operation (S-101). */
export function zeroExtendDraft(d: Draft): Scalar {
  if (isConst(d)) return constWords(0, d.bitsLo);
  d.bitsHi = 0;
  d.maskHi = 0;
  d.uminHi = d.umaxHi = d.sminHi = d.smaxHi = 0;
  d.uminLo = d.u32minWord;
  d.umaxLo = d.u32maxWord;
  const isNonNegative = d.s32min >= 0 && d.s32max >= 0;
  d.sminLo = isNonNegative ? d.s32min : 0;
  d.smaxLo = isNonNegative ? d.s32max : -1;
  return settle(d);
}

/** Zero-extends the low 32 bits (S-101), with synchronisation. */
export function zeroExtend32(a: Scalar): Scalar {
  if (isConst(a)) return constWords(0, a.bitsLo);
  loadDraft(work, a);
  return zeroExtendDraft(work);
}

/** What a load of `size` bytes leaves of a value: truncation without sign (S-115), with synchronisation. */
export function truncateScalar(a: Scalar, size: SizeBytes): Scalar {
  if (size === 8) return a;
  const maskLo = lowMaskLo(size * 8);
  if (isConst(a)) return constWords(0, a.bitsLo & maskLo);
  if (a === UNKNOWN_SCALAR) return UNKNOWN_OF_SIZE[size];
  return truncate(a, size, maskLo);
}

function truncate(a: Scalar, size: 1 | 2 | 4, maskLo: number): Scalar {
  const d = work;
  loadDraft(d, a);
  castBits(d, a, size);
  const isUnbroken = a.uminHi === a.umaxHi && ((a.uminLo ^ a.umaxLo) & ~maskLo) === 0;
  d.uminHi = d.umaxHi = d.sminHi = d.smaxHi = 0;
  d.uminLo = d.sminLo = isUnbroken ? a.uminLo & maskLo : 0;
  d.umaxLo = d.smaxLo = isUnbroken ? a.umaxLo & maskLo : maskLo;
  if (size < 4) unbound32(d);
  return settle(d);
}

/** What loads from memory of which nothing is known give. */
const UNKNOWN_OF_SIZE: Readonly<Record<1 | 2 | 4, Scalar>> = {
  1: truncate(UNKNOWN_SCALAR, 1, lowMaskLo(8)),
  2: truncate(UNKNOWN_SCALAR, 2, lowMaskLo(16)),
  4: truncate(UNKNOWN_SCALAR, 4, lowMaskLo(32)),
};

/** Sign-extends the low `fromBits` bits to `width` bits, and to 64 with zeros when `width` is 32 (S-121, S-122). */
export function signExtendScalar(a: Scalar, fromBits: 8 | 16 | 32, width: Width): Scalar {
  if (isConst(a)) {
    const lo = signExtend(a.bitsLo, fromBits);
    return constWords(width === 64 ? lo >> 31 : 0, lo);
  }
  unboundDraft(work);
  if (width === 64) return signExtend64(work, a, fromBits);
  signExtendLow(work, a, fromBits);
  return zeroExtendDraft(work);
}

/** Sign-extends the low bits of an int32. */
const signExtend = (word: number, bits: number): number => (word << (32 - bits)) >> (32 - bits);

/** Makes the signed ends -2^(bits-1) .. 2^(bits-1)-1. */
function boundBySign(d: Draft, bits: number): void {
  d.s32max = lowMaskLo(bits - 1);
  d.s32min = ~d.s32max;
}

/** Whether both ends have one sign and the same cut-off bits, so that extension keeps what lies between together. */
const isOneSign = (min: number, max: number): boolean => min >= 0 === max >= 0;

function signExtend64(d: Draft, a: Scalar, bits: 8 | 16 | 32): Scalar {
  const isTornHi = sarHi(a.sminHi, bits) !== sarHi(a.smaxHi, bits);
  const isTornLo = sarLo(a.sminHi, a.sminLo, bits) !== sarLo(a.smaxHi, a.smaxLo, bits);
  const x = signExtend(a.sminLo, bits);
  const y = signExtend(a.smaxLo, bits);
  if (isTornHi || isTornLo || !isOneSign(x, y)) {
    boundBySign(d, bits);
    d.sminHi = -1;
    d.sminLo = d.s32min;
    d.smaxHi = 0;
    d.smaxLo = d.s32max;
    return new Scalar(d);
  }
  const min = Math.min(x, y);
  const max = Math.max(x, y);
  const hi = min >> 31;
  if (min === max) return constWords(hi, min);
  d.sminHi = d.smaxHi = d.uminHi = d.umaxHi = hi;
  d.sminLo = d.uminLo = d.s32min = d.u32minWord = min;
  d.smaxLo = d.umaxLo = d.s32max = d.u32maxWord = max;
  rangeBits(d, hi, min, hi, max);
  return new Scalar(d);
}

function signExtendLow(d: Draft, a: Scalar, bits: 8 | 16 | 32): void {
  const isTorn = bits !== 32 && a.s32min >> bits !== a.s32max >> bits;
  const x = signExtend(a.s32min, bits);
  const y = signExtend(a.s32max, bits);
  if (isTorn || !isOneSign(x, y)) {
    boundBySign(d, bits);
    return;
  }
  d.s32min = d.u32minWord = Math.min(x, y);
  d.s32max = d.u32maxWord = Math.max(x, y);
  const hi = d.s32min >> 31;
  rangeBits(d, hi, d.s32min, hi, d.s32max);
  d.bitsHi = 0;
  d.maskHi = 0;
}

/** Fixes the low 32 bits to a value and leaves the high ones as they are, synchronised (S-110 in 32 bits). */
export const withKnown32 = (a: Words, value: number): Scalar =>
  isConst(a) ? constWords(a.bitsHi, value | 0) : UNKNOWN_SCALAR;
