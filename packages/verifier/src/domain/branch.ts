import { unreachable } from "@tsbpf/base";
import type { JmpOp, Width } from "@tsbpf/isa";
import { mayOverlap, mayOverlapLow } from "./bits.ts";
import { isConst, isConst32, type Scalar } from "./scalar.ts";
import { isBelow, isLess } from "./words.ts";

// Computes: whether a conditional jump is decided. Assumes: operands hold their concrete values. Guarantees: a decided
// side is the only possible one. Cost: constant.

/** Says whether all of `a` is above all of `b`; undefined when some are and some may not be. */
function isAbove(width: Width, a: Scalar, b: Scalar): boolean | undefined {
  if (width === 32) {
    if (a.u32minWord >>> 0 > b.u32maxWord >>> 0) return true;
    return a.u32maxWord >>> 0 <= b.u32minWord >>> 0 ? false : undefined;
  }
  if (isBelow(b.umaxHi, b.umaxLo, a.uminHi, a.uminLo)) return true;
  return isBelow(b.uminHi, b.uminLo, a.umaxHi, a.umaxLo) ? undefined : false;
}

/** {@link isAbove}, signed. */
function isGreater(width: Width, a: Scalar, b: Scalar): boolean | undefined {
  if (width === 32) {
    if (a.s32min > b.s32max) return true;
    return a.s32max <= b.s32min ? false : undefined;
  }
  if (isLess(b.smaxHi, b.smaxLo, a.sminHi, a.sminLo)) return true;
  return isLess(b.sminHi, b.sminLo, a.smaxHi, a.smaxLo) ? undefined : false;
}

/** Whether the 32-bit ranges have no value in common. */
const areRanges32Disjoint = (a: Scalar, b: Scalar): boolean =>
  a.s32min > b.s32max ||
  a.s32max < b.s32min ||
  a.u32minWord >>> 0 > b.u32maxWord >>> 0 ||
  a.u32maxWord >>> 0 < b.u32minWord >>> 0;

const areRanges64Disjoint = (a: Scalar, b: Scalar): boolean =>
  isBelow(b.umaxHi, b.umaxLo, a.uminHi, a.uminLo) ||
  isBelow(a.umaxHi, a.umaxLo, b.uminHi, b.uminLo) ||
  isLess(b.smaxHi, b.smaxLo, a.sminHi, a.sminLo) ||
  isLess(a.smaxHi, a.smaxLo, b.sminHi, b.sminLo);

function isEqual(width: Width, a: Scalar, b: Scalar): boolean | undefined {
  if (width === 32) {
    if (isConst32(a) && isConst32(b)) return a.bitsLo === b.bitsLo;
    return !mayOverlapLow(a, b) || areRanges32Disjoint(a, b) ? false : undefined;
  }
  if (isConst(a) && isConst(b)) return a.bitsLo === b.bitsLo && a.bitsHi === b.bitsHi;
  return !mayOverlap(a, b) || areRanges64Disjoint(a, b) || areRanges32Disjoint(a, b) ? false : undefined;
}

function areBitsSet(width: Width, a: Scalar, b: Scalar): boolean | undefined {
  const isKnown = width === 64 ? isConst : isConst32;
  const known = isKnown(b) ? b : isKnown(a) ? a : undefined;
  if (known === undefined) return undefined;
  const other = known === b ? a : b;
  const lo = known.bitsLo;
  const hi = width === 64 ? known.bitsHi : 0;
  if (((other.bitsLo & lo) | (other.bitsHi & hi)) !== 0) return true;
  return ((other.maskLo & lo) | (other.maskHi & hi)) === 0 ? false : undefined;
}

const not = (known: boolean | undefined): boolean | undefined => (known === undefined ? undefined : !known);

/**
 * Decides a conditional jump from ranges and bits alone (S-146..S-148).
 *
 * @returns undefined when both sides are possible.
 */
export function branchTaken(op: JmpOp, width: Width, dst: Scalar, src: Scalar): boolean | undefined {
  switch (op) {
    case "jeq":
      return isEqual(width, dst, src);
    case "jne":
      return not(isEqual(width, dst, src));
    case "jset":
      return areBitsSet(width, dst, src);
    case "jgt":
      return isAbove(width, dst, src);
    case "jle":
      return not(isAbove(width, dst, src));
    case "jlt":
      return isAbove(width, src, dst);
    case "jge":
      return not(isAbove(width, src, dst));
    case "jsgt":
      return isGreater(width, dst, src);
    case "jsle":
      return not(isGreater(width, dst, src));
    case "jslt":
      return isGreater(width, src, dst);
    case "jsge":
      return not(isGreater(width, src, dst));
    default:
      return unreachable(op);
  }
}
