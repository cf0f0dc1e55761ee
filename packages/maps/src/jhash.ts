/** Start of the state, as lookup3 has it. */
const INITIAL = 0xdead_beef | 0;

const rotl = (value: number, by: number): number => (value << by) | (value >>> (32 - by));

/**
 * Hashes bytes with Bob Jenkins' lookup3 (public domain), as Linux does for its bloom filters: with the same seed
 * they set the same bits. Words are read little-endian; bytes missing in the last ones count as zero.
 *
 * @returns an unsigned 32-bit number.
 * @source burtleburtle.net/bob/c/lookup3.c hashlittle
 */
export function jhash(view: DataView, address: number, bytes: number, seed: number): number {
  let a = (INITIAL + bytes + seed) | 0;
  let b = a;
  let c = a;
  let at = address;
  let left = bytes;
  for (; left > 12; left -= 12, at += 12) {
    a = (a + view.getInt32(at, true)) | 0;
    b = (b + view.getInt32(at + 4, true)) | 0;
    c = (c + view.getInt32(at + 8, true)) | 0;
    a = (a - c) ^ rotl(c, 4);
    c = (c + b) | 0;
    b = (b - a) ^ rotl(a, 6);
    a = (a + c) | 0;
    c = (c - b) ^ rotl(b, 8);
    b = (b + a) | 0;
    a = (a - c) ^ rotl(c, 16);
    c = (c + b) | 0;
    b = (b - a) ^ rotl(a, 19);
    a = (a + c) | 0;
    c = (c - b) ^ rotl(b, 4);
    b = (b + a) | 0;
  }
  if (left === 0) return c >>> 0;
  a = (a + wordAt(view, at, left)) | 0;
  b = (b + wordAt(view, at + 4, left - 4)) | 0;
  c = (c + wordAt(view, at + 8, left - 8)) | 0;
  c = ((c ^ b) - rotl(b, 14)) | 0;
  a = ((a ^ c) - rotl(c, 11)) | 0;
  b = ((b ^ a) - rotl(a, 25)) | 0;
  c = ((c ^ b) - rotl(b, 16)) | 0;
  a = ((a ^ c) - rotl(c, 4)) | 0;
  b = ((b ^ a) - rotl(a, 14)) | 0;
  c = ((c ^ b) - rotl(b, 24)) | 0;
  return c >>> 0;
}

/** Reads the first `bytes` (4 at most, none when not positive) of a word, the rest zero. */
function wordAt(view: DataView, address: number, bytes: number): number {
  if (bytes >= 4) return view.getInt32(address, true);
  let word = 0;
  for (let i = bytes - 1; i >= 0; i--) word = (word << 8) | view.getUint8(address + i);
  return word;
}
