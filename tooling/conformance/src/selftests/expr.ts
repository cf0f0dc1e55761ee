import { InputError } from "@tsbpf/base";
import type { Token } from "./tokens.ts";

/** A C integer: its value, and as what type it goes on. */
interface Num {
  readonly value: bigint;
  readonly bits: 32 | 64;
  readonly isSigned: boolean;
}

/** A value of an initialiser. */
export type CValue =
  | { readonly kind: "int"; readonly value: bigint }
  | { readonly kind: "string"; readonly text: string }
  | { readonly kind: "list"; readonly items: readonly CItem[] };

/** One item of a braced list, with the designators before it. */
export interface CItem {
  readonly path: readonly (string | number)[];
  readonly value: CValue;
}

/** What names mean: constants, and facts of types. */
export interface CScope {
  constant(name: string): bigint | undefined;
  sizeOf(type: readonly Token[]): number | undefined;
  offsetOf(
    struct: string,
    path: readonly (string | number)[],
  ): { readonly offset: number; readonly size: number } | undefined;
}

const EMPTY_SCOPE: CScope = { constant: () => undefined, sizeOf: () => undefined, offsetOf: () => undefined };

const LEVELS: readonly (readonly string[])[] = [
  ["||"],
  ["&&"],
  ["|"],
  ["^"],
  ["&"],
  ["==", "!="],
  ["<", ">", "<=", ">="],
  ["<<", ">>"],
  ["+", "-"],
  ["*", "/", "%"],
];
const INT_TYPES: Readonly<Record<string, readonly [bits: number, isSigned: boolean]>> = {
  __u8: [8, false],
  __u16: [16, false],
  __u32: [32, false],
  __u64: [64, false],
  __s8: [8, true],
  __s16: [16, true],
  __s32: [32, true],
  __s64: [64, true],
  u8: [8, false],
  u16: [16, false],
  u32: [32, false],
  u64: [64, false],
  s8: [8, true],
  s16: [16, true],
  s32: [32, true],
  s64: [64, true],
  uint8_t: [8, false],
  uint16_t: [16, false],
  uint32_t: [32, false],
  uint64_t: [64, false],
  int8_t: [8, true],
  int16_t: [16, true],
  int32_t: [32, true],
  int64_t: [64, true],
  char: [8, true],
  short: [16, true],
  int: [32, true],
  long: [64, true],
  unsigned: [32, false],
  signed: [32, true],
  size_t: [64, false],
  __be16: [16, false],
  __be32: [32, false],
  __be64: [64, false],
  __le16: [16, false],
  __le32: [32, false],
  __le64: [64, false],
  __sum16: [16, false],
  __wsum: [32, false],
  _Bool: [8, false],
  bool: [8, false],
};

/** Reads a plain integer type from its words; undefined when it is none. */
export function intType(words: readonly string[]): readonly [bits: number, isSigned: boolean] | undefined {
  const kinds = words.map((word) => INT_TYPES[word]);
  if (kinds.length === 0 || kinds.some((kind) => kind === undefined)) return undefined;
  const isUnsigned = words.includes("unsigned");
  const main = words.filter((word) => word !== "unsigned" && word !== "signed");
  const base = main.includes("short") ? "short" : main.includes("long") ? "long" : main[0];
  const kind = base === undefined ? ([32, true] as const) : INT_TYPES[base];
  return kind === undefined ? undefined : [kind[0], isUnsigned ? false : kind[1]];
}

/** Reads constant expressions and initialisers from tokens. */
export class CReader {
  private readonly tokens: readonly Token[];
  private readonly scope: CScope;
  at: number;

  constructor(tokens: readonly Token[], scope: CScope = EMPTY_SCOPE, at = 0) {
    this.tokens = tokens;
    this.scope = scope;
    this.at = at;
  }

  private peek(ahead = 0): Token | undefined {
    return this.tokens[this.at + ahead];
  }

  private isAt(text: string, ahead = 0): boolean {
    const token = this.peek(ahead);
    return token !== undefined && token.kind === "punct" && token.text === text;
  }

  private accept(text: string): boolean {
    if (!this.isAt(text)) return false;
    this.at += 1;
    return true;
  }

  private expect(text: string): void {
    if (!this.accept(text)) this.fail(`'${text}' wanted`);
  }

  private fail(why: string): never {
    const near = this.tokens
      .slice(this.at, this.at + 6)
      .map((token) => token.text)
      .join(" ");
    throw new InputError("CONFORMANCE_C_SYNTAX", `${why} at: ${near}`);
  }

