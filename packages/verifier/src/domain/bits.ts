import {
  addHi,
  bitLength,
  borrowOf,
  carryOf,
  isBelow,
  lowMaskHi,
  lowMaskLo,
  sarHi,
  sarLo,
  shlHi,
  shlLo,
  shrHi,
  shrLo,
  subHi,
} from "./words.ts";

/**
 * What is known of the bits of a 64-bit number: Linux's tnum, in halves.
 *
 * Computes: sets of values as a pair of bit strings. Assumes: operands satisfy the invariant. Guarantees: the result
 * of every operation holds all results of members of its operands; it may be written over an operand. Cost: a few
 * 32-bit operations, except the product, which is linear in the bits of its first operand.
 *
 * Invariant: `bits & mask` is 0. A value v is a member when `v & ~mask === bits`. Numbers come as pairs of halves, so
 * some functions here take more parameters than elsewhere: an object per number would cost more than its arithmetic.
 *
 * @source linux include/linux/tnum.h; reference rules S-80..S-92
 */
export interface Bits {
  /** Bits known to be one. */
  readonly bitsHi: number;
  readonly bitsLo: number;
  /** Bits that are not known. */
  readonly maskHi: number;
  readonly maskLo: number;
}
export type MutableBits = { -readonly [K in keyof Bits]: Bits[K] };

/** Sets bits, clearing those that are unknown. */
function put(out: MutableBits, bitsHi: number, bitsLo: number, maskHi: number, maskLo: number): void {
  out.bitsHi = bitsHi & ~maskHi;
  out.bitsLo = bitsLo & ~maskLo;
  out.maskHi = maskHi;
  out.maskLo = maskLo;
}

export const copyBits = (out: MutableBits, a: Bits): void => put(out, a.bitsHi, a.bitsLo, a.maskHi, a.maskLo);

/** One member. */
export const constBits = (out: MutableBits, hi: number, lo: number): void => put(out, hi, lo, 0, 0);

/** All values. */
export const unknownBits = (out: MutableBits): void => put(out, 0, 0, -1, -1);

/** Shifts left by 0..63 (S-82). */
export function shlBits(out: MutableBits, a: Bits, by: number): void {
  const { bitsHi, bitsLo, maskHi, maskLo } = a;
  put(out, shlHi(bitsHi, bitsLo, by), shlLo(bitsLo, by), shlHi(maskHi, maskLo, by), shlLo(maskLo, by));
}

/** Shifts right by 0..63, filling zeros (S-82). */
export function shrBits(out: MutableBits, a: Bits, by: number): void {
  const { bitsHi, bitsLo, maskHi, maskLo } = a;
  put(out, shrHi(bitsHi, by), shrLo(bitsHi, bitsLo, by), shrHi(maskHi, by), shrLo(maskHi, maskLo, by));
}

/** Shifts right by 0..63, filling the top bit (S-82). */
export function sarBits(out: MutableBits, a: Bits, by: number): void {
  const { bitsHi, bitsLo, maskHi, maskLo } = a;
  put(out, sarHi(bitsHi, by), sarLo(bitsHi, bitsLo, by), sarHi(maskHi, by), sarLo(maskHi, maskLo, by));
}

/** Shifts the low half right by 0..31, filling its top bit, and clears the high one (S-82). */
export const sarLowBits = (out: MutableBits, a: Bits, by: number): void =>
  put(out, 0, a.bitsLo >> by, 0, a.maskLo >> by);

/** Adds modulo 2^64 (S-83): a bit is unknown where an operand's is, or where a carry may differ. */
export function addBits(out: MutableBits, a: Bits, b: Bits): void {
  const sumHi = addHi(a.bitsHi, a.bitsLo, b.bitsHi, b.bitsLo);
  const sumLo = (a.bitsLo + b.bitsLo) | 0;
  const mostLo = (a.maskLo + b.maskLo) | 0;
  const mostHi = addHi(a.maskHi, a.maskLo, b.maskHi, b.maskLo);
  const maskHi = (addHi(mostHi, mostLo, sumHi, sumLo) ^ sumHi) | a.maskHi | b.maskHi;
  const maskLo = ((mostLo + sumLo) ^ sumLo) | a.maskLo | b.maskLo;
  put(out, sumHi, sumLo, maskHi, maskLo);
}

