import { settle } from "./bounds.ts";
import {
  createDraft,
  loadDraft,
  lowerSmax,
  lowerUmax,
  meetS32,
  meetU32,
  raiseSmin,
  raiseUmin,
} from "./draft.ts";
import type { Scalar } from "./scalar.ts";

const work = createDraft();

/** Joins what two refinements of one value learned; their tnums agree, since compares of a register with itself learn no bits. */
export function meetScalars(a: Scalar, b: Scalar): Scalar {
  if (a === b) return a;
  const d = work;
  loadDraft(d, a);
  raiseUmin(d, b.uminHi, b.uminLo);
  lowerUmax(d, b.umaxHi, b.umaxLo);
  raiseSmin(d, b.sminHi, b.sminLo);
  lowerSmax(d, b.smaxHi, b.smaxLo);
  meetU32(d, b.u32minWord, b.u32maxWord);
  meetS32(d, b.s32min, b.s32max);
  return settle(d);
}