  /** Reads one initialiser: a braced list, a string or a constant. */
  value(): CValue {
    if (this.isAt("{")) return this.list();
    if (this.peek()?.kind === "string") {
      let text = "";
      for (let token = this.peek(); token?.kind === "string"; token = this.peek()) {
        text += token.text;
        this.at += 1;
      }
      return { kind: "string", text };
    }
    const compound = this.compoundLiteral();
    return compound ?? { kind: "int", value: this.number().value };
  }

  /** Reads `((type) { … })` with any number of parentheses around; undefined when something else stands here. */
  private compoundLiteral(): CValue | undefined {
    const start = this.at;
    let open = 0;
    while (this.accept("(")) open += 1;
    const isCompound = open > 0 && this.isTypeAhead();
    if (isCompound) {
      this.skipType();
      if (this.accept(")") && this.isAt("{")) {
        const list = this.list();
        for (let i = 1; i < open; i++) this.expect(")");
        return list;
      }
    }
    this.at = start;
    return undefined;
  }

  private list(): CValue {
    this.expect("{");
    const items: CItem[] = [];
    while (!this.accept("}")) {
      const path = this.designators();
      items.push({ path, value: this.value() });
      if (!this.accept(",") && !this.isAt("}")) this.fail("',' or '}' wanted");
    }
    return { kind: "list", items };
  }

  private designators(): readonly (string | number)[] {
    const path = this.memberPath(false);
    if (path.length > 0) this.expect("=");
    return path;
  }

  /** Reads `.a[1].b`; `isBare` allows the first name without a dot. */
  private memberPath(isBare: boolean): readonly (string | number)[] {
    const path: (string | number)[] = [];
    for (;;) {
      const isName = path.length === 0 && isBare ? this.peek()?.kind === "name" : this.accept(".");
      if (isName) {
        path.push(this.peek()?.text ?? "");
        this.at += 1;
      } else if (this.accept("[")) {
        path.push(Number(this.number().value));
        this.expect("]");
      } else return path;
    }
  }

  private isTypeAhead(): boolean {
    const token = this.peek();
    if (token?.kind !== "name") return false;
    return (
      token.text === "struct" || token.text === "enum" || token.text === "union" || token.text in INT_TYPES
    );
  }

  private skipType(): readonly Token[] {
    const from = this.at;
    while (this.peek()?.kind === "name" || this.isAt("*")) this.at += 1;
    return this.tokens.slice(from, this.at);
  }

  number(): Num {
    const test = this.binary(0);
    if (!this.accept("?")) return test;
    const yes = this.number();
    this.expect(":");
    const no = this.number();
    return test.value !== 0n ? yes : no;
  }

  private binary(level: number): Num {
    const ops = LEVELS[level];
    if (ops === undefined) return this.unary();
    let left = this.binary(level + 1);
    for (;;) {
      const token = this.peek();
      if (token?.kind !== "punct" || !ops.includes(token.text)) return left;
      this.at += 1;
      left = apply(token.text, left, this.binary(level + 1));
    }
  }

  private unary(): Num {
    if (this.accept("-")) return wrap(this.unary(), (value) => -value);
    if (this.accept("+")) return this.unary();
    if (this.accept("~")) return wrap(this.unary(), (value) => ~value);
    if (this.accept("!")) return int(this.unary().value === 0n ? 1n : 0n);
    if (this.isAt("(")) {
      this.at += 1;
      if (this.isTypeAhead()) return this.cast();
      const inner = this.number();
      this.expect(")");
      return inner;
    }
    return this.primary();
  }

  private cast(): Num {
    const type = this.skipType();
    this.expect(")");
    const { value } = this.unary();
    const isPointer = type.some((token) => token.text === "*");
    const kind = isPointer ? ([64, false] as const) : intType(type.map((token) => token.text));
    const [bits, isSigned] = kind ?? [32, false];
    const cut = isSigned ? BigInt.asIntN(bits, value) : BigInt.asUintN(bits, value);
    return bits < 32 ? int(cut) : { value: cut, bits: bits === 64 ? 64 : 32, isSigned };
  }

