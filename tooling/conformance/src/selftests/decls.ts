import { CReader, type CScope, intType } from "./expr.ts";
import type { Token } from "./tokens.ts";

/** A place inside a struct, in bytes. */
interface Place {
  readonly offset: number;
  readonly type: Shape;
}
interface Shape {
  readonly size: number;
  readonly align: number;
  readonly members?: ReadonlyMap<string, Place>;
  readonly element?: Shape;
}

const POINTER: Shape = { size: 8, align: 8 };
const LIMITS: Readonly<Record<string, bigint>> = {
  NULL: 0n,
  true: 1n,
  false: 0n,
  SHRT_MAX: 32767n,
  SHRT_MIN: -32768n,
  INT_MAX: 2147483647n,
  INT_MIN: -2147483648n,
  UINT_MAX: 4294967295n,
  LLONG_MAX: 9223372036854775807n,
  LLONG_MIN: -9223372036854775808n,
  U32_MAX: 4294967295n,
  U64_MAX: 18446744073709551615n,
  EPERM: 1n,
  ENOENT: 2n,
  ENOMEM: 12n,
  EINVAL: 22n,
};
/** Types whose layout is the machine's, not the headers': registers of x86-64. */
const MACHINE_TYPES: Readonly<Record<string, Shape>> = {
  pt_regs: { size: 168, align: 8 },
  bpf_user_pt_regs_t: { size: 168, align: 8 },
};

/** Enumerators and struct layouts found in preprocessed headers. */
export class Decls implements CScope {
  private readonly constants = new Map<string, bigint>(Object.entries(LIMITS));
  private readonly bodies = new Map<string, { readonly tokens: readonly Token[]; readonly open: number }>();
  private readonly shapes = new Map<string, Shape>(Object.entries(MACHINE_TYPES));

  /** Takes over the enumerators and structs of one file. */
  add(tokens: readonly Token[]): void {
    for (let i = 0; i < tokens.length; i++) {
      const word = tokens[i]?.text;
      const name = tokens[i + 1];
      if (word === "enum") {
        const open = name?.text === "{" ? i + 1 : i + 2;
        if (tokens[open]?.text === "{") this.addEnum(tokens, open);
      } else if (
        (word === "struct" || word === "union") &&
        tokens[i + 2]?.text === "{" &&
        name !== undefined
      ) {
        if (!this.bodies.has(name.text)) this.bodies.set(name.text, { tokens, open: i + 2 });
      }
    }
  }

  private addEnum(tokens: readonly Token[], open: number): void {
    let next = 0n;
    for (let i = open + 1; i < tokens.length && tokens[i]?.text !== "}"; ) {
      const name = tokens[i]?.text ?? "";
      i += 1;
      if (tokens[i]?.text === "=") {
        const reader = new CReader(tokens, this, i + 1);
        next = reader.number().value;
        i = reader.at;
      }
      this.constants.set(name, next);
      next += 1n;
      if (tokens[i]?.text === ",") i += 1;
    }
  }

  constant(name: string): bigint | undefined {
    return this.constants.get(name);
  }

  sizeOf(type: readonly Token[]): number | undefined {
    return this.shapeOf(type)?.size;
  }

  offsetOf(
    struct: string,
    path: readonly (string | number)[],
  ): { readonly offset: number; readonly size: number } | undefined {
    let shape = this.structShape(struct);
    let offset = 0;
    for (const step of path) {
      if (typeof step === "number") {
        shape = shape?.element;
        offset += step * (shape?.size ?? 0);
      } else {
        const place = shape?.members?.get(step);
        offset += place?.offset ?? 0;
        shape = place?.type;
      }
    }
    return shape === undefined ? undefined : { offset, size: shape.size };
  }

  private shapeOf(type: readonly Token[]): Shape | undefined {
    const words = type.map((token) => token.text).filter((word) => word !== "const" && word !== "volatile");
    if (words.includes("*")) return POINTER;
    if (words[0] === "struct" || words[0] === "union") return this.structShape(words[1] ?? "");
    if (words[0] === "enum") return { size: 4, align: 4 };
    const kind = intType(words);
    if (kind !== undefined) return { size: kind[0] / 8, align: kind[0] / 8 };
    return this.shapes.get(words[0] ?? "");
  }

  private structShape(name: string): Shape | undefined {
    const known = this.shapes.get(name);
    if (known !== undefined) return known;
    const body = this.bodies.get(name);
    if (body === undefined) return undefined;
    const isUnion = body.tokens[body.open - 2]?.text === "union";
    const { shape } = this.readBody(body.tokens, body.open, isUnion);
    if (shape !== undefined) this.shapes.set(name, shape);
    return shape;
  }

