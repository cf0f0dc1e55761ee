import { U32_MAX } from "@tsbpf/base";
import { type FilterPlace, fault } from "../errors.ts";

const OCTAL = /^[0-7]+$/;

/**
 * Reads a number as C does: decimal, hex after 0x, octal after 0.
 *
 * @returns 0..2^32-1.
 */
export function parseNumber(text: string, place: FilterPlace): number {
  const isHex = /^0[xX]/.test(text);
  const isOctal = !isHex && text.length > 1 && text.startsWith("0");
  if (isOctal && !OCTAL.test(text)) {
    return fault("FILTER_NUMBER", `number ${text} contains non-octal digit`, place);
  }
  const value = isOctal ? Number.parseInt(text, 8) : Number(text);
  if (value > Number(U32_MAX)) return fault("FILTER_NUMBER", `number ${text} overflows 32 bits`, place);
  return value;
}
