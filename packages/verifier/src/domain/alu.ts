import type { AluOp, Width } from "@tsbpf/isa";
import {
  addBits,
  andBits,
  castBits,
  copyBits,
  mulBits,
  orBits,
  sarBits,
  sarLowBits,
  shlBits,
  shrBits,
  subBits,
  swapBits,
  xorBits,
} from "./bits.ts";
import { settle } from "./bounds.ts";
import { zeroExtendDraft } from "./cast.ts";
import { constAlu, constAlu32, type TrackedOp } from "./const-alu.ts";
import {
  createDraft,
  type Draft,
  loadDraft,
  unbound32,
  unbound64,
  unboundDraft,
  unboundSigned,
  unboundSigned32,
  unboundUnsigned,
} from "./draft.ts";
import { multiplyRanges } from "./multiply.ts";
import { isConst, isConst32, type Scalar, UNKNOWN_SCALAR, ZERO_SCALAR } from "./scalar.ts";
import {
  addHi,
  doesDifferenceOverflow,
  doesSumOverflow,
  doesSumWrap,
  isBelow,
  isLess,
  sarHi,
  sarLo,
  shlHi,
  shlLo,
  shrHi,
  shrLo,
  subHi,
} from "./words.ts";

// Computes: what is known of the result of an operation. Assumes: both operands hold their concrete values.
// Guarantees: the result holds the concrete result. Cost: constant, a product's bits aside. Soundness: bits follow
// the tnum operation; a range is kept only where no overflow can tear it apart, and is unbounded otherwise.

/** Arithmetic on two scalars; moves and sign extensions are in cast.ts. */
export type ScalarAluOp = Exclude<AluOp, "mov" | "movsx8" | "movsx16" | "movsx32">;

/** Fills a draft, which already knows what `dst` does, with the result. */
type Transfer = (d: Draft, dst: Scalar, src: Scalar, width: Width) => void;

const TRANSFER: Readonly<Record<TrackedOp, Transfer>> = {
  add: addScalar,
  sub: subScalar,
  mul: (d, dst, src) => {
    multiplyRanges(d, dst, src);
    mulBits(d, dst, src);
  },
  and: (d, dst, src) => bitwise(d, dst, src, "and"),
  or: (d, dst, src) => bitwise(d, dst, src, "or"),
  xor: (d, dst, src) => bitwise(d, dst, src, "xor"),
  lsh: (d, dst, src, width) => shiftLeft(d, dst, src.bitsLo, width),
  rsh: (d, dst, src, width) => shiftRight(d, dst, src.bitsLo, width),
  arsh: (d, dst, src, width) => shiftRightSigned(d, dst, src.bitsLo, width),
  neg: (d, dst) => subScalar(d, ZERO_SCALAR, dst),
};

const isTracked = (op: ScalarAluOp): op is TrackedOp => op in TRANSFER;
const isShift = (op: TrackedOp): boolean => op === "lsh" || op === "rsh" || op === "arsh";

/** Whether the shift count is one known number below the width (S-105). */
const isShiftKnown = (src: Scalar, width: Width): boolean =>
  width === 32
    ? isConst32(src) && src.u32maxWord >>> 0 < 32
    : isConst(src) && src.umaxHi === 0 && src.umaxLo >>> 0 < 64;

const work = createDraft();

/**
 * The transfer function of every scalar operation (S-105..S-113), the final 32-bit zero extension and
 * synchronisation included; `neg` ignores `src`. Inconsistent results come back unbounded (S-100).
 *
 * The fork of S-110 is the caller's: see {@link isSignMask}.
 */
export function aluScalar(op: ScalarAluOp, width: Width, dst: Scalar, src: Scalar): Scalar {
  if (!isTracked(op)) return UNKNOWN_SCALAR;
  if (isShift(op) && !isShiftKnown(src, width)) return UNKNOWN_SCALAR;
  if (isConst(dst) && (op === "neg" || isConst(src))) {
    return width === 64 ? constAlu(op, dst, src) : constAlu32(op, dst, src);
  }
  loadDraft(work, dst);
  TRANSFER[op](work, dst, src, width);
  return width === 32 ? zeroExtendDraft(work) : settle(work);
}

