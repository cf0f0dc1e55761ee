import { ANCILLARIES, ancillaryOf } from "../ancillary.ts";
import type { CbpfInsn } from "../insn.ts";
import { type CbpfAluOp, type CbpfRow, cbpfRowOf } from "../rows.ts";

const INDEX_DIGITS = 3;
const NAME_COLUMNS = 8;
const OPERAND_COLUMNS = 16;

/** Whether an operation's constant reads better in hex. */
const IS_BITWISE = {
  add: false,
  sub: false,
  mul: false,
  div: false,
  mod: false,
  lsh: false,
  rsh: false,
  and: true,
  or: true,
  xor: true,
} as const satisfies Record<CbpfAluOp, boolean>;

const hex = (k: number): string => `#0x${k.toString(16)}`;
const decimal = (k: number): string => `#${k | 0}`;

/** Prints what an instruction works on, as tcpdump does. */
function printOperand({ action }: CbpfRow, { k }: CbpfInsn, at: number): string {
  switch (action.kind) {
    case "packet": {
      if (action.mode === "ind") return `[x + ${k | 0}]`;
      const fact = ancillaryOf(k);
      return `[${fact === undefined ? k | 0 : ANCILLARIES[fact].listing}]`;
    }
    case "imm":
      return hex(k);
    case "len":
      return "#pktlen";
    case "mem":
    case "store":
      return `M[${k}]`;
    case "header-length":
      return `4*([${k | 0}]&0xf)`;
    case "alu":
      if (action.operand === "x") return "x";
      return IS_BITWISE[action.op] ? hex(k) : decimal(k);
    case "jump":
      return String(at + 1 + (k | 0));
    case "branch":
      return action.operand === "x" ? "x" : hex(k);
    case "return":
      return action.value === "k" ? decimal(k) : "";
    case "neg":
    case "move":
      return "";
  }
}

/** Prints one instruction as a line of `tcpdump -d`; `at` is its index. */
export function printCbpfInsn(insn: CbpfInsn, at: number): string {
  const row = cbpfRowOf(insn.code);
  const index = `(${String(at).padStart(INDEX_DIGITS, "0")})`;
  const name = (row?.name ?? "unimp").padEnd(NAME_COLUMNS);
  const operand = row === undefined ? `0x${insn.code.toString(16)}` : printOperand(row, insn, at);
  if (row?.action.kind !== "branch") return `${index} ${name} ${operand}`;
  return `${index} ${name} ${operand.padEnd(OPERAND_COLUMNS)} jt ${at + 1 + insn.jt}\tjf ${at + 1 + insn.jf}`;
}

/** Prints a program as `tcpdump -d` does, a line an instruction. */
export const printCbpfListing = (insns: readonly CbpfInsn[]): string =>
  insns.map((insn, at) => `${printCbpfInsn(insn, at)}\n`).join("");
