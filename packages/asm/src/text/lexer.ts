/** A word of one statement. */
export interface Token {
  readonly kind: "name" | "number" | "local" | "punct" | "end";
  readonly text: string;
  /** 1-based. */
  readonly column: number;
  /** Of numbers that fit 64 bits; undefined for larger ones. */
  readonly value?: bigint;
}

export interface LexFailure {
  readonly code: "ASM_CHARACTER" | "ASM_NUMBER";
  readonly message: string;
  readonly column: number;
  readonly length: number;
}

const SPACE = /[ \t\f\v]+/y;
const NAME = /[A-Za-z_.$][\w.$]*/y;
const HEX = /0[xX][0-9a-fA-F]+/y;
const DECIMAL = /\d+/y;
const WORD_REST = /[\w.$]*/y;
/** Longest first; `s` operators are signed compares and divisions. */
const PUNCT = /s>>=|s[/%]=|s[<>]=?|<<=|>>=|[-+*/%|&^=!<>]=|[-+*/%|&^=!<>()[\]{},:;#@~]/y;

/** Largest number of significant digits that may still fit 64 bits. */
const HEX_DIGITS_MAX = 16;
const DECIMAL_DIGITS_MAX = 20;

function match(pattern: RegExp, text: string, at: number): string | undefined {
  pattern.lastIndex = at;
  return pattern.exec(text)?.[0];
}

function numberOf(digits: string, isHex: boolean): bigint | undefined {
  const significant = (isHex ? digits.slice(2) : digits).replace(/^0+/, "");
  if (significant.length > (isHex ? HEX_DIGITS_MAX : DECIMAL_DIGITS_MAX)) return undefined;
  const value = BigInt(digits);
  return value < 1n << 64n ? value : undefined;
}

function lexNumber(text: string, at: number): Token | LexFailure {
  const hex = match(HEX, text, at);
  const digits = hex ?? match(DECIMAL, text, at) ?? "";
  const column = at + 1;
  const rest = match(WORD_REST, text, at + digits.length) ?? "";
  if (hex === undefined && (rest === "f" || rest === "b")) {
    return { kind: "local", text: digits + rest, column };
  }
  const whole = digits + rest;
  if (rest !== "" && rest !== "ll") {
    return {
      code: "ASM_NUMBER",
      message: `${whole.slice(0, 40)} is no number`,
      column,
      length: whole.length,
    };
  }
  if (hex === undefined && digits.length > 1 && digits.startsWith("0")) {
    return {
      code: "ASM_NUMBER",
      message: `${digits.slice(0, 40)} starts with 0, which other assemblers read as octal; write decimal or 0x`,
      column,
      length: digits.length,
    };
  }
  const value = numberOf(digits, hex !== undefined);
  return value === undefined
    ? { kind: "number", text: digits, column }
    : { kind: "number", text: digits, column, value };
}

/**
 * Splits the code of one line into tokens, an `end` token last.
 *
 * Cost: linear in the line. Accepts any text; what is no token is returned as a failure.
 */
export function lexLine(code: string, from = 0): Token[] | LexFailure {
  const tokens: Token[] = [];
  let at = from;
  while (at < code.length) {
    const space = match(SPACE, code, at);
    if (space !== undefined) {
      at += space.length;
      continue;
    }
    const char = code[at] ?? "";
    let token: Token | undefined;
    if (char >= "0" && char <= "9") {
      const lexed = lexNumber(code, at);
      if ("code" in lexed) return lexed;
      token = lexed;
    } else {
      const punct = match(PUNCT, code, at);
      const text = punct ?? match(NAME, code, at);
      if (text !== undefined) token = { kind: punct === undefined ? "name" : "punct", text, column: at + 1 };
    }
    if (token === undefined) {
      const shown = JSON.stringify(String.fromCodePoint(code.codePointAt(at) ?? 0));
      return { code: "ASM_CHARACTER", message: `unexpected character ${shown}`, column: at + 1, length: 1 };
    }
    tokens.push(token);
    at += token.text.length;
  }
  const end = code.trimEnd().length;
  tokens.push({ kind: "end", text: "", column: Math.max(end, from) + 1 });
  return tokens;
}
