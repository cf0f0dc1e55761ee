import { registers as r } from "./loop.gen.ts";
import { OP } from "./ops.gen.ts";
import { type Code, dstOf, OP_MASK, srcOf, WORD } from "./predecode.ts";

/** Halves of an unsigned 64-bit number, each in 0..2^32-1. */
interface Halves {
  lo: number;
  hi: number;
}

const TWO_32 = 2 ** 32;

const isZero = ({ lo, hi }: Halves): boolean => lo === 0 && hi === 0;
const isNegative = ({ hi }: Halves): boolean => hi >= 2 ** 31;
const isBelow = (a: Halves, b: Halves): boolean => (a.hi === b.hi ? a.lo < b.lo : a.hi < b.hi);
const toDouble = ({ lo, hi }: Halves): number => hi * TWO_32 + lo;

function subtract(a: Halves, b: Halves): Halves {
  const lo = a.lo - b.lo;
  const borrow = lo < 0 ? 1 : 0;
  return { lo: lo >>> 0, hi: (a.hi - b.hi - borrow) >>> 0 };
}

const negate = (a: Halves): Halves => subtract({ lo: 0, hi: 0 }, a);

/** Low 64 bits of the product of a 64-bit and a 32-bit number. */
function multiply(a: Halves, by: number): Halves {
  const low = multiply32(a.lo, by);
  return { lo: low.lo, hi: (low.hi + Math.imul(a.hi, by)) >>> 0 };
}

function multiply32(a: number, b: number): Halves {
  const al = a & 0xffff;
  const ah = a >>> 16;
  const bl = b & 0xffff;
  const bh = b >>> 16;
  const lh = al * bh;
  const hl = ah * bl;
  const mid = ((al * bl) >>> 16) + (lh & 0xffff) + (hl & 0xffff);
  const hi = ah * bh + (lh >>> 16) + (hl >>> 16) + (mid >>> 16);
  return { lo: Math.imul(a, b) >>> 0, hi: hi >>> 0 };
}

/**
 * One digit of the long division: the quotient must be below 2^32.
 *
 * The estimate in doubles is off by at most 1 (both operands are rounded by less than 2^-52 of their value and the
 * quotient is below 2^32), so one less is never too large, and the loop ends after at most three steps.
 */
function divideDigit(a: Halves, b: Halves): { quotient: number; rest: Halves } {
  let quotient = Math.max(0, Math.min(Math.floor(toDouble(a) / toDouble(b)), TWO_32 - 1) - 1);
  let rest = subtract(a, multiply(b, quotient));
  while (!isBelow(rest, b)) {
    rest = subtract(rest, b);
    quotient++;
  }
  return { quotient, rest };
}

/** Divides unsigned numbers; the divisor is not 0. */
function divideUnsigned(a: Halves, b: Halves): { quotient: Halves; rest: Halves } {
  if (b.hi !== 0) {
    const { quotient, rest } = divideDigit(a, b);
    return { quotient: { lo: quotient, hi: 0 }, rest };
  }
  const hi = Math.floor(a.hi / b.lo);
  const { quotient, rest } = divideDigit({ lo: a.lo, hi: a.hi - hi * b.lo }, b);
  return { quotient: { lo: quotient, hi }, rest };
}

/** Truncates toward zero; the rest has the sign of the dividend (ISA-34, ISA-35). */
function divideSigned(a: Halves, b: Halves): { quotient: Halves; rest: Halves } {
  const isOpposite = isNegative(a) !== isNegative(b);
  const result = divideUnsigned(isNegative(a) ? negate(a) : a, isNegative(b) ? negate(b) : b);
  return {
    quotient: isOpposite ? negate(result.quotient) : result.quotient,
    rest: isNegative(a) ? negate(result.rest) : result.rest,
  };
}

/**
 * Executes the 64-bit division or modulo at word index `p` after the loop left it: operands of any size, signed ones,
 * and division by zero, which gives 0, or leaves the dividend for modulo (ISA-32 to ISA-36).
 */
export function divideSlow(code: Code, p: number): void {
  const word = code.words[p + WORD.op] as number;
  const op = word & OP_MASK;
  const dst = dstOf(word);
  const a = { lo: (r[dst] as number) >>> 0, hi: (r[dst + 1] as number) >>> 0 };
  const b = divisorOf(code, p, word, op);
  const isModulo = MODULO.has(op);
  if (isZero(b)) {
    if (!isModulo) put(dst, { lo: 0, hi: 0 });
    return;
  }
  const { quotient, rest } = SIGNED.has(op) ? divideSigned(a, b) : divideUnsigned(a, b);
  put(dst, isModulo ? rest : quotient);
}

function divisorOf(code: Code, p: number, word: number, op: number): Halves {
  if (BY_CONSTANT.has(op)) {
    const imm = code.words[p + WORD.imm] as number;
    return { lo: imm >>> 0, hi: imm < 0 ? TWO_32 - 1 : 0 };
  }
  const src = srcOf(word);
  return { lo: (r[src] as number) >>> 0, hi: (r[src + 1] as number) >>> 0 };
}

function put(dst: number, { lo, hi }: Halves): void {
  r[dst] = lo;
  r[dst + 1] = hi;
}

const MODULO: ReadonlySet<number> = new Set([OP["mod64.k"], OP["mod64.x"], OP["smod64.k"], OP["smod64.x"]]);
const SIGNED: ReadonlySet<number> = new Set([OP["sdiv64.k"], OP["sdiv64.x"], OP["smod64.k"], OP["smod64.x"]]);
const BY_CONSTANT: ReadonlySet<number> = new Set([
  OP["div64.k"],
  OP["mod64.k"],
  OP["sdiv64.k"],
  OP["smod64.k"],
]);
