import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  ALU_OPS,
  ATOMIC_OPS,
  CALL_KINDS,
  type ConformanceGroup,
  INSN_ROWS,
  insnOfRow,
  isFieldAllowed,
  JMP_OPS,
  rowOf,
  rowOfId,
  rowsOfOp,
  WIDE_KINDS,
} from "../src/index.ts";
import opcodes from "./fixtures/opcodes.json" with { type: "json" };
import { arbInsnOf, FIELDS, sampleOf } from "./samples.ts";

/** The groups of isa.md §17 in the words of {@link ConformanceGroup}; an opcode may belong to two. */
const GROUPS: Readonly<Record<string, readonly ConformanceGroup[]>> = {
  base32: ["base32"],
  base64: ["base64"],
  "base32 (64: base64)": ["base32", "base64"],
  divmul32: ["divmul32"],
  divmul64: ["divmul64"],
  atomic32: ["atomic32", "acqrel"],
  atomic64: ["atomic64", "acqrel"],
  packet: ["packet"],
  "(post-RFC acq/rel only)": ["acqrel"],
  "(post-RFC)": ["may_goto"],
  "(6.19+)": ["gotox"],
  "(not in Linux)": ["callx"],
};

describe("rows", () => {
  it("have unique names", () => {
    expect(new Set(INSN_ROWS.map((row) => row.id)).size).toBe(INSN_ROWS.length);
  });

  it("appear exactly once in the view by opcode and in the view by name", () => {
    const byOp = Array.from({ length: 256 }, (_, op) => rowsOfOp(op)).flat();
    expect(byOp).toHaveLength(INSN_ROWS.length);
    expect(new Set(byOp)).toEqual(new Set(INSN_ROWS));
    for (const row of INSN_ROWS) expect(rowOfId(row.id)).toBe(row);
    expect(rowOfId("nope")).toBeUndefined();
    expect(rowsOfOp(256)).toEqual([]);
  });

  it("are what rowOf finds, for every value their fields may hold", () => {
    for (const row of INSN_ROWS) {
      expect(rowOf(sampleOf(row))?.id).toBe(row.id);
      expect(rowOf(insnOfRow(row))?.id).toBe(row.id);
      fc.assert(
        fc.property(arbInsnOf(row), (insn) => rowOf(insn) === row),
        { numRuns: 30 },
      );
    }
  });

  it("never overlap: no instruction suits two rows", () => {
    for (const row of INSN_ROWS) {
      fc.assert(
        fc.property(
          arbInsnOf(row),
          (insn) =>
            rowsOfOp(row.op).filter((other) => FIELDS.every((f) => isFieldAllowed(other[f], insn[f])))
              .length === 1,
        ),
        { numRuns: 30 },
      );
    }
  });

  it("cover the 130 opcode bytes of isa.md §17 and no other (ISA-20, ISA-21)", () => {
    const known = new Set(opcodes.map(([op]) => Number.parseInt(op as string, 16)));
    expect(known.size).toBe(130);
    for (let op = 0; op < 256; op++) expect([op, rowsOfOp(op).length > 0]).toEqual([op, known.has(op)]);
  });

  it("belong to the conformance groups of isa.md §17", () => {
    for (const [opHex, , group] of opcodes as [string, string, string][]) {
      const op = Number.parseInt(opHex, 16);
      const expected = op === 0xbf ? ["base64", "addr_space_cast"] : GROUPS[group];
      expect([opHex, new Set(rowsOfOp(op).map((row) => row.group))]).toEqual([opHex, new Set(expected)]);
    }
  });

  it("cover every operation of every family", () => {
    const kinds = <T>(pick: (row: (typeof INSN_ROWS)[number]) => T | undefined): Set<T> =>
      new Set(INSN_ROWS.map(pick).filter((value) => value !== undefined));
    expect(kinds((row) => (row.action.kind === "alu" ? row.action.aluOp : undefined))).toEqual(
      new Set(ALU_OPS),
    );
    expect(kinds((row) => (row.action.kind === "branch" ? row.action.jmpOp : undefined))).toEqual(
      new Set(JMP_OPS),
    );
    expect(kinds((row) => (row.action.kind === "atomic" ? row.action.atomicOp : undefined))).toEqual(
      new Set(ATOMIC_OPS),
    );
    expect(kinds((row) => (row.action.kind === "call" ? row.action.callKind : undefined))).toEqual(
      new Set(CALL_KINDS),
    );
    expect(kinds((row) => (row.action.kind === "wide" ? row.action.wideKind : undefined))).toEqual(
      new Set(WIDE_KINDS),
    );
  });

  it("keep to the opcode structure of isa.md §2: class bits, source bit, size bits", () => {
    const sizeBits: Record<number, number> = { 4: 0x00, 2: 0x08, 1: 0x10, 8: 0x18 };
    for (const row of INSN_ROWS) {
      const { action } = row;
      if (action.kind === "alu" && action.aluOp !== "neg") {
        expect(row.op & 0x07).toBe(action.width === 32 ? 0x04 : 0x07);
        expect(row.op & 0x08).toBe(action.source === "x" ? 0x08 : 0);
      } else if (action.kind === "branch") {
        expect(row.op & 0x07).toBe(action.width === 32 ? 0x06 : 0x05);
        expect(row.op & 0x08).toBe(action.source === "x" ? 0x08 : 0);
      } else if ("size" in action) {
        expect([row.id, row.op & 0x18]).toEqual([row.id, sizeBits[action.size]]);
      }
    }
  });
});
