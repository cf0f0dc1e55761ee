/** What a conversion prints. */
export type FormatConversion =
  | {
      readonly kind: "integer";
      readonly isSigned: boolean;
      readonly base: 10 | 16;
      readonly isUpper: boolean;
      readonly isLong: boolean;
    }
  | { readonly kind: "char" }
  | { readonly kind: "string"; readonly isPointerForm: boolean }
  | { readonly kind: "ip"; readonly isPadded: boolean; readonly bytes: 4 | 16 }
  | { readonly kind: "pointer"; readonly form: "hashed" | "raw" | "symbol" | "frame" };

/** One conversion of a format. */
export interface FormatSpec {
  readonly conversion: FormatConversion;
  readonly isLeft: boolean;
  readonly hasPlus: boolean;
  readonly hasSpace: boolean;
  readonly isZeroPadded: boolean;
  /** Smallest number of characters; 0 when none is given. */
  readonly width: number;
}

/** A format taken apart: literal bytes and conversions in order. */
export type FormatPart = { readonly literal: Uint8Array } | { readonly spec: FormatSpec };

const code = (char: string): number => char.charCodeAt(0);
const PERCENT = code("%");
const ZERO = code("0");
const NINE = code("9");
const ASCII_END = 128;
const FIRST_PRINTABLE = 32;
const DELETE = 127;
/** Largest width that the kernel prints. @source linux lib/vsprintf FIELD_WIDTH_MAX */
const WIDTH_MAX = (1 << 23) - 1;

const TAB = 9;
const CARRIAGE_RETURN = 13;
const NO_BREAK_SPACE = 160;

/** Says whether a byte is white space to the kernel. @source linux lib/ctype */
export const isKernelSpace = (byte: number): boolean =>
  byte === FIRST_PRINTABLE || (byte >= TAB && byte <= CARRIAGE_RETURN) || byte === NO_BREAK_SPACE;

const isDigit = (byte: number): boolean => byte >= ZERO && byte <= NINE;
const isLetter = (byte: number): boolean => /[A-Za-z]/.test(String.fromCharCode(byte)) && byte < ASCII_END;
/** Says whether a byte is an ASCII or Latin-1 letter or digit to the kernel. @source linux lib/ctype */
const isAlnum = (byte: number): boolean => isDigit(byte) || isLetter(byte) || isLatinLetter(byte);
const LATIN_LETTERS = 192;
const TIMES_SIGN = 215;
const DIVISION_SIGN = 247;
const isLatinLetter = (byte: number): boolean =>
  byte >= LATIN_LETTERS && byte !== TIMES_SIGN && byte !== DIVISION_SIGN;
const LATIN_PUNCTUATION = 161;
const isPunctuation = (byte: number): boolean =>
  byte < ASCII_END
    ? byte > FIRST_PRINTABLE && byte < DELETE && !isDigit(byte) && !isLetter(byte)
    : byte >= LATIN_PUNCTUATION && !isLatinLetter(byte);
const isControl = (byte: number): boolean =>
  byte < ASCII_END && (byte < FIRST_PRINTABLE || byte === DELETE) && !isKernelSpace(byte);

/** Says whether a byte may follow `%s` and `%p`: the end, white space, punctuation. */
const isBoundary = (byte: number): boolean => byte === 0 || isKernelSpace(byte) || isPunctuation(byte);

const INTEGERS: ReadonlyMap<number, { isSigned: boolean; base: 10 | 16; isUpper: boolean }> = new Map([
  [code("d"), { isSigned: true, base: 10, isUpper: false }],
  [code("i"), { isSigned: true, base: 10, isUpper: false }],
  [code("u"), { isSigned: false, base: 10, isUpper: false }],
  [code("x"), { isSigned: false, base: 16, isUpper: false }],
  [code("X"), { isSigned: false, base: 16, isUpper: true }],
]);

const POINTER_FORMS: ReadonlyMap<number, "hashed" | "raw" | "symbol" | "frame"> = new Map([
  [code("K"), "hashed"],
  [code("x"), "raw"],
  [code("s"), "symbol"],
  [code("S"), "symbol"],
  [code("B"), "frame"],
] as const);

