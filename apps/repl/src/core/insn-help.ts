import { printInsn } from "@tsbpf/asm";
import { type FieldRule, INSN_ROWS, type Insn, type InsnRow, insnOfRow, makeInsn } from "@tsbpf/isa";

const ROWS_SHOWN = 24;
const WORD_CHARS_MIN = 2;
const SECOND_HALF = makeInsn(0);

/** An instruction of a row, with small values wherever the row leaves a choice. */
function exampleOf(row: InsnRow): readonly Insn[] {
  const pick = (rule: FieldRule, value: number): number | undefined =>
    typeof rule === "string" && rule !== "zero" ? value : undefined;
  const fields = {
    dst: pick(row.dst, 1),
    src: pick(row.src, 2),
    off: pick(row.off, 4),
    imm: pick(row.imm, 5),
  };
  const given = Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined));
  return [insnOfRow(row, given), SECOND_HALF];
}

interface InsnPage {
  readonly row: InsnRow;
  /** As the kernel writes it, and as uBPF does. */
  readonly kernel: string;
  readonly mnemonic: string;
}

const pageOf = (row: InsnRow): InsnPage => {
  const insns = exampleOf(row);
  return { row, kernel: printInsn(insns, 0), mnemonic: printInsn(insns, 0, { syntax: "mnemonic" }) };
};

/** Words that a row is found by: the parts of its name, and its mnemonic. */
const wordsOf = ({ row, mnemonic }: InsnPage): string[] => [
  ...row.id.toLowerCase().split(/[^a-z0-9_]+/),
  ...(mnemonic.startsWith("(") ? [] : [mnemonic.split(" ")[0] ?? ""]),
];

/**
 * Prints the rows of the instruction table that a word names: how each is written, and its section of the RFC.
 *
 * @param isWhole - whether the word must be a whole name, not the start of one.
 */
export function insnHelp(word: string, isWhole = false): string {
  const wanted = word.toLowerCase();
  if (wanted.length < WORD_CHARS_MIN) return "";
  const found = INSN_ROWS.map(pageOf).filter((page) =>
    wordsOf(page).some((one) => (isWhole ? one === wanted : one.startsWith(wanted))),
  );
  const lines = found
    .slice(0, ROWS_SHOWN)
    .map(
      ({ row, kernel, mnemonic }) =>
        `  0x${row.op.toString(16).padStart(2, "0")}  ${kernel.padEnd(47)} ${mnemonic === kernel ? "" : mnemonic}`.trimEnd() +
        `  ; ${row.id}, ${row.source}`,
    );
  const more = found.length - ROWS_SHOWN;
  return [...lines, ...(more > 0 ? [`  … ${more} more`] : [])].join("\n");
}
