import { unreachable } from "@tsbpf/base";
import type { JmpOp, Width } from "@tsbpf/isa";
import { settle } from "./bounds.ts";
import { type Draft, draftOf, maxBig, minBig, unbound32, unbound64 } from "./draft.ts";
import { isConst, isConst32, type Scalar } from "./scalar.ts";
import {
  isTnumConst,
  mayOverlap,
  tnumAnd,
  tnumConst,
  tnumIntersect,
  tnumOr,
  tnumSubreg,
  tnumWithSubreg,
} from "./tnum.ts";

// Computes: whether a conditional jump is decided, and what each side proves. Assumes: operands hold their concrete
// values. Guarantees: a decided side is the only possible one; a narrowed operand still holds its value on that side.
// Cost: constant.

/** Both operands after a branch was followed on one side. */
export interface Refined {
  readonly dst: Scalar;
  readonly src: Scalar;
}

/** The numbers that a comparison of one width looks at, as bigints for 64 bits and numbers for 32. */
interface Ends {
  readonly umin: bigint | number;
  readonly umax: bigint | number;
  readonly smin: bigint | number;
  readonly smax: bigint | number;
}

const endsOf = (a: Scalar, width: Width): Ends =>
  width === 64 ? a : { umin: a.u32min, umax: a.u32max, smin: a.s32min, smax: a.s32max };

/** Whether no value can be in both scalars. */
function isDisjoint(width: Width, a: Scalar, b: Scalar): boolean {
  const ta = width === 64 ? a.tnum : tnumSubreg(a.tnum);
  const tb = width === 64 ? b.tnum : tnumSubreg(b.tnum);
  if (!mayOverlap(ta, tb)) return true;
  const x = endsOf(a, width);
  const y = endsOf(b, width);
  if (x.umin > y.umax || x.umax < y.umin || x.smin > y.smax || x.smax < y.smin) return true;
  return (
    width === 64 && (a.u32min > b.u32max || a.u32max < b.u32min || a.s32min > b.s32max || a.s32max < b.s32min)
  );
}

function isEqual(width: Width, a: Scalar, b: Scalar): boolean | undefined {
  const ta = width === 64 ? a.tnum : tnumSubreg(a.tnum);
  const tb = width === 64 ? b.tnum : tnumSubreg(b.tnum);
  if (isTnumConst(ta) && isTnumConst(tb)) return ta.value === tb.value;
  return isDisjoint(width, a, b) ? false : undefined;
}

function areBitsSet(width: Width, a: Scalar, b: Scalar): boolean | undefined {
  const known = isKnown(b, width) ? b : isKnown(a, width) ? a : undefined;
  if (known === undefined) return undefined;
  const other = known === b ? a : b;
  const t = width === 64 ? other.tnum : tnumSubreg(other.tnum);
  const bits = width === 64 ? known.tnum.value : tnumSubreg(known.tnum).value;
  if ((t.value & bits) !== 0n) return true;
  return ((t.value | t.mask) & bits) === 0n ? false : undefined;
}

const isKnown = (a: Scalar, width: Width): boolean => (width === 64 ? isConst(a) : isConst32(a));

const isAbove = (
  min: bigint | number,
  otherMax: bigint | number,
  max: bigint | number,
  otherMin: bigint | number,
) => (min > otherMax ? true : max <= otherMin ? false : undefined);

const isAtLeast = (
  min: bigint | number,
  otherMax: bigint | number,
  max: bigint | number,
  otherMin: bigint | number,
) => (min >= otherMax ? true : max < otherMin ? false : undefined);

const not = (known: boolean | undefined): boolean | undefined => (known === undefined ? undefined : !known);

/**
 * Decides a conditional jump from ranges and bits alone (S-146..S-148).
 *
 * @returns undefined when both sides are possible.
 */
