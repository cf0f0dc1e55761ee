import type { Insn } from "@tsbpf/isa";
import type { ParsedInsn, Ref } from "./parse/insn.ts";
import type { PlacedComment } from "./program.ts";
import { StatementError, type StatementWarning } from "./text/cursor.ts";
import type { AsmDiagnostic, AsmErrorCode, AsmWarningCode, SourcePlace } from "./text/diagnostic.ts";
import type { Token } from "./text/lexer.ts";
import type { SourceLine } from "./text/lines.ts";

/** A label, or a mark on one, with the place that defines it. */
export interface Mark {
  readonly name: string;
  readonly token: Token;
  readonly source: SourceLine;
}

export interface LabelMark extends Mark {
  readonly slot: number;
}

export interface LinkageMark extends Mark {
  /** Undefined for `.func`, which leaves it to the default. */
  readonly linkage: "global" | "static" | undefined;
}

/** An instruction that waits for the whole text. */
export interface OpenRef {
  readonly slot: number;
  readonly ref: Ref;
  readonly source: SourceLine;
}

const lengthOf = (token: Token): number => Math.max(1, token.text.length);

/** What has been read so far: slots, and all that later lines may still decide. */
export class Draft {
  readonly insns: Insn[] = [];
  readonly places: SourcePlace[] = [];
  readonly labels = new Map<string, LabelMark>();
  /** Numeric labels may be defined several times; `1b` and `1f` take the nearest. */
  readonly numbered = new Map<string, number[]>();
  readonly linkages: LinkageMark[] = [];
  readonly refs: OpenRef[] = [];
  readonly comments: PlacedComment[] = [];
  readonly errors: AsmDiagnostic<AsmErrorCode>[] = [];
  readonly warnings: AsmDiagnostic<AsmWarningCode>[] = [];

  private readonly errorsMax: number;

  constructor(errorsMax: number) {
    this.errorsMax = errorsMax;
  }

  /** Whether so many errors were found that reading on helps nobody. */
  get isFull(): boolean {
    return this.errors.length >= this.errorsMax;
  }

  error(code: AsmErrorCode, message: string, token: Token, source: SourceLine, suggestion?: string): void {
    if (this.isFull) return;
    const place = { line: source.line, column: token.column, length: lengthOf(token) };
    const found = { code, message, ...place, lineText: source.text };
    this.errors.push(suggestion === undefined ? found : { ...found, suggestion });
    if (!this.isFull) return;
    const text = `more than ${this.errorsMax} errors, the rest of the text was not read`;
    this.errors.push({ code: "ASM_TOO_MANY_ERRORS", message: text, ...place, lineText: source.text });
  }

  failed(error: unknown, source: SourceLine): void {
    if (!(error instanceof StatementError)) throw error;
    this.error(error.code, error.message, error.token, source, error.suggestion);
  }

  warn({ token, ...warning }: StatementWarning, source: SourceLine): void {
    const place = { line: source.line, column: token.column, length: lengthOf(token) };
    if (this.warnings.length < this.errorsMax)
      this.warnings.push({ ...warning, ...place, lineText: source.text });
  }

  push(parsed: ParsedInsn, place: SourcePlace, source: SourceLine): void {
    if (parsed.ref !== undefined) this.refs.push({ slot: this.insns.length, ref: parsed.ref, source });
    for (const slot of parsed.slots) {
      this.insns.push(slot);
      this.places.push(place);
    }
  }

  defineLabel(name: string, token: Token, source: SourceLine): void {
    const slot = this.insns.length;
    if (/^\d/.test(name)) {
      const slots = this.numbered.get(name);
      if (slots === undefined) this.numbered.set(name, [slot]);
      else slots.push(slot);
      return;
    }
    const first = this.labels.get(name);
    if (first === undefined) this.labels.set(name, { name, slot, token, source });
    else
      this.error(
        "ASM_LABEL_DUPLICATE",
        `label ${name} is already defined at line ${first.source.line}`,
        token,
        source,
      );
  }
}
