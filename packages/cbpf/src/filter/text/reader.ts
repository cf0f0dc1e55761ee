import { type FilterPlace, fault } from "../errors.ts";
import type { FilterToken } from "./lexer.ts";

/** Parentheses, signs and indices inside each other at most. */
const FILTER_DEPTH_MAX = 500;

/** Reads tokens from left to right. */
export class TokenReader {
  private readonly tokens: readonly FilterToken[];
  private at = 0;
  private depth = 0;

  constructor(tokens: readonly FilterToken[]) {
    this.tokens = tokens;
  }

  /** The token that comes next; at the end, `end` again and again. */
  peek(ahead = 0): FilterToken {
    return (this.tokens[this.at + ahead] ?? this.tokens.at(-1)) as FilterToken;
  }

  next(): FilterToken {
    const token = this.peek();
    this.at += 1;
    return token;
  }

  /** End of the token before. */
  get end(): number {
    return this.tokens[this.at - 1]?.end ?? 0;
  }

  isWord(word: string, ahead = 0): boolean {
    const token = this.peek(ahead);
    return token.kind === "word" && token.text === word;
  }

  /** Takes a word if it comes next. */
  accept(word: string): boolean {
    if (!this.isWord(word)) return false;
    this.at += 1;
    return true;
  }

  /** Takes the word that joins two questions if one comes next. */
  acceptJoin(): "and" | "or" | undefined {
    return this.accept("and") ? "and" : this.accept("or") ? "or" : undefined;
  }

  /** Takes a word that must come next. */
  expect(word: string): void {
    if (!this.accept(word)) this.fail();
  }

  /** Takes a token of a kind that must come next. */
  expectKind(kind: FilterToken["kind"]): FilterToken {
    return this.peek().kind === kind ? this.next() : this.fail();
  }

  /** Takes a number, in parentheses or not. */
  number(): number {
    let open = 0;
    while (this.accept("(")) open += 1;
    const { value } = this.expectKind("number");
    for (; open > 0; open--) this.expect(")");
    return value;
  }

  /** Says whether a number comes next that may stand in parentheses. */
  get isAtNumber(): boolean {
    return this.peek().kind === "number" || this.isWord("(");
  }

  /** Ends with tcpdump's words for a token that does not fit. */
  fail(): never {
    const token = this.peek();
    if (token.kind === "bad") {
      const shown = JSON.stringify(token.text);
      return fault(
        "FILTER_CHARACTER",
        `can't parse filter expression: syntax error, ${shown} has no meaning`,
        token,
      );
    }
    return fault("FILTER_SYNTAX", "can't parse filter expression: syntax error", token);
  }

  /** Runs a step that goes one level deeper. */
  nested<T>(step: () => T): T {
    this.depth += 1;
    if (this.depth > FILTER_DEPTH_MAX) {
      fault(
        "FILTER_DEPTH",
        `${this.depth} levels inside each other found, ${FILTER_DEPTH_MAX} allowed`,
        this.peek(),
      );
    }
    const result = step();
    this.depth -= 1;
    return result;
  }

  /** The stretch from a place to the token before. */
  since(start: number): FilterPlace {
    return { start, end: Math.max(start, this.end) };
  }
}
