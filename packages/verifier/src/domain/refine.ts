import { unreachable } from "@tsbpf/base";
import type { JmpOp, Width } from "@tsbpf/isa";
import { intersectBits, type MutableBits } from "./bits.ts";
import { finishDraft, settleDraft, syncDraft } from "./bounds.ts";
import { createDraft, type Draft, loadDraft, unbound32, unbound64 } from "./draft.ts";
import { isConst, isConst32, isSameScalar, type Scalar } from "./scalar.ts";
import { isBelow, isLess } from "./words.ts";

// Computes: what each side of a conditional jump proves. Assumes: operands hold their concrete values. Guarantees: a
// narrowed operand still holds its value on that side. Cost: constant.

/** Both operands after a branch was followed on one side. */
export interface Refined {
  readonly dst: Scalar;
  readonly src: Scalar;
}

type Condition = JmpOp | "jnset";

const NEGATED: Readonly<Record<JmpOp, Condition>> = {
  jeq: "jne",
  jne: "jeq",
  jset: "jnset",
  jgt: "jle",
  jle: "jgt",
  jge: "jlt",
  jlt: "jge",
  jsgt: "jsle",
  jsle: "jsgt",
  jsge: "jslt",
  jslt: "jsge",
};

const workDst = createDraft();
const workSrc = createDraft();

/**
 * Narrows both operands to the side that was followed (S-150..S-157), synchronised; the operands must not be one
 * register. Inconsistent results come back unbounded (S-100).
 */
export function refineBranch(op: JmpOp, width: Width, operands: Refined, isTaken: boolean): Refined {
  const { dst, src } = operands;
  assume(op, width, operands, isTaken);
  return { dst: settleUnchanged(dst, workDst), src: settleUnchanged(src, workSrc) };
}

/** {@link refineBranch} where only what is learned of `dst` matters: the other operand is an immediate. */
export function refineFirst(op: JmpOp, width: Width, operands: Refined, isTaken: boolean): Scalar {
  assume(op, width, operands, isTaken);
  return settleUnchanged(operands.dst, workDst);
}

function assume(op: JmpOp, width: Width, { dst, src }: Refined, isTaken: boolean): void {
  loadDraft(workDst, dst);
  loadDraft(workSrc, src);
  applyCondition(isTaken ? op : NEGATED[op], width, workDst, workSrc);
}

/**
 * Narrows a register that is compared with itself. Linux refines both operands in the one place where they lie, so that
 * what it takes from one end already counts for the other; a side that cannot be followed comes out unbounded (S-100).
 */
export function refineSelf(op: JmpOp, width: Width, val: Scalar, isTaken: boolean): Scalar {
  loadDraft(workDst, val);
  applyCondition(isTaken ? op : NEGATED[op], width, workDst, workDst);
  syncDraft(workDst);
  return settleUnchanged(val, workDst);
}

/** An operand of which nothing was learned stays the same object. */
function settleUnchanged(before: Scalar, after: Draft): Scalar {
  settleDraft(after);
  return isSameScalar(before, after) ? before : finishDraft(after);
}

const isKnown = (a: Draft, width: Width): boolean => (width === 64 ? isConst(a) : isConst32(a));

function applyCondition(condition: Condition, width: Width, a: Draft, b: Draft): void {
  switch (condition) {
    case "jeq":
      if (width === 32) assumeEqual32(a, b);
      else assumeEqual64(a, b);
      break;
    case "jne":
      if (isKnown(b, width)) assumeDifferent(width, a, b);
      else if (isKnown(a, width)) assumeDifferent(width, b, a);
      break;
    case "jset":
    case "jnset":
      if (isKnown(b, width)) assumeBits(width, a, b, condition === "jset");
      else if (isKnown(a, width)) assumeBits(width, b, a, condition === "jset");
      break;
    case "jle":
      assumeUnsignedBelow(width, a, b, 0);
      break;
    case "jlt":
      assumeUnsignedBelow(width, a, b, 1);
      break;
    case "jge":
      assumeUnsignedBelow(width, b, a, 0);
      break;
    case "jgt":
      assumeUnsignedBelow(width, b, a, 1);
      break;
    case "jsle":
      assumeSignedBelow(width, a, b, 0);
      break;
    case "jslt":
      assumeSignedBelow(width, a, b, 1);
      break;
    case "jsge":
      assumeSignedBelow(width, b, a, 0);
      break;
    case "jsgt":
      assumeSignedBelow(width, b, a, 1);
      break;
    default:
      unreachable(condition);
  }
}

const low: MutableBits = { bitsHi: 0, bitsLo: 0, maskHi: 0, maskLo: 0 };

function assumeEqual32(a: Draft, b: Draft): void {
  a.u32minWord = b.u32minWord = Math.max(a.u32minWord >>> 0, b.u32minWord >>> 0) | 0;
  a.u32maxWord = b.u32maxWord = Math.min(a.u32maxWord >>> 0, b.u32maxWord >>> 0) | 0;
  a.s32min = b.s32min = Math.max(a.s32min, b.s32min);
  a.s32max = b.s32max = Math.min(a.s32max, b.s32max);
  intersectBits(low, a, b);
  a.bitsLo = b.bitsLo = low.bitsLo;
  a.maskLo = b.maskLo = low.maskLo;
}

