import { U64_MAX } from "@tsbpf/base";
import type { Width } from "@tsbpf/isa";

/**
 * A tracked number: what is known of the bits of a 64-bit value.
 *
 * Computes: sets of values as a pair of bit strings. Assumes: operands satisfy the invariant. Guarantees: the result
 * of every operation holds all results of members of its operands. Cost: a few 64-bit operations, except the
 * product, which is linear in the bits of its first operand.
 *
 * Invariant: `value & mask` is 0, both lie in 0..2^64-1. A value v is a member when `v & ~mask === value`.
 *
 * @source linux include/linux/tnum.h; reference rules S-80..S-92
 */
export interface Tnum {
  /** Bits known to be one. */
  readonly value: bigint;
  /** Bits that are not known. */
  readonly mask: bigint;
}

const LOW32 = 0xffff_ffffn;
const HIGH32 = U64_MAX ^ LOW32;

/** The tnum that knows nothing. */
export const TNUM_UNKNOWN: Tnum = { value: 0n, mask: U64_MAX };

const u64 = (value: bigint): bigint => BigInt.asUintN(64, value);

/** Returns the tnum with one member. */
export const tnumConst = (value: bigint): Tnum => ({ value: u64(value), mask: 0n });

/** Says whether the tnum has exactly one member. */
export const isTnumConst = (a: Tnum): boolean => a.mask === 0n;

/** Returns the number of bits up to the highest set one, 0..64. */
export function bitLength(value: bigint): number {
  const high = Number(value >> 32n);
  return high === 0 ? 32 - Math.clz32(Number(value & LOW32)) : 64 - Math.clz32(high);
}

/** Returns the smallest tnum that holds the unsigned range min..max (S-81). */
export function tnumRange(min: bigint, max: bigint): Tnum {
  const bits = bitLength(min ^ max);
  if (bits > 63) return TNUM_UNKNOWN;
  const delta = (1n << BigInt(bits)) - 1n;
  return { value: min & (U64_MAX ^ delta), mask: delta };
}

/** Shifts left by 0..63 (S-82). */
export const tnumLshift = (a: Tnum, by: number): Tnum => ({
  value: u64(a.value << BigInt(by)),
  mask: u64(a.mask << BigInt(by)),
});

/** Shifts right by 0..63, filling zeros (S-82). */
export const tnumRshift = (a: Tnum, by: number): Tnum => ({
  value: a.value >> BigInt(by),
  mask: a.mask >> BigInt(by),
});

/** Shifts right within `width` bits, filling the top bit; a 32-bit result is zero-extended (S-82). */
export const tnumArshift = (a: Tnum, by: number, width: Width): Tnum => ({
  value: BigInt.asUintN(width, BigInt.asIntN(width, a.value) >> BigInt(by)),
  mask: BigInt.asUintN(width, BigInt.asIntN(width, a.mask) >> BigInt(by)),
});

/** Adds modulo 2^64 (S-83): a bit is unknown where an operand's is, or where a carry may differ. */
export function tnumAdd(a: Tnum, b: Tnum): Tnum {
  const sm = a.mask + b.mask;
  const sv = u64(a.value + b.value);
  const mu = u64((sm + sv) ^ sv) | a.mask | b.mask;
  return { value: sv & (U64_MAX ^ mu), mask: mu };
}

/** Subtracts modulo 2^64 (S-84). */
export function tnumSub(a: Tnum, b: Tnum): Tnum {
  const dv = u64(a.value - b.value);
  const alpha = u64(dv + a.mask);
  const beta = u64(dv - b.mask);
  const mu = (alpha ^ beta) | a.mask | b.mask;
  return { value: dv & (U64_MAX ^ mu), mask: mu };
}

/** Negates modulo 2^64 (S-84). */
export const tnumNeg = (a: Tnum): Tnum => tnumSub(tnumConst(0n), a);

export function tnumAnd(a: Tnum, b: Tnum): Tnum {
  const value = a.value & b.value;
  return { value, mask: (a.value | a.mask) & (b.value | b.mask) & (U64_MAX ^ value) };
}

export function tnumOr(a: Tnum, b: Tnum): Tnum {
  const value = a.value | b.value;
  return { value, mask: (a.mask | b.mask) & (U64_MAX ^ value) };
}

