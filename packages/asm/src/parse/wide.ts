import type { Cursor } from "../text/cursor.ts";
import type { Token } from "../text/lexer.ts";
import { type ParsedInsn, parsedWide, parsedWideImm } from "./insn.ts";
import {
  DISTANCE32,
  IMM64,
  isNumberNext,
  type Range,
  type Register,
  readImm32,
  readNumber,
  readTarget,
} from "./operands.ts";

/** What an offset into a map value may be in text; the field has 32 bits. */
const VALUE_OFFSET: Range = { min: 0n, max: (1n << 32n) - 1n };
const BRACKETED: ReadonlySet<string> = new Set(["map", "map_value", "subprog", "btf"]);
/** The names of RFC 9669 §5.4, which bpf_conformance uses. */
const RFC_NAMES: ReadonlySet<string> = new Set([
  "map_by_fd",
  "map_by_idx",
  "map_val",
  "var_addr",
  "code_addr",
]);
const PREFIXES: ReadonlySet<string> = new Set(["func", "ksym"]);

/** Says whether what comes next can only be the value of a wide load. */
export function isWideOperandNext(cursor: Cursor): boolean {
  const word = cursor.peek().text;
  if (cursor.isAt("&") || PREFIXES.has(word)) return cursor.peek(1).kind === "name" && !cursor.isAt("ll", 1);
  return (BRACKETED.has(word) && cursor.isAt("[", 1)) || (RFC_NAMES.has(word) && cursor.isAt("(", 1));
}

/** Reads `+8`; 0 when there is none. */
const readValueOffset = (cursor: Cursor): number =>
  cursor.isAt("+") ? Number(readNumber(cursor, VALUE_OFFSET, "value offset")) : 0;

/** Reads the `[0]` that stands for the first element of a map. */
function acceptElement(cursor: Cursor): void {
  if (!cursor.accept("[")) return;
  cursor.expect("0");
  cursor.expect("]");
}

/** Reads `map[name]`, `map[id:5]`, `map[fd:5]`, `map[idx:2]`, each perhaps followed by `[0]` and `+8`. */
function readMap(cursor: Cursor, dst: number): ParsedInsn {
  cursor.next();
  cursor.expect("[");
  const token = cursor.name("a map name, id:N, fd:N or idx:N");
  const isNumbered = cursor.isAt(":");
  let imm = 0;
  if (isNumbered) {
    if (!/^(id|fd|idx)$/.test(token.text)) cursor.failExpected("]");
    cursor.next();
    imm = readImm32(cursor, `map ${token.text}`);
  }
  cursor.expect("]");
  acceptElement(cursor);
  const isIdx = isNumbered && token.text === "idx";
  const hasOffset = cursor.isAt("+");
  const valueOffset = readValueOffset(cursor);
  const kind = hasOffset ? (isIdx ? "map_idx_value" : "map_value") : isIdx ? "map_idx" : "map_fd";
  if (isNumbered) return parsedWide(kind, dst, imm, valueOffset | 0);
  const ref = { kind: "map", name: token.text, token } as const;
  return parsedWide(kind, dst, 0, valueOffset | 0, hasOffset ? { ...ref, valueOffset } : ref);
}

/** Reads `map_value[name]`, `map_value[name+8]` or `map_value[name]+8`. */
function readMapValue(cursor: Cursor, dst: number): ParsedInsn {
  cursor.next();
  cursor.expect("[");
  const token = cursor.name("a map name");
  const inner = readValueOffset(cursor);
  cursor.expect("]");
  const valueOffset = inner === 0 ? readValueOffset(cursor) : inner;
  return parsedWide("map_value", dst, 0, valueOffset | 0, {
    kind: "map",
    name: token.text,
    valueOffset,
    token,
  });
}

/** Reads `subprog[+5]`. */
function readSubprog(cursor: Cursor, dst: number): ParsedInsn {
  cursor.next();
  cursor.expect("[");
  const imm = Number(readNumber(cursor, DISTANCE32, "distance"));
  cursor.expect("]");
  return parsedWide("func", dst, imm, 0);
}