function addScalar(d: Draft, a: Scalar, b: Scalar): void {
  const sminHi = addHi(a.sminHi, a.sminLo, b.sminHi, b.sminLo);
  const smaxHi = addHi(a.smaxHi, a.smaxLo, b.smaxHi, b.smaxLo);
  if (doesSumOverflow(a.sminHi, b.sminHi, sminHi) || doesSumOverflow(a.smaxHi, b.smaxHi, smaxHi)) {
    unboundSigned(d);
  } else {
    d.sminHi = sminHi;
    d.sminLo = (a.sminLo + b.sminLo) | 0;
    d.smaxHi = smaxHi;
    d.smaxLo = (a.smaxLo + b.smaxLo) | 0;
  }
  // An unsigned range may wrap as a whole, but not with one end.
  const isMinWrapped = doesSumWrap(a.uminHi, a.uminLo, b.uminHi, b.uminLo);
  if (isMinWrapped !== doesSumWrap(a.umaxHi, a.umaxLo, b.umaxHi, b.umaxLo)) unboundUnsigned(d);
  else {
    d.uminHi = addHi(a.uminHi, a.uminLo, b.uminHi, b.uminLo);
    d.uminLo = (a.uminLo + b.uminLo) | 0;
    d.umaxHi = addHi(a.umaxHi, a.umaxLo, b.umaxHi, b.umaxLo);
    d.umaxLo = (a.umaxLo + b.umaxLo) | 0;
  }
  setS32(d, a.s32min + b.s32min, a.s32max + b.s32max);
  setU32(d, a.u32min + b.u32min, a.u32max + b.u32max);
  addBits(d, a, b);
}

function subScalar(d: Draft, a: Scalar, b: Scalar): void {
  const sminHi = subHi(a.sminHi, a.sminLo, b.smaxHi, b.smaxLo);
  const smaxHi = subHi(a.smaxHi, a.smaxLo, b.sminHi, b.sminLo);
  const isMinOut = doesDifferenceOverflow(a.sminHi, b.smaxHi, sminHi);
  if (isMinOut || doesDifferenceOverflow(a.smaxHi, b.sminHi, smaxHi)) unboundSigned(d);
  else {
    d.sminHi = sminHi;
    d.sminLo = (a.sminLo - b.smaxLo) | 0;
    d.smaxHi = smaxHi;
    d.smaxLo = (a.smaxLo - b.sminLo) | 0;
  }
  const isMinWrapped = isBelow(a.uminHi, a.uminLo, b.umaxHi, b.umaxLo);
  if (isMinWrapped !== isBelow(a.umaxHi, a.umaxLo, b.uminHi, b.uminLo)) unboundUnsigned(d);
  else {
    d.uminHi = subHi(a.uminHi, a.uminLo, b.umaxHi, b.umaxLo);
    d.uminLo = (a.uminLo - b.umaxLo) | 0;
    d.umaxHi = subHi(a.umaxHi, a.umaxLo, b.uminHi, b.uminLo);
    d.umaxLo = (a.umaxLo - b.uminLo) | 0;
  }
  setS32(d, a.s32min - b.s32max, a.s32max - b.s32min);
  setU32(d, a.u32min - b.u32max, a.u32max - b.u32min);
  subBits(d, a, b);
}

/** Sets the signed 32-bit range where both ends, given exactly, fit. */
function setS32(d: Draft, min: number, max: number): void {
  if (min !== (min | 0) || max !== (max | 0)) {
    unboundSigned32(d);
    return;
  }
  d.s32min = min;
  d.s32max = max;
}

/** Keeps a wrapped unsigned range, given exactly, unless exactly one end wrapped. */
function setU32(d: Draft, min: number, max: number): void {
  const isTorn = (min === min >>> 0) !== (max === max >>> 0);
  d.u32minWord = isTorn ? 0 : min | 0;
  d.u32maxWord = isTorn ? -1 : max | 0;
}

/** And, or, xor: the result's bits give the range, the operands' ranges narrow one end. */
function bitwise(d: Draft, dst: Scalar, src: Scalar, op: "and" | "or" | "xor"): void {
  if (op === "and") andBits(d, dst, src);
  else if (op === "or") orBits(d, dst, src);
  else xorBits(d, dst, src);
  const { bitsHi, bitsLo, maskHi, maskLo } = d;
  if (isConst(src) && isConst(d)) {
    d.uminHi = d.umaxHi = d.sminHi = d.smaxHi = bitsHi;
    d.uminLo = d.umaxLo = d.sminLo = d.smaxLo = bitsLo;
  } else {
    const low = isBelow(dst.uminHi, dst.uminLo, src.uminHi, src.uminLo) ? src : dst;
    const high = isBelow(src.umaxHi, src.umaxLo, dst.umaxHi, dst.umaxLo) ? src : dst;
    d.uminHi = op === "or" ? low.uminHi : bitsHi;
    d.uminLo = op === "or" ? low.uminLo : bitsLo;
    d.umaxHi = op === "and" ? high.umaxHi : bitsHi | maskHi;
    d.umaxLo = op === "and" ? high.umaxLo : bitsLo | maskLo;
    signedFromUnsigned64(d);
  }
  if (isConst32(src) && isConst32(d)) {
    d.u32minWord = d.u32maxWord = d.s32min = d.s32max = bitsLo;
  } else {
    d.u32minWord = op === "or" ? Math.max(dst.u32min, src.u32min) | 0 : bitsLo;
    d.u32maxWord = op === "and" ? Math.min(dst.u32max, src.u32max) | 0 : bitsLo | maskLo;
    signedFromUnsigned32(d);
  }
}

