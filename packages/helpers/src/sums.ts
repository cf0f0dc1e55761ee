import type { LinearMemory } from "@tsbpf/memory";

/** Arithmetic on one's-complement sums, as the kernel does it: sums are 32 bits and never 0 unless all parts are. */

const U16_MASK = 65_535;
const U32_SPAN = 2 ** 32;
const U32_MAX = U32_SPAN - 1;
/** Words that a sum below 2^53 can take before it must be folded. */
const WORDS_BEFORE_FOLD = 1 << 20;

/** Adds two sums. @source linux include/net/checksum.h csum_add */
export function addSums(a: number, b: number): number {
  const sum = (a >>> 0) + (b >>> 0);
  return sum > U32_MAX ? (sum - U32_SPAN + 1) >>> 0 : sum;
}

/** Subtracts a sum from another. */
export const subSums = (a: number, b: number): number => addSums(a, ~b >>> 0);

/** Folds a sum to 16 bits. */
export function foldSum(sum: number): number {
  const once = (sum & U16_MASK) + (sum >>> 16);
  return (once & U16_MASK) + (once >>> 16);
}

/** Folds a sum to the checksum that stands for it. @source linux include/asm-generic/checksum.h csum_fold */
export const checksumOf = (sum: number): number => ~foldSum(sum) & U16_MASK;

/** Brings a number below 2^53 to a sum: equal modulo 2^32 - 1, and 0 only if it was 0. */
function toSum(total: number): number {
  if (total === 0) return 0;
  const rest = total % U32_MAX;
  return rest === 0 ? U32_MAX : rest;
}

/**
 * Adds bytes to a sum, as little-endian words; a last odd part is extended with zeros.
 *
 * @source linux include/net/checksum.h csum_partial
 */
export function sumBytes(memory: LinearMemory, address: number, size: number, seed: number): number {
  const { view, u8 } = memory;
  let total = seed >>> 0;
  let at = address;
  const wordsEnd = address + (size & ~3);
  for (let words = 0; at < wordsEnd; at += 4) {
    total += view.getUint32(at, true);
    if (++words % WORDS_BEFORE_FOLD === 0) total = toSum(total);
  }
  let last = 0;
  for (let i = 0; at + i < address + size; i++) last += (u8[at + i] as number) * 2 ** (8 * i);
  return toSum(total + last);
}

/** Replaces a part of what a checksum covers. @source linux include/net/checksum.h csum_replace4 */
export const replaceInChecksum = (checksum: number, from: number, to: number): number =>
  checksumOf(addSums(subSums(~checksum >>> 0, from), to));

/** Adds two 16-bit sums. @source linux include/net/checksum.h csum16_add */
export function addSums16(a: number, b: number): number {
  const sum = a + b;
  return sum > U16_MASK ? sum - U16_MASK : sum;
}

/** Replaces two bytes of what a checksum covers, on 16 bits. @source linux include/net/checksum.h csum_replace2 */
export const replace16InChecksum = (checksum: number, from: number, to: number): number =>
  ~addSums16(addSums16(~checksum & U16_MASK, ~from & U16_MASK), to & U16_MASK) & U16_MASK;

/** Adds a difference of sums to what a checksum covers. @source linux include/net/checksum.h csum_replace_by_diff */
export const addToChecksum = (checksum: number, difference: number): number =>
  checksumOf(addSums(difference, ~checksum >>> 0));