/** Reads bytes of a format; past its end it reads NULs. */
class Cursor {
  readonly bytes: Uint8Array;
  at = 0;
  constructor(bytes: Uint8Array) {
    this.bytes = bytes;
  }
  peek(ahead = 0): number {
    return this.bytes[this.at + ahead] ?? 0;
  }
}

/**
 * Takes a format apart by the rules of the BPF helpers, which are stricter than the kernel's own.
 *
 * @param format - bytes without the NUL.
 * @returns undefined when the format is not allowed.
 * @source linux kernel/bpf format checks; HP-1, HP-2
 */
export function parseFormat(format: Uint8Array): readonly FormatPart[] | undefined {
  const parts: FormatPart[] = [];
  const cursor = new Cursor(format);
  let literal: number[] = [];
  const endLiteral = (): void => {
    if (literal.length > 0) parts.push({ literal: Uint8Array.from(literal) });
    literal = [];
  };
  while (cursor.at < format.length) {
    const byte = cursor.peek();
    if (isControl(byte)) return undefined;
    cursor.at++;
    if (byte !== PERCENT || cursor.peek() === PERCENT) {
      if (byte === PERCENT) cursor.at++;
      literal.push(byte);
      continue;
    }
    const spec = parseSpec(cursor);
    if (spec === undefined) return undefined;
    endLiteral();
    parts.push({ spec });
  }
  endLiteral();
  return parts;
}

/** Reads what follows a percent sign. */
function parseSpec(cursor: Cursor): FormatSpec | undefined {
  const flags = { isLeft: false, hasPlus: false, hasSpace: false, isZeroPadded: false };
  for (;;) {
    const byte = cursor.peek();
    if (byte === code("-")) flags.isLeft = true;
    else if (byte === code("+")) flags.hasPlus = true;
    else if (byte === code(" ")) flags.hasSpace = true;
    else if (byte === ZERO) flags.isZeroPadded = true;
    else break;
    cursor.at++;
  }
  let width = 0;
  while (isDigit(cursor.peek())) {
    width = Math.min(WIDTH_MAX, width * 10 + cursor.peek() - ZERO);
    cursor.at++;
  }
  const conversion = parseConversion(cursor);
  return conversion === undefined ? undefined : { ...flags, width, conversion };
}

function parseConversion(cursor: Cursor): FormatConversion | undefined {
  const byte = cursor.peek();
  if (byte === code("p")) return parsePointer(cursor);
  if (byte === code("s")) {
    cursor.at++;
    return isBoundary(cursor.peek()) ? { kind: "string", isPointerForm: false } : undefined;
  }
  if (byte === code("c")) {
    cursor.at++;
    return { kind: "char" };
  }
  let isLong = false;
  for (let i = 0; i < 2 && cursor.peek() === code("l"); i++) {
    isLong = true;
    cursor.at++;
  }
  const integer = INTEGERS.get(cursor.peek());
  if (integer === undefined) return undefined;
  cursor.at++;
  return { kind: "integer", isLong, ...integer };
}

function parsePointer(cursor: Cursor): FormatConversion | undefined {
  cursor.at++;
  const first = cursor.peek();
  if (isBoundary(first)) return { kind: "pointer", form: "hashed" };
  if ((first === code("k") || first === code("u")) && cursor.peek(1) === code("s")) {
    cursor.at += 2;
    return isBoundary(cursor.peek()) ? { kind: "string", isPointerForm: true } : undefined;
  }
  const form = POINTER_FORMS.get(first);
  if (form !== undefined) {
    cursor.at++;
    skipLetters(cursor);
    return { kind: "pointer", form };
  }
  const version = cursor.peek(1);
  if ((first !== code("i") && first !== code("I")) || (version !== code("4") && version !== code("6")))
    return undefined;
  cursor.at += 2;
  skipLetters(cursor);
  return { kind: "ip", isPadded: first === code("i"), bytes: version === code("4") ? 4 : 16 };
}

/** Letters and digits right after a pointer's letters belong to it and print nothing. */
function skipLetters(cursor: Cursor): void {
  while (cursor.at < cursor.bytes.length && isAlnum(cursor.peek())) cursor.at++;
}
