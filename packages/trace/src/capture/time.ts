import { joinU64 } from "@tsbpf/base";
import type { TimeResolution } from "./types.ts";

const NS_PER_SEC = 1_000_000_000n;
const TWO_32 = 4_294_967_296;
const TWO_16 = 65_536;
const NANOS_END = 1_000_000_000;
/** Powers of ten up to this one divide a nanosecond-exact second. */
const DECIMAL_EXPONENT_MAX = 9;

/** How the raw timestamps of one interface become time. */
export interface TimeScale {
  readonly resolution: TimeResolution;
  /** Ticks in a second, and nanoseconds in a tick, when both are whole numbers below 2^30; otherwise 0. */
  readonly ticksPerSec: number;
  readonly nsPerTick: number;
  /** Ticks in a second, exactly. */
  readonly ticksPerSecBig: bigint;
  readonly offsetSec: bigint;
  /** `offsetSec` as a number; exact up to 2^53. */
  readonly offsetSecNumber: number;
  /** What `splitTicks` found last, so that the next timestamp of the same second needs no division. */
  readonly last: LastTime;
}

/** Indices into `LastTime`: halves of the raw timestamp, and the time they stand for. */
const HI = 0;
const LO = 1;
const SEC = 2;
const NANOS = 3;
/** A typed array, because an object's number fields may be boxed anew at every store. */
type LastTime = Float64Array;

/** Whole seconds and the nanoseconds within them, written by `splitTicks`. */
export interface SplitTime {
  tsSec: number;
  tsNanos: number;
}

/** Prepares the conversion for an interface; `offsetSec` is if_tsoffset. */
export function createTimeScale(resolution: TimeResolution, offsetSec: bigint): TimeScale {
  const { base, exponent } = resolution;
  const isPlain = base === 10 && exponent <= DECIMAL_EXPONENT_MAX;
  return {
    resolution,
    ticksPerSec: isPlain ? 10 ** exponent : 0,
    nsPerTick: isPlain ? 10 ** (DECIMAL_EXPONENT_MAX - exponent) : 0,
    ticksPerSecBig: BigInt(base) ** BigInt(exponent),
    offsetSec,
    offsetSecNumber: Number(offsetSec),
    last: Float64Array.of(0, 0, Number(offsetSec), 0),
  };
}

/** Decodes if_tsresol: bit 7 chooses base 2. @source pcapng §4.2 if_tsresol */
export const decodeTimeResolution = (byte: number): TimeResolution => ({
  base: (byte & 0x80) === 0 ? 10 : 2,
  exponent: byte & 0x7f,
});

export const encodeTimeResolution = (resolution: TimeResolution): number =>
  (resolution.base === 2 ? 0x80 : 0) | resolution.exponent;

/**
 * Splits a 64-bit timestamp into seconds and nanoseconds, rounded down.
 *
 * Without BigInt when the unit is a power of ten down to the nanosecond: what real captures use. The long division
 * goes in 16-bit digits because a remainder below 2^30 times 2^16 stays an exact number.
 */
export function splitTicks(out: SplitTime, hi: number, lo: number, scale: TimeScale): void {
  if (scale.ticksPerSec === 0) {
    const ns = ticksToNs(hi, lo, scale);
    const nanos = ((ns % NS_PER_SEC) + NS_PER_SEC) % NS_PER_SEC;
    out.tsSec = Number((ns - nanos) / NS_PER_SEC);
    out.tsNanos = Number(nanos);
    return;
  }
  const { last } = scale;
  const nanos = at(last, NANOS) + ((hi - at(last, HI)) * TWO_32 + (lo - at(last, LO))) * scale.nsPerTick;
  if (nanos >= 0 && nanos < NANOS_END) last[NANOS] = nanos;
  else divideTicks(last, hi, lo, scale);
  last[HI] = hi;
  last[LO] = lo;
  out.tsSec = at(last, SEC);
  out.tsNanos = at(last, NANOS);
}

const at = (last: LastTime, idx: number): number => last[idx] ?? 0;

function divideTicks(last: LastTime, hi: number, lo: number, scale: TimeScale): void {
  const unit = scale.ticksPerSec;
  const quotientHi = Math.floor(hi / unit);
  const upper = (hi - quotientHi * unit) * TWO_16 + (lo >>> 16);
  const quotientUpper = Math.floor(upper / unit);
  const lower = (upper - quotientUpper * unit) * TWO_16 + (lo & 0xffff);
  const quotientLower = Math.floor(lower / unit);
  last[SEC] = quotientHi * TWO_32 + quotientUpper * TWO_16 + quotientLower + scale.offsetSecNumber;
  last[NANOS] = (lower - quotientLower * unit) * scale.nsPerTick;
}

/** Converts a raw timestamp to nanoseconds since 1970, rounded down. */
export function ticksToNs(hi: number, lo: number, scale: TimeScale): bigint {
  return (joinU64(lo, hi) * NS_PER_SEC) / scale.ticksPerSecBig + scale.offsetSec * NS_PER_SEC;
}

/** Says whether a raw timestamp is a whole number of nanoseconds. */
export function isExactNs(hi: number, lo: number, scale: TimeScale): boolean {
  return scale.ticksPerSec !== 0 || (joinU64(lo, hi) * NS_PER_SEC) % scale.ticksPerSecBig === 0n;
}

/** Converts nanoseconds since 1970 to raw ticks, rounded down, and says whether that was exact; the ticks may not fit 64 bits. */
export function nsToTicks(
  ns: bigint,
  scale: TimeScale,
): { readonly ticks: bigint; readonly isExact: boolean } {
  const scaled = (ns - scale.offsetSec * NS_PER_SEC) * scale.ticksPerSecBig;
  const rest = ((scaled % NS_PER_SEC) + NS_PER_SEC) % NS_PER_SEC;
  return { ticks: (scaled - rest) / NS_PER_SEC, isExact: rest === 0n };
}

/** The two halves of a raw timestamp, written by `joinTicks`. */
export interface SplitTicks {
  ticksHi: number;
  ticksLo: number;
}

/**
 * Joins seconds and nanoseconds to a raw timestamp without BigInt, the inverse of `splitTicks`.
 *
 * @returns false when the scale, a negative time or a rest below the unit needs the exact way, `nsToTicks`.
 */
export function joinTicks(out: SplitTicks, sec: number, nanos: number, scale: TimeScale): boolean {
  const unit = scale.ticksPerSec;
  const ownSec = sec - scale.offsetSecNumber;
  const fraction = nanos / scale.nsPerTick;
  if (unit === 0 || ownSec < 0 || ownSec >= TWO_32 || !Number.isInteger(fraction)) return false;
  const secHi = Math.floor(ownSec / TWO_16);
  const upper = secHi * unit;
  const upperHi = Math.floor(upper / TWO_16);
  const lower = (upper - upperHi * TWO_16) * TWO_16 + (ownSec - secHi * TWO_16) * unit + fraction;
  const carry = Math.floor(lower / TWO_32);
  out.ticksHi = upperHi + carry;
  out.ticksLo = lower - carry * TWO_32;
  return true;
}

/** Nanoseconds since 1970: what pcap and traces count in. */
export const NANOSECOND_SCALE: TimeScale = createTimeScale({ base: 10, exponent: 9 }, 0n);
