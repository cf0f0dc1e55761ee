import { toS64, toU64 } from "@tsbpf/base";
import { fault, withCaret } from "./fault.ts";

/** Where an expression gets its values from. */
export interface Values {
  reg(n: number): bigint;
  /** Little-endian bytes at an address; undefined when there is no such memory. */
  read(address: bigint, sizeBytes: number): bigint | undefined;
  /** Value of a name: a function, a map, `ctx`, `pkt`, `insns`, `depth`, `_`. */
  name(name: string): bigint | undefined;
  /** A variable of the object, or a field behind `->`. */
  place?(name: string, field: string | undefined): Place | undefined;
  /** Address of what a map holds under a key that is a number. */
  entry?(map: string, key: bigint): bigint | undefined;
}

/** Something with a name that lies in memory. */
export interface Place {
  readonly address: bigint;
  readonly sizeBytes: number;
  readonly isSigned: boolean;
  /** Of an array of numbers: one of them. */
  readonly element?: { readonly sizeBytes: number; readonly isSigned: boolean };
}

/** A compiled expression; values are unsigned 64-bit. */
export type Expr = (values: Values) => bigint;

type Token = { readonly kind: "num" | "name" | "op" | "end"; readonly text: string; readonly at: number };

const TOKEN =
  /\s+|(0x[0-9a-fA-F]+|0b[01]+|\d+)|(s>>|[sS](?:>=|<=|>|<)(?![\w]))|(\$?[A-Za-z_.][\w.]*)|(->|<<|>>|<=|>=|==|!=|&&|\|\||[-+*/%&|^~!<>()[\],=])/y;

const SIZES: Readonly<Record<string, number>> = {
  u8: 1,
  u16: 2,
  u32: 4,
  u64: 8,
  s8: 1,
  s16: 2,
  s32: 4,
  s64: 8,
};
const DEPTH_MAX = 64;
const TEXT_MAX = 4096;

const truth = (holds: boolean): bigint => (holds ? 1n : 0n);
type Binary = (a: bigint, b: bigint) => bigint;

/** Operators by binding strength, weakest first. */
const LEVELS: readonly Readonly<Record<string, Binary>>[] = [
  { "||": (a, b) => truth(a !== 0n || b !== 0n) },
  { "&&": (a, b) => truth(a !== 0n && b !== 0n) },
  { "|": (a, b) => a | b },
  { "^": (a, b) => a ^ b },
  { "&": (a, b) => a & b },
  { "==": (a, b) => truth(a === b), "!=": (a, b) => truth(a !== b) },
  {
    "<": (a, b) => truth(a < b),
    "<=": (a, b) => truth(a <= b),
    ">": (a, b) => truth(a > b),
    ">=": (a, b) => truth(a >= b),
    "s<": (a, b) => truth(toS64(a) < toS64(b)),
    "s<=": (a, b) => truth(toS64(a) <= toS64(b)),
    "s>": (a, b) => truth(toS64(a) > toS64(b)),
    "s>=": (a, b) => truth(toS64(a) >= toS64(b)),
  },
  {
    "<<": (a, b) => toU64(a << (b & 63n)),
    ">>": (a, b) => a >> (b & 63n),
    "s>>": (a, b) => toU64(toS64(a) >> (b & 63n)),
  },
  { "+": (a, b) => toU64(a + b), "-": (a, b) => toU64(a - b) },
  // As the instructions do: division by zero gives 0, the remainder is the dividend.
  {
    "*": (a, b) => toU64(a * b),
    "/": (a, b) => (b === 0n ? 0n : a / b),
    "%": (a, b) => (b === 0n ? a : a % b),
  },
];

class Parser {
  private readonly text: string;
  private readonly tokens: Token[] = [];
  private next = 0;
  private depth = 0;

  constructor(text: string) {
    this.text = text;
    if (text.length > TEXT_MAX)
      throw fault("REPL_EXPR", `expression of ${text.length} characters, ${TEXT_MAX} allowed`);
    TOKEN.lastIndex = 0;
    for (let at = 0; at < text.length; at = TOKEN.lastIndex) {
      const found = TOKEN.exec(text);
      if (found === null) this.fail(`${JSON.stringify(text[at])} cannot stand in an expression`, at);
      const [all, num, signed, name, op] = found as RegExpExecArray;
      if (num !== undefined) this.tokens.push({ kind: "num", text: num, at });
      else if (name !== undefined) this.tokens.push({ kind: "name", text: name, at });
      else if (signed !== undefined) this.tokens.push({ kind: "op", text: signed.toLowerCase(), at });
      else if (op !== undefined) this.tokens.push({ kind: "op", text: op, at });
      if (all === "") break;
    }
    this.tokens.push({ kind: "end", text: "", at: text.length });
  }

