import { S32_MAX, S32_MIN, U64_MAX } from "@tsbpf/base";
import {
  type Draft,
  draftOf,
  highU32,
  lowS32,
  lowU32,
  maxBig,
  meetS32,
  meetS64,
  meetU32,
  meetU64,
  minBig,
  unbound32,
  unbound64,
} from "./draft.ts";
import { constScalar, isConst, type Scalar } from "./scalar.ts";
import { tnumIntersect, tnumRange, tnumStep, tnumSubreg, tnumWithSubreg } from "./tnum.ts";

// Computes: agreement between the bits and the four ranges of a scalar. Assumes: each part alone holds the concrete
// value. Guarantees: so does the result, and no part is wider than before. Cost: constant, some fifty 64-bit
// operations. Soundness: every step intersects a part with what another part implies for the same value.

const SIGN64 = 1n << 63n;
const SIGN32 = 0x8000_0000n;

/** U of S-96: ranges cannot exceed what the known bits allow. */
function boundsFromTnum(d: Draft): void {
  const { value, mask } = d.tnum;
  const low = tnumSubreg(d.tnum);
  meetS32(d, lowS32(low.value | (low.mask & SIGN32)), lowS32(low.value | (low.mask & (SIGN32 - 1n))));
  meetU32(d, Number(low.value), Number(low.value | low.mask));
  meetS64(d, BigInt.asIntN(64, value | (mask & SIGN64)), BigInt.asIntN(64, value | (mask & (SIGN64 - 1n))));
  meetU64(d, value, value | mask);
  const only = onlyMember(d);
  if (only !== undefined) Object.assign(d, constScalar(only));
}

/** Returns the one member of the tnum in the unsigned range, when there is exactly one (S-96). */
function onlyMember(d: Draft): bigint | undefined {
  const { tnum, umin, umax } = d;
  if (tnum.mask === U64_MAX) return undefined;
  const isMember = (umin & (U64_MAX ^ tnum.mask)) === tnum.value;
  const next = tnumStep(tnum, umin);
  if (isMember) return next > umax || next === umin ? umin : undefined;
  if (next === (tnum.value | tnum.mask)) return next;
  return next <= umax && tnumStep(tnum, next) > umax ? next : undefined;
}

/** Meets a 32-bit range with the low halves of a 64-bit one whose high halves are equal or neighbours (S-97 a-c). */
function narrow32From(d: Draft, min: bigint, max: bigint): void {
  const highMin = highU32(min);
  const highMax = highU32(max);
  if (highMin === highMax) {
    if (lowU32(min) <= lowU32(max)) meetU32(d, lowU32(min), lowU32(max));
    if (lowS32(min) <= lowS32(max)) meetS32(d, lowS32(min), lowS32(max));
  }
}

function narrowAcrossZero(d: Draft, min: bigint, max: bigint): void {
  const isNeighbour = (highU32(min) + 1) >>> 0 === highU32(max);
  if (isNeighbour && lowS32(min) < 0 && lowS32(max) >= 0) meetS32(d, lowS32(min), lowS32(max));
}

/** D32 of S-97. */
function derive32(d: Draft): void {
  narrow32From(d, d.umin, d.umax);
  narrow32From(d, d.smin, d.smax);
  narrowAcrossZero(d, d.umin, d.umax);
  narrowAcrossZero(d, d.smin, d.smax);
  if ((d.u32min | 0) <= (d.u32max | 0)) meetS32(d, d.u32min | 0, d.u32max | 0);
  if (d.s32min >>> 0 <= d.s32max >>> 0) {
    meetU32(d, d.s32min >>> 0, d.s32max >>> 0);
  } else if (d.u32max < d.s32min >>> 0) {
    // The unsigned range ends before the negative numbers of the signed one begin.
    d.s32min = d.u32min | 0;
    d.u32max = Math.min(d.u32max, d.s32max >>> 0);
  } else if (d.s32max >>> 0 < d.u32min) {
    d.s32max = d.u32max | 0;
    d.u32min = Math.max(d.u32min, d.s32min >>> 0);
  }
}

/** D64 of S-98. */
function derive64(d: Draft): void {
  const sUmin = BigInt.asIntN(64, d.umin);
  const sUmax = BigInt.asIntN(64, d.umax);
  if (sUmin <= sUmax) meetS64(d, sUmin, sUmax);
  const uSmin = BigInt.asUintN(64, d.smin);
  const uSmax = BigInt.asUintN(64, d.smax);
  if (uSmin <= uSmax) {
    meetU64(d, uSmin, uSmax);
  } else if (d.umax < uSmin) {
    d.smin = BigInt.asIntN(64, d.umin);
    d.umax = minBig(d.umax, uSmax);
  } else if (uSmax < d.umin) {
    d.smax = BigInt.asIntN(64, d.umax);
    d.umin = maxBig(d.umin, uSmin);
  }
}

