import type { AsmErrorCode, AsmWarningCode } from "./diagnostic.ts";
import { clip } from "./diagnostic.ts";
import type { Token } from "./lexer.ts";

/** What went wrong in a statement; caught where statements are read, never seen outside the package. */
export class StatementError extends Error {
  readonly code: AsmErrorCode;
  readonly token: Token;
  readonly suggestion: string | undefined;

  constructor(code: AsmErrorCode, message: string, token: Token, suggestion?: string) {
    super(message);
    this.code = code;
    this.token = token;
    this.suggestion = suggestion;
  }
}

export interface StatementWarning {
  readonly code: AsmWarningCode;
  readonly message: string;
  readonly token: Token;
  readonly suggestion?: string;
}

const END: Token = { kind: "end", text: "", column: 1 };

/** Says what a token is, for messages. */
export const describeToken = (token: Token): string =>
  token.kind === "end" ? "the end of the line" : clip(token.text);

/** Reads the tokens of one line from left to right. */
export class Cursor {
  readonly warnings: StatementWarning[] = [];
  /** Whether immediates of more than 32 bits lose their upper bits instead of being refused. */
  readonly wrapsImm: boolean;
  private readonly tokens: readonly Token[];
  private at = 0;

  constructor(tokens: readonly Token[], wrapsImm = false) {
    this.tokens = tokens;
    this.wrapsImm = wrapsImm;
  }

  peek(ahead = 0): Token {
    return this.tokens[this.at + ahead] ?? this.tokens[this.tokens.length - 1] ?? END;
  }

  next(): Token {
    const token = this.peek();
    if (this.at < this.tokens.length) this.at++;
    return token;
  }

  isAt(text: string, ahead = 0): boolean {
    const token = this.peek(ahead);
    return token.kind !== "end" && token.text === text;
  }

  get isAtEnd(): boolean {
    const token = this.peek();
    return token.kind === "end" || token.text === ";";
  }

  /** Takes the token if it reads so. */
  accept(text: string): boolean {
    if (!this.isAt(text)) return false;
    this.at++;
    return true;
  }

  /** Takes a token that must read so. */
  expect(text: string): Token {
    if (!this.isAt(text)) this.failExpected(text);
    return this.next();
  }

  /** Takes a name. */
  name(what: string): Token {
    if (this.peek().kind !== "name") this.failExpected(what);
    return this.next();
  }

  failExpected(what: string, suggestion?: string): never {
    const token = this.peek();
    throw new StatementError(
      "ASM_SYNTAX",
      `expected ${what}, found ${describeToken(token)}`,
      token,
      suggestion,
    );
  }

  /** Skips to the end of the statement; for what has no effect. */
  skipStatement(): void {
    while (!this.isAtEnd) this.at++;
  }
}

/** Ends the statement with an error at a token. */
export function fail(code: AsmErrorCode, message: string, token: Token, suggestion?: string): never {
  throw new StatementError(code, message, token, suggestion);
}
