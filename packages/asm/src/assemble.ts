import { LIMITS, printHexBytes } from "@tsbpf/base";
import { encodeInsns } from "@tsbpf/isa";
import { Draft } from "./draft.ts";
import { readStatement, type Statement } from "./parse/statement.ts";
import type { AssembledProg, AssembleOptions } from "./program.ts";
import { listFuncs, resolveRefs } from "./resolve.ts";
import { Cursor, StatementError } from "./text/cursor.ts";
import { AsmError } from "./text/diagnostic.ts";
import { lexLine, type Token } from "./text/lexer.ts";
import { type AsmComment, type SourceLine, scanLines } from "./text/lines.ts";
import { type Prefix, readPrefix } from "./text/prefix.ts";

/** Columns of code on one line; comments do not count. Bounds the work of a hostile line. */
const CODE_COLUMNS_MAX = 4096;
const ERRORS_MAX = 100;
/** Length of a comment that is looked at as commented-out code. */
const COMMENTED_MAX = 200;

interface Reading {
  readonly draft: Draft;
  readonly options: AssembleOptions;
  /** What to add to a listing's slot numbers, from its first one on: excerpts need not start at 0. */
  slotShift: number | undefined;
}

const tokenAt = (column: number, text: string): Token => ({ kind: "punct", text, column });

/** Lexes a line; failures become errors. */
function tokensOf(source: SourceLine, from: number, draft: Draft): Token[] | undefined {
  const lexed = lexLine(source.code, from);
  if (Array.isArray(lexed)) return lexed;
  const text = source.code.slice(lexed.column - 1, lexed.column - 1 + lexed.length);
  draft.error(lexed.code, lexed.message, tokenAt(lexed.column, text), source);
  return undefined;
}

/** Compares the bytes of a listing with the slots they should be. */
function checkBytes(draft: Draft, slot: number, bytes: string, source: SourceLine): void {
  const ours = printHexBytes(encodeInsns(draft.insns.slice(slot, slot + bytes.length / 16)));
  if (ours === bytes) return;
  const column = source.code.search(/[0-9a-f]{2} /) + 1;
  const text = `the listing has the bytes ${bytes}, the instruction encodes to ${ours}`;
  draft.error("ASM_BYTES", text, tokenAt(column, bytes), source);
}

/** Holds a listing's slot number and opcode against what was assembled. */
function checkPrefix(reading: Reading, prefix: Prefix, slot: number, source: SourceLine): void {
  const { draft } = reading;
  const shown = source.code.slice(0, prefix.end).trim();
  const token = tokenAt(source.code.search(/\S/) + 1, shown);
  if (prefix.slot !== undefined) {
    reading.slotShift ??= prefix.slot - slot;
    if (prefix.slot - slot !== reading.slotShift) {
      const expected = slot + reading.slotShift;
      const text = `the listing says slot ${prefix.slot}, the instruction comes at slot ${expected}`;
      const hint = "a log that follows several paths is not a program, take a listing";
      draft.error("ASM_SLOT_PREFIX", text, token, source, hint);
      reading.slotShift = prefix.slot - slot;
    }
  }
  const op = draft.insns[slot]?.op;
  if (prefix.opcode !== undefined && op !== undefined && prefix.opcode !== op) {
    const hex = (value: number): string => value.toString(16).padStart(2, "0");
    const text = `the listing has opcode ${hex(prefix.opcode)}, the instruction is ${hex(op)}`;
    draft.error("ASM_OPCODE_PREFIX", text, token, source);
  }
  // References are open still; bytes of a relocatable object hold zeros there.
  if (prefix.bytes !== undefined && draft.refs.at(-1)?.slot !== slot) {
    checkBytes(draft, slot, prefix.bytes, source);
  }
}

function applyStatement(draft: Draft, statement: Statement, source: SourceLine, end: number): void {
  switch (statement.kind) {
    case "insn": {
      const { column } = statement.token;
      draft.push(statement.parsed, { line: source.line, column, length: Math.max(1, end - column) }, source);
      if (draft.insns.length <= LIMITS.progSlots) return;
      const text = `the program has more than ${LIMITS.progSlots} slots`;
      throw new StatementError("ASM_PROGRAM_LENGTH", text, statement.token);
    }
    case "label":
      draft.defineLabel(statement.name, statement.token, source);
      return;
    case "func":
      draft.defineLabel(statement.name, statement.token, source);
      draft.linkages.push({ name: statement.name, linkage: undefined, token: statement.token, source });
      return;
    case "linkage": {
      const { name, linkage, token } = statement;
      draft.linkages.push({ name, linkage, token, source });
      return;
    }
    case "nothing":
      return;
  }
}

/** Skips to the statement after the next separator. */
function skipSeparators(cursor: Cursor): boolean {
  while (cursor.accept(";")) {}
  return cursor.peek().kind !== "end";
}

