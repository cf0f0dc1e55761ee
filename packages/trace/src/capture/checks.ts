import { InputError, U32_MAX, U64_MAX } from "@tsbpf/base";

/**
 * Checks a number that a 32-bit field must hold.
 *
 * @throws TRACE_FIELD_RANGE (InputError).
 */
export function checkU32(name: string, value: number): number {
  if (Number.isInteger(value) && value >= 0 && value <= U32_MAX) return value;
  throw outOfRange(name, value, U32_MAX);
}

/** Checks a bigint that a 64-bit field must hold; throws as `checkU32` does. */
export function checkU64(name: string, value: bigint): bigint {
  if (value >= 0n && value <= U64_MAX) return value;
  throw outOfRange(name, value, U64_MAX);
}

/** Checks a whole number in 0..max; throws as `checkU32` does. */
export function checkUpTo(name: string, value: number, max: number): number {
  if (Number.isInteger(value) && value >= 0 && value <= max) return value;
  throw outOfRange(name, value, max);
}

/** Checks a whole number in min..max; throws as `checkU32` does. */
export function checkRange(name: string, value: number, min: number, max: number): number {
  if (Number.isInteger(value) && value >= min && value <= max) return value;
  throw outOfRange(name, value, max, min);
}

function outOfRange(
  name: string,
  value: number | bigint,
  max: number | bigint,
  min: number | bigint = 0,
): InputError {
  return new InputError(
    "TRACE_FIELD_RANGE",
    `${name} is ${value}, whole numbers in ${min}..${max} are allowed`,
    { details: { field: name, value, max } },
  );
}
