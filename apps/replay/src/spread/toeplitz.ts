/** Bytes that repeat to the key which gives both directions of a connection one hash. @source Woo and Park, "Scalable TCP Session Monitoring with Symmetric Receive-side Scaling" */
const SYMMETRIC = [0x6d, 0x5a] as const;

/** Bytes of a key that is long enough for two IPv6 addresses and two ports. */
const KEY_BYTES = 40;

/** The key of network cards that send both directions of a connection to one CPU. */
export const SYMMETRIC_KEY: Uint8Array = Uint8Array.from(
  { length: KEY_BYTES },
  (_, idx) => SYMMETRIC[idx % 2] as number,
);

/**
 * Hashes bytes as network cards do for receive-side scaling.
 *
 * @param key - at least 4 bytes longer than the input.
 * @returns a u32.
 * @source Microsoft "RSS Hashing Types", Toeplitz function
 */
export function toeplitz(key: Uint8Array, input: Uint8Array): number {
  const keyBit = (idx: number): number => ((key[idx >>> 3] as number) >>> (7 - (idx & 7))) & 1;
  let window = 0;
  for (let idx = 0; idx < 32; idx++) window = (window << 1) | keyBit(idx);
  let hash = 0;
  for (let idx = 0; idx < input.length * 8; idx++) {
    if ((((input[idx >>> 3] as number) >>> (7 - (idx & 7))) & 1) !== 0) hash ^= window;
    window = (window << 1) | keyBit(idx + 32);
  }
  return hash >>> 0;
}

const KEY_WORD = (SYMMETRIC[0] << 8) | SYMMETRIC[1];

/** For each value of a byte, what it adds to the hash: as the high byte of a word, then as the low one. */
export const SYMMETRIC_PARTS: Uint16Array = Uint16Array.from({ length: 512 }, (_, idx) => {
  const shift = idx < 256 ? 0 : 8;
  let part = 0;
  for (let bit = 0; bit < 8; bit++) {
    const by = shift + bit;
    if (((idx >>> (7 - bit)) & 1) !== 0) part ^= ((KEY_WORD << by) | (KEY_WORD >>> (16 - by))) & 0xffff;
  }
  return part;
});

/**
 * Hashes with the symmetric key. Its windows repeat every 16 bits, and the function is linear: so the hash of an input
 * is that of all its 16-bit words XORed, and its halves are equal.
 *
 * @param folded - the big-endian 16-bit words of the input, XORed.
 * @returns the low half of the hash, which is the high half too.
 */
export const symmetricHash = (folded: number): number =>
  (SYMMETRIC_PARTS[(folded >>> 8) & 0xff] as number) ^ (SYMMETRIC_PARTS[256 + (folded & 0xff)] as number);
