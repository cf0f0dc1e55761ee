import { parseForeign } from "./foreign.ts";
import { type ChainPart, type IdPart, parseId } from "./ids.ts";
import type { TokenReader } from "./reader.ts";
import type { Direction, Expression, IdType } from "./tree.ts";
import { isProtocol, type Protocol } from "./words.ts";

const DIRECTIONS: ReadonlySet<string> = new Set([
  "src",
  "dst",
  "addr1",
  "addr2",
  "addr3",
  "addr4",
  "ra",
  "ta",
]);
const TYPES: ReadonlySet<string> = new Set(["host", "net", "port", "portrange"]);
const TYPES_WITHOUT_DIRECTION: ReadonlySet<string> = new Set(["proto", "protochain", "gateway"]);

/**
 * Reads what starts with a word: a qualified id, a protocol alone, or one of the other questions. It passes a
 * qualifier on only when it was asked about an id.
 */
export function parsePrimitive(reader: TokenReader): ChainPart {
  const { kind, text, start } = reader.peek();
  if (kind !== "word") return reader.fail();
  const protocol = isProtocol(text) ? text : undefined;
  if (protocol !== undefined) reader.next();
  const qualified = parseQualified(reader, protocol ?? "any", start);
  if (qualified !== undefined) return qualified;
  const question = parseQuestion(reader, protocol, start);
  return { of: question, qualifier: undefined };
}

/** Reads direction, type and id; undefined when what comes next is neither. */
function parseQualified(
  reader: TokenReader,
  protocol: Protocol | "any",
  start: number,
): ChainPart | undefined {
  const direction = parseDirection(reader);
  const type = parseType(reader, direction !== undefined);
  if (direction === undefined && type === undefined) return undefined;
  const part: IdPart = parseId(reader, {
    protocol,
    direction: direction ?? "any",
    type: type ?? "any",
  });
  return { of: { ...part.of, ...reader.since(start) }, qualifier: part.qualifier };
}

function parseDirection(reader: TokenReader): Direction | undefined {
  const { kind, text } = reader.peek();
  if (kind !== "word" || !DIRECTIONS.has(text)) return undefined;
  reader.next();
  if (text !== "src" && text !== "dst") return text as Direction;
  const op = reader.acceptJoin();
  if (op === undefined) return text;
  reader.expect(text === "src" ? "dst" : "src");
  return `src ${op} dst`;
}

function parseType(reader: TokenReader, hasDirection: boolean): IdType | undefined {
  const { kind, text } = reader.peek();
  if (kind !== "word") return undefined;
  if (!TYPES.has(text) && (hasDirection || !TYPES_WITHOUT_DIRECTION.has(text))) return undefined;
  reader.next();
  return text as IdType;
}

function parseQuestion(reader: TokenReader, protocol: Protocol | undefined, start: number): Expression {
  for (const kind of ["broadcast", "multicast"] as const) {
    if (reader.accept(kind)) return { kind, protocol: protocol ?? "any", ...reader.since(start) };
  }
  if (reader.isWord("type") || reader.isWord("subtype") || reader.isWord("dir")) return parseForeign(reader);
  if (protocol !== undefined) return { kind: "protocol", protocol, ...reader.since(start) };
  return parseWord(reader, start);
}

const BYTE_OPS: ReadonlySet<string> = new Set(["&", "|", "<", ">", "="]);

function parseWord(reader: TokenReader, start: number): Expression {
  for (const kind of ["less", "greater", "ifindex"] as const) {
    if (!reader.accept(kind)) continue;
    return { kind, value: reader.expectKind("number").value, ...reader.since(start) };
  }
  for (const kind of ["inbound", "outbound", "pppoed"] as const) {
    if (reader.accept(kind)) return { kind, ...reader.since(start) };
  }
  for (const kind of ["vlan", "mpls", "pppoes", "geneve"] as const) {
    if (!reader.accept(kind)) continue;
    const value = reader.isAtNumber ? reader.number() : undefined;
    return { kind, value, ...reader.since(start) };
  }
  if (reader.accept("byte")) {
    const index = reader.expectKind("number").value;
    const op = reader.next();
    if (op.kind !== "word" || !BYTE_OPS.has(op.text)) return reader.fail();
    const { value } = reader.expectKind("number");
    return { kind: "byte", index, op: op.text, value, ...reader.since(start) };
  }
  if (reader.accept("llc")) {
    const hasType = reader.peek().kind === "name" || reader.isWord("rnr");
    const type = hasType ? reader.next().text.toLowerCase() : undefined;
    return { kind: "llc", type, ...reader.since(start) };
  }
  return parseForeign(reader);
}
