// Computes: 64-bit integers as two signed 32-bit halves, high before low. Assumes: every half is an int32 (`x | 0`).
// Guarantees: results modulo 2^64, where one is given back. Cost: a few machine instructions and no allocation, which
// a bigint cannot offer; this is what the walk's speed rests on.

/** Unsigned a < b. */
export const isBelow = (aHi: number, aLo: number, bHi: number, bLo: number): boolean =>
  aHi === bHi ? aLo >>> 0 < bLo >>> 0 : aHi >>> 0 < bHi >>> 0;

/** Signed a < b. */
export const isLess = (aHi: number, aLo: number, bHi: number, bLo: number): boolean =>
  aHi === bHi ? aLo >>> 0 < bLo >>> 0 : aHi < bHi;

/** Carry out of the low halves of a sum. */
export const carryOf = (aLo: number, bLo: number): number => ((aLo + bLo) >>> 0 < aLo >>> 0 ? 1 : 0);

/** Borrow into the low halves of a difference. */
export const borrowOf = (aLo: number, bLo: number): number => (aLo >>> 0 < bLo >>> 0 ? 1 : 0);

/** High half of a sum. */
export const addHi = (aHi: number, aLo: number, bHi: number, bLo: number): number =>
  (aHi + bHi + carryOf(aLo, bLo)) | 0;

/** High half of a difference. */
export const subHi = (aHi: number, aLo: number, bHi: number, bLo: number): number =>
  (aHi - bHi - borrowOf(aLo, bLo)) | 0;

/** Whether an unsigned sum does not fit 64 bits. */
export const doesSumWrap = (aHi: number, aLo: number, bHi: number, bLo: number): boolean =>
  isBelow(addHi(aHi, aLo, bHi, bLo), (aLo + bLo) | 0, aHi, aLo);

/** Whether a signed sum with this high half does not fit 64 bits. */
export const doesSumOverflow = (aHi: number, bHi: number, sumHi: number): boolean =>
  ((aHi ^ sumHi) & (bHi ^ sumHi)) < 0;

/** Whether a signed difference with this high half does not fit 64 bits. */
export const doesDifferenceOverflow = (aHi: number, bHi: number, differenceHi: number): boolean =>
  ((aHi ^ bHi) & (aHi ^ differenceHi)) < 0;

const HALF = 0xffff;

/** High half of the product of two unsigned 32-bit numbers. */
function mulWide(a: number, b: number): number {
  const a0 = a & HALF;
  const a1 = a >>> 16;
  const b0 = b & HALF;
  const b1 = b >>> 16;
  const mid = Math.imul(a1, b0) + (Math.imul(a0, b0) >>> 16);
  // Sums of a product of halves and a half fit 32 bits, unsigned; the two middle ones may need one more.
  const midLo = (mid & HALF) + Math.imul(a0, b1);
  return (Math.imul(a1, b1) + (mid >>> 16) + (midLo >>> 16)) | 0;
}

/** High half of a product modulo 2^64; the low one is `Math.imul(aLo, bLo)`. */
export const mulHi = (aHi: number, aLo: number, bHi: number, bLo: number): number =>
  (mulWide(aLo, bLo) + Math.imul(aHi, bLo) + Math.imul(aLo, bHi)) | 0;

/** High half after a shift left by 0..63. */
export const shlHi = (hi: number, lo: number, by: number): number =>
  by === 0 ? hi : by < 32 ? (hi << by) | (lo >>> (32 - by)) : lo << (by - 32);

/** Low half after a shift left by 0..63. */
export const shlLo = (lo: number, by: number): number => (by < 32 ? lo << by : 0);

/** High half after a shift right by 0..63 that fills zeros. */
export const shrHi = (hi: number, by: number): number => (by < 32 ? (hi >>> by) | 0 : 0);

/** Low half after a shift right by 0..63 that fills zeros. */
export const shrLo = (hi: number, lo: number, by: number): number =>
  by === 0 ? lo : by < 32 ? (lo >>> by) | (hi << (32 - by)) : (hi >>> (by - 32)) | 0;

/** High half after a shift right by 0..63 that fills the sign. */
export const sarHi = (hi: number, by: number): number => (by < 32 ? hi >> by : hi >> 31);

/** Low half after a shift right by 0..63 that fills the sign. */
export const sarLo = (hi: number, lo: number, by: number): number =>
  by === 0 ? lo : by < 32 ? (lo >>> by) | (hi << (32 - by)) : hi >> (by - 32);

/** Number of bits up to the highest set one, 0..64. */
export const bitLength = (hi: number, lo: number): number =>
  hi === 0 ? 32 - Math.clz32(lo) : 64 - Math.clz32(hi);

/** High half of 2^bits - 1, for 0..64. */
export const lowMaskHi = (bits: number): number =>
  bits <= 32 ? 0 : bits === 64 ? -1 : ((1 << (bits - 32)) - 1) | 0;

/** Low half of 2^bits - 1, for 0..64. */
export const lowMaskLo = (bits: number): number => (bits >= 32 ? -1 : ((1 << bits) - 1) | 0);

/** The unsigned number, exact below 2^53 and rounded above: fine for comparisons with smaller limits. */
export const numberU = (hi: number, lo: number): number => (hi >>> 0) * 2 ** 32 + (lo >>> 0);

/** The signed number, exact within 2^53 and rounded beyond. */
export const numberS = (hi: number, lo: number): number => hi * 2 ** 32 + (lo >>> 0);

export const bigU = (hi: number, lo: number): bigint => (BigInt(hi >>> 0) << 32n) | BigInt(lo >>> 0);
export const bigS = (hi: number, lo: number): bigint => (BigInt(hi) << 32n) | BigInt(lo >>> 0);
