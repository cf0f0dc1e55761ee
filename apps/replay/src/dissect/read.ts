/** Reads big-endian numbers out of frames; what lies behind the end reads as zero. */
export const u8 = (bytes: Uint8Array, at: number): number => bytes[at] ?? 0;
export const u16 = (bytes: Uint8Array, at: number): number => (u8(bytes, at) << 8) | u8(bytes, at + 1);
export const u32 = (bytes: Uint8Array, at: number): number => u16(bytes, at) * 65536 + u16(bytes, at + 2);

const PRINTABLE_FIRST = 0x20;
const PRINTABLE_END = 0x7f;

/** Turns bytes into text on one line; what cannot be printed is a dot. */
export const printableText = (bytes: Uint8Array): string =>
  Array.from(bytes, (byte) =>
    byte >= PRINTABLE_FIRST && byte < PRINTABLE_END ? String.fromCharCode(byte) : ".",
  ).join("");