export function tnumXor(a: Tnum, b: Tnum): Tnum {
  const mask = a.mask | b.mask;
  return { value: (a.value ^ b.value) & (U64_MAX ^ mask), mask };
}

/** Multiplies modulo 2^64 (S-86): an unknown bit of `a` joins the sums with and without its partial product. */
export function tnumMul(a: Tnum, b: Tnum): Tnum {
  let acc: Tnum = tnumConst(0n);
  let { value, mask } = a;
  let partial = b;
  while (value !== 0n || mask !== 0n) {
    if ((value & 1n) !== 0n) acc = tnumAdd(acc, partial);
    else if ((mask & 1n) !== 0n) acc = tnumUnion(acc, tnumAdd(acc, partial));
    value >>= 1n;
    mask >>= 1n;
    partial = tnumLshift(partial, 1);
  }
  return acc;
}

/** Returns the smallest tnum that holds both (S-87). */
export function tnumUnion(a: Tnum, b: Tnum): Tnum {
  const mu = (a.value ^ b.value) | a.mask | b.mask;
  return { value: a.value & b.value & (U64_MAX ^ mu), mask: mu };
}

/** Keeps what both know (S-87); where they contradict each other the result holds neither's members. */
export function tnumIntersect(a: Tnum, b: Tnum): Tnum {
  const mask = a.mask & b.mask;
  return { value: (a.value | b.value) & (U64_MAX ^ mask), mask };
}

/** Says whether some value may be a member of both (S-87). */
export const mayOverlap = (a: Tnum, b: Tnum): boolean =>
  ((a.value ^ b.value) & (U64_MAX ^ (a.mask | b.mask))) === 0n;

/** Keeps the low `bytes` bytes (S-88). */
export const tnumCast = (a: Tnum, bytes: number): Tnum => ({
  value: BigInt.asUintN(bytes * 8, a.value),
  mask: BigInt.asUintN(bytes * 8, a.mask),
});

/** Keeps the low 32 bits (S-88). */
export const tnumSubreg = (a: Tnum): Tnum => ({ value: a.value & LOW32, mask: a.mask & LOW32 });

/** Replaces the low 32 bits by those of another (S-88). */
export const tnumWithSubreg = (a: Tnum, low: Tnum): Tnum => ({
  value: (a.value & HIGH32) | (low.value & LOW32),
  mask: (a.mask & HIGH32) | (low.mask & LOW32),
});

/** Says whether every member of `inner` is a member of `outer` (S-89). */
export const isTnumWithin = (outer: Tnum, inner: Tnum): boolean =>
  (inner.mask & ~outer.mask) === 0n && (inner.value & ~outer.mask) === outer.value;

/** Says whether all members are multiples of `align`, a power of two (S-89). */
export const isTnumAligned = (a: Tnum, align: number): boolean =>
  ((a.value | a.mask) & BigInt(align - 1)) === 0n;

function swapBytes(value: bigint, bits: 16 | 32 | 64): bigint {
  let swapped = 0n;
  for (let at = 0; at < bits; at += 8) swapped = (swapped << 8n) | ((value >> BigInt(at)) & 0xffn);
  return swapped;
}

/** Swaps the low `bits` bits bytewise and clears the rest (S-90). */
export const tnumSwap = (a: Tnum, bits: 16 | 32 | 64): Tnum => ({
  value: swapBytes(a.value, bits),
  mask: swapBytes(a.mask, bits),
});

/** Returns the smallest member above `z`, or the largest member when there is none (S-91). */
export function tnumStep(a: Tnum, z: bigint): bigint {
  const largest = a.value | a.mask;
  if (z >= largest) return largest;
  const y = z + 1n;
  const wrong = (y ^ a.value) & (U64_MAX ^ a.mask);
  if (wrong === 0n) return y;
  const bits = BigInt(bitLength(wrong));
  const low = (1n << bits) - 1n;
  const isRaised = ((a.value >> (bits - 1n)) & 1n) === 1n;
  // The highest wrong bit decides: raising it to the known one suffices, or the unknown bits above must count up.
  const above = isRaised ? y : (y | (U64_MAX ^ a.mask) | low) + 1n;
  return (above & a.mask & (U64_MAX ^ low)) | a.value;
}
