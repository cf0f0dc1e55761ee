import type { Insn } from "./insn.ts";
import type { FieldRule, InsnRow } from "./row.ts";
import { ALU_ROWS } from "./rows/alu.ts";
import { ATOMIC_ROWS } from "./rows/atomic.ts";
import { CALL_ROWS, JUMP_ROWS } from "./rows/jump.ts";
import { MEMORY_ROWS } from "./rows/memory.ts";

/** Every instruction of the set, once. */
export const INSN_ROWS: readonly InsnRow[] = [
  ...ALU_ROWS,
  ...JUMP_ROWS,
  ...CALL_ROWS,
  ...MEMORY_ROWS,
  ...ATOMIC_ROWS,
];

const BY_OP: readonly (readonly InsnRow[])[] = Array.from({ length: 256 }, (_, op) =>
  INSN_ROWS.filter((row) => row.op === op),
);

const BY_ID: ReadonlyMap<string, InsnRow> = new Map(INSN_ROWS.map((row) => [row.id, row]));

/** Returns the rows that share an opcode byte; none when Linux and RFC 9669 know no such byte. */
export const rowsOfOp = (op: number): readonly InsnRow[] => BY_OP[op] ?? [];

/** Returns the row of a name such as `add64.k`. */
export const rowOfId = (id: string): InsnRow | undefined => BY_ID.get(id);

/** Says whether a field value is one that the rule lists; `reg` covers r0..r10. */
export function isFieldAllowed(rule: FieldRule, value: number): boolean {
  if (rule === "zero") return value === 0;
  if (rule === "reg") return value >= 0 && value <= 10;
  if (rule === "any" || rule === "jump" || rule === "call") return true;
  return rule.includes(value);
}

/** Makes an instruction of a row: fields that select the row or that must be zero need not be given. */
export function insnOfRow(row: InsnRow, fields: Partial<Omit<Insn, "op">> = {}): Insn {
  const fill = (field: "dst" | "src" | "off" | "imm"): number => {
    const rule = row[field];
    return fields[field] ?? (typeof rule === "string" ? 0 : (rule[0] ?? 0));
  };
  return { op: row.op, dst: fill("dst"), src: fill("src"), off: fill("off"), imm: fill("imm") };
}

type Field = "dst" | "src" | "off" | "imm";

/** A rule that tells rows with the same opcode apart. */
const isSelector = (rule: FieldRule): boolean => typeof rule !== "string";

/** Fields by which at least one row of the same opcode is selected. */
const selectorFields = (rows: readonly InsnRow[]): readonly Field[] =>
  (["dst", "src", "off", "imm"] as const).filter((field) => rows.some((row) => isSelector(row[field])));

const SELECTORS = BY_OP.map(selectorFields);

/** Among siblings, zero selects the row that does not list values. */
const isSelected = (rule: FieldRule, value: number, hasSibling: boolean): boolean =>
  isSelector(rule) || (hasSibling && rule === "zero") ? isFieldAllowed(rule, value) : true;

/**
 * Finds the row of an instruction, by its opcode and by the fields that select an operation (the offset of a
 * signed division, the immediate of an atomic, the source of a call or wide load). Other fields may still be wrong.
 */
export function rowOf(insn: Insn): InsnRow | undefined {
  const rows = BY_OP[insn.op];
  const selectors = SELECTORS[insn.op];
  if (rows === undefined || selectors === undefined) return undefined;
  if (selectors.length === 0) return rows[0];
  for (const row of rows) if (isRowOf(row, insn, selectors, rows.length > 1)) return row;
  return undefined;
}

function isRowOf(row: InsnRow, insn: Insn, selectors: readonly Field[], hasSibling: boolean): boolean {
  for (const field of selectors) if (!isSelected(row[field], insn[field], hasSibling)) return false;
  return true;
}