const withLow = (value: bigint, low: number): bigint => (value & ~0xffff_ffffn) | BigInt(low);

/** Dmix of S-99. */
function deriveMixed(d: Draft): void {
  meetU64(d, withLow(d.umin, d.u32min), withLow(d.umax, d.u32max));
  meetS64(d, withLow(d.smin, d.u32min), withLow(d.smax, d.u32max));
  if (d.s32min >= 0 && d.smin >= BigInt(S32_MIN) && d.smax <= BigInt(S32_MAX)) {
    d.smin = d.umin = BigInt(d.s32min);
    d.smax = BigInt(d.s32max);
    // Contradictory ends may be negative.
    d.umax = BigInt.asUintN(64, d.smax);
    d.tnum = tnumIntersect(d.tnum, tnumRange(d.umin, d.umax));
  }
}

/** T of S-96: bits that all values of the ranges share are known. */
function tnumFromBounds(d: Draft): void {
  const whole = tnumIntersect(d.tnum, tnumRange(d.umin, d.umax));
  const low = tnumIntersect(tnumSubreg(whole), tnumRange(BigInt(d.u32min), BigInt(d.u32max)));
  d.tnum = tnumWithSubreg(whole, low);
}

/**
 * Brings bits and ranges of a freshly computed scalar into agreement: S-96's U; D; D; D; T; U with S-97..S-99.
 *
 * @returns the tightest scalar these rules find; possibly inconsistent (min above max), see {@link findInconsistency}.
 */
export function syncBounds(draft: Scalar): Scalar {
  const d = draftOf(draft);
  boundsFromTnum(d);
  for (let round = 0; round < 3; round++) {
    derive32(d);
    derive64(d);
    deriveMixed(d);
  }
  tnumFromBounds(d);
  boundsFromTnum(d);
  return isConst(d) && findInconsistency(d) === undefined ? constScalar(d.umin) : d;
}

/** Synchronises, and forgets the ranges when they contradict each other (S-100): the end of every transfer. */
export function settle(draft: Scalar): Scalar {
  const synced = syncBounds(draft);
  return findInconsistency(synced) === undefined ? synced : unboundScalar(synced);
}

/** Why a scalar cannot be: the reasons of S-100, undefined when it is consistent. */
export function findInconsistency(
  a: Scalar,
):
  | "range bounds violation"
  | "const tnum out of sync with range bounds"
  | "const subreg tnum out of sync with range bounds"
  | undefined {
  if (a.umin > a.umax || a.smin > a.smax || a.u32min > a.u32max || a.s32min > a.s32max) {
    return "range bounds violation";
  }
  if (a.tnum.mask === 0n) {
    const { value } = a.tnum;
    const signed = BigInt.asIntN(64, value);
    if (a.umin !== value || a.umax !== value || a.smin !== signed || a.smax !== signed) {
      return "const tnum out of sync with range bounds";
    }
  }
  if ((a.tnum.mask & 0xffff_ffffn) === 0n) {
    const low = lowU32(a.tnum.value);
    if (a.u32min !== low || a.u32max !== low || a.s32min !== (low | 0) || a.s32max !== (low | 0)) {
      return "const subreg tnum out of sync with range bounds";
    }
  }
  return undefined;
}

/** Forgets all eight bounds and keeps the tnum: what follows an inconsistency (S-100). */
export function unboundScalar(a: Scalar): Scalar {
  const d = draftOf(a);
  unbound64(d);
  unbound32(d);
  return d;
}

/** Narrows a scalar by signed 64-bit bounds and synchronises: return ranges, errno results. */
export function assumeSigned(a: Scalar, min: bigint, max: bigint): Scalar {
  const d = draftOf(a);
  meetS64(d, min, max);
  return settle(d);
}

/** Narrows by signed 64-bit and 32-bit bounds alike (H-55, S-205) and synchronises. */
export function assumeSignedBoth(a: Scalar, min: number, max: number): Scalar {
  const d = draftOf(a);
  meetS64(d, BigInt(min), BigInt(max));
  meetS32(d, min, max);
  return settle(d);
}
