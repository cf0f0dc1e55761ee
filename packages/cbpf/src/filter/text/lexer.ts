import type { FilterPlace } from "../errors.ts";
import { fault } from "../errors.ts";
import { matchIp6, matchMac } from "./addresses.ts";
import { parseNumber } from "./number.ts";
import { constantOf, wordOf } from "./words.ts";

/**
 * - `word`: a word or sign of the language, `text` being its canonical spelling
 * - `number`: a number or the name of one
 * - `name`: any other name; what follows a backslash is one, too
 * - `ip`: two to four numbers with dots between
 * - `ip6`, `mac`, `arc`: addresses
 * - `bad`: a character that belongs to none
 */
export type FilterTokenKind = "word" | "number" | "name" | "ip" | "ip6" | "mac" | "arc" | "bad" | "end";

export interface FilterToken extends FilterPlace {
  readonly kind: FilterTokenKind;
  readonly text: string;
  /** Of a `number`. */
  readonly value: number;
}

const SPACE = /[ \r\n\t]+/y;
const NUMBER = /0[xX][0-9A-Fa-f]+|[0-9]+/y;
const DOTTED = /(?:0[xX][0-9A-Fa-f]+|[0-9]+)(?:\.(?:0[xX][0-9A-Fa-f]+|[0-9]+)){1,3}/y;
const NAME = /[A-Za-z0-9](?:[-_.A-Za-z0-9]*[.A-Za-z0-9])?/y;
const ESCAPED = /\\[^ !()\n\t]+/y;
const ARC = /\$[0-9A-Fa-f]{1,2}/y;
const BOGUS_MAC = /[0-9A-Fa-f]{1,2}:+(?:[0-9A-Fa-f]{1,2}:+)+/y;
const SIGN = /&&|\|\||>=|<=|!=|==|<<|>>|[+\-*/%:[\]!<>()&|^=]/y;

const SIGN_WORDS: Readonly<Record<string, string>> = { "&&": "and", "||": "or", "==": "=" };

const lengthAt = (pattern: RegExp, text: string, at: number): number => {
  pattern.lastIndex = at;
  return pattern.exec(text)?.[0].length ?? 0;
};

/** The readings of the text at a place; of the longest ones the first in this order counts. */
const READINGS: readonly {
  readonly kind: FilterTokenKind | "bogus-mac";
  readonly match: (text: string, at: number) => number;
}[] = [
  { kind: "word", match: wordLength },
  { kind: "arc", match: (text, at) => lengthAt(ARC, text, at) },
  { kind: "mac", match: matchMac },
  { kind: "number", match: (text, at) => lengthAt(NUMBER, text, at) },
  { kind: "ip", match: (text, at) => lengthAt(DOTTED, text, at) },
  { kind: "ip6", match: matchIp6 },
  { kind: "bogus-mac", match: (text, at) => lengthAt(BOGUS_MAC, text, at) },
  { kind: "name", match: (text, at) => Math.max(lengthAt(NAME, text, at), lengthAt(ESCAPED, text, at)) },
];

/** Length of a word of the language, or of a sign. */
function wordLength(text: string, at: number): number {
  const name = lengthAt(NAME, text, at);
  if (name > 0 && wordOf(text.slice(at, at + name)) !== undefined) return name;
  return lengthAt(SIGN, text, at);
}

/** Splits a filter into tokens; the last is `end`. */
export function tokenize(text: string): FilterToken[] {
  const tokens: FilterToken[] = [];
  let at = lengthAt(SPACE, text, 0);
  while (at < text.length) {
    const token = tokenAt(text, at);
    tokens.push(token);
    at = token.end + lengthAt(SPACE, text, token.end);
  }
  tokens.push({ kind: "end", text: "", value: 0, start: text.length, end: text.length });
  return tokens;
}

function tokenAt(text: string, start: number): FilterToken {
  let best = { kind: "bad" as FilterTokenKind | "bogus-mac", length: 0 };
  for (const { kind, match } of READINGS) {
    const length = match(text, start);
    if (length > best.length) best = { kind, length };
  }
  const end = start + Math.max(1, best.length);
  const found = text.slice(start, end);
  const place = { start, end };
  switch (best.kind) {
    case "bogus-mac":
      return fault("FILTER_ADDRESS", `bogus ethernet address ${found}`, place);
    case "word":
      return { kind: "word", text: wordOf(found) ?? SIGN_WORDS[found] ?? found, value: 0, ...place };
    case "number":
      return { kind: "number", text: found, value: parseNumber(found, place), ...place };
    case "name": {
      if (found.startsWith("\\")) return { kind: "name", text: found.slice(1), value: 0, ...place };
      const value = constantOf(found);
      if (value !== undefined) return { kind: "number", text: found, value, ...place };
      return { kind: "name", text: found, value: 0, ...place };
    }
    default:
      return { kind: best.kind, text: found, value: 0, ...place };
  }
}
