import { endsFunction, labelOf } from "./lines.ts";

/** Why more lines are awaited. */
export type BlockKind =
  /** `{` until `}`. */
  | "braces"
  /** A label: a function until its `exit`, or code until an empty line. */
  | "label"
  /** A jump to a label that is still to come. */
  | "open"
  /** An argument whose brackets are still open. */
  | "brackets";

export const BLOCK_LINES_MAX = 100_000;

/** Counts open brackets of a JavaScript text, strings and comments left out roughly. */
export function openBrackets(text: string): number {
  const bare = text
    .replace(/\/\/[^\n]*|\/\*[\s\S]*?\*\//g, "")
    .replace(/"(?:[^"\\\n]|\\.)*"|'(?:[^'\\\n]|\\.)*'|`(?:[^`\\]|\\.)*`/g, "");
  let open = 0;
  for (const char of bare) {
    if ("([{".includes(char)) open++;
    else if (")]}".includes(char)) open--;
  }
  return open;
}

/** Lines that wait for more. */
export class Block {
  readonly kind: BlockKind;
  readonly lines: string[] = [];
  private open = 0;

  constructor(kind: BlockKind, first: string | undefined) {
    this.kind = kind;
    if (first !== undefined) this.add(first);
  }

  get text(): string {
    return this.lines.join("\n");
  }

  /** Adds a line; says whether the block is whole now. */
  add(line: string): boolean {
    this.lines.push(line);
    switch (this.kind) {
      case "braces":
        return false;
      case "label":
        return endsFunction(line);
      case "open":
        return labelOf(line) !== undefined;
      case "brackets":
        this.open += openBrackets(line);
        return this.open <= 0;
    }
  }
}
