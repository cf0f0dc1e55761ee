import { encodeUtf8, InputError, printHexBytes } from "@tsbpf/base";
import { checkU32, checkU64, checkUpTo } from "../capture/checks.ts";
import type { ByteSink } from "../capture/sink.ts";
import type { RawOption } from "../capture/types.ts";
import { OPT } from "./constants.ts";
import { padTo4 } from "./options.ts";

const OPTION_BYTES_MAX = 0xffff;
const PEN_BYTES = 4;
const CUSTOM_CODES: ReadonlySet<number> = new Set([
  OPT.customText,
  OPT.customBytes,
  OPT.customTextNoCopy,
  OPT.customBytesNoCopy,
]);

/** Appends options to a sink and ends the list if it has any. */
export class OptionWriter {
  private readonly sink: ByteSink;
  private hasOptions = false;

  constructor(sink: ByteSink) {
    this.sink = sink;
  }

  bytes(code: number, value: Uint8Array | undefined): void {
    if (value === undefined) return;
    this.header(code, value.byteLength);
    this.sink.raw(value);
    this.sink.zeros(padTo4(value.byteLength) - value.byteLength);
  }

  text(code: number, value: string | undefined): void {
    if (value !== undefined) this.bytes(code, encodeUtf8(value));
  }

  texts(code: number, values: readonly string[] | undefined): void {
    for (const value of values ?? []) this.text(code, value);
  }

  u8(code: number, name: string, value: number | undefined): void {
    if (value !== undefined) this.bytes(code, Uint8Array.of(checkUpTo(name, value, 0xff)));
  }

  u32(code: number, name: string, value: number | undefined): void {
    if (value === undefined) return;
    checkU32(name, value);
    this.header(code, 4);
    this.sink.u32(value);
  }

  u64(code: number, name: string, value: bigint | undefined): void {
    if (value === undefined) return;
    checkU64(name, value);
    this.header(code, 8);
    this.sink.u64(value);
  }

  /** Appends a timestamp: the high half first in both byte orders. */
  ticks(code: number, ticks: bigint | undefined): void {
    if (ticks === undefined) return;
    this.header(code, 8);
    this.sink.u32(Number(ticks >> 32n));
    this.sink.u32(Number(ticks & 0xffff_ffffn));
  }

  /**
   * Appends options as they were read.
   *
   * Numbers inside an unknown value stand in the byte order of its section, so it cannot go into a section of the
   * other order; of a custom option only its enterprise number is such a number, as far as anyone but its maker knows.
   *
   * @returns how many had to be left out.
   */
  raw(options: readonly RawOption[] | undefined): number {
    const endian = this.sink.isLittle ? "little" : "big";
    let droppedCount = 0;
    for (const { code, value, endian: from } of options ?? []) {
      if (from === endian) this.bytes(code, value);
      else if (CUSTOM_CODES.has(code) && value.byteLength >= PEN_BYTES)
        this.bytes(code, swapEnterprise(value));
      else droppedCount++;
    }
    return droppedCount;
  }

  end(): void {
    if (this.hasOptions) this.sink.u32(OPT.end);
  }

  private header(code: number, size: number): void {
    if (size > OPTION_BYTES_MAX) {
      throw new InputError(
        "PCAPNG_OPTION_TOO_LONG",
        `option ${code} needs ${size} bytes, at most ${OPTION_BYTES_MAX} are allowed`,
        { details: { option: code, size, max: OPTION_BYTES_MAX } },
      );
    }
    this.sink.u16(checkUpTo("option code", code, 0xffff));
    this.sink.u16(size);
    this.hasOptions = true;
  }
}

function swapEnterprise(value: Uint8Array): Uint8Array {
  const swapped = value.slice();
  swapped.subarray(0, PEN_BYTES).reverse();
  return swapped;
}

/**
 * Checks the length of an address.
 *
 * @throws PCAPNG_ADDRESS_LENGTH (InputError).
 */
export function checkAddress(name: string, address: Uint8Array, size: number): Uint8Array {
  if (address.byteLength === size) return address;
  throw new InputError(
    "PCAPNG_ADDRESS_LENGTH",
    `${name} ${printHexBytes(address.subarray(0, 16))} has ${address.byteLength} bytes, ${size} expected`,
  );
}