  /** Lays out the members between the brace at `open` and its partner. */
  private readBody(
    tokens: readonly Token[],
    open: number,
    isUnion: boolean,
  ): { readonly shape: Shape | undefined; readonly end: number } {
    const layout = new Layout(isUnion);
    let i = open + 1;
    while (i < tokens.length && tokens[i]?.text !== "}") {
      const word = tokens[i]?.text;
      let base: Shape | undefined;
      let isAnonymous = false;
      const braceAt = tokens[i + 1]?.text === "{" ? i + 1 : i + 2;
      if ((word === "struct" || word === "union") && tokens[braceAt]?.text === "{") {
        const inner = this.readBody(tokens, braceAt, word === "union");
        base = inner.shape;
        i = skipAttribute(tokens, inner.end);
        isAnonymous = tokens[i]?.text === ";";
      } else {
        const from = i;
        while (tokens[i + 1]?.kind === "name" && tokens[i]?.kind === "name") i += 1;
        // A bit field without a name and a pointer end their type one token later.
        const typeEnd =
          tokens[i + 1]?.text === "*" || (tokens[i + 1]?.text === ":" && i === from) ? i + 1 : i;
        i = Math.max(typeEnd, from + 1);
        base = tokens[i]?.text === "*" ? POINTER : this.shapeOf(tokens.slice(from, i));
      }
      if (base === undefined) return { shape: undefined, end: i };
      if (isAnonymous) layout.addAnonymous(base);
      else i = this.readDeclarators(tokens, i, base, layout);
      if (tokens[i]?.text === ";") i += 1;
    }
    return { shape: layout.finish(alignAttribute(tokens, i + 1)), end: i + 1 };
  }

  private readDeclarators(tokens: readonly Token[], from: number, base: Shape, layout: Layout): number {
    let i = from;
    while (i < tokens.length && tokens[i]?.text !== ";") {
      let type = base;
      while (tokens[i]?.text === "*") {
        type = POINTER;
        i += 1;
      }
      let name = "";
      if (tokens[i]?.kind === "name") {
        name = tokens[i]?.text ?? "";
        i += 1;
      }
      const counts: number[] = [];
      while (tokens[i]?.text === "[") {
        const reader = new CReader(tokens, this, i + 1);
        counts.push(tokens[i + 1]?.text === "]" ? 0 : Number(reader.number().value));
        i = tokens[i + 1]?.text === "]" ? i + 2 : reader.at + 1;
      }
      for (const count of counts.reverse())
        type = { size: type.size * count, align: type.align, element: type };
      if (tokens[i]?.text === ":") {
        const reader = new CReader(tokens, this, i + 1);
        layout.addBits(name, type, Number(reader.number().value));
        i = reader.at;
      } else layout.add(name, type);
      i = skipAttribute(tokens, i);
      if (tokens[i]?.text === ",") i += 1;
    }
    return i;
  }
}

class Layout {
  private readonly isUnion: boolean;
  private readonly members = new Map<string, Place>();
  private bits = 0;
  private size = 0;
  private align = 1;

  constructor(isUnion: boolean) {
    this.isUnion = isUnion;
  }

  private place(type: Shape): number {
    const offset = this.isUnion ? 0 : roundUp(Math.ceil(this.bits / 8), type.align);
    this.bits = (offset + type.size) * 8;
    this.size = Math.max(this.size, offset + type.size);
    this.align = Math.max(this.align, type.align);
    return offset;
  }

  add(name: string, type: Shape): void {
    this.members.set(name, { offset: this.place(type), type });
  }

  addAnonymous(type: Shape): void {
    const offset = this.place(type);
    for (const [name, inner] of type.members ?? []) {
      this.members.set(name, { offset: offset + inner.offset, type: inner.type });
    }
  }

  addBits(name: string, type: Shape, width: number): void {
    const unit = type.size * 8;
    let start = this.isUnion ? 0 : this.bits;
    if (Math.floor(start / unit) !== Math.floor((start + width - 1) / unit)) start = roundUp(start, unit);
    this.bits = start + width;
    this.size = Math.max(this.size, Math.ceil(this.bits / 8));
    if (name !== "") {
      this.align = Math.max(this.align, type.align);
      this.members.set(name, { offset: Math.floor(start / unit) * type.size, type });
    }
  }

  finish(align: number): Shape {
    const whole = Math.max(this.align, align);
    return { size: roundUp(this.size, whole), align: whole, members: this.members };
  }
}

const roundUp = (value: number, to: number): number => Math.ceil(value / to) * to;

/** Alignment that `__attribute__((aligned(N)))` at `i` asks for, 1 when there is none. */
function alignAttribute(tokens: readonly Token[], i: number): number {
  if (tokens[i]?.text !== "__attribute__") return 1;
  return tokens[i + 3]?.text === "aligned" ? Number(tokens[i + 5]?.text ?? 1) : 1;
}

function skipAttribute(tokens: readonly Token[], from: number): number {
  if (tokens[from]?.text !== "__attribute__") return from;
  let depth = 0;
  for (let i = from + 1; i < tokens.length; i++) {
    if (tokens[i]?.text === "(") depth += 1;
    if (tokens[i]?.text === ")") depth -= 1;
    if (depth === 0) return i + 1;
  }
  return tokens.length;
}
