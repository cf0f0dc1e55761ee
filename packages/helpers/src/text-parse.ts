const ZERO = 48;
const NINE = 57;
const LOWER_A = 97;
const LOWER_F = 102;
const LOWER_X = 120;
/** The bit that makes a letter a lower-case one. */
const CASE_BIT = 32;
const U64_MAX = (1n << 64n) - 1n;
/** Returns the value of a digit up to `f`, or -1. */
function digitOf(byte: number | undefined): number {
  if (byte === undefined) return -1;
  if (byte >= ZERO && byte <= NINE) return byte - ZERO;
  const lower = byte | CASE_BIT;
  return lower >= LOWER_A && lower <= LOWER_F ? lower - LOWER_A + 10 : -1;
}

const isHexDigit = (byte: number | undefined): boolean => digitOf(byte) >= 0;

export interface ParsedInteger {
  readonly value: bigint;
  /** Characters consumed, the prefix included. */
  readonly length: number;
  /** Whether the value does not fit 64 bits. */
  readonly isOverflow: boolean;
}

/**
 * Parses digits of a base, with the prefixes `0x` for 16 and, for base 0, `0`.
 *
 * @returns undefined when there is no digit.
 * @source linux lib/kstrtox _parse_integer_fixup_radix
 */
export function parseInteger(bytes: Uint8Array, givenBase: number): ParsedInteger | undefined {
  const hasHexPrefix = bytes[0] === ZERO && ((bytes[1] ?? 0) | CASE_BIT) === LOWER_X;
  let base = givenBase;
  if (base === 0) {
    if (bytes[0] !== ZERO) base = 10;
    else base = hasHexPrefix && isHexDigit(bytes[2]) ? 16 : 8;
  }
  const start = base === 16 && hasHexPrefix ? 2 : 0;
  let at = start;
  let value = 0n;
  let isOverflow = false;
  for (;;) {
    const digit = digitOf(bytes[at]);
    if (digit < 0 || digit >= base) break;
    if (!isOverflow) {
      value = value * BigInt(base) + BigInt(digit);
      isOverflow = value > U64_MAX;
    }
    at++;
  }
  return at === start ? undefined : { value, length: at, isOverflow };
}
