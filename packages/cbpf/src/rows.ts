/** The two registers of classic BPF: the accumulator and the index register. */
export type CbpfRegister = "a" | "x";
export type CbpfOperand = "k" | "x";
export type CbpfLoadBytes = 1 | 2 | 4;

export const CBPF_ALU_OPS = ["add", "sub", "mul", "div", "or", "and", "lsh", "rsh", "mod", "xor"] as const;
export type CbpfAluOp = (typeof CBPF_ALU_OPS)[number];

const CBPF_CONDITIONS = ["jeq", "jgt", "jge", "jset"] as const;
export type CbpfCondition = (typeof CBPF_CONDITIONS)[number];

/** What an instruction does. */
export type CbpfAction =
  | { readonly kind: "packet"; readonly bytes: CbpfLoadBytes; readonly mode: "abs" | "ind" }
  | { readonly kind: "imm" | "len" | "mem"; readonly to: CbpfRegister }
  | { readonly kind: "header-length" }
  | { readonly kind: "store"; readonly from: CbpfRegister }
  | { readonly kind: "alu"; readonly op: CbpfAluOp; readonly operand: CbpfOperand }
  | { readonly kind: "neg" }
  | { readonly kind: "jump" }
  | { readonly kind: "branch"; readonly condition: CbpfCondition; readonly operand: CbpfOperand }
  | { readonly kind: "return"; readonly value: "k" | "a" }
  | { readonly kind: "move"; readonly to: CbpfRegister };

/** One instruction of the set. */
export interface CbpfRow {
  readonly code: number;
  /** First word of its listing. */
  readonly name: string;
  readonly action: CbpfAction;
}

const CLASS = { ld: 0, ldx: 1, st: 2, stx: 3, alu: 4, jmp: 5, ret: 6, misc: 7 } as const;
const SIZE = { 4: 0x00, 2: 0x08, 1: 0x10 } as const;
const MODE = { imm: 0x00, abs: 0x20, ind: 0x40, mem: 0x60, len: 0x80, msh: 0xa0 } as const;
const SOURCE = { k: 0x00, x: 0x08 } as const;
const ALU = {
  add: 0x00,
  sub: 0x10,
  mul: 0x20,
  div: 0x30,
  or: 0x40,
  and: 0x50,
  lsh: 0x60,
  rsh: 0x70,
  mod: 0x90,
  xor: 0xa0,
} as const satisfies Record<CbpfAluOp, number>;
const NEG = 0x80;
const JUMP = { jeq: 0x10, jgt: 0x20, jge: 0x30, jset: 0x40 } as const satisfies Record<CbpfCondition, number>;
const RETURN_A = 0x10;
const TXA = 0x80;

/** Opcodes by what they do. @source linux uapi/linux/bpf_common.h, uapi/linux/filter.h */
export const CBPF = {
  ldAbs: (bytes: CbpfLoadBytes): number => CLASS.ld | MODE.abs | SIZE[bytes],
  ldInd: (bytes: CbpfLoadBytes): number => CLASS.ld | MODE.ind | SIZE[bytes],
  ldImm: CLASS.ld | MODE.imm,
  ldxImm: CLASS.ldx | MODE.imm,
  ldMem: CLASS.ld | MODE.mem,
  ldxMem: CLASS.ldx | MODE.mem,
  ldLen: CLASS.ld | MODE.len,
  ldxLen: CLASS.ldx | MODE.len,
  ldxMsh: CLASS.ldx | MODE.msh | SIZE[1],
  st: CLASS.st,
  stx: CLASS.stx,
  alu: (op: CbpfAluOp, operand: CbpfOperand): number => CLASS.alu | ALU[op] | SOURCE[operand],
  neg: CLASS.alu | NEG,
  ja: CLASS.jmp,
  branch: (condition: CbpfCondition, operand: CbpfOperand): number =>
    CLASS.jmp | JUMP[condition] | SOURCE[operand],
  retK: CLASS.ret,
  retA: CLASS.ret | RETURN_A,
  tax: CLASS.misc,
  txa: CLASS.misc | TXA,
} as const;

const LOAD_SUFFIX = { 4: "", 2: "h", 1: "b" } as const;
const BYTES = [4, 2, 1] as const;
const OPERANDS = ["k", "x"] as const;

const row = (code: number, name: string, action: CbpfAction): CbpfRow => ({ code, name, action });

/** Every instruction that Linux takes, once. */
export const CBPF_ROWS: readonly CbpfRow[] = [
  ...BYTES.map((bytes) =>
    row(CBPF.ldAbs(bytes), `ld${LOAD_SUFFIX[bytes]}`, { kind: "packet", bytes, mode: "abs" }),
  ),
  ...BYTES.map((bytes) =>
    row(CBPF.ldInd(bytes), `ld${LOAD_SUFFIX[bytes]}`, { kind: "packet", bytes, mode: "ind" }),
  ),
  row(CBPF.ldImm, "ld", { kind: "imm", to: "a" }),
  row(CBPF.ldxImm, "ldx", { kind: "imm", to: "x" }),
  row(CBPF.ldMem, "ld", { kind: "mem", to: "a" }),
  row(CBPF.ldxMem, "ldx", { kind: "mem", to: "x" }),
  row(CBPF.ldLen, "ld", { kind: "len", to: "a" }),
  row(CBPF.ldxLen, "ldx", { kind: "len", to: "x" }),
  row(CBPF.ldxMsh, "ldxb", { kind: "header-length" }),
  row(CBPF.st, "st", { kind: "store", from: "a" }),
  row(CBPF.stx, "stx", { kind: "store", from: "x" }),
  ...CBPF_ALU_OPS.flatMap((op) =>
    OPERANDS.map((operand) => row(CBPF.alu(op, operand), op, { kind: "alu", op, operand })),
  ),
  row(CBPF.neg, "neg", { kind: "neg" }),
  row(CBPF.ja, "ja", { kind: "jump" }),
  ...CBPF_CONDITIONS.flatMap((condition) =>
    OPERANDS.map((operand) =>
      row(CBPF.branch(condition, operand), condition, { kind: "branch", condition, operand }),
    ),
  ),
  row(CBPF.retK, "ret", { kind: "return", value: "k" }),
  row(CBPF.retA, "ret", { kind: "return", value: "a" }),
  row(CBPF.tax, "tax", { kind: "move", to: "x" }),
  row(CBPF.txa, "txa", { kind: "move", to: "a" }),
];

const BY_CODE = new Map(CBPF_ROWS.map((one) => [one.code, one]));

/** Returns the row of an opcode; undefined for what is no instruction. */
export const cbpfRowOf = (code: number): CbpfRow | undefined => BY_CODE.get(code);
