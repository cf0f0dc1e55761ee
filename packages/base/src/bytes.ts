import { InputError } from "./errors.ts";

export type Endian = "little" | "big";

/** Where a reader stands, for error texts: a section or file name. */
export interface ReaderPlace {
  readonly what: string;
  /** Added to every offset that an error names: where `bytes[0]` lies within `what`. */
  readonly baseOffset?: number;
  /** Prefix of the error code, e.g. `ELF`. */
  readonly area: string;
}

/**
 * Reads integers from bytes and refuses to go past their end.
 *
 * Every read names its place: an input error says which section, at which offset, how many bytes were missing.
 */
export class ByteReader {
  readonly bytes: Uint8Array;
  readonly endian: Endian;
  readonly place: ReaderPlace;
  private readonly view: DataView;
  private readonly isLittle: boolean;

  constructor(bytes: Uint8Array, endian: Endian, place: ReaderPlace) {
    this.bytes = bytes;
    this.endian = endian;
    this.place = place;
    this.view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.isLittle = endian === "little";
  }

  get lengthBytes(): number {
    return this.bytes.byteLength;
  }

  /**
   * Checks that `size` bytes lie at `offset`.
   *
   * @throws `<AREA>_TRUNCATED` (InputError) when they do not.
   */
  check(offset: number, size: number): void {
    if (offset >= 0 && size >= 0 && offset + size <= this.bytes.byteLength) return;
    const at = (this.place.baseOffset ?? 0) + offset;
    const end = (this.place.baseOffset ?? 0) + this.bytes.byteLength;
    throw new InputError(
      `${this.place.area}_TRUNCATED`,
      `${this.place.what} ends at offset ${end}, ${size} bytes needed at offset ${at}`,
      { details: { what: this.place.what, offset: at, size, end } },
    );
  }

  u8(offset: number): number {
    this.check(offset, 1);
    return this.view.getUint8(offset);
  }
  u16(offset: number): number {
    this.check(offset, 2);
    return this.view.getUint16(offset, this.isLittle);
  }
  s16(offset: number): number {
    this.check(offset, 2);
    return this.view.getInt16(offset, this.isLittle);
  }
  u32(offset: number): number {
    this.check(offset, 4);
    return this.view.getUint32(offset, this.isLittle);
  }
  s32(offset: number): number {
    this.check(offset, 4);
    return this.view.getInt32(offset, this.isLittle);
  }
  u64(offset: number): bigint {
    this.check(offset, 8);
    return this.view.getBigUint64(offset, this.isLittle);
  }
  /** Reads 64 bits that must fit a file offset or size; anything above 2^53 - 1 becomes 2^53 - 1, past every file's end. */
  size64(offset: number): number {
    const value = this.u64(offset);
    return value > BigInt(Number.MAX_SAFE_INTEGER) ? Number.MAX_SAFE_INTEGER : Number(value);
  }
  /** Returns a view (not a copy) of `size` bytes. */
  slice(offset: number, size: number): Uint8Array {
    this.check(offset, size);
    return this.bytes.subarray(offset, offset + size);
  }
  /** Reads a NUL-terminated string; the NUL must lie within the bytes. */
  cString(offset: number): string {
    this.check(offset, 1);
    const end = this.bytes.indexOf(0, offset);
    if (end < 0) this.check(this.bytes.byteLength, 1);
    return decodeUtf8(this.bytes.subarray(offset, end));
  }
}

const utf8Decoder = new TextDecoder("utf-8");
const utf8Encoder = new TextEncoder();

/** Decodes UTF-8; malformed sequences become U+FFFD. */
export const decodeUtf8 = (bytes: Uint8Array): string => utf8Decoder.decode(bytes);
export const encodeUtf8 = (text: string): Uint8Array => utf8Encoder.encode(text);

const HEX = Array.from({ length: 256 }, (_, value) => value.toString(16).padStart(2, "0"));

/** Prints bytes as lower-case hex without separators. */
export function printHexBytes(bytes: Uint8Array): string {
  let text = "";
  for (const byte of bytes) text += HEX[byte];
  return text;
}

/**
 * Parses hex digits, two a byte; white space between bytes is allowed.
 *
 * @throws HEX_MALFORMED (InputError) naming the first bad column.
 */
export function parseHexBytes(text: string): Uint8Array {
  const digits = text.replace(/\s+/g, "");
  const bad = digits.search(/[^0-9a-fA-F]/);
  if (bad >= 0) {
    throw new InputError(
      "HEX_MALFORMED",
      `hex digit expected, found ${JSON.stringify(digits[bad])} at digit ${bad + 1}`,
    );
  }
  if (digits.length % 2 !== 0) {
    throw new InputError("HEX_MALFORMED", `hex bytes need an even number of digits, found ${digits.length}`);
  }
  const bytes = new Uint8Array(digits.length / 2);
  for (let i = 0; i < bytes.length; i++) bytes[i] = Number.parseInt(digits.slice(2 * i, 2 * i + 2), 16);
  return bytes;
}

/** Joins byte strings in new memory. */
export function joinBytes(parts: readonly Uint8Array[]): Uint8Array<ArrayBuffer> {
  const joined = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    joined.set(part, at);
    at += part.length;
  }
  return joined;
}

/** Compares two byte strings for equality. */
export function equalBytes(a: Uint8Array, b: Uint8Array): boolean {
  if (a.length !== b.length) return false;
  for (let i = 0; i < a.length; i++) if (a[i] !== b[i]) return false;
  return true;
}