  fail(message: string, at: number, length = 1): never {
    const shown = withCaret(this.text.replace(/\p{Cc}/gu, " "), at, length);
    throw fault("REPL_EXPR", `${message}\n${shown}`);
  }

  private peek(ahead = 0): Token {
    return this.tokens[Math.min(this.next + ahead, this.tokens.length - 1)] as Token;
  }
  private take(): Token {
    const token = this.peek();
    this.next++;
    return token;
  }
  private accept(text: string): boolean {
    const token = this.peek();
    if (token.kind === "end" || token.text !== text) return false;
    this.next++;
    return true;
  }
  private expect(text: string): void {
    if (this.accept(text)) return;
    const token = this.peek();
    this.fail(
      `${token.kind === "end" ? "the end" : token.text} found, ${text} needed`,
      token.at,
      token.text.length,
    );
  }

  whole(): Expr {
    const expr = this.binary(0);
    const token = this.peek();
    if (token.kind !== "end")
      this.fail(`${token.text} found, an operator or the end needed`, token.at, token.text.length);
    return expr;
  }

  list(): Expr[] {
    const exprs: Expr[] = [];
    if (this.peek().kind === "end") return exprs;
    do exprs.push(this.binary(0));
    while (this.accept(","));
    const token = this.peek();
    if (token.kind !== "end")
      this.fail(`${token.text} found, a comma or the end needed`, token.at, token.text.length);
    return exprs;
  }

  wholePlace(): ((values: Values) => Place | undefined) | undefined {
    const token = this.take();
    if (token.kind !== "name" || token.text === "map") return undefined;
    const { find } = this.placeNamed(token, token.text);
    return this.peek().kind === "end" ? find : undefined;
  }

  private binary(level: number): Expr {
    const operators = LEVELS[level];
    if (operators === undefined) return this.unary();
    if (++this.depth > DEPTH_MAX * LEVELS.length) this.fail("too deeply nested", this.peek().at);
    let left = this.binary(level + 1);
    for (;;) {
      const token = this.peek();
      const operator = token.kind === "op" ? operators[token.text] : undefined;
      if (operator === undefined || !Object.hasOwn(operators, token.text)) break;
      this.next++;
      const [a, b] = [left, this.binary(level + 1)];
      left = (values) => operator(a(values), b(values));
    }
    this.depth--;
    return left;
  }

  private unary(): Expr {
    const token = this.peek();
    if (++this.depth > DEPTH_MAX * LEVELS.length) this.fail("too deeply nested", token.at);
    try {
      if (this.accept("-")) {
        const of = this.unary();
        return (values) => toU64(-of(values));
      }
      if (this.accept("~")) {
        const of = this.unary();
        return (values) => toU64(~of(values));
      }
      if (this.accept("!")) {
        const of = this.unary();
        return (values) => truth(of(values) === 0n);
      }
      if (this.accept("*")) return this.load(token);
      if (this.accept("&")) return this.addressOf();
      return this.primary();
    } finally {
      this.depth--;
    }
  }

  /** Reads what follows the star of `*(u32 *)address`; without a type, 8 bytes. */
  private load(star: Token): Expr {
    let size = 8;
    let isSigned = false;
    const type = this.peek(1).text;
    if (this.peek().text === "(" && Object.hasOwn(SIZES, type) && this.peek(2).text === "*") {
      this.next += 3;
      this.expect(")");
      size = SIZES[type] ?? 8;
      isSigned = type.startsWith("s");
    }
    const address = this.unary();
    return (values) => {
      const value = values.read(address(values), size);
      if (value === undefined) {
        throw fault(
          "REPL_EXPR",
          `no memory for ${size} bytes at 0x${address(values).toString(16)}, in ${this.text.slice(star.at)}`,
        );
      }
      return isSigned ? toU64(BigInt.asIntN(size * 8, value)) : value;
    };
  }

  private primary(): Expr {
    const token = this.take();
    if (token.kind === "num") {
      const value = toU64(BigInt(token.text));
      return () => value;
    }
    if (token.kind === "name") return this.named(token);
    if (token.text === "(") {
      const inner = this.binary(0);
      this.expect(")");
      return inner;
    }
    return this.fail(
      `${token.kind === "end" ? "the end" : token.text} found, a number, register or name needed`,
      token.at,
      Math.max(1, token.text.length),
    );
  }

  private named(token: Token): Expr {
    const name = token.text.replace(/^\$/, "");
    const reg = regOf(name);
    if (reg !== undefined) return reg;
    if (name === "map" && this.peek().text === "[") return this.mapNamed(token);
    const { find, isPlain } = this.placeNamed(token, name);
    return (values) => {
      const place = find(values);
      if (place !== undefined) return valueAt(place, values);
      const value = isPlain ? values.name(name) : undefined;
      return value ?? this.unknown(token);
    };
  }

