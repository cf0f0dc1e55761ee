/** A comment of the text, without its mark. */
export interface AsmComment {
  readonly line: number;
  /** Where the mark stands, 1-based. */
  readonly column: number;
  readonly mark: ";" | "//" | "#" | "/*";
  /** Trimmed; one entry a line for block comments. */
  readonly text: string;
}

/** One line of source: its code with comments blanked out, so that columns stay true. */
export interface SourceLine {
  readonly line: number;
  readonly text: string;
  readonly code: string;
  readonly comments: readonly AsmComment[];
}

/** Where a block comment that never closes began. */
export interface OpenComment {
  readonly line: number;
  readonly column: number;
  readonly lineText: string;
}

const isSpace = (char: string | undefined): boolean => char === undefined || char === " " || char === "\t";

interface Scan {
  readonly text: string;
  readonly line: number;
  readonly semicolon: "comment" | "separator";
  open: OpenComment | undefined;
}

/** The mark of the comment that starts at `at`, if one does. `helper#1` holds no comment. */
function markAt(scan: Scan, at: number): AsmComment["mark"] | undefined {
  const char = scan.text[at];
  if (char === ";") return scan.semicolon === "comment" ? ";" : undefined;
  if (char === "#") return isSpace(scan.text[at - 1]) ? "#" : undefined;
  if (char !== "/") return undefined;
  if (scan.text[at + 1] === "/") return "//";
  return scan.text[at + 1] === "*" ? "/*" : undefined;
}

const MARK = /[;#/]/g;

/** Finds the next comment mark at or after `from`; the line's length when there is none. */
function nextMark(scan: Scan, from: number): number {
  MARK.lastIndex = from;
  for (let found = MARK.exec(scan.text); found !== null; found = MARK.exec(scan.text)) {
    if (markAt(scan, found.index) !== undefined) return found.index;
  }
  return scan.text.length;
}

function scanLine(scan: Scan): SourceLine {
  const { text, line } = scan;
  const comments: AsmComment[] = [];
  let code = "";
  let at = 0;
  while (at < text.length) {
    const start = scan.open === undefined ? nextMark(scan, at) : at;
    code += text.slice(at, start);
    if (start === text.length) break;
    const mark = scan.open === undefined ? markAt(scan, start) : "/*";
    const from = scan.open === undefined ? start + (mark?.length ?? 0) : at;
    if (mark === "/*") {
      scan.open ??= { line, column: start + 1, lineText: text };
      const close = text.indexOf("*/", from);
      const end = close < 0 ? text.length : close;
      comments.push({ line, column: start + 1, mark, text: text.slice(from, end).trim() });
      at = close < 0 ? text.length : close + 2;
      if (close >= 0) scan.open = undefined;
      code += " ".repeat(at - start);
    } else {
      comments.push({ line, column: start + 1, mark: mark ?? ";", text: text.slice(from).trim() });
      break;
    }
  }
  return { line, text, code, comments };
}

/**
 * Splits a text into lines and takes the comments out.
 *
 * Comments are `;`, `//`, `#` to the end of the line and block comments. A `#` counts only after white space or at
 * the start, because the kernel writes `call name#id`. Cost: linear in the text.
 *
 * @param semicolon - whether `;` starts a comment (kernel logs, uBPF, ours) or separates statements (LLVM).
 */
export function* scanLines(
  text: string,
  semicolon: "comment" | "separator",
): Generator<SourceLine, OpenComment | undefined> {
  let open: OpenComment | undefined;
  let line = 0;
  let start = 0;
  while (start <= text.length) {
    line++;
    const feed = text.indexOf("\n", start);
    const end = feed < 0 ? text.length : feed;
    const raw = text.slice(start, text[end - 1] === "\r" && end > start ? end - 1 : end);
    const scan: Scan = { text: raw, line, semicolon, open };
    yield scanLine(scan);
    open = scan.open;
    if (feed < 0) break;
    start = feed + 1;
  }
  return open;
}
