import { printHex } from "@tsbpf/base";
import { type Action, type Insn, type InsnRow, type SizeBytes, targetSlotOf, wideImm } from "@tsbpf/isa";
import { ALU_OPERATORS, JMP_OPERATORS } from "../parse/pseudo-c.ts";
import { isPrintableName, type PrintSymbols } from "./symbols.ts";
import { printWideValue } from "./wide.ts";

/** What tells the kernel's flavour of the notation from LLVM's. */
export interface PseudoCStyle {
  readonly isLlvm: boolean;
  /** How LLVM's flavour prints numbers; the kernel's has its own rules. */
  readonly numbers: "hex" | "dec";
}

/** One printing job: the instruction, its row and how to print it. */
export interface Printing {
  readonly insns: readonly Insn[];
  readonly slot: number;
  readonly insn: Insn;
  readonly row: InsnRow;
  readonly style: PseudoCStyle;
  readonly symbols: PrintSymbols;
}

export const signed = (value: number): string => (value < 0 ? `${value}` : `+${value}`);

const numberText = ({ style }: Printing, value: number): string =>
  style.isLlvm && style.numbers === "hex" ? printHex(value) : `${value}`;

const distanceText = (printing: Printing, value: number): string =>
  `${value < 0 ? "" : "+"}${numberText(printing, value)}`;

function memoryText(printing: Printing, reg: number): string {
  const { off } = printing.insn;
  if (!printing.style.isLlvm) return `r${reg} ${signed(off)}`;
  return `r${reg} ${off < 0 ? "-" : "+"} ${numberText(printing, Math.abs(off))}`;
}

/** LLVM names the 32-bit view of a register for accesses of up to 32 bits, the kernel never does. */
const dataRegister = ({ style }: Printing, size: SizeBytes, isSigned: boolean, reg: number): string =>
  `${style.isLlvm && size <= 4 && !isSigned ? "w" : "r"}${reg}`;

const unsignedType = (size: SizeBytes): string => `u${size * 8}`;

/** Prints where a jump leads: a name, or a distance from the next slot. */
function targetText(printing: Printing, distance: number): string {
  const target = targetSlotOf(printing.insn, printing.slot);
  const name = target === undefined ? undefined : printing.symbols.labelName?.(target);
  if (name !== undefined && isPrintableName(name)) return name;
  return printing.style.isLlvm ? distanceText(printing, distance) : `pc${signed(distance)}`;
}

type ActionOf<Kind extends Action["kind"]> = Extract<Action, { kind: Kind }>;
type Printer<Kind extends Action["kind"]> = (printing: Printing, action: ActionOf<Kind>) => string;

const printAlu: Printer<"alu"> = (printing, { aluOp, width, source }) => {
  const letter = width === 32 ? "w" : "r";
  const { dst, src, imm } = printing.insn;
  const left = `${letter}${dst}`;
  const right = source === "x" ? `${letter}${src}` : numberText(printing, imm);
  switch (aluOp) {
    case "neg":
      return `${left} = -${left}`;
    case "mov":
      return `${left} = ${right}`;
    case "movsx8":
    case "movsx16":
    case "movsx32":
      return `${left} = (s${aluOp.slice("movsx".length)})${right}`;
    default:
      return `${left} ${ALU_OPERATORS[aluOp]} ${right}`;
  }
};

const printEnd: Printer<"end"> = ({ insn }, { order, bits }) =>
  `r${insn.dst} = ${order === "swap" ? "bswap" : order}${bits} r${insn.dst}`;

const printAddrCast: Printer<"addr_cast"> = (printing) => {
  const { dst, src, imm } = printing.insn;
  const [to, from] = [imm >>> 16, imm & 0xffff].map((space) => numberText(printing, space));
  return `r${dst} = addr_space_cast(r${src}, ${to}, ${from})`;
};

const printLoad: Printer<"load"> = (printing, { size, isSigned }) => {
  const { dst, src } = printing.insn;
  const type = `${isSigned ? "s" : "u"}${size * 8}`;
  return `${dataRegister(printing, size, isSigned, dst)} = *(${type} *)(${memoryText(printing, src)})`;
};

const printStore: Printer<"store"> = (printing, { size, source }) => {
  const { dst, src, imm } = printing.insn;
  const value = source === "k" ? numberText(printing, imm) : dataRegister(printing, size, false, src);
  return `*(${unsignedType(size)} *)(${memoryText(printing, dst)}) = ${value}`;
};

const LOCKED = { add: "+=", or: "|=", and: "&=", xor: "^=" } as const;

