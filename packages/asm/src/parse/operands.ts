import type { Cursor } from "../text/cursor.ts";
import { describeToken, fail } from "../text/cursor.ts";
import { clip } from "../text/diagnostic.ts";
import type { Token } from "../text/lexer.ts";

/** A register operand; `is32` for the `w` names. */
export interface Register {
  readonly num: number;
  readonly is32: boolean;
  readonly token: Token;
}

/** Base register and byte offset of a memory operand. */
export interface MemoryOperand {
  readonly base: Register;
  readonly off: number;
}

/** Where a jump or call leads: a distance in slots from the next slot, or a label. */
export type JumpTarget =
  | { readonly kind: "distance"; readonly slots: number; readonly token: Token }
  | { readonly kind: "label"; readonly name: string; readonly token: Token };

const REGISTER = /^([rwRW])(\d{1,6})$/;
const REGISTER_LAST = 10;

export interface Range {
  readonly min: bigint;
  readonly max: bigint;
}
/** A 32-bit field takes signed and unsigned notation: 0xffffffff and -1 are the same bits. */
export const IMM32: Range = { min: -(1n << 31n), max: (1n << 32n) - 1n };
export const IMM64: Range = { min: -(1n << 63n), max: (1n << 64n) - 1n };
export const OFF16: Range = { min: -(1n << 15n), max: (1n << 15n) - 1n };
export const DISTANCE32: Range = { min: -(1n << 31n), max: (1n << 31n) - 1n };

/** Says whether a register name comes next, with or without `%`. */
export function isRegisterNext(cursor: Cursor): boolean {
  const token = cursor.isAt("%") ? cursor.peek(1) : cursor.peek();
  return token.kind === "name" && (REGISTER.test(token.text) || token.text === "fp");
}

/** Reads `r0`..`r10`, `w0`..`w10` or `fp`, with or without `%`. */
export function readRegister(cursor: Cursor): Register {
  cursor.accept("%");
  const token = cursor.peek();
  if (token.kind === "name" && token.text === "fp") {
    return { num: REGISTER_LAST, is32: false, token: cursor.next() };
  }
  const found = token.kind === "name" ? REGISTER.exec(token.text) : null;
  if (found === null) cursor.failExpected("a register");
  const [, letter = "", digits = ""] = found;
  const num = Number(digits);
  if (num > REGISTER_LAST || (digits.length > 1 && digits.startsWith("0"))) {
    fail("ASM_REGISTER", `there is no register ${token.text}, r0..r10 and w0..w10 exist`, token);
  }
  if (letter === "R" || letter === "W") {
    fail(
      "ASM_REGISTER",
      `registers are written in lower case, found ${token.text}`,
      token,
      `did you mean ${token.text.toLowerCase()}?`,
    );
  }
  return { num, is32: letter === "w", token: cursor.next() };
}

/** Reads a register that must be a 64-bit name. */
export function readRegister64(cursor: Cursor): Register {
  const register = readRegister(cursor);
  if (register.is32) {
    fail(
      "ASM_REGISTER_WIDTH",
      `a 64-bit register is needed here, found ${register.token.text}`,
      register.token,
      `write r${register.num}`,
    );
  }
  return register;
}

/** Says whether a number comes next, with or without a sign. */
export const isNumberNext = (cursor: Cursor): boolean =>
  cursor.peek().kind === "number" ||
  ((cursor.isAt("-") || cursor.isAt("+")) && cursor.peek(1).kind === "number");

/**
 * Reads an optionally signed number within a range.
 *
 * @param what - names the number in errors.
 */
export function readNumber(cursor: Cursor, range: Range, what: string): bigint {
  const first = cursor.peek();
  const isNegative = cursor.accept("-");
  if (!isNegative) cursor.accept("+");
  const token = cursor.peek();
  if (token.kind !== "number") cursor.failExpected(what);
  cursor.next();
  const value = token.value === undefined ? undefined : isNegative ? -token.value : token.value;
  if (cursor.wrapsImm && range === IMM32 && value !== undefined) return BigInt.asIntN(32, value);
  if (value === undefined || value < range.min || value > range.max) {
    const text = `${isNegative ? "-" : ""}${clip(token.text)}`;
    const place = { ...first, text: `${isNegative ? "-" : ""}${token.text}` };
    const hint =
      range === IMM32 && value !== undefined && value >= IMM64.min
        ? "load 64-bit values with `rN = VALUE ll` or `lddw`"
        : undefined;
    fail("ASM_RANGE", `${what} ${text} is outside ${range.min}..${range.max}`, place, hint);
  }
  return value;
}