export function branchTaken(op: JmpOp, width: Width, dst: Scalar, src: Scalar): boolean | undefined {
  const a = endsOf(dst, width);
  const b = endsOf(src, width);
  switch (op) {
    case "jeq":
      return isEqual(width, dst, src);
    case "jne":
      return not(isEqual(width, dst, src));
    case "jset":
      return areBitsSet(width, dst, src);
    case "jgt":
      return isAbove(a.umin, b.umax, a.umax, b.umin);
    case "jge":
      return isAtLeast(a.umin, b.umax, a.umax, b.umin);
    case "jlt":
      return not(isAtLeast(a.umin, b.umax, a.umax, b.umin));
    case "jle":
      return not(isAbove(a.umin, b.umax, a.umax, b.umin));
    case "jsgt":
      return isAbove(a.smin, b.smax, a.smax, b.smin);
    case "jsge":
      return isAtLeast(a.smin, b.smax, a.smax, b.smin);
    case "jslt":
      return not(isAtLeast(a.smin, b.smax, a.smax, b.smin));
    case "jsle":
      return not(isAbove(a.smin, b.smax, a.smax, b.smin));
    default:
      return unreachable(op);
  }
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

/**
 * Narrows both operands to the side that was followed (S-150..S-157), synchronised; the operands must not be one
 * register. Inconsistent results come back unbounded (S-100).
 */
export function refineBranch(op: JmpOp, width: Width, operands: Refined, isTaken: boolean): Refined {
  const dst = draftOf(operands.dst);
  const src = draftOf(operands.src);
  applyCondition(isTaken ? op : NEGATED[op], width, dst, src);
  return { dst: settleUnchanged(operands.dst, dst), src: settleUnchanged(operands.src, src) };
}

/** A constant stays itself unless the condition contradicts it. */
function settleUnchanged(before: Scalar, after: Draft): Scalar {
  const settled = settle(after);
  return isConst(before) && isConst(settled) && before.umin === settled.umin ? before : settled;
}

function applyCondition(condition: Condition, width: Width, a: Draft, b: Draft): void {
  switch (condition) {
    case "jeq":
      assumeEqual(width, a, b);
      break;
    case "jne":
      assumeDifferent(width, a, b);
      break;
    case "jset":
    case "jnset":
      assumeBits(width, a, b, condition === "jset");
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

function assumeEqual(width: Width, a: Draft, b: Draft): void {
  if (width === 32) {
    a.u32min = b.u32min = Math.max(a.u32min, b.u32min);
    a.u32max = b.u32max = Math.min(a.u32max, b.u32max);
    a.s32min = b.s32min = Math.max(a.s32min, b.s32min);
    a.s32max = b.s32max = Math.min(a.s32max, b.s32max);
    const low = tnumIntersect(tnumSubreg(a.tnum), tnumSubreg(b.tnum));
    a.tnum = tnumWithSubreg(a.tnum, low);
    b.tnum = tnumWithSubreg(b.tnum, low);
    return;
  }
  a.umin = b.umin = maxBig(a.umin, b.umin);
  a.umax = b.umax = minBig(a.umax, b.umax);
  a.smin = b.smin = maxBig(a.smin, b.smin);
  a.smax = b.smax = minBig(a.smax, b.smax);
  a.tnum = b.tnum = tnumIntersect(a.tnum, b.tnum);
}

/** Orders the operands so that the second is the constant; undefined when neither is. */
function constLast(width: Width, a: Draft, b: Draft): readonly [Draft, Draft] | undefined {
  if (isKnown(b, width)) return [a, b];
  return isKnown(a, width) ? [b, a] : undefined;
}

/** A value that differs from the end of a range moves that end by one (S-153). */
function assumeDifferent(width: Width, x: Draft, y: Draft): void {
  const ordered = constLast(width, x, y);
  if (ordered === undefined) return;
  const [a, b] = ordered;
  if (width === 32) {
    const value = Number(tnumSubreg(b.tnum).value);
    if (a.u32min === value) a.u32min = (a.u32min + 1) >>> 0;
    if (a.u32max === value) a.u32max = (a.u32max - 1) >>> 0;
    if (a.s32min === (value | 0)) a.s32min = (a.s32min + 1) | 0;
    if (a.s32max === (value | 0)) a.s32max = (a.s32max - 1) | 0;
    return;
  }
  const { value } = b.tnum;
  const signed = BigInt.asIntN(64, value);
  if (a.umin === value) a.umin = BigInt.asUintN(64, a.umin + 1n);
  if (a.umax === value) a.umax = BigInt.asUintN(64, a.umax - 1n);
  if (a.smin === signed) a.smin = BigInt.asIntN(64, a.smin + 1n);
  if (a.smax === signed) a.smax = BigInt.asIntN(64, a.smax - 1n);
}

/** A tested single bit is one; bits tested without a hit are all zero (S-154). */
function assumeBits(width: Width, x: Draft, y: Draft, isSet: boolean): void {
  const ordered = constLast(width, x, y);
  if (ordered === undefined) return;
  const [a, b] = ordered;
  const bits = width === 64 ? b.tnum.value : tnumSubreg(b.tnum).value;
  const own = width === 64 ? a.tnum : tnumSubreg(a.tnum);
  if (isSet) {
    const isOneBit = bits !== 0n && (bits & (bits - 1n)) === 0n;
    if (!isOneBit) return;
    const next = tnumOr(own, tnumConst(bits));
    a.tnum = width === 64 ? next : tnumWithSubreg(a.tnum, next);
    return;
  }
  // Ranges are derived anew from the bits: the old ones may contradict them on a side that cannot happen.
  unbound64(a);
  unbound32(a);
  const next = tnumAnd(own, tnumConst(~bits));
  a.tnum = width === 64 ? next : tnumWithSubreg(a.tnum, next);
}

/** Assumes a + gap <= b, unsigned (S-155); ends wrap as the kernel's do. */
function assumeUnsignedBelow(width: Width, a: Draft, b: Draft, gap: 0 | 1): void {
  if (width === 32) {
    const aMax = Math.min(a.u32max, (b.u32max - gap) >>> 0);
    b.u32min = Math.max((a.u32min + gap) >>> 0, b.u32min);
    a.u32max = aMax;
    return;
  }
  const aMax = minBig(a.umax, BigInt.asUintN(64, b.umax - BigInt(gap)));
  b.umin = maxBig(BigInt.asUintN(64, a.umin + BigInt(gap)), b.umin);
  a.umax = aMax;
}

/** Assumes a + gap <= b, signed (S-155). */
function assumeSignedBelow(width: Width, a: Draft, b: Draft, gap: 0 | 1): void {
  if (width === 32) {
    const aMax = Math.min(a.s32max, (b.s32max - gap) | 0);
    b.s32min = Math.max((a.s32min + gap) | 0, b.s32min);
    a.s32max = aMax;
    return;
  }
  const aMax = minBig(a.smax, BigInt.asIntN(64, b.smax - BigInt(gap)));
  b.smin = maxBig(BigInt.asIntN(64, a.smin + BigInt(gap)), b.smin);
  a.smax = aMax;
}
