import { constBits, unknownBits } from "./bits.ts";
import type { Scalar, Words } from "./scalar.ts";
import { isBelow, isLess } from "./words.ts";

/**
 * A scalar under construction. The functions of this folder share a few of them, so that computing allocates nothing
 * but its result; none is alive across a call of another exported function.
 */
export type Draft = { -readonly [K in keyof Words]: Words[K] };

const SIGN = -0x8000_0000;

export const createDraft = (): Draft => ({
  bitsHi: 0,
  bitsLo: 0,
  maskHi: 0,
  maskLo: 0,
  sminHi: 0,
  sminLo: 0,
  smaxHi: 0,
  smaxLo: 0,
  uminHi: 0,
  uminLo: 0,
  umaxHi: 0,
  umaxLo: 0,
  s32min: 0,
  s32max: 0,
  u32minWord: 0,
  u32maxWord: 0,
});

/** Makes a draft know what a scalar knows. */
export function loadDraft(d: Draft, a: Scalar): void {
  d.bitsHi = a.bitsHi;
  d.bitsLo = a.bitsLo;
  d.maskHi = a.maskHi;
  d.maskLo = a.maskLo;
  d.sminHi = a.sminHi;
  d.sminLo = a.sminLo;
  d.smaxHi = a.smaxHi;
  d.smaxLo = a.smaxLo;
  d.uminHi = a.uminHi;
  d.uminLo = a.uminLo;
  d.umaxHi = a.umaxHi;
  d.umaxLo = a.umaxLo;
  d.s32min = a.s32min;
  d.s32max = a.s32max;
  d.u32minWord = a.u32minWord;
  d.u32maxWord = a.u32maxWord;
}

export function unboundUnsigned(d: Draft): void {
  d.uminHi = 0;
  d.uminLo = 0;
  d.umaxHi = -1;
  d.umaxLo = -1;
}

export function unboundSigned(d: Draft): void {
  d.sminHi = SIGN;
  d.sminLo = 0;
  d.smaxHi = ~SIGN;
  d.smaxLo = -1;
}

export function unbound64(d: Draft): void {
  unboundSigned(d);
  unboundUnsigned(d);
}

export function unboundSigned32(d: Draft): void {
  d.s32min = SIGN;
  d.s32max = ~SIGN;
}

export function unbound32(d: Draft): void {
  unboundSigned32(d);
  d.u32minWord = 0;
  d.u32maxWord = -1;
}

/** Forgets everything. */
export function unboundDraft(d: Draft): void {
  unknownBits(d);
  unbound64(d);
  unbound32(d);
}

/** Makes a draft know one value. */
export function fixDraft(d: Draft, hi: number, lo: number): void {
  constBits(d, hi, lo);
  d.sminHi = d.smaxHi = d.uminHi = d.umaxHi = hi;
  d.sminLo = d.smaxLo = d.uminLo = d.umaxLo = lo;
  d.s32min = d.s32max = d.u32minWord = d.u32maxWord = lo;
}

/** Raises the low end of the unsigned 64-bit range. */
export function raiseUmin(d: Draft, hi: number, lo: number): void {
  if (!isBelow(d.uminHi, d.uminLo, hi, lo)) return;
  d.uminHi = hi;
  d.uminLo = lo;
}

/** Lowers the high end of the unsigned 64-bit range. */
export function lowerUmax(d: Draft, hi: number, lo: number): void {
  if (!isBelow(hi, lo, d.umaxHi, d.umaxLo)) return;
  d.umaxHi = hi;
  d.umaxLo = lo;
}

/** Raises the low end of the signed 64-bit range. */
export function raiseSmin(d: Draft, hi: number, lo: number): void {
  if (!isLess(d.sminHi, d.sminLo, hi, lo)) return;
  d.sminHi = hi;
  d.sminLo = lo;
}

/** Lowers the high end of the signed 64-bit range. */
export function lowerSmax(d: Draft, hi: number, lo: number): void {
  if (!isLess(hi, lo, d.smaxHi, d.smaxLo)) return;
  d.smaxHi = hi;
  d.smaxLo = lo;
}

/** Narrows the unsigned 32-bit range by ends given as int32. */
export function meetU32(d: Draft, min: number, max: number): void {
  if (min >>> 0 > d.u32minWord >>> 0) d.u32minWord = min;
  if (max >>> 0 < d.u32maxWord >>> 0) d.u32maxWord = max;
}

export function meetS32(d: Draft, min: number, max: number): void {
  if (min > d.s32min) d.s32min = min;
  if (max < d.s32max) d.s32max = max;
}
