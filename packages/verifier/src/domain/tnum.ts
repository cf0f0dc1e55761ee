import { U64_MAX } from "@tsbpf/base";

/**
 * A tracked number: what is known of the bits of a 64-bit value.
 *
 * Invariant: `value & mask` is 0, both lie in 0..2^64-1. A value v is a member when `v & ~mask === value`.
 *
 * @source linux kernel/bpf/tnum.c; reference rules S-80..S-92
 */
export interface Tnum {
  /** Bits known to be one. */
  readonly value: bigint;
  /** Bits that are not known. */
  readonly mask: bigint;
}

/** The tnum that knows nothing. */
export const TNUM_UNKNOWN: Tnum = { value: 0n, mask: U64_MAX };

/** Returns the tnum with one member. */
export const tnumConst = (value: bigint): Tnum => ({ value: BigInt.asUintN(64, value), mask: 0n });

/** Says whether the tnum has exactly one member. */
export const isTnumConst = (a: Tnum): boolean => a.mask === 0n;

/** Adds two tnums modulo 2^64 (S-83). */
export function tnumAdd(a: Tnum, b: Tnum): Tnum {
  const sm = BigInt.asUintN(64, a.mask + b.mask);
  const sv = BigInt.asUintN(64, a.value + b.value);
  const sigma = BigInt.asUintN(64, sm + sv);
  const mu = (sigma ^ sv) | a.mask | b.mask;
  return { value: sv & ~mu & U64_MAX, mask: mu };
}

/** Says whether every member of `inner` is a member of `outer` (S-89). */
export const isTnumWithin = (outer: Tnum, inner: Tnum): boolean =>
  (inner.mask & ~outer.mask) === 0n && (inner.value & ~outer.mask) === outer.value;

/** Says whether all members are multiples of `align`, a power of two (S-89). */
export const isTnumAligned = (a: Tnum, align: number): boolean =>
  ((a.value | a.mask) & BigInt(align - 1)) === 0n;