/** An unsigned range that does not cross the sign is the signed one too. */
function signedFromUnsigned64(d: Draft): void {
  if (isLess(d.umaxHi, d.umaxLo, d.uminHi, d.uminLo)) {
    unboundSigned(d);
    return;
  }
  d.sminHi = d.uminHi;
  d.sminLo = d.uminLo;
  d.smaxHi = d.umaxHi;
  d.smaxLo = d.umaxLo;
}

function signedFromUnsigned32(d: Draft): void {
  if (d.u32minWord > d.u32maxWord) {
    unboundSigned32(d);
    return;
  }
  d.s32min = d.u32minWord;
  d.s32max = d.u32maxWord;
}

/** Copies the bits, keeping the low 32 alone. */
function loadLowBits(d: Draft, a: Scalar): void {
  copyBits(d, a);
  d.bitsHi = 0;
  d.maskHi = 0;
}

function shiftLeft(d: Draft, dst: Scalar, by: number, width: Width): void {
  unbound64(d);
  unbound32(d);
  if (width === 64) {
    if (by === 32) {
      d.sminHi = dst.s32min;
      d.sminLo = 0;
      d.smaxHi = dst.s32max;
      d.smaxLo = 0;
    }
    // The range is kept while its end stays below 2^63, or hits it.
    const limitHi = shlHi(0, 1, 63 - by);
    const limitLo = shlLo(1, 63 - by);
    if (!isBelow(limitHi, limitLo, dst.umaxHi, dst.umaxLo)) {
      d.uminHi = shlHi(dst.uminHi, dst.uminLo, by);
      d.uminLo = shlLo(dst.uminLo, by);
      d.umaxHi = shlHi(dst.umaxHi, dst.umaxLo, by);
      d.umaxLo = shlLo(dst.umaxLo, by);
    }
    shlBits(d, dst, by);
  } else {
    loadLowBits(d, dst);
    shlBits(d, d, by);
  }
  if (by <= 31 && dst.u32max <= 2 ** (31 - by)) {
    d.u32minWord = dst.u32minWord << by;
    d.u32maxWord = dst.u32maxWord << by;
  }
}

function shiftRight(d: Draft, dst: Scalar, by: number, width: Width): void {
  unbound64(d);
  unbound32(d);
  if (width === 64) {
    d.uminHi = shrHi(dst.uminHi, by);
    d.uminLo = shrLo(dst.uminHi, dst.uminLo, by);
    d.umaxHi = shrHi(dst.umaxHi, by);
    d.umaxLo = shrLo(dst.umaxHi, dst.umaxLo, by);
    shrBits(d, dst, by);
    return;
  }
  d.u32minWord = (dst.u32minWord >>> by) | 0;
  d.u32maxWord = (dst.u32maxWord >>> by) | 0;
  loadLowBits(d, dst);
  shrBits(d, d, by);
}

function shiftRightSigned(d: Draft, dst: Scalar, by: number, width: Width): void {
  unbound64(d);
  unbound32(d);
  if (width === 64) {
    d.sminHi = sarHi(dst.sminHi, by);
    d.sminLo = sarLo(dst.sminHi, dst.sminLo, by);
    d.smaxHi = sarHi(dst.smaxHi, by);
    d.smaxLo = sarLo(dst.smaxHi, dst.smaxLo, by);
    sarBits(d, dst, by);
    return;
  }
  d.s32min = dst.s32min >> by;
  d.s32max = dst.s32max >> by;
  sarLowBits(d, dst, by);
}

/** Byte-order operations with their truncation (S-111). */
export function endScalar(order: "le" | "be" | "swap", bits: 16 | 32 | 64, a: Scalar): Scalar {
  if (order === "le" && bits === 64) return a;
  unboundDraft(work);
  if (order === "le") castBits(work, a, bits / 8);
  else swapBits(work, a, bits);
  return settle(work);
}

/** Says whether `and`/`or` with a constant forks the state: the signed range (in `width`) is exactly [-1, 0] (S-110). */
export const isSignMask = (width: Width, dst: Scalar): boolean =>
  width === 64
    ? (dst.sminHi & dst.sminLo) === -1 && (dst.smaxHi | dst.smaxLo) === 0
    : dst.s32min === -1 && dst.s32max === 0;

/**
 * The variable part of a pointer after adding or subtracting a scalar (S-187): 64-bit bounds and tnum move, an
 * overflow gives the full range, the 32-bit bounds are derived anew.
 */
export function offsetScalar(op: "add" | "sub", variable: Scalar, by: Scalar): Scalar {
  if (isConst(variable) && isConst(by)) return constAlu(op, variable, by);
  const { uminHi, uminLo, umaxHi, umaxLo } = variable;
  loadDraft(work, variable);
  if (op === "add") {
    addScalar(work, variable, by);
    if (doesSumWrap(umaxHi, umaxLo, by.umaxHi, by.umaxLo)) unboundUnsigned(work);
  } else {
    subScalar(work, variable, by);
    if (isBelow(uminHi, uminLo, by.umaxHi, by.umaxLo)) unboundUnsigned(work);
  }
  unbound32(work);
  return settle(work);
}
