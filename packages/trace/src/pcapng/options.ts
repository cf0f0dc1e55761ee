import { decodeUtf8, type Endian, InputError } from "@tsbpf/base";
import type { RawOption } from "../capture/types.ts";
import { TRACE_LIMITS } from "../limits.ts";
import { OPT } from "./constants.ts";

/** Where an option list lies, for reading and for error texts. */
export interface OptionSpan {
  readonly bytes: Uint8Array;
  readonly offset: number;
  readonly lengthBytes: number;
  readonly endian: Endian;
  /** File offset of `bytes[0]`. */
  readonly baseOffset: number;
  /** The block they belong to, for error texts. */
  readonly block: string;
}

const OPTION_HEADER_BYTES = 4;
/** Bytes of an option or block with its padding. */
export const padTo4 = (size: number): number => (size + 3) & ~3;

/**
 * Decodes an option list; the values are copies.
 *
 * @throws PCAPNG_OPTION_LENGTH, PCAPNG_OPTION_COUNT (InputError).
 */
function decodeOptions(span: OptionSpan): RawOption[] {
  const { bytes, endian } = span;
  const options: RawOption[] = [];
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const end = span.offset + span.lengthBytes;
  let at = span.offset;
  while (end - at >= OPTION_HEADER_BYTES) {
    const code = view.getUint16(at, endian === "little");
    const size = view.getUint16(at + 2, endian === "little");
    if (code === OPT.end) return options;
    const valueAt = at + OPTION_HEADER_BYTES;
    if (size > end - valueAt) {
      throw new InputError(
        "PCAPNG_OPTION_LENGTH",
        `option ${code} of ${span.block} claims ${size} bytes, ${end - valueAt} are left in the block, at offset ${span.baseOffset + at}`,
        { details: { option: code, size, rest: end - valueAt, offset: span.baseOffset + at } },
      );
    }
    if (options.length >= TRACE_LIMITS.blockOptions) {
      throw new InputError(
        "PCAPNG_OPTION_COUNT",
        `${span.block} has more than ${TRACE_LIMITS.blockOptions} options, at offset ${span.baseOffset + at}`,
        { details: { offset: span.baseOffset + at } },
      );
    }
    options.push({ code, value: bytes.slice(valueAt, valueAt + size), endian });
    at = valueAt + padTo4(size);
  }
  return options;
}

/** Takes typed values out of an option list; what nobody takes is left in `rest`. */
export class OptionReader {
  private options: RawOption[];
  private readonly span: OptionSpan;

  constructor(span: OptionSpan) {
    this.span = span;
    this.options = span.lengthBytes === 0 ? [] : decodeOptions(span);
  }

  get rest(): readonly RawOption[] {
    return this.options;
  }

  /** Takes all values of a code that may repeat. */
  takeAll(code: number): Uint8Array[] {
    const taken = this.options.filter((option) => option.code === code);
    if (taken.length > 0) this.options = this.options.filter((option) => option.code !== code);
    return taken.map((option) => option.value);
  }

  /** Takes the first value of a code that must not repeat; a second one is left over. */
  take(code: number): Uint8Array | undefined {
    const idx = this.options.findIndex((option) => option.code === code);
    return idx < 0 ? undefined : this.options.splice(idx, 1)[0]?.value;
  }

  texts(code: number): string[] {
    return this.takeAll(code).map(decodeText);
  }

  text(code: number): string | undefined {
    const value = this.take(code);
    return value === undefined ? undefined : decodeText(value);
  }

  u8(code: number): number | undefined {
    return this.sized(code, 1)?.getUint8(0);
  }

  u32(code: number): number | undefined {
    return this.sized(code, 4)?.getUint32(0, this.isLittle);
  }

  u64(code: number): bigint | undefined {
    return this.sized(code, 8)?.getBigUint64(0, this.isLittle);
  }

  s64(code: number): bigint | undefined {
    return this.sized(code, 8)?.getBigInt64(0, this.isLittle);
  }

  /** Takes a timestamp: two 32-bit halves, the high one first in both byte orders. */
  ticks(code: number): { readonly hi: number; readonly lo: number } | undefined {
    const view = this.sized(code, 8);
    return view && { hi: view.getUint32(0, this.isLittle), lo: view.getUint32(4, this.isLittle) };
  }

  /** Takes a value of exactly `size` bytes. */
  exact(code: number, size: number): Uint8Array | undefined {
    const value = this.take(code);
    if (value === undefined || value.byteLength === size) return value;
    throw this.wrongSize(code, value.byteLength, `${size} expected`);
  }

  /** Makes the error of an option whose length does not fit its meaning. */
  wrongSize(code: number, size: number, allowed: string): InputError {
    const offset = this.span.baseOffset + this.span.offset;
    return new InputError(
      "PCAPNG_OPTION_SIZE",
      `option ${code} of ${this.span.block} has ${size} bytes, ${allowed}, in the options at offset ${offset}`,
      { details: { option: code, size, offset } },
    );
  }

  private get isLittle(): boolean {
    return this.span.endian === "little";
  }

  private sized(code: number, size: number): DataView | undefined {
    const value = this.exact(code, size);
    return value && new DataView(value.buffer, value.byteOffset, value.byteLength);
  }
}

/** Decodes UTF-8; some writers end texts with NULs, which are no part of them. */
export const decodeText = (value: Uint8Array): string => {
  let end = value.byteLength;
  while (end > 0 && value[end - 1] === 0) end--;
  return decodeUtf8(value.subarray(0, end));
};
