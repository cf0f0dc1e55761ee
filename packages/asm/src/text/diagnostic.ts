import { InputError } from "@tsbpf/base";

/** Every code an assembly error may carry; each is reached by a test. */
export const ASM_ERROR_CODES = [
  "ASM_CHARACTER",
  "ASM_LINE_LENGTH",
  "ASM_COMMENT_OPEN",
  "ASM_SYNTAX",
  "ASM_TRAILING",
  "ASM_UNKNOWN_INSN",
  "ASM_DIRECTIVE",
  "ASM_REGISTER",
  "ASM_REGISTER_WIDTH",
  "ASM_REGISTER_MATCH",
  "ASM_NUMBER",
  "ASM_RANGE",
  "ASM_SIZE",
  "ASM_LABEL_NAME",
  "ASM_LABEL_DUPLICATE",
  "ASM_LABEL_UNKNOWN",
  "ASM_JUMP_RANGE",
  "ASM_CALL_UNKNOWN",
  "ASM_CALL_AMBIGUOUS",
  "ASM_HELPER_ID",
  "ASM_SYMBOL_UNKNOWN",
  "ASM_OPCODE_PREFIX",
  "ASM_SLOT_PREFIX",
  "ASM_BYTES",
  "ASM_PROGRAM_LENGTH",
  "ASM_TOO_MANY_ERRORS",
] as const;
export type AsmErrorCode = (typeof ASM_ERROR_CODES)[number];

/** Every code an assembly warning may carry: the text assembles, but perhaps not to what was meant. */
export const ASM_WARNING_CODES = ["ASM_SIGN_EXTENDED", "ASM_COMMENTED_CODE"] as const;
export type AsmWarningCode = (typeof ASM_WARNING_CODES)[number];

/** A stretch of one source line. */
export interface SourcePlace {
  /** 1-based. */
  readonly line: number;
  /** 1-based, in UTF-16 units. */
  readonly column: number;
  /** At least 1. */
  readonly length: number;
}

/** What is wrong with one place of an assembly text. */
export interface AsmDiagnostic<Code extends string = string> extends SourcePlace {
  readonly code: Code;
  readonly message: string;
  /** One action that would help. */
  readonly suggestion?: string;
  /** The whole source line. */
  readonly lineText: string;
}

/** Columns of a source line that a caret block shows at most. */
const WINDOW_COLUMNS = 100;
const WINDOW_BEFORE = 60;

/** Cuts a piece of input to what fits a message. */
export const clip = (text: string, max = 40): string =>
  text.length <= max ? text : `${text.slice(0, max - 1)}…`;

/** Control characters other than the tab would garble a terminal. */
const printable = (text: string): string =>
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is replaced
  text.replace(/[\u0000-\u0008\u000a-\u001f\u007f-\u009f]/g, "\ufffd");

function caretLines(diagnostic: AsmDiagnostic, gutter: string): string[] {
  const { lineText, column, length } = diagnostic;
  const start = Math.max(0, column - 1 - WINDOW_BEFORE);
  const end = Math.min(lineText.length, start + WINDOW_COLUMNS);
  const shown = printable(lineText.slice(start, end));
  const lead = start > 0 ? "…" : "";
  const pad = `${start > 0 ? " " : ""}${lineText.slice(start, column - 1).replace(/[^\t]/g, " ")}`;
  const room = Math.max(1, end - (column - 1));
  const carets = `^${"~".repeat(Math.max(0, Math.min(length, room) - 1))}`;
  const blank = " ".repeat(gutter.length);
  return [`${gutter} | ${lead}${shown}${end < lineText.length ? "…" : ""}`, `${blank} | ${pad}${carets}`];
}

/**
 * Renders a diagnostic as people know it from compilers: place, text, the source line and a caret below it.
 *
 * @param file - name shown before the place.
 */
export function formatDiagnostic(diagnostic: AsmDiagnostic, file = "asm"): string {
  const { line, column, code, message, suggestion } = diagnostic;
  const gutter = `${line}`.padStart(5);
  const lines = [`${file}:${line}:${column}: ${code}: ${message}`, ...caretLines(diagnostic, gutter)];
  if (suggestion !== undefined) lines.push(`${" ".repeat(gutter.length)} = ${suggestion}`);
  return lines.join("\n");
}

/** All errors of one assembly text; `code` is that of the first. */
export class AsmError extends InputError {
  readonly diagnostics: readonly AsmDiagnostic<AsmErrorCode>[];
  readonly file: string;

  constructor(diagnostics: readonly AsmDiagnostic<AsmErrorCode>[], file = "asm") {
    const first = diagnostics[0];
    const more = diagnostics.length > 1 ? `, and ${diagnostics.length - 1} more` : "";
    super(
      first?.code ?? "ASM_SYNTAX",
      first === undefined ? "no text" : `${first.message}, at ${file}:${first.line}:${first.column}${more}`,
      { details: { file, diagnostics } },
    );
    this.diagnostics = diagnostics;
    this.file = file;
  }

  /** Renders every error with its source line and a caret. */
  format(): string {
    return this.diagnostics.map((diagnostic) => formatDiagnostic(diagnostic, this.file)).join("\n");
  }
}
