import type { SizeBytes, Width } from "@tsbpf/isa";
import { constScalar, isConst, type Scalar, UNKNOWN_SCALAR } from "./scalar.ts";

/** Zero-extends the low 32 bits: the end of every 32-bit operation (S-101), with synchronisation. */
export function zeroExtend32(a: Scalar): Scalar {
  return isConst(a) ? constScalar(BigInt.asUintN(32, a.umin)) : UNKNOWN_SCALAR;
}

/** What a load of `size` bytes leaves of a value: truncation without sign (S-115), with synchronisation. */
export function truncateScalar(a: Scalar, size: SizeBytes): Scalar {
  if (size === 8) return a;
  return isConst(a) ? constScalar(BigInt.asUintN(size * 8, a.umin)) : UNKNOWN_SCALAR;
}

/** Sign-extends the low `fromBits` bits to `width` bits, and to 64 with zeros when `width` is 32 (S-121, S-122). */
export function signExtendScalar(a: Scalar, fromBits: 8 | 16 | 32, width: Width): Scalar {
  if (isConst(a)) return constScalar(BigInt.asUintN(width, BigInt.asIntN(fromBits, a.umin)));
  return UNKNOWN_SCALAR;
}

/** Forgets the 32-bit bounds or 64-bit bounds is not offered: callers build scalars from the functions of this folder. */
export function bitsNeeded(a: Scalar): number {
  return a.umax === 0n ? 0 : a.umax.toString(2).length;
}
