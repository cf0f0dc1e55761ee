import type { FilterPlace } from "../errors.ts";
import {
  acceptRelation,
  continueArithmetic,
  isAtOperator,
  parseArithmetic,
  parseLoad,
} from "./arithmetic.ts";
import {
  type ChainPart,
  type IdPart,
  isAtId,
  negateId,
  numberId,
  parseIdChain,
  parseNamedId,
  readChain,
} from "./ids.ts";
import { tokenize } from "./lexer.ts";
import { parsePrimitive } from "./primitives.ts";
import { TokenReader } from "./reader.ts";
import type { Arithmetic, Expression, Qualifier } from "./tree.ts";
import { isProtocol } from "./words.ts";

/** A whole question. */
interface TermPart extends ChainPart {
  readonly kind: "term";
}

/** A number that is a question or an operand, which only what follows can tell. */
interface NumberPart extends FilterPlace {
  readonly kind: "number";
  readonly value: number;
}

interface ArithmeticPart {
  readonly kind: "arithmetic";
  readonly of: Arithmetic;
}

type Part = TermPart | IdPart | NumberPart | ArithmeticPart;

/** What the place where a part stands knows. */
interface Where {
  /** Of the part before, which an id without one takes over. */
  readonly qualifier: Qualifier | undefined;
  /** Whether an id may stand here: not at the start of a chain. */
  readonly takesId: boolean;
}

/**
 * Parses a filter.
 *
 * The grammar is that of pcap-filter(7), the ranks being those of libpcap: `and` and `or` bind alike and to the left,
 * an id without a qualifier takes that of the part before it.
 *
 * @returns undefined for an empty filter, which takes every packet.
 */
export function parseFilter(text: string): Expression | undefined {
  const reader = new TokenReader(tokenize(text));
  if (reader.peek().kind === "end") return undefined;
  const chain = parseChain(reader, parseTerm(reader, { qualifier: undefined, takesId: false }));
  if (reader.peek().kind !== "end") reader.fail();
  return chain.of;
}

/** Reads a part that must be a question of its own. */
function parseTerm(reader: TokenReader, where: Where): TermPart {
  const part = parsePart(reader, where);
  return part.kind === "term" ? part : reader.fail();
}

/** Reads what follows the first part of a chain. */
const parseChain = (reader: TokenReader, first: TermPart): TermPart =>
  readChain(reader, first, (qualifier) =>
    asQuestion(reader, parsePart(reader, { qualifier, takesId: true }), qualifier),
  );

/** Makes a question of a part where an id may stand. */
function asQuestion(reader: TokenReader, part: Part, qualifier: Qualifier | undefined): TermPart | IdPart {
  if (part.kind === "number") return numberId(part.value, { start: part.start, end: part.end }, qualifier);
  return part.kind === "arithmetic" ? reader.fail() : part;
}

function parsePart(reader: TokenReader, where: Where): Part {
  const token = reader.peek();
  const { start } = token;
  if (reader.accept("!")) return reader.nested(() => parseNegated(reader, where, start));
  if (reader.accept("(")) {
    return compared(
      reader,
      reader.nested(() => parseParentheses(reader, where, start)),
    );
  }
  if (where.takesId && isAtId(reader)) return parseNamedId(reader, where.qualifier);
  if (token.kind === "number") {
    reader.next();
    return compared(reader, { kind: "number", value: token.value, ...reader.since(start) });
  }
  if (token.kind === "word" && isProtocol(token.text) && reader.isWord("[", 1)) {
    return compared(reader, { kind: "arithmetic", of: parseLoad(reader, token.text) });
  }
  if (reader.isWord("len") || reader.isWord("-")) {
    return compared(reader, { kind: "arithmetic", of: parseArithmetic(reader) });
  }
  return { kind: "term", ...parsePrimitive(reader) };
}

function parseNegated(reader: TokenReader, where: Where, start: number): Part {
  const part = parsePart(reader, where);
  if (part.kind === "term") return { ...part, of: { kind: "not", of: part.of, ...reader.since(start) } };
  if (part.kind === "id") return negateId(part, reader.since(start));
  if (!where.takesId) return reader.fail();
  return negateId(asQuestion(reader, part, where.qualifier) as IdPart, reader.since(start));
}

/** Reads to the closing parenthesis; what is inside tells what the whole is. */
function parseParentheses(reader: TokenReader, where: Where, start: number): Part {
  const first = parsePart(reader, where);
  const close = <T>(part: T): T => {
    reader.expect(")");
    return part;
  };
  switch (first.kind) {
    case "term": {
      const { of } = close(parseChain(reader, first));
      return { kind: "term", of: { ...of, ...reader.since(start) }, qualifier: where.qualifier };
    }
    case "id":
      return close(parseIdChain(reader, first));
    case "arithmetic":
      close(first);
      return { kind: "arithmetic", of: { ...first.of, ...reader.since(start) } };
    case "number": {
      if (reader.accept(")")) return { ...first, ...reader.since(start) };
      if (!where.takesId) return reader.fail();
      const id = numberId(first.value, { start: first.start, end: first.end }, where.qualifier);
      return close(parseIdChain(reader, id));
    }
  }
}

/** Reads on after an operand: operators, then a comparison, which makes a question of it. */
function compared(reader: TokenReader, part: Part): Part {
  if (part.kind !== "number" && part.kind !== "arithmetic") return part;
  const first: Arithmetic = part.kind === "number" ? part : part.of;
  const left = isAtOperator(reader) ? continueArithmetic(reader, first) : first;
  const relation = acceptRelation(reader);
  if (relation === undefined) return left === first ? part : { kind: "arithmetic", of: left };
  const right = parseArithmetic(reader);
  const of = { kind: "relation", relation, left, right, ...reader.since(left.start) } as const;
  return { kind: "term", of, qualifier: undefined };
}