function assumeEqual64(a: Draft, b: Draft): void {
  const umin = isBelow(a.uminHi, a.uminLo, b.uminHi, b.uminLo) ? b : a;
  a.uminHi = b.uminHi = umin.uminHi;
  a.uminLo = b.uminLo = umin.uminLo;
  const umax = isBelow(a.umaxHi, a.umaxLo, b.umaxHi, b.umaxLo) ? a : b;
  a.umaxHi = b.umaxHi = umax.umaxHi;
  a.umaxLo = b.umaxLo = umax.umaxLo;
  const smin = isLess(a.sminHi, a.sminLo, b.sminHi, b.sminLo) ? b : a;
  a.sminHi = b.sminHi = smin.sminHi;
  a.sminLo = b.sminLo = smin.sminLo;
  const smax = isLess(a.smaxHi, a.smaxLo, b.smaxHi, b.smaxLo) ? a : b;
  a.smaxHi = b.smaxHi = smax.smaxHi;
  a.smaxLo = b.smaxLo = smax.smaxLo;
  intersectBits(a, a, b);
  intersectBits(b, a, a);
}

/** A value that differs from the end of a range moves that end by one (S-153). */
function assumeDifferent(width: Width, a: Draft, known: Draft): void {
  const { bitsHi: hi, bitsLo: lo } = known;
  if (width === 32) {
    if (a.u32minWord === lo) a.u32minWord = (lo + 1) | 0;
    if (a.u32maxWord === lo) a.u32maxWord = (lo - 1) | 0;
    if (a.s32min === lo) a.s32min = (lo + 1) | 0;
    if (a.s32max === lo) a.s32max = (lo - 1) | 0;
    return;
  }
  const isUmin = a.uminHi === hi && a.uminLo === lo;
  const isUmax = a.umaxHi === hi && a.umaxLo === lo;
  const isSmin = a.sminHi === hi && a.sminLo === lo;
  const isSmax = a.smaxHi === hi && a.smaxLo === lo;
  const nextLo = (lo + 1) | 0;
  const nextHi = nextLo === 0 ? (hi + 1) | 0 : hi;
  const lastLo = (lo - 1) | 0;
  const lastHi = lo === 0 ? (hi - 1) | 0 : hi;
  if (isUmin) {
    a.uminHi = nextHi;
    a.uminLo = nextLo;
  }
  if (isUmax) {
    a.umaxHi = lastHi;
    a.umaxLo = lastLo;
  }
  if (isSmin) {
    a.sminHi = nextHi;
    a.sminLo = nextLo;
  }
  if (isSmax) {
    a.smaxHi = lastHi;
    a.smaxLo = lastLo;
  }
}

const isPowerOfTwo = (hi: number, lo: number): boolean =>
  hi === 0 ? lo !== 0 && (lo & (lo - 1)) === 0 : lo === 0 && (hi & (hi - 1)) === 0;

/** A tested single bit is one; bits tested without a hit are all zero (S-154). */
function assumeBits(width: Width, a: Draft, known: Draft, isSet: boolean): void {
  const lo = known.bitsLo;
  const hi = width === 64 ? known.bitsHi : 0;
  if (isSet) {
    if (!isPowerOfTwo(hi, lo)) return;
    a.bitsHi |= hi;
    a.bitsLo |= lo;
  } else {
    // Ranges are derived anew from the bits: the old ones may contradict them on a side that cannot happen.
    unbound64(a);
    unbound32(a);
    a.bitsHi &= ~hi;
    a.bitsLo &= ~lo;
  }
  a.maskHi &= ~hi;
  a.maskLo &= ~lo;
}

/** Assumes a + gap <= b, unsigned (S-155); ends wrap as the kernel's do. */
function assumeUnsignedBelow(width: Width, a: Draft, b: Draft, gap: 0 | 1): void {
  if (width === 32) {
    const max = (b.u32maxWord - gap) | 0;
    const min = (a.u32minWord + gap) | 0;
    if (min >>> 0 > b.u32minWord >>> 0) b.u32minWord = min;
    if (max >>> 0 < a.u32maxWord >>> 0) a.u32maxWord = max;
    return;
  }
  const maxLo = (b.umaxLo - gap) | 0;
  const maxHi = gap === 1 && b.umaxLo === 0 ? (b.umaxHi - 1) | 0 : b.umaxHi;
  const minLo = (a.uminLo + gap) | 0;
  const minHi = gap === 1 && minLo === 0 ? (a.uminHi + 1) | 0 : a.uminHi;
  if (isBelow(b.uminHi, b.uminLo, minHi, minLo)) {
    b.uminHi = minHi;
    b.uminLo = minLo;
  }
  if (isBelow(maxHi, maxLo, a.umaxHi, a.umaxLo)) {
    a.umaxHi = maxHi;
    a.umaxLo = maxLo;
  }
}

/** Assumes a + gap <= b, signed (S-155). */
function assumeSignedBelow(width: Width, a: Draft, b: Draft, gap: 0 | 1): void {
  if (width === 32) {
    const max = (b.s32max - gap) | 0;
    const min = (a.s32min + gap) | 0;
    if (min > b.s32min) b.s32min = min;
    if (max < a.s32max) a.s32max = max;
    return;
  }
  const maxLo = (b.smaxLo - gap) | 0;
  const maxHi = gap === 1 && b.smaxLo === 0 ? (b.smaxHi - 1) | 0 : b.smaxHi;
  const minLo = (a.sminLo + gap) | 0;
  const minHi = gap === 1 && minLo === 0 ? (a.sminHi + 1) | 0 : a.sminHi;
  if (isLess(b.sminHi, b.sminLo, minHi, minLo)) {
    b.sminHi = minHi;
    b.sminLo = minLo;
  }
  if (isLess(maxHi, maxLo, a.smaxHi, a.smaxLo)) {
    a.smaxHi = maxHi;
    a.smaxLo = maxLo;
  }
}
