import { InputError } from "@tsbpf/base";
import type { TimeLimit } from "@tsbpf/trace";

const SECONDS = /^(\+?)(\d+)(?:\.(\d{1,9}))?$/;
const DATE = /^(\d{4}-\d\d-\d\d)(?:[T ](\d\d:\d\d:\d\d)(?:\.(\d{1,9}))?Z?)?$/;
const NS_PER_SEC = 1_000_000_000n;
const NS_PER_MS = 1_000_000n;
const NANO_DIGITS = 9;

const nanos = (fraction: string | undefined): bigint => BigInt((fraction ?? "").padEnd(NANO_DIGITS, "0"));

/**
 * Parses a time: seconds since 1970 (`1700000000.25`), a UTC date (`2025-01-31T12:00:00.25`), or seconds after the first
 * run (`+12.5`).
 *
 * @throws OPTION_TIME (InputError).
 */
export function parseTimeLimit(text: string): TimeLimit {
  const seconds = SECONDS.exec(text);
  if (seconds !== null) {
    const ns = BigInt(seconds[2] ?? "0") * NS_PER_SEC + nanos(seconds[3]);
    return seconds[1] === "+" ? (firstNs) => firstNs + ns : ns;
  }
  const date = DATE.exec(text);
  const ms = date === null ? Number.NaN : Date.parse(`${date[1]}T${date[2] ?? "00:00:00"}Z`);
  if (!Number.isNaN(ms)) return BigInt(ms) * NS_PER_MS + nanos(date?.[3]);
  throw new InputError(
    "OPTION_TIME",
    `time ${JSON.stringify(text)} found, seconds since 1970, a date like 2025-01-31T12:00:00, or +SECONDS after the first run needed`,
  );
}
