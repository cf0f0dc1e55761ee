import { decodeUtf8 } from "./bytes.ts";

// The label names a single-byte encoding, so that offsets of the bytes are offsets of the text.
const oneUnitPerByte = new TextDecoder("latin1");

/**
 * A block of NUL-terminated strings that are named by their offset, as in ELF and BTF.
 *
 * The block is decoded once and strings are slices of it, so that many long, overlapping strings cost no memory
 * of their own.
 */
export class StringTable {
  readonly bytes: Uint8Array;
  private readonly text: string;
  private readonly isAscii: boolean;

  constructor(bytes: Uint8Array) {
    this.bytes = bytes;
    this.text = oneUnitPerByte.decode(bytes);
    this.isAscii = bytes.every((byte) => byte < 0x80);
  }

  /**
   * Returns the bytes of the string at an offset, its NUL not counted, or -1 when the offset lies outside or no
   * NUL follows within `maxBytes`.
   */
  sizeAt(offset: number, maxBytes: number): number {
    if (offset < 0 || offset >= this.bytes.length) return -1;
    const last = Math.min(this.bytes.length - 1, offset + maxBytes);
    for (let at = offset; at <= last; at++) if (this.bytes[at] === 0) return at - offset;
    return -1;
  }

  /** Returns the string at an offset, or undefined where {@link sizeAt} returns -1. */
  at(offset: number, maxBytes: number): string | undefined {
    const size = this.sizeAt(offset, maxBytes);
    if (size < 0) return undefined;
    return this.isAscii
      ? this.text.slice(offset, offset + size)
      : decodeUtf8(this.bytes.subarray(offset, offset + size));
  }
}