  private unknown(token: Token, what = `nothing is named ${token.text.replace(/^\$/, "")}`): never {
    const shown = withCaret(this.text.replace(/\p{Cc}/gu, " "), token.at, token.text.length);
    throw fault("REPL_EXPR", `${what}\n${shown}`);
  }

  /** Reads `NAME`, `NAME[INDEX]`, `NAME->FIELD`. */
  private placeNamed(token: Token, name: string) {
    const field = this.accept("->") ? this.take() : undefined;
    if (field !== undefined && field.kind !== "name")
      this.fail("a field needed behind ->", field.at, Math.max(1, field.text.length));
    const index = this.peek().text === "[" ? this.bracketed() : undefined;
    const find = (values: Values): Place | undefined => {
      const whole = values.place?.(name, field?.text);
      if (whole === undefined && field !== undefined)
        this.unknown(field, `${name} has no field ${field.text}`);
      if (whole === undefined || index === undefined) return whole;
      const { element } = whole;
      if (element === undefined) return this.unknown(token, `${name} is no array of numbers`);
      return { ...element, address: whole.address + index(values) * BigInt(element.sizeBytes) };
    };
    return { find, isPlain: field === undefined && index === undefined };
  }

  private bracketed(): Expr {
    this.expect("[");
    const inner = this.binary(0);
    this.expect("]");
    return inner;
  }

  /** Reads `map[NAME]`, the map itself, and `map[NAME][KEY]`, the address of what it holds under a key. */
  private mapNamed(token: Token): Expr {
    this.expect("[");
    const name = this.take();
    this.expect("]");
    const key = this.peek().text === "[" ? this.bracketed() : undefined;
    return (values) => {
      const address = values.name(name.text) ?? this.unknown(name, `no map ${name.text}`);
      if (key === undefined) return address;
      const wanted = key(values);
      return (
        values.entry?.(name.text, wanted) ?? this.unknown(token, `${name.text} holds nothing under ${wanted}`)
      );
    };
  }

  /** Reads what stands behind `&`. */
  private addressOf(): Expr {
    const token = this.take();
    if (token.kind !== "name") this.fail("a name needed behind &", token.at, Math.max(1, token.text.length));
    const name = token.text.replace(/^\$/, "");
    const { find, isPlain } = this.placeNamed(token, name);
    return (values) =>
      find(values)?.address ?? (isPlain ? values.name(name) : undefined) ?? this.unknown(token);
  }
}

const WORD_SIZES: ReadonlySet<number> = new Set([1, 2, 4, 8]);

/** The number that lies at a place, or the address of what is no number. */
function valueAt({ address, sizeBytes, isSigned, element }: Place, values: Values): bigint {
  if (element !== undefined || !WORD_SIZES.has(sizeBytes)) return address;
  const value = values.read(address, sizeBytes) ?? 0n;
  return isSigned ? toU64(BigInt.asIntN(sizeBytes * 8, value)) : value;
}

/** Reads a register's name: r0..r10, w0..w10, fp. */
export function regOf(name: string): Expr | undefined {
  const idx = regIdx(name);
  if (idx === undefined) return undefined;
  return /^[wW]/.test(name) ? (values) => values.reg(idx) & 0xffff_ffffn : (values) => values.reg(idx);
}

/** Returns the number of a register by its name. */
export function regIdx(name: string): number | undefined {
  if (name === "fp") return 10;
  const found = /^\$?[rRwW](10|\d)$/.exec(name);
  return found === null ? undefined : Number(found[1]);
}

/**
 * Reads an expression: numbers, registers, names, C's operators (unsigned; `s<`, `s>>` and so on are signed) and loads
 * such as `*(u32 *)(r10 - 4)`.
 *
 * @throws REPL_EXPR (InputError) with a caret.
 */
export const parseExpr = (text: string): Expr => new Parser(text.trim()).whole();

/**
 * Reads a variable, an element of one, or a field of the context: what lies in memory under a name.
 *
 * @returns undefined when the text is another expression.
 */
export function parseNamed(text: string): ((values: Values) => Place | undefined) | undefined {
  if (!/^[A-Za-z_][\w.]*\s*(?:\[.*\]|->\s*\w+)?$/s.test(text.trim()) || regIdx(text.trim()) !== undefined)
    return undefined;
  return new Parser(text.trim()).wholePlace();
}

/** Reads expressions with commas between them. */
export const parseExprs = (text: string): Expr[] => new Parser(text.trim()).list();
