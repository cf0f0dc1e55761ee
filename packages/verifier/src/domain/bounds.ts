import type { Scalar } from "./scalar.ts";

/**
 * Brings bits and ranges of a freshly computed scalar into agreement: S-96's U; D; D; D; T; U with S-97..S-99.
 *
 * @returns the tightest scalar these rules find; possibly inconsistent (min above max), see {@link findInconsistency}.
 */
export function syncBounds(draft: Scalar): Scalar {
  return draft;
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
  return undefined;
}

/** Forgets all eight bounds and keeps the tnum: what follows an inconsistency (S-100). */
export function unboundScalar(a: Scalar): Scalar {
  return a;
}

/** Narrows a scalar by signed 64-bit bounds and synchronises: return ranges, errno results. */
export function assumeSigned(a: Scalar, _min: bigint, _max: bigint): Scalar {
  return a;
}

/** Narrows by signed 64-bit and 32-bit bounds alike (H-55, S-205) and synchronises. */
export function assumeSignedBoth(a: Scalar, _min: number, _max: number): Scalar {
  return a;
}