/** Reads a 32-bit immediate in signed or unsigned notation; returns it signed. */
export const readImm32 = (cursor: Cursor, what = "immediate"): number =>
  Number(BigInt.asIntN(32, readNumber(cursor, IMM32, what)));

/** 64-bit instructions extend an immediate's sign, so a value from 2^31 on changes: worth a word. */
export function readImmOperand(cursor: Cursor, width: 32 | 64): number {
  const token = cursor.peek();
  const value = readNumber(cursor, IMM32, "immediate");
  if (width === 64 && value > 0x7fff_ffffn) {
    cursor.warnings.push({
      code: "ASM_SIGN_EXTENDED",
      message: `64-bit instructions extend the sign: ${token.text} becomes 0x${BigInt.asUintN(64, BigInt.asIntN(32, value)).toString(16)}`,
      token,
      suggestion: `load it into a register with \`rN = ${token.text} ll\`, or write ${BigInt.asIntN(32, value)}`,
    });
  }
  return Number(BigInt.asIntN(32, value));
}

/** Reads `r1`, `r1 + 4` or `r10 -8`: what stands inside the brackets of a memory operand. */
export function readBaseAndOffset(cursor: Cursor): MemoryOperand {
  const base = readRegister64(cursor);
  if (!cursor.isAt("+") && !cursor.isAt("-")) return { base, off: 0 };
  return { base, off: Number(readNumber(cursor, OFF16, "offset")) };
}

/** Reads a memory operand between the given brackets. */
export function readMemory(cursor: Cursor, open: "(" | "[", close: ")" | "]"): MemoryOperand {
  cursor.expect(open);
  const operand = readBaseAndOffset(cursor);
  if (!cursor.isAt(close)) cursor.failExpected(`+, - or ${close}`);
  cursor.next();
  return operand;
}

/** Skips `<name+0x8>`, with which llvm-objdump repeats a target. */
function skipTargetNote(cursor: Cursor): void {
  if (!cursor.accept("<")) return;
  while (!cursor.isAt(">") && !cursor.isAtEnd) cursor.next();
  cursor.expect(">");
}

/** Reads `+5`, `-3`, `5`, `pc+1`, a label, or a numeric label's `1f` or `1b`. */
export function readTarget(cursor: Cursor, range: Range = OFF16): JumpTarget {
  const token = cursor.peek();
  const isRelativeToPc = token.text === "pc" && (cursor.isAt("+", 1) || cursor.isAt("-", 1));
  if (isRelativeToPc) cursor.next();
  if (isRelativeToPc || isNumberNext(cursor)) {
    const slots = Number(readNumber(cursor, range, "distance"));
    skipTargetNote(cursor);
    return { kind: "distance", slots, token };
  }
  if (token.kind !== "name" && token.kind !== "local") {
    cursor.failExpected("a label or a distance such as +2");
  }
  if (isRegisterNext(cursor)) cursor.failExpected("a label or a distance such as +2");
  cursor.next();
  return { kind: "label", name: token.text, token };
}

/** Reads a register that must be the same as an earlier operand. */
export function readSameRegister(cursor: Cursor, as: Register, why: string): void {
  const register = readRegister(cursor);
  if (register.num === as.num && register.is32 === as.is32) return;
  fail(
    "ASM_REGISTER_MATCH",
    `${why} works on one register, found ${as.token.text} and ${register.token.text}`,
    register.token,
    `write ${as.token.text}`,
  );
}

/** Refuses a mix of `r` and `w` registers. */
export function checkSameWidth(a: Register, b: Register): void {
  if (a.is32 === b.is32) return;
  fail(
    "ASM_REGISTER_WIDTH",
    `operands of 64 and 32 bits do not mix, found ${a.token.text} and ${b.token.text}`,
    b.token,
    `write ${a.is32 ? "w" : "r"}${b.num}`,
  );
}

/** Ends a statement: nothing may follow. */
export function expectEnd(cursor: Cursor): void {
  if (cursor.isAtEnd) return;
  const token = cursor.peek();
  fail("ASM_TRAILING", `unexpected ${describeToken(token)} after the instruction`, token);
}
