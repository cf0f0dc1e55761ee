import { S32_MAX, S32_MIN, S64_MAX, S64_MIN, U32_MAX, U64_MAX } from "@tsbpf/base";
import type { Scalar } from "./scalar.ts";

/** A scalar under construction; the functions of this folder fill one and hand it out frozen by type. */
export type Draft = { -readonly [K in keyof Scalar]: Scalar[K] };

export const draftOf = (a: Scalar): Draft => ({
  tnum: a.tnum,
  smin: a.smin,
  smax: a.smax,
  umin: a.umin,
  umax: a.umax,
  s32min: a.s32min,
  s32max: a.s32max,
  u32min: a.u32min,
  u32max: a.u32max,
});

export function unbound64(d: Draft): void {
  d.smin = S64_MIN;
  d.smax = S64_MAX;
  d.umin = 0n;
  d.umax = U64_MAX;
}

export function unbound32(d: Draft): void {
  d.s32min = S32_MIN;
  d.s32max = S32_MAX;
  d.u32min = 0;
  d.u32max = U32_MAX;
}

export const maxBig = (a: bigint, b: bigint): bigint => (a > b ? a : b);
export const minBig = (a: bigint, b: bigint): bigint => (a < b ? a : b);

/** Narrows the unsigned 64-bit range. */
export function meetU64(d: Draft, min: bigint, max: bigint): void {
  if (min > d.umin) d.umin = min;
  if (max < d.umax) d.umax = max;
}

/** Narrows the signed 64-bit range. */
export function meetS64(d: Draft, min: bigint, max: bigint): void {
  if (min > d.smin) d.smin = min;
  if (max < d.smax) d.smax = max;
}

export function meetU32(d: Draft, min: number, max: number): void {
  if (min > d.u32min) d.u32min = min;
  if (max < d.u32max) d.u32max = max;
}

export function meetS32(d: Draft, min: number, max: number): void {
  if (min > d.s32min) d.s32min = min;
  if (max < d.s32max) d.s32max = max;
}

/** The low 32 bits of a 64-bit bound, read as signed. */
export const lowS32 = (value: bigint): number => Number(BigInt.asIntN(32, value));
/** The low 32 bits of a 64-bit bound, read as unsigned. */
export const lowU32 = (value: bigint): number => Number(BigInt.asUintN(32, value));
export const highU32 = (value: bigint): number => Number(BigInt.asUintN(32, value >> 32n));