/** Reads `btf[123]` or `btf[123, 4]`: a BTF id and the descriptor of a module's BTF. */
function readBtf(cursor: Cursor, dst: number): ParsedInsn {
  cursor.next();
  cursor.expect("[");
  const imm = readImm32(cursor, "BTF id");
  const fd = cursor.accept(",") ? readImm32(cursor, "BTF descriptor") : 0;
  cursor.expect("]");
  return parsedWide("btf_id", dst, imm, fd);
}

/** A map of the RFC's notation before it is known whether its value is meant. */
type RfcMap = { readonly by: "fd" | "idx"; readonly imm: number; readonly token: Token };

/** Reads `map_by_fd(5)`, `map_by_fd(name)` or `map_by_idx(2)`. */
function readRfcMap(cursor: Cursor): RfcMap {
  const by = cursor.isAt("map_by_idx") ? "idx" : "fd";
  if (by === "fd") cursor.expect("map_by_fd");
  else cursor.next();
  cursor.expect("(");
  const token = cursor.peek();
  const isName = by === "fd" && token.kind === "name";
  const imm = isName ? 0 : readImm32(cursor, `map ${by}`);
  if (isName) cursor.next();
  cursor.expect(")");
  return { by, imm, token };
}

/** Reads `map_by_fd(x)`, `map_val(map_by_fd(x))+8`, `var_addr(N)` or `code_addr(x)`. */
function readRfc(cursor: Cursor, dst: number): ParsedInsn {
  const word = cursor.peek().text;
  if (word === "var_addr" || word === "code_addr") {
    cursor.next();
    cursor.expect("(");
    const parsed =
      word === "var_addr" ? parsedWide("btf_id", dst, readImm32(cursor, "id"), 0) : readCode(cursor, dst);
    cursor.expect(")");
    return parsed;
  }
  const isValue = cursor.accept("map_val");
  if (isValue) cursor.expect("(");
  const { by, imm, token } = readRfcMap(cursor);
  if (isValue) cursor.expect(")");
  const valueOffset = isValue ? readValueOffset(cursor) : 0;
  const kind = by === "fd" ? (isValue ? "map_value" : "map_fd") : isValue ? "map_idx_value" : "map_idx";
  if (token.kind !== "name") return parsedWide(kind, dst, imm, valueOffset | 0);
  const ref = { kind: "map", name: token.text, token } as const;
  return parsedWide(kind, dst, 0, valueOffset | 0, isValue ? { ...ref, valueOffset } : ref);
}

/** Reads the label or distance of a function. */
function readCode(cursor: Cursor, dst: number): ParsedInsn {
  const target = readTarget(cursor, DISTANCE32);
  return target.kind === "distance"
    ? parsedWide("func", dst, target.slots, 0)
    : parsedWide("func", dst, 0, 0, { kind: "label", field: "imm", name: target.name, token: target.token });
}

function readPrefixed(cursor: Cursor, dst: number): ParsedInsn {
  const word = cursor.next().text;
  if (word === "ksym") {
    const token = cursor.name("a kernel symbol");
    return parsedWide("btf_id", dst, 0, 0, { kind: "ksym", name: token.text, token });
  }
  return readCode(cursor, dst);
}

/**
 * Reads the value of a wide load, for both notations: a number, a map, a map's value, a function, a kernel
 * symbol, or a bare name that is a function of the text or a map.
 */
export function readWideOperand(cursor: Cursor, dst: Register): ParsedInsn {
  if (isNumberNext(cursor)) {
    const value = BigInt.asUintN(64, readNumber(cursor, IMM64, "64-bit immediate"));
    return parsedWideImm(dst.num, value);
  }
  if (isWideOperandNext(cursor)) {
    const word = cursor.peek().text;
    if (word === "map") return readMap(cursor, dst.num);
    if (word === "map_value") return readMapValue(cursor, dst.num);
    if (word === "subprog") return readSubprog(cursor, dst.num);
    if (word === "btf") return readBtf(cursor, dst.num);
    if (RFC_NAMES.has(word)) return readRfc(cursor, dst.num);
    return readPrefixed(cursor, dst.num);
  }
  const token = cursor.name("a number, a map, a function or a symbol");
  return parsedWide("map_fd", dst.num, 0, 0, { kind: "symbol", name: token.text, token });
}
