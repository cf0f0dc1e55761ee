import { printHex } from "@tsbpf/base";
import type { Insn } from "./insn.ts";
import type { InsnRow } from "./row.ts";
import { isFieldAllowed, rowOf, rowsOfOp } from "./table.ts";

/** Why an instruction is not one of the set; `text` is the kernel's wording, or its format for what it has no text for. */
export interface EncodingIssue {
  readonly code:
    | "ISA_UNKNOWN_OPCODE"
    | "ISA_RESERVED_FIELD"
    | "ISA_UNKNOWN_OPERATION"
    | "ISA_REGISTER"
    | "ISA_WIDE_HALF";
  readonly text: string;
  /** The field that holds a value no row allows. */
  readonly field: "op" | "dst" | "src" | "off" | "imm";
}

type Field = "dst" | "src" | "off" | "imm";

/** The order in which Linux looks at the fields of a conditional jump. */
const BRANCH_FIELDS: readonly Field[] = ["dst", "off", "imm", "src"];
/** The order among the fields of everything else, reserved ones before register numbers. */
const FIELDS: readonly Field[] = ["src", "dst", "off", "imm"];
const MODE_MASK = 0xe0;
const MODE_MEM = 0x60;
const MODE_MEMSX = 0x80;

const opHex = (op: number): string => op.toString(16).padStart(2, "0");

/** The name under which the kernel reports a class of instructions. */
function familyName(op: number): string {
  const cls = op & 0x07;
  if (cls === 0x00) return op === 0x18 ? "BPF_LD_IMM64" : "BPF_LD_[ABS|IND]";
  if (cls === 0x01) return "BPF_LDX";
  if (cls === 0x02) return "BPF_ST";
  if (cls === 0x03) return (op & 0xe0) === 0xc0 ? "BPF_ATOMIC" : "BPF_STX";
  const operation = op & 0xf0;
  if (cls === 0x04 || cls === 0x07) {
    if (operation === 0x80) return "BPF_NEG";
    if (operation === 0xb0) return "BPF_MOV";
    return operation === 0xd0 ? "BPF_END" : "BPF_ALU";
  }
  if (operation === 0x00) return "BPF_JA";
  if (operation === 0x80) return "BPF_CALL";
  return operation === 0x90 ? "BPF_EXIT" : "BPF_JMP/JMP32";
}

const reservedText = (op: number): string => `${familyName(op)} uses reserved fields`;

/** Explains an opcode that has rows, none of which the selecting fields match. */
function explainUnselected(insn: Insn): EncodingIssue {
  const rows = rowsOfOp(insn.op);
  if (familyName(insn.op) === "BPF_ATOMIC") {
    const isKnownAtOtherSize = rowsOfOp(0xdb).some((row) => isFieldAllowed(row.imm, insn.imm));
    return isKnownAtOtherSize
      ? { code: "ISA_UNKNOWN_OPERATION", text: "invalid atomic operand size", field: "imm" }
      : {
          code: "ISA_UNKNOWN_OPERATION",
          text: `BPF_ATOMIC uses invalid atomic opcode ${printHex(insn.imm >>> 0)
            .slice(2)
            .padStart(2, "0")}`,
          field: "imm",
        };
  }
  if (rows.some((row) => row.action.kind === "wide")) {
    return { code: "ISA_UNKNOWN_OPERATION", text: "unrecognized bpf_ld_imm64 insn", field: "src" };
  }
  const field = (["src", "off", "imm", "dst"] as const).find((name) =>
    rows.every((row) => !isFieldAllowed(row[name], insn[name])),
  );
  return { code: "ISA_RESERVED_FIELD", text: reservedText(insn.op), field: field ?? "off" };
}

/** Whether every field holds an allowed value; programs have many instructions, and nearly all do. */
const isWhole = (insn: Insn, row: InsnRow): boolean =>
  isFieldAllowed(row.dst, insn.dst) &&
  isFieldAllowed(row.src, insn.src) &&
  isFieldAllowed(row.off, insn.off) &&
  isFieldAllowed(row.imm, insn.imm);

function explainField(insn: Insn, row: InsnRow): EncodingIssue | undefined {
  const isWrong = (field: Field): boolean => !isFieldAllowed(row[field], insn[field]);
  const field =
    row.action.kind === "branch"
      ? BRANCH_FIELDS.find(isWrong)
      : (FIELDS.find((name) => row[name] !== "reg" && isWrong(name)) ?? FIELDS.find(isWrong));
  if (field === undefined) return undefined;
  if (row[field] === "reg") return { code: "ISA_REGISTER", text: `R${insn[field]} is invalid`, field };
  const text = row.action.kind === "may_goto" ? `invalid may_goto imm ${insn.imm}` : reservedText(insn.op);
  return { code: "ISA_RESERVED_FIELD", text, field };
}

/** The load modes whose other fields Linux looks at; every other mode of the class counts as a reserved field. */
const isKnownLoadMode = (op: number): boolean =>
  (op & MODE_MASK) === MODE_MEM || (op & MODE_MASK) === MODE_MEMSX;

/**
 * Says what is wrong with the encoding of one slot, in the kernel's words.
 *
 * Looks at the instruction alone: where jumps lead and what maps or functions exist is not its question. Opcodes
 * that only other machines accept (`callx`) count as known; `row.since` tells them.
 *
 * @returns undefined when every field holds an allowed value.
 */
export function findEncodingIssue(insn: Insn): EncodingIssue | undefined {
  if (rowsOfOp(insn.op).length === 0) {
    return (insn.op & 0x07) === 0x01 && !isKnownLoadMode(insn.op)
      ? { code: "ISA_RESERVED_FIELD", text: reservedText(insn.op), field: "op" }
      : { code: "ISA_UNKNOWN_OPCODE", text: `unknown opcode ${opHex(insn.op)}`, field: "op" };
  }
  const row = rowOf(insn);
  if (row === undefined) return explainUnselected(insn);
  return isWhole(insn, row) ? undefined : explainField(insn, row);
}

/**
 * Says whether the slot after a wide load is its second half, in the kernel's words.
 *
 * @param half - the slot after the load; undefined when the code ends there.
 * @returns undefined when only the immediate of the half is set.
 * @source RFC 9669 §3.2
 */
export function findWideHalfIssue(half: Insn | undefined): EncodingIssue | undefined {
  const field =
    half === undefined ? "op" : (["op", "dst", "src", "off"] as const).find((name) => half[name] !== 0);
  if (field === undefined) return undefined;
  return { code: "ISA_WIDE_HALF", text: "invalid bpf_ld_imm64 insn", field };
}