/** Reads all statements of a line; an error ends its statement only. */
function readLine(reading: Reading, source: SourceLine, prefix: Prefix): number | undefined {
  const { draft } = reading;
  const tokens = tokensOf(source, prefix.end, draft);
  if (tokens === undefined) return undefined;
  const cursor = new Cursor(tokens, reading.options.conformance);
  const context = prefix.opcode === undefined ? {} : { opcode: prefix.opcode };
  let insnSlot: number | undefined;
  while (skipSeparators(cursor)) {
    const slot = draft.insns.length;
    try {
      const statement = readStatement(cursor, context);
      applyStatement(draft, statement, source, cursor.peek().column);
      if (statement.kind === "insn") {
        insnSlot = slot;
        checkPrefix(reading, prefix, slot, source);
      }
    } catch (error) {
      draft.failed(error, source);
      reading.slotShift = undefined;
      cursor.skipStatement();
    }
  }
  if (prefix.opcode === undefined) for (const warning of cursor.warnings) draft.warn(warning, source);
  return insnSlot;
}

/** Says whether a comment would assemble: it may be code after a `;` that was meant as a separator. */
function looksLikeCode(comment: AsmComment): boolean {
  if (comment.mark !== ";" || comment.text === "" || comment.text.length > COMMENTED_MAX) return false;
  const tokens = lexLine(comment.text);
  if (!Array.isArray(tokens)) return false;
  const cursor = new Cursor(tokens);
  try {
    while (skipSeparators(cursor)) {
      if (readStatement(cursor).kind === "label") return false;
    }
    return true;
  } catch (error) {
    if (error instanceof StatementError) return false;
    throw error;
  }
}

function placeComments(draft: Draft, source: SourceLine, insnSlot: number | undefined): void {
  const nextSlot = draft.insns.length;
  for (const comment of source.comments) {
    draft.comments.push(
      insnSlot === undefined ? { ...comment, nextSlot } : { ...comment, slot: insnSlot, nextSlot },
    );
    if (insnSlot === undefined || !looksLikeCode(comment)) continue;
    draft.warn(
      {
        code: "ASM_COMMENTED_CODE",
        message: "what follows ; is a comment, and it reads like code",
        token: tokenAt(comment.column, ";"),
        suggestion: "put it on its own line, or make ; a separator",
      },
      source,
    );
  }
}

function readSource(reading: Reading, source: SourceLine): void {
  const { draft } = reading;
  if (source.code.trimEnd().length > CODE_COLUMNS_MAX) {
    const text = `line of ${source.code.length} columns, at most ${CODE_COLUMNS_MAX} may hold code`;
    draft.error("ASM_LINE_LENGTH", text, tokenAt(CODE_COLUMNS_MAX + 1, ""), source);
    return;
  }
  const prefix = readPrefix(source.code);
  if (prefix.isBytesOnly) {
    const slots = (prefix.bytes?.length ?? 0) / 16;
    checkBytes(draft, Math.max(0, draft.insns.length - slots), prefix.bytes ?? "", source);
    placeComments(draft, source, undefined);
    return;
  }
  placeComments(draft, source, readLine(reading, source, prefix));
}

function readText(text: string, options: AssembleOptions): Draft {
  const draft = new Draft(Math.max(1, options.errorsMax ?? ERRORS_MAX));
  const reading: Reading = { draft, options, slotShift: undefined };
  const lines = scanLines(text, options.semicolon ?? "comment");
  for (let step = lines.next(); ; step = lines.next()) {
    if (!step.done) {
      readSource(reading, step.value);
      if (draft.isFull || draft.insns.length > LIMITS.progSlots) return draft;
      continue;
    }
    const open = step.value;
    if (open === undefined) return draft;
    const source: SourceLine = { line: open.line, text: open.lineText, code: "", comments: [] };
    draft.error("ASM_COMMENT_OPEN", "block comment without its */", tokenAt(open.column, "/*"), source);
    return draft;
  }
}

/** What {@link tryAssemble} answers. */
export type AssembleResult =
  | { readonly ok: true; readonly prog: AssembledProg }
  | { readonly ok: false; readonly error: AsmError };

/** Assembles a text as {@link assemble} does, with its errors as a value. */
export function tryAssemble(text: string, options: AssembleOptions = {}): AssembleResult {
  const draft = readText(text, options);
  const resolved = resolveRefs(draft, options);
  const funcs = listFuncs(draft, resolved.funcSlots, options.entryName);
  if (draft.errors.length > 0) return { ok: false, error: new AsmError(draft.errors, options.file) };
  const { insns, places, comments, warnings } = draft;
  const labels = new Map([...draft.labels].map(([name, label]) => [name, label.slot]));
  const { mapRefs, kernelRefs } = resolved;
  const mapNames = [...new Set(mapRefs.map((ref) => ref.name))];
  return {
    ok: true,
    prog: { insns, labels, funcs, mapRefs, mapNames, kernelRefs, places, comments, warnings },
  };
}

/**
 * Assembles a text in the kernel's and LLVM's notation, in mnemonics, or in a mix, told line by line.
 *
 * @throws the code of the first error (AsmError, an InputError) with all errors of the text in `diagnostics`.
 * @example
 * const { insns } = assemble("r0 = 1\nexit");
 */
export function assemble(text: string, options: AssembleOptions = {}): AssembledProg {
  const result = tryAssemble(text, options);
  if (!result.ok) throw result.error;
  return result.prog;
}
