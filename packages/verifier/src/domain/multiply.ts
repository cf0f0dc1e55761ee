import { hiOf, loOf } from "@tsbpf/base";
import { type Draft, unboundSigned, unboundSigned32, unboundUnsigned } from "./draft.ts";
import type { Scalar } from "./scalar.ts";
import { mulHi } from "./words.ts";

// Computes: the ranges of a product. Guarantees: a range is kept only where no product of ends overflows. Cost:
// constant; products of numbers that may exceed 2^53 are the one place that needs bigints.

const EXACT = Number.MAX_SAFE_INTEGER;
const U32_MAX = 0xffff_ffff;

/** Sets the four ranges of a draft to those of a product (S-106). */
export function multiplyRanges(d: Draft, a: Scalar, b: Scalar): void {
  multiplyUnsigned(d, a, b);
  multiplySigned(d, a, b);
  multiply32(d, a, b);
}

function multiplyUnsigned(d: Draft, a: Scalar, b: Scalar): void {
  // A rounded product is beyond 2^53 when the exact one is, so that the exact one is asked for in time.
  const isExact = a.umaxNumber * b.umaxNumber <= EXACT;
  if (!isExact && a.umax * b.umax >= 1n << 64n) {
    unboundUnsigned(d);
    return;
  }
  d.uminHi = mulHi(a.uminHi, a.uminLo, b.uminHi, b.uminLo);
  d.uminLo = Math.imul(a.uminLo, b.uminLo);
  d.umaxHi = mulHi(a.umaxHi, a.umaxLo, b.umaxHi, b.umaxLo);
  d.umaxLo = Math.imul(a.umaxLo, b.umaxLo);
}

function multiplySigned(d: Draft, a: Scalar, b: Scalar): void {
  const corners = [
    a.sminNumber * b.sminNumber,
    a.sminNumber * b.smaxNumber,
    a.smaxNumber * b.sminNumber,
    a.smaxNumber * b.smaxNumber,
  ] as const;
  const min = Math.min(...corners);
  const max = Math.max(...corners);
  if (min < -EXACT || max > EXACT) {
    multiplySignedExactly(d, a, b);
    return;
  }
  d.sminHi = Math.floor(min / 2 ** 32) | 0;
  d.sminLo = min | 0;
  d.smaxHi = Math.floor(max / 2 ** 32) | 0;
  d.smaxLo = max | 0;
}

const LIMIT = 1n << 63n;

function multiplySignedExactly(d: Draft, a: Scalar, b: Scalar): void {
  let min = a.smin * b.smin;
  let max = min;
  for (const corner of [a.smin * b.smax, a.smax * b.smin, a.smax * b.smax]) {
    if (corner < min) min = corner;
    if (corner > max) max = corner;
  }
  if (min < -LIMIT || max >= LIMIT) {
    unboundSigned(d);
    return;
  }
  d.sminHi = hiOf(min);
  d.sminLo = loOf(min);
  d.smaxHi = hiOf(max);
  d.smaxLo = loOf(max);
}

function multiply32(d: Draft, a: Scalar, b: Scalar): void {
  const doesFit = a.u32max * b.u32max <= U32_MAX;
  d.u32minWord = doesFit ? Math.imul(a.u32minWord, b.u32minWord) : 0;
  d.u32maxWord = doesFit ? Math.imul(a.u32maxWord, b.u32maxWord) : -1;
  const corners = [
    a.s32min * b.s32min,
    a.s32min * b.s32max,
    a.s32max * b.s32min,
    a.s32max * b.s32max,
  ] as const;
  const min = Math.min(...corners);
  const max = Math.max(...corners);
  if (min !== (min | 0) || max !== (max | 0)) {
    unboundSigned32(d);
    return;
  }
  d.s32min = min | 0;
  d.s32max = max | 0;
}