  private primary(): Num {
    const token = this.peek();
    this.at += 1;
    if (token?.kind === "number") return literal(token.text);
    if (token?.kind !== "name") return this.fail("an expression wanted");
    if (token.text === "sizeof") return this.sizeOf();
    if (token.text === "offsetof" || token.text === "offsetofend")
      return this.offsetOf(token.text === "offsetofend");
    const value = this.scope.constant(token.text);
    if (value === undefined) return this.fail(`'${token.text}' is not known`);
    const bits = value >= -(1n << 31n) && value < 1n << 31n ? 32 : 64;
    return value >= 1n << 31n && value < 1n << 32n
      ? { value, bits: 32, isSigned: false }
      : { value, bits, isSigned: true };
  }

  private sizeOf(): Num {
    this.expect("(");
    const size = this.scope.sizeOf(this.skipType());
    if (size === undefined) return this.fail("size not known");
    this.expect(")");
    return { value: BigInt(size), bits: 64, isSigned: false };
  }

  private offsetOf(isEnd: boolean): Num {
    this.expect("(");
    const type = this.skipType();
    this.expect(",");
    const path = this.memberPath(true);
    const found = this.scope.offsetOf(type[type.length - 1]?.text ?? "", path);
    if (found === undefined) return this.fail(`${path.join(".")} has no known place`);
    this.expect(")");
    return { value: BigInt(found.offset + (isEnd ? found.size : 0)), bits: 64, isSigned: false };
  }
}

const int = (value: bigint): Num => ({ value, bits: 32, isSigned: true });

function literal(text: string): Num {
  const digits = /^(0[xX][0-9a-fA-F]+|[0-9]+)/.exec(text)?.[0] ?? "0";
  const suffix = text.slice(digits.length).toLowerCase();
  const isOctal = /^0[0-7]+$/.test(digits);
  const value = BigInt(isOctal ? `0o${digits.slice(1)}` : digits);
  const isHex = digits.startsWith("0x") || digits.startsWith("0X") || isOctal;
  const isUnsigned = suffix.includes("u");
  const fitsInt = value < 1n << 31n;
  if (!suffix.includes("l")) {
    if (fitsInt) return { value, bits: 32, isSigned: !isUnsigned };
    if (value < 1n << 32n && (isHex || isUnsigned)) return { value, bits: 32, isSigned: false };
  }
  return { value, bits: 64, isSigned: !isUnsigned && value < 1n << 63n };
}

const fit = (value: bigint, like: { readonly bits: 32 | 64; readonly isSigned: boolean }): Num => ({
  value: like.isSigned ? BigInt.asIntN(like.bits, value) : BigInt.asUintN(like.bits, value),
  bits: like.bits,
  isSigned: like.isSigned,
});

const wrap = (of: Num, change: (value: bigint) => bigint): Num => fit(change(of.value), of);

const OPS: Readonly<Record<string, (a: bigint, b: bigint) => bigint>> = {
  "+": (a, b) => a + b,
  "-": (a, b) => a - b,
  "*": (a, b) => a * b,
  "/": (a, b) => (b === 0n ? 0n : a / b),
  "%": (a, b) => (b === 0n ? 0n : a % b),
  "&": (a, b) => a & b,
  "|": (a, b) => a | b,
  "^": (a, b) => a ^ b,
};
const TESTS: Readonly<Record<string, (a: bigint, b: bigint) => boolean>> = {
  "==": (a, b) => a === b,
  "!=": (a, b) => a !== b,
  "<": (a, b) => a < b,
  ">": (a, b) => a > b,
  "<=": (a, b) => a <= b,
  ">=": (a, b) => a >= b,
  "&&": (a, b) => a !== 0n && b !== 0n,
  "||": (a, b) => a !== 0n || b !== 0n,
};

function apply(op: string, left: Num, right: Num): Num {
  if (op === "<<") return wrap(left, (value) => value << (right.value & 63n));
  if (op === ">>") return wrap(left, (value) => value >> (right.value & 63n));
  const isWide = left.bits === 64 || right.bits === 64;
  const bits = isWide ? 64 : 32;
  const isUnsigned = (!left.isSigned && left.bits === bits) || (!right.isSigned && right.bits === bits);
  const like = { bits, isSigned: !isUnsigned } as const;
  const a = fit(left.value, like).value;
  const b = fit(right.value, like).value;
  const test = TESTS[op];
  if (test !== undefined) return int(test(a, b) ? 1n : 0n);
  const compute = OPS[op];
  return fit(compute === undefined ? 0n : compute(a, b), like);
}

/** Evaluates a constant expression without names. */
export const evalConst = (tokens: readonly Token[]): bigint => new CReader(tokens).number().value;
