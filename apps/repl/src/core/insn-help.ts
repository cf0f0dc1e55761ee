import { CONFORMANCE_GROUPS, INSN_ROWS, type InsnRow } from "@tsbpf/isa";

/** What a row is called in its own words: `add64 reg`. */
const textOf = (row: InsnRow): string => `${row.id}`;

/** Prints the rows of the instruction table whose names hold a word, with their section of the RFC. */
export function insnHelp(word: string): string {
  const wanted = word.toLowerCase();
  const rows = INSN_ROWS.filter((row) =>
    row.id
      .toLowerCase()
      .split(/[^a-z0-9]+/)
      .some((part) => part.startsWith(wanted)),
  );
  if (rows.length === 0 || wanted.length < 2) return "";
  return rows
    .slice(0, 24)
    .map(
      (row) =>
        `  0x${row.op.toString(16).padStart(2, "0")}  ${textOf(row).padEnd(22)} ${row.action.kind}, ${row.group}, ${row.source}`,
    )
    .join("\n");
}

/** Names of the groups of instructions. */
export const GROUP_NAMES: readonly string[] = CONFORMANCE_GROUPS;
