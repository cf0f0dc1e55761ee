/** Registers of translated programs. */
export const A = 0;
export const X = 7;
/** Holds nothing between classic instructions. */
export const TEMP = 1;
export const TEMP2 = 2;
/** The context of programs on socket buffers. */
export const CTX = 6;
/** First byte of the packet, in programs on frames. */
export const DATA = 6;
/** One past its last byte. */
export const DATA_END = 8;
/** A's value while a packet load uses r0. */
export const SAVED = 8;
/** Bytes that the packet had on the wire. */
export const LENGTH = 9;
