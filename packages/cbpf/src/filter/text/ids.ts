import type { FilterPlace } from "../errors.ts";
import type { TokenReader } from "./reader.ts";
import type { ChainLink, Expression, Id, Qualifier } from "./tree.ts";

/** A question, and the qualifier that ids after it take over. */
export interface ChainPart {
  readonly of: Expression;
  readonly qualifier: Qualifier | undefined;
}

/** A question about ids. */
export interface IdPart extends ChainPart {
  readonly kind: "id";
}

/** Says whether a name or an address comes next. */
export const isAtId = (reader: TokenReader): boolean => {
  const { kind } = reader.peek();
  return kind === "name" || kind === "ip" || kind === "ip6" || kind === "mac" || kind === "arc";
};

const IP6_BITS = 128;

/** Reads a name or an address; numbers are the caller's. */
export function parseNamedId(reader: TokenReader, qualifier: Qualifier | undefined): IdPart {
  const { start } = reader.peek();
  const id = readId(reader);
  return { kind: "id", of: { kind: "id", qualifier, id, ...reader.since(start) }, qualifier };
}

function readId(reader: TokenReader): Id {
  const token = reader.next();
  const { kind, text, start, end } = token;
  switch (kind) {
    case "ip":
      if (reader.accept("/")) {
        const bits = reader.expectKind("number").value;
        return { kind: "ip-prefix", text, bits, ...reader.since(start) };
      }
      if (reader.accept("mask")) {
        const mask = reader.expectKind("ip").text;
        return { kind: "ip-mask", text, mask, ...reader.since(start) };
      }
      return { kind: "ip", text, start, end };
    case "ip6": {
      const bits = reader.accept("/") ? reader.expectKind("number").value : IP6_BITS;
      return { kind: "ip6", text, bits, ...reader.since(start) };
    }
    case "mac":
    case "arc":
    case "name":
      return { kind, text, start, end };
    default:
      return reader.fail();
  }
}

/** Makes a question of a number. */
export const numberId = (value: number, place: FilterPlace, qualifier: Qualifier | undefined): IdPart => ({
  kind: "id",
  of: { kind: "id", qualifier, id: { kind: "number", value, ...place }, ...place },
  qualifier,
});

/** Reads an id where nothing else may stand: a name, an address, a number, these in parentheses, or negated. */
export function parseId(reader: TokenReader, qualifier: Qualifier | undefined): IdPart {
  const { start } = reader.peek();
  if (reader.accept("!")) {
    const part = reader.nested(() => parseId(reader, qualifier));
    return negateId(part, reader.since(start));
  }
  if (reader.peek().kind === "number") {
    const { value } = reader.next();
    return numberId(value, reader.since(start), qualifier);
  }
  if (reader.accept("(")) {
    const first = reader.nested(() => parseId(reader, qualifier));
    const chain = parseIdChain(reader, first);
    reader.expect(")");
    return chain;
  }
  return isAtId(reader) ? parseNamedId(reader, qualifier) : reader.fail();
}

export const negateId = (part: IdPart, place: FilterPlace): IdPart => ({
  kind: "id",
  of: { kind: "not", of: part.of, ...place },
  qualifier: part.qualifier,
});

/** Reads what follows the first id in parentheses. */
export const parseIdChain = (reader: TokenReader, first: IdPart): IdPart =>
  readChain(reader, first, (qualifier) => parseId(reader, qualifier));

/** Reads what follows the first part of a chain; each part takes over the qualifier of the one before it. */
export function readChain<T extends ChainPart>(
  reader: TokenReader,
  first: T,
  readPart: (qualifier: Qualifier | undefined) => ChainPart,
): T {
  const rest: ChainLink[] = [];
  let { qualifier } = first;
  for (let op = reader.acceptJoin(); op !== undefined; op = reader.acceptJoin()) {
    const part = readPart(qualifier);
    qualifier = part.qualifier;
    rest.push({ op, of: part.of });
  }
  if (rest.length === 0) return first;
  const of = { kind: "chain", first: first.of, rest, ...reader.since(first.of.start) } as const;
  return { ...first, of, qualifier };
}