const printAtomic: Printer<"atomic"> = (printing, { atomicOp, size }) => {
  const { insn, style } = printing;
  const type = unsignedType(size);
  const src = dataRegister(printing, size, false, insn.src);
  const cell = `(${type} *)(${memoryText(printing, insn.dst)})`;
  const kernelSize = size === 8 ? "64" : "";
  switch (atomicOp) {
    case "add":
    case "or":
    case "and":
    case "xor":
      return `lock *${cell} ${LOCKED[atomicOp]} ${src}`;
    case "fetch_add":
    case "fetch_or":
    case "fetch_and":
    case "fetch_xor":
      return `${src} = atomic${style.isLlvm ? "" : kernelSize}_${atomicOp}(${cell}, ${src})`;
    case "xchg":
    case "cmpxchg": {
      const r0 = dataRegister(printing, size, false, 0);
      const operands = atomicOp === "xchg" ? src : `${r0}, ${src}`;
      const result = atomicOp === "xchg" ? src : r0;
      if (!style.isLlvm) return `${result} = atomic${kernelSize}_${atomicOp}(${cell}, ${operands})`;
      const suffix = size === 8 ? "_64" : "32_32";
      return `${result} = ${atomicOp}${suffix}(${memoryText(printing, insn.dst)}, ${operands})`;
    }
    case "load_acquire": {
      const dst = dataRegister(printing, size, false, insn.dst);
      return `${dst} = load_acquire((${type} *)(${memoryText(printing, insn.src)}))`;
    }
    case "store_release":
      return `store_release(${cell}, ${src})`;
  }
};

/** The kernel prints 64-bit values unsigned, LLVM signed. */
function wideNumberText(value: bigint, { isLlvm, numbers }: PseudoCStyle): string {
  const shown = isLlvm ? BigInt.asIntN(64, value) : value;
  return isLlvm && numbers === "dec" ? `${shown}` : printHex(shown);
}

const printWide: Printer<"wide"> = ({ insns, slot, insn, style, symbols }, { wideKind }) => {
  if (wideKind === "imm") return `r${insn.dst} = ${wideNumberText(wideImm(insns, slot), style)} ll`;
  const text = printWideValue(wideKind, insns, slot, symbols);
  return `r${insn.dst} = ${text}${style.isLlvm ? " ll" : ""}`;
};

const printPacket: Printer<"packet"> = (printing, { size, mode }) => {
  const { src, imm } = printing.insn;
  const target = `r0 = *(${unsignedType(size)} *)skb`;
  if (mode === "abs") return `${target}[${numberText(printing, imm)}]`;
  if (!printing.style.isLlvm) return `${target}[r${src} + ${imm}]`;
  if (imm === 0) return `${target}[r${src}]`;
  return `${target}[r${src} ${imm < 0 ? "-" : "+"} ${numberText(printing, Math.abs(imm))}]`;
};

const printBranch: Printer<"branch"> = (printing, { jmpOp, width, source }) => {
  const { dst, src, imm, off } = printing.insn;
  const letter = width === 32 ? "w" : "r";
  const immText = printing.style.isLlvm ? numberText(printing, imm) : `0x${(imm >>> 0).toString(16)}`;
  const right = source === "x" ? `${letter}${src}` : immText;
  return `if ${letter}${dst} ${JMP_OPERATORS[jmpOp]} ${right} goto ${targetText(printing, off)}`;
};

/** Prints a call so that its kind can be read back, in the words of both notations. */
export const printCall: Printer<"call"> = (printing, { callKind, registerField }) => {
  const { insn, slot, symbols, style } = printing;
  switch (callKind) {
    case "helper": {
      const name = symbols.helperName?.(insn.imm);
      if (name !== undefined && isPrintableName(name)) return `call ${name}#${insn.imm}`;
      if (style.isLlvm && insn.imm >= 0) return `call ${numberText(printing, insn.imm)}`;
      return `call unknown#${insn.imm}`;
    }
    case "subprog": {
      const name = symbols.labelName?.(slot + 1 + insn.imm);
      return `call ${name !== undefined && isPrintableName(name) ? name : `pc${signed(insn.imm)}`}`;
    }
    case "kfunc": {
      const name = symbols.kfuncName?.(insn, slot);
      if (name !== undefined && isPrintableName(name)) return `call ${name}#${insn.imm}`;
      return `call kernel-function#${insn.imm}${insn.off === 0 ? "" : `, ${insn.off}`}`;
    }
    case "indirect":
      return registerField === "imm" ? `callx.imm r${insn.imm}` : `callx r${insn.dst}`;
  }
};

const PRINTERS: { readonly [Kind in Action["kind"]]: Printer<Kind> } = {
  alu: printAlu,
  end: printEnd,
  addr_cast: printAddrCast,
  load: printLoad,
  store: printStore,
  atomic: printAtomic,
  wide: printWide,
  packet: printPacket,
  ja: (printing, { distance }) =>
    distance === "off"
      ? `goto ${targetText(printing, printing.insn.off)}`
      : `gotol ${targetText(printing, printing.insn.imm)}`,
  branch: printBranch,
  may_goto: (printing) => `may_goto ${targetText(printing, printing.insn.off)}`,
  gotox: ({ insn }) => `gotox r${insn.dst}`,
  call: printCall,
  exit: () => "exit",
};

/** Prints an instruction whose fields its row allows, in the kernel's or LLVM's flavour. */
export function printPseudoC(printing: Printing): string {
  const { action } = printing.row;
  const printer = PRINTERS[action.kind] as Printer<Action["kind"]>;
  return printer(printing, action);
}
