/** A JavaScript number that holds an unsigned 32-bit integer. */
export type U32 = number;
/** A JavaScript number that holds a signed 32-bit integer. */
export type S32 = number;
/** A bigint in 0..2^64-1. */
export type U64 = bigint;
/** A bigint in -2^63..2^63-1. */
export type S64 = bigint;

export const U64_MAX = (1n << 64n) - 1n;
export const S64_MAX = (1n << 63n) - 1n;
export const S64_MIN = -(1n << 63n);
export const U32_MAX = 0xffff_ffff;
export const S32_MAX = 0x7fff_ffff;
export const S32_MIN = -0x8000_0000;

/** Wraps to unsigned 64 bits. Keep it out of hot loops: V8 may abort on wrapped bigints carried through them. */
export const toU64 = (value: bigint): U64 => BigInt.asUintN(64, value);
/** Wraps to signed 64 bits. */
export const toS64 = (value: bigint): S64 => BigInt.asIntN(64, value);

/** Joins two 32-bit halves (any sign) to an unsigned 64-bit value. */
export const joinU64 = (lo: number, hi: number): U64 => (BigInt(hi >>> 0) << 32n) | BigInt(lo >>> 0);
/** Returns the low 32 bits, as a signed number. */
export const loOf = (value: bigint): S32 => Number(BigInt.asIntN(32, value));
/** Returns the high 32 bits of 64, as a signed number. */
export const hiOf = (value: bigint): S32 => Number(BigInt.asIntN(32, value >> 32n));

/** Rounds up to a multiple of `align`, a power of two; value + align must stay below 2^53. */
export function alignUp(value: number, align: number): number {
  const rest = value % align;
  return rest === 0 ? value : value + align - rest;
}

/** Prints as `0x…` without padding. */
export const printHex = (value: number | bigint): string =>
  value < 0 ? `-0x${(-value).toString(16)}` : `0x${value.toString(16)}`;
