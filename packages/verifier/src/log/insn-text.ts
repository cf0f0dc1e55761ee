import { type AluOp, type Insn, type JmpOp, rowOf, wideImm } from "@tsbpf/isa";

/** Names that an instruction's text needs. */
export interface InsnNames {
  /** Name of a helper without `bpf_`; undefined when the id is none. */
  helperName(id: number): string | undefined;
  kfuncName(slot: number): string | undefined;
}

const ALU_TEXT: Readonly<Record<AluOp, string>> = {
  add: "+=",
  sub: "-=",
  mul: "*=",
  div: "/=",
  sdiv: "s/=",
  or: "|=",
  and: "&=",
  lsh: "<<=",
  rsh: ">>=",
  neg: "",
  mod: "%=",
  smod: "s%=",
  xor: "^=",
  mov: "=",
  movsx8: "=",
  movsx16: "=",
  movsx32: "=",
  arsh: "s>>=",
};
export const aluText = (op: AluOp): string => ALU_TEXT[op];

const JMP_TEXT: Readonly<Record<JmpOp, string>> = {
  jeq: "==",
  jgt: ">",
  jge: ">=",
  jset: "&",
  jne: "!=",
  jsgt: "s>",
  jsge: "s>=",
  jlt: "<",
  jle: "<=",
  jslt: "s<",
  jsle: "s<=",
};

const op2 = (insn: Insn): string => `(${insn.op.toString(16).padStart(2, "0")})`;
const plus = (value: number): string => (value < 0 ? `${value}` : `+${value}`);
const TYPE: Readonly<Record<number, string>> = { 1: "u8", 2: "u16", 4: "u32", 8: "u64" };
const hexOf = (value: number): string => (value === 0 ? "0x0" : `0x${(value >>> 0).toString(16)}`);

/** One instruction in the kernel's notation, opcode and newline included (X-88). */
export function insnText(insns: readonly Insn[], slot: number, names: InsnNames): string {
  const insn = insns[slot] as Insn;
  const row = rowOf(insn);
  if (row === undefined) return unknownText(insn);
  return `${op2(insn)} ${bodyOf(insns, slot, insn, row, names)}\n`;
}

function unknownText(insn: Insn): string {
  const cls = insn.op & 0x07;
  if (cls === 0x03 || cls === 0x02 || cls === 0x01) return `BUG_${insn.op.toString(16).padStart(2, "0")}\n`;
  if (insn.op === 0x85) return `${op2(insn)} call unknown#${insn.imm}\n`;
  return `${op2(insn)} BUG_${insn.op.toString(16).padStart(2, "0")}\n`;
}

type Row = NonNullable<ReturnType<typeof rowOf>>;

function bodyOf(insns: readonly Insn[], slot: number, insn: Insn, row: Row, names: InsnNames): string {
  const action = row.action;
  const { dst, src, off, imm } = insn;
  switch (action.kind) {
    case "alu":
      return aluBody(insn, action);
    case "end":
      if (action.order === "swap") return `r${dst} = bswap${action.bits} r${dst}`;
      return `r${dst} = ${action.order}${action.bits} r${dst}`;
    case "addr_cast":
      return `r${dst} = addr_space_cast(r${src}, ${(imm >>> 16) & 0xffff}, ${imm & 0xffff})`;
    case "load": {
      const type = action.isSigned ? `s${action.size * 8}` : TYPE[action.size];
      return `r${dst} = *(${type} *)(r${src} ${plus(off)})`;
    }
    case "store": {
      const value = action.source === "x" ? `r${src}` : `${imm}`;
      return `*(${TYPE[action.size]} *)(r${dst} ${plus(off)}) = ${value}`;
    }
    case "atomic":
      return atomicBody(insn, action.atomicOp, action.size);
    case "wide": {
      const isMap = action.wideKind !== "imm" && action.wideKind !== "func" && action.wideKind !== "btf_id";
      const value = isMap ? 0n : wideImm(insns, slot);
      return `r${dst} = 0x${value.toString(16)}`;
    }
    case "packet": {
      const place = action.mode === "abs" ? `${imm}` : `r${src} + ${imm}`;
      return `r0 = *(${TYPE[action.size]} *)skb[${place}]`;
    }
    case "ja":
      return action.distance === "off" ? `goto pc${plus(off)}` : `gotol pc${plus(imm)}`;
    case "gotox":
      return `gotox r${dst}`;
    case "may_goto":
      return `may_goto pc${plus(off)}`;
    case "branch": {
      const letter = action.width === 32 ? "w" : "r";
      const value = action.source === "x" ? `${letter}${src}` : hexOf(imm);
      return `if ${letter}${dst} ${JMP_TEXT[action.jmpOp]} ${value} goto pc${plus(off)}`;
    }
    case "call":
      if (action.callKind === "subprog") return `call pc${plus(imm)}`;
      if (action.callKind === "kfunc") return `call ${names.kfuncName(slot) ?? "kernel-function"}#${imm}`;
      {
        const name = names.helperName(imm);
        return `call ${name === undefined ? "unknown" : `bpf_${name}`}#${imm}`;
      }
    case "exit":
      return "exit";
  }
}

function aluBody(insn: Insn, action: Extract<Row["action"], { kind: "alu" }>): string {
  const letter = action.width === 32 ? "w" : "r";
  const { dst, src, imm } = insn;
  if (action.aluOp === "neg") return `${letter}${dst} = -${letter}${dst}`;
  const cast = action.aluOp.startsWith("movsx") ? `(s${action.aluOp.slice(5)})` : "";
  const value = action.source === "x" ? `${letter}${src}` : `${imm}`;
  return `${letter}${dst} ${ALU_TEXT[action.aluOp]} ${cast}${value}`;
}

function atomicBody(insn: Insn, op: string, size: number): string {
  const place = `(${TYPE[size]} *)(r${insn.dst} ${plus(insn.off)})`;
  const bits = size === 8 ? "64" : "";
  switch (op) {
    case "xchg":
      return `r${insn.src} = atomic${bits}_xchg(${place}, r${insn.src})`;
    case "cmpxchg":
      return `r0 = atomic${bits}_cmpxchg(${place}, r0, r${insn.src})`;
    case "load_acquire":
      return `r${insn.dst} = load_acquire((${TYPE[size]} *)(r${insn.src} ${plus(insn.off)}))`;
    case "store_release":
      return `store_release(${place}, r${insn.src})`;
    default: {
      if (op.startsWith("fetch_")) return `r${insn.src} = atomic${bits}_${op}(${place}, r${insn.src})`;
      const sign: Record<string, string> = { add: "+=", or: "|=", and: "&=", xor: "^=" };
      return `lock *${place} ${sign[op]} r${insn.src}`;
    }
  }
}
