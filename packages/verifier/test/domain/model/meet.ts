import { settle } from "./bounds.ts";
import { draftOf, meetS32, meetS64, meetU32, meetU64 } from "./draft.ts";
import type { Scalar } from "./scalar.ts";

/** Joins what two refinements of one value learned; their tnums agree, since compares of a register with itself learn no bits. */
export function meetScalars(a: Scalar, b: Scalar): Scalar {
  if (a === b) return a;
  const d = draftOf(a);
  meetU64(d, b.umin, b.umax);
  meetS64(d, b.smin, b.smax);
  meetU32(d, b.u32min, b.u32max);
  meetS32(d, b.s32min, b.s32max);
  return settle(d);
}
