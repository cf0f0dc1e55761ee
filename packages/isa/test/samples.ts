import fc from "fast-check";
import { encodeInsns, INSN_ROWS, type Insn, type InsnRow, isFieldAllowed, rowOf } from "../src/index.ts";

export type Field = "dst" | "src" | "off" | "imm";
export const FIELDS: readonly Field[] = ["dst", "src", "off", "imm"];

/** A smallest instance of a row: registers 2 and 3, distances 0, other fields as the row wants them. */
export function sampleOf(row: InsnRow): Insn {
  const pick = (field: Field): number => {
    const rule = row[field];
    if (Array.isArray(rule)) return rule[0] as number;
    if (rule === "reg") return field === "dst" ? 2 : 3;
    return rule === "any" && field === "imm" ? 1 : 0;
  };
  return { op: row.op, dst: pick("dst"), src: pick("src"), off: pick("off"), imm: pick("imm") };
}

const PROBES: Readonly<Record<Field, readonly number[]>> = {
  dst: [1, 11, 15],
  src: [1, 3, 7, 11, 15],
  off: [1, -1, 2, 8, 64],
  imm: [1, -1, 2, 8, 0x10, 0xe0, 0xf0, 0x100, 0x110],
};

export interface Negative {
  readonly row: InsnRow;
  readonly field: Field;
  readonly insn: Insn;
}

/** Instructions that differ from a row's sample in one field, by a value that no row of the opcode allows there. */
export function negativesOfRows(): Negative[] {
  const negatives: Negative[] = [];
  for (const row of INSN_ROWS) {
    const sample = sampleOf(row);
    for (const field of FIELDS) {
      for (const value of PROBES[field]) {
        if (isFieldAllowed(row[field], value)) continue;
        const insn = { ...sample, [field]: value };
        const other = rowOf(insn);
        if (other !== undefined && FIELDS.every((name) => isFieldAllowed(other[name], insn[name]))) continue;
        negatives.push({ row, field, insn });
      }
    }
  }
  return negatives;
}

export const hexOf = (insns: readonly Insn[]): string =>
  Array.from(encodeInsns(insns), (byte) => byte.toString(16).padStart(2, "0")).join("");

const S16 = { min: -0x8000, max: 0x7fff };
const S32 = { min: -0x8000_0000, max: 0x7fff_ffff };

function arbField(row: InsnRow, field: Field): fc.Arbitrary<number> {
  const rule = row[field];
  if (rule === "reg") return fc.integer({ min: 0, max: 10 });
  if (rule === "zero") return fc.constant(0);
  if (typeof rule !== "string") return fc.constantFrom(...rule);
  return fc.integer(field === "off" ? S16 : S32);
}

/** Instructions of a row with any values that its fields may hold. */
export const arbInsnOf = (row: InsnRow): fc.Arbitrary<Insn> =>
  fc.record({
    op: fc.constant(row.op),
    dst: arbField(row, "dst"),
    src: arbField(row, "src"),
    off: arbField(row, "off"),
    imm: arbField(row, "imm"),
  });

/** Any bit pattern of a slot. */
export const arbSlot: fc.Arbitrary<Insn> = fc.record({
  op: fc.integer({ min: 0, max: 255 }),
  dst: fc.integer({ min: 0, max: 15 }),
  src: fc.integer({ min: 0, max: 15 }),
  off: fc.integer(S16),
  imm: fc.integer(S32),
});
