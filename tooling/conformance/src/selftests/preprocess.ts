import { evalConst } from "./expr.ts";
import { stripComments, type Token, tokenize } from "./tokens.ts";

interface Macro {
  /** Undefined for object-like macros. */
  readonly params: readonly string[] | undefined;
  readonly isVariadic: boolean;
  readonly body: readonly Token[];
}

/** Macros by name; files read later see those of earlier ones. */
export type Macros = Map<string, Macro>;

const NUMBER_MACRO = (value: number): Macro => ({
  params: undefined,
  isVariadic: false,
  body: [{ kind: "number", text: String(value) }],
});

/** What a compiler for x86-64 would define. */
export function builtinMacros(): Macros {
  return new Map([
    ["__BYTE_ORDER__", NUMBER_MACRO(1234)],
    ["__ORDER_LITTLE_ENDIAN__", NUMBER_MACRO(1234)],
    ["__ORDER_BIG_ENDIAN__", NUMBER_MACRO(4321)],
    ["__x86_64__", NUMBER_MACRO(1)],
  ]);
}

function define(macros: Macros, text: string): void {
  const head = /^([A-Za-z_]\w*)(\(([^)]*)\))?/.exec(text);
  if (head === null || head[1] === undefined) return;
  const names = head[3]
    ?.split(",")
    .map((name) => name.trim())
    .filter((name) => name !== "");
  const last = names?.[names.length - 1];
  const isVariadic = last?.endsWith("...") ?? false;
  const params = names?.map((name) => (name === "..." ? "__VA_ARGS__" : name.replace(/\.\.\.$/, "").trim()));
  macros.set(head[1], { params, isVariadic, body: tokenize(text.slice(head[0].length)) });
}

/** Tells whether an `#if` holds; what cannot be evaluated counts as false. */
function isTrue(macros: Macros, text: string): boolean {
  const known = text.replace(/defined\s*\(?\s*([A-Za-z_]\w*)\s*\)?/g, (_, name: string) =>
    macros.has(name) ? "1" : "0",
  );
  try {
    const tokens = expand(tokenize(known), macros);
    return (
      evalConst(tokens.map((token) => (token.kind === "name" ? { kind: "number", text: "0" } : token))) !== 0n
    );
  } catch {
    return false;
  }
}

/** Runs the preprocessor over one file: directives update `macros`, the rest comes back expanded. */
export function preprocess(text: string, macros: Macros): Token[] {
  const out: Token[] = [];
  let pending: Token[] = [];
  const conditions: { isOn: boolean; wasOn: boolean }[] = [];
  const flush = (): void => {
    for (const token of expand(pending, macros)) out.push(token);
    pending = [];
  };
  for (const line of stripComments(text)
    .replace(/\\\r?\n/g, " ")
    .split("\n")) {
    const directive = /^\s*#\s*(\w+)\s*(.*)$/.exec(line);
    const isOn = conditions.every((one) => one.isOn);
    if (directive === null) {
      if (isOn) for (const token of tokenize(line)) pending.push(token);
      continue;
    }
    const [, word = "", rest = ""] = directive;
    const top = conditions[conditions.length - 1];
    if (word === "if" || word === "ifdef" || word === "ifndef") {
      const holds = word === "if" ? isTrue(macros, rest) : macros.has(rest.trim()) === (word === "ifdef");
      conditions.push({ isOn: isOn && holds, wasOn: holds });
    } else if (word === "else" && top !== undefined) {
      top.isOn = !top.wasOn;
    } else if (word === "elif" && top !== undefined) {
      top.isOn = !top.wasOn && isTrue(macros, rest);
      top.wasOn ||= top.isOn;
    } else if (word === "endif") {
      conditions.pop();
    } else if (isOn && (word === "define" || word === "undef")) {
      flush();
      if (word === "define") define(macros, rest);
      else macros.delete(rest.trim());
    }
  }
  flush();
  return out;
}

/** Arguments of a macro call whose `(` stands at `open`, and the place behind its `)`. */
function readArgs(
  tokens: readonly Token[],
  open: number,
): { readonly args: Token[][]; readonly end: number } {
  const args: Token[][] = [[]];
  let depth = 0;
  for (let i = open; i < tokens.length; i++) {
    const token = tokens[i] as Token;
    const isPunct = token.kind === "punct";
    if (isPunct && "([{".includes(token.text)) depth += 1;
    if (isPunct && ")]}".includes(token.text)) depth -= 1;
    if (depth === 0) return { args, end: i + 1 };
    // Braces do not protect commas in C, only parentheses do; no macro call here relies on it.
    if (isPunct && token.text === "," && depth === 1) args.push([]);
    else if (i > open) (args[args.length - 1] as Token[]).push(token);
  }
  return { args, end: tokens.length };
}

function bindArgs(macro: Macro, args: readonly Token[][]): ReadonlyMap<string, readonly Token[]> {
  const bound = new Map<string, readonly Token[]>();
  const params = macro.params ?? [];
  params.forEach((name, i) => {
    if (macro.isVariadic && i === params.length - 1) {
      const rest = args
        .slice(i)
        .flatMap((arg, k): Token[] => (k === 0 ? arg : [{ kind: "punct", text: "," }, ...arg]));
      bound.set(name, rest);
    } else bound.set(name, args[i] ?? []);
  });
  return bound;
}

const paste = (left: Token | undefined, right: Token | undefined): readonly Token[] =>
  left === undefined
    ? right === undefined
      ? []
      : [right]
    : right === undefined
      ? [left]
      : tokenize(left.text + right.text);

function substitute(macro: Macro, bound: ReadonlyMap<string, readonly Token[]>, macros: Macros): Token[] {
  const out: Token[] = [];
  const { body } = macro;
  for (let i = 0; i < body.length; i++) {
    const token = body[i] as Token;
    const next = body[i + 1];
    if (token.text === "##" && token.kind === "punct" && next !== undefined) {
      const right = [...(bound.get(next.text) ?? [next])];
      out.push(...paste(out.pop(), right.shift()), ...right);
      i += 1;
    } else if (token.text === "#" && token.kind === "punct" && next !== undefined && bound.has(next.text)) {
      out.push({ kind: "string", text: (bound.get(next.text) ?? []).map((one) => one.text).join("") });
      i += 1;
    } else {
      const value = token.kind === "name" ? bound.get(token.text) : undefined;
      const isPasted = next?.kind === "punct" && next.text === "##";
      if (value === undefined) out.push(token);
      else for (const one of isPasted ? value : expand(value, macros)) out.push(one);
    }
  }
  return out;
}

function expand(tokens: readonly Token[], macros: Macros, hidden: ReadonlySet<string> = new Set()): Token[] {
  const out: Token[] = [];
  for (let i = 0; i < tokens.length; i++) {
    const token = tokens[i] as Token;
    const macro = token.kind === "name" && !hidden.has(token.text) ? macros.get(token.text) : undefined;
    if (macro === undefined) {
      out.push(token);
      continue;
    }
    let bound: ReadonlyMap<string, readonly Token[]> = new Map();
    if (macro.params !== undefined) {
      if (tokens[i + 1]?.text !== "(") {
        out.push(token);
        continue;
      }
      const { args, end } = readArgs(tokens, i + 1);
      bound = bindArgs(macro, args);
      i = end - 1;
    }
    const inner = substitute(macro, bound, macros);
    for (const one of expand(inner, macros, new Set([...hidden, token.text]))) out.push(one);
  }
  return out;
}