/** Subtracts modulo 2^64 (S-84). */
export function subBits(out: MutableBits, a: Bits, b: Bits): void {
  const restHi = subHi(a.bitsHi, a.bitsLo, b.bitsHi, b.bitsLo);
  const restLo = (a.bitsLo - b.bitsLo) | 0;
  const mostHi = (restHi + a.maskHi + carryOf(restLo, a.maskLo)) | 0;
  const mostLo = (restLo + a.maskLo) | 0;
  const leastHi = (restHi - b.maskHi - borrowOf(restLo, b.maskLo)) | 0;
  const leastLo = (restLo - b.maskLo) | 0;
  const maskHi = (mostHi ^ leastHi) | a.maskHi | b.maskHi;
  put(out, restHi, restLo, maskHi, (mostLo ^ leastLo) | a.maskLo | b.maskLo);
}

export function andBits(out: MutableBits, a: Bits, b: Bits): void {
  const hi = a.bitsHi & b.bitsHi;
  const lo = a.bitsLo & b.bitsLo;
  const maskHi = (a.bitsHi | a.maskHi) & (b.bitsHi | b.maskHi) & ~hi;
  put(out, hi, lo, maskHi, (a.bitsLo | a.maskLo) & (b.bitsLo | b.maskLo) & ~lo);
}

export function orBits(out: MutableBits, a: Bits, b: Bits): void {
  const hi = a.bitsHi | b.bitsHi;
  const lo = a.bitsLo | b.bitsLo;
  put(out, hi, lo, (a.maskHi | b.maskHi) & ~hi, (a.maskLo | b.maskLo) & ~lo);
}

export const xorBits = (out: MutableBits, a: Bits, b: Bits): void =>
  put(out, a.bitsHi ^ b.bitsHi, a.bitsLo ^ b.bitsLo, a.maskHi | b.maskHi, a.maskLo | b.maskLo);

const partial: MutableBits = { bitsHi: 0, bitsLo: 0, maskHi: 0, maskLo: 0 };
const sum: MutableBits = { bitsHi: 0, bitsLo: 0, maskHi: 0, maskLo: 0 };
const total: MutableBits = { bitsHi: 0, bitsLo: 0, maskHi: 0, maskLo: 0 };

/** Multiplies modulo 2^64 (S-86): an unknown bit of `a` joins the sums with and without its partial product. */
export function mulBits(out: MutableBits, a: Bits, b: Bits): void {
  const bits = bitLength(a.bitsHi | a.maskHi, a.bitsLo | a.maskLo);
  const { bitsHi, bitsLo, maskHi, maskLo } = a;
  copyBits(partial, b);
  constBits(total, 0, 0);
  for (let bit = 0; bit < bits; bit++) {
    const isOne = ((bit < 32 ? bitsLo >>> bit : bitsHi >>> (bit - 32)) & 1) === 1;
    if (isOne) addBits(total, total, partial);
    else if (((bit < 32 ? maskLo >>> bit : maskHi >>> (bit - 32)) & 1) === 1) {
      addBits(sum, total, partial);
      uniteBits(total, total, sum);
    }
    shlBits(partial, partial, 1);
  }
  copyBits(out, total);
}

/** The smallest set that holds both (S-87). */
function uniteBits(out: MutableBits, a: Bits, b: Bits): void {
  const maskHi = (a.bitsHi ^ b.bitsHi) | a.maskHi | b.maskHi;
  put(out, a.bitsHi & b.bitsHi, a.bitsLo & b.bitsLo, maskHi, (a.bitsLo ^ b.bitsLo) | a.maskLo | b.maskLo);
}

/** Keeps what both know (S-87); where they contradict each other the result holds neither's members. */
export const intersectBits = (out: MutableBits, a: Bits, b: Bits): void =>
  put(out, a.bitsHi | b.bitsHi, a.bitsLo | b.bitsLo, a.maskHi & b.maskHi, a.maskLo & b.maskLo);

/** Learns the bits that all numbers of the unsigned range min..max share (S-81, S-87). */
export function intersectRange(
  out: MutableBits,
  minHi: number,
  minLo: number,
  maxHi: number,
  maxLo: number,
): void {
  const bits = bitLength(minHi ^ maxHi, minLo ^ maxLo);
  const unknownHi = lowMaskHi(bits);
  const unknownLo = lowMaskLo(bits);
  if (bits === 64) return;
  const bitsHi = out.bitsHi | (minHi & ~unknownHi);
  put(out, bitsHi, out.bitsLo | (minLo & ~unknownLo), out.maskHi & unknownHi, out.maskLo & unknownLo);
}

