/**
 * Hashing and comparing keys in linear memory. `LAYOUT.md` states the same function for generated code; both must
 * agree bit for bit, because they share tables.
 *
 * Key bytes count as little-endian u32 words; the last one to three bytes form a word padded with zeros. Each word
 * costs one multiplication and a rotation that carries the high bits, where products mix well, back down to the low
 * ones, which pick the bucket.
 */

/** Odd constants near 2^32 / phi and from the finalizer of MurmurHash3 (public domain). */
const WORD_FACTOR = 0x9e37_79b1 | 0;
const FINAL_FACTOR = 0x85eb_ca6b | 0;

/** Hashes `bytes` key bytes at an address to a signed 32-bit number. */
export function hashKey(view: DataView, address: number, bytes: number, seed: number): number {
  let hash = seed ^ bytes;
  let at = address;
  for (const end = address + (bytes & ~3); at < end; at += 4) {
    hash = Math.imul(hash ^ view.getInt32(at, true), WORD_FACTOR);
    hash = (hash << 15) | (hash >>> 17);
  }
  if ((bytes & 3) !== 0) {
    hash = Math.imul(hash ^ lastWord(view, at, bytes & 3), WORD_FACTOR);
    hash = (hash << 15) | (hash >>> 17);
  }
  hash = Math.imul(hash ^ (hash >>> 16), FINAL_FACTOR);
  return hash ^ (hash >>> 13);
}

/** Hashes a key of whole, aligned words as `hashKey` does; `word` is its index in the memory's words. */
export function hashWords(i32: Int32Array, word: number, words: number, seed: number): number {
  let hash = seed ^ (words << 2);
  for (let at = word; at < word + words; at++) {
    hash = Math.imul(hash ^ (i32[at] as number), WORD_FACTOR);
    hash = (hash << 15) | (hash >>> 17);
  }
  hash = Math.imul(hash ^ (hash >>> 16), FINAL_FACTOR);
  return hash ^ (hash >>> 13);
}

/** Compares two keys of whole, aligned words. */
export function sameWords(i32: Int32Array, a: number, b: number, words: number): boolean {
  for (let i = 0; i < words; i++) if (i32[a + i] !== i32[b + i]) return false;
  return true;
}

/** Compares two keys. */
export function sameKey(view: DataView, a: number, b: number, bytes: number): boolean {
  let at = 0;
  for (; at + 4 <= bytes; at += 4) {
    if (view.getInt32(a + at, true) !== view.getInt32(b + at, true)) return false;
  }
  for (; at < bytes; at++) if (view.getUint8(a + at) !== view.getUint8(b + at)) return false;
  return true;
}

function lastWord(view: DataView, address: number, bytes: number): number {
  let word = view.getUint8(address);
  if (bytes > 1) word |= view.getUint8(address + 1) << 8;
  if (bytes > 2) word |= view.getUint8(address + 2) << 16;
  return word;
}