/** The smallest set that holds the unsigned range min..max (S-81). */
export function rangeBits(
  out: MutableBits,
  minHi: number,
  minLo: number,
  maxHi: number,
  maxLo: number,
): void {
  unknownBits(out);
  intersectRange(out, minHi, minLo, maxHi, maxLo);
}

/** Says whether some value may be a member of both (S-87), by their low halves. */
export const mayOverlapLow = (a: Bits, b: Bits): boolean =>
  ((a.bitsLo ^ b.bitsLo) & ~(a.maskLo | b.maskLo)) === 0;

/** Says whether some value may be a member of both (S-87). */
export const mayOverlap = (a: Bits, b: Bits): boolean =>
  mayOverlapLow(a, b) && ((a.bitsHi ^ b.bitsHi) & ~(a.maskHi | b.maskHi)) === 0;

/** Keeps the low `bytes` bytes (S-88). */
export function castBits(out: MutableBits, a: Bits, bytes: number): void {
  const hi = lowMaskHi(bytes * 8);
  const lo = lowMaskLo(bytes * 8);
  put(out, a.bitsHi & hi, a.bitsLo & lo, a.maskHi & hi, a.maskLo & lo);
}

/** Says whether every member of `inner` is a member of `outer` (S-89). */
export const areBitsWithin = (outer: Bits, inner: Bits): boolean =>
  ((inner.maskLo & ~outer.maskLo) | (inner.maskHi & ~outer.maskHi)) === 0 &&
  (inner.bitsLo & ~outer.maskLo) === outer.bitsLo &&
  (inner.bitsHi & ~outer.maskHi) === outer.bitsHi;

/** Says whether all members plus an offset are multiples of `align`, a power of two up to 2^31 (S-89). */
export function areBitsAligned(a: Bits, offset: number, align: number): boolean {
  const below = align - 1;
  // An unknown bit below the alignment stays unknown in the sum, and a carry only goes upwards.
  return ((a.maskLo | (a.bitsLo + offset)) & below) === 0;
}

const swapBytes32 = (word: number): number =>
  (word << 24) | ((word & 0xff00) << 8) | ((word >>> 8) & 0xff00) | (word >>> 24);

/** Swaps the low `bits` bits bytewise and clears the rest (S-90). */
export function swapBits(out: MutableBits, a: Bits, bits: 16 | 32 | 64): void {
  const bitsLo = swapBytes32(a.bitsLo);
  const maskLo = swapBytes32(a.maskLo);
  if (bits === 64) put(out, bitsLo, swapBytes32(a.bitsHi), maskLo, swapBytes32(a.maskHi));
  else put(out, 0, bitsLo >>> (32 - bits), 0, (maskLo >>> (32 - bits)) | 0);
}

/** A member found by {@link stepBits}. */
export const stepped = { hi: 0, lo: 0 };

/** Finds the smallest member above z, or the largest member when there is none, and leaves it in {@link stepped} (S-91). */
export function stepBits(a: Bits, zHi: number, zLo: number): void {
  const { bitsHi, bitsLo, maskHi, maskLo } = a;
  stepped.hi = bitsHi | maskHi;
  stepped.lo = bitsLo | maskLo;
  if (!isBelow(zHi, zLo, stepped.hi, stepped.lo)) return;
  const yLo = (zLo + 1) | 0;
  const yHi = (zHi + (yLo === 0 ? 1 : 0)) | 0;
  const wrongHi = (yHi ^ bitsHi) & ~maskHi;
  const wrongLo = (yLo ^ bitsLo) & ~maskLo;
  if ((wrongHi | wrongLo) === 0) {
    stepped.hi = yHi;
    stepped.lo = yLo;
    return;
  }
  const count = bitLength(wrongHi, wrongLo);
  const lowHi = lowMaskHi(count);
  const lowLo = lowMaskLo(count);
  // The highest wrong bit decides: raising it to the known one suffices, or the unknown bits above must count up.
  const isRaised = ((count > 32 ? bitsHi >>> (count - 33) : bitsLo >>> (count - 1)) & 1) === 1;
  let aboveHi = yHi;
  let aboveLo = yLo;
  if (!isRaised) {
    aboveLo = ((yLo | ~maskLo | lowLo) + 1) | 0;
    aboveHi = ((yHi | ~maskHi | lowHi) + (aboveLo === 0 ? 1 : 0)) | 0;
  }
  stepped.hi = (aboveHi & maskHi & ~lowHi) | bitsHi;
  stepped.lo = (aboveLo & maskLo & ~lowLo) | bitsLo;
}
