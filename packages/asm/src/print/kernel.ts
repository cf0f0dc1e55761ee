import { type Insn, wideImm } from "@tsbpf/isa";

/** How a reader of the kernel's text wants numbers named; bpftool and the verifier differ in it. */
export interface KernelPrintOptions {
  /** Name of a helper; `unknown` when there is none. */
  readonly helperName?: (id: number) => string | undefined;
  /** Name of the kernel function of a call; `kernel-function` when there is none. */
  readonly kfuncName?: (insn: Insn, slot: number) => string | undefined;
  /** What follows `pc` in a pseudo call; the signed distance when undefined. */
  readonly calleeText?: (insn: Insn, slot: number) => string | undefined;
  /** Text of a wide load's value; the 64-bit number in hex when undefined. */
  readonly wideText?: (insn: Insn, value: bigint, slot: number) => string | undefined;
  /** Prints the addresses of wide loads that name kernel objects as 0, as for users who may not see them. */
  readonly hidePointers?: boolean;
}

/** What C prints for a string that is not there. */
const NO_TEXT = "(null)";

const ALU_TEXT: readonly string[] = [
  "+=",
  "-=",
  "*=",
  "/=",
  "|=",
  "&=",
  "<<=",
  ">>=",
  "neg",
  "%=",
  "^=",
  "=",
  "s>>=",
  "endian",
];
const JMP_TEXT: readonly string[] = [
  "jmp",
  "==",
  ">",
  ">=",
  "&",
  "!=",
  "s>",
  "s>=",
  "call",
  "exit",
  "<",
  "<=",
  "s<",
  "s<=",
];
const UNSIGNED_TYPES: readonly string[] = ["u32", "u16", "u8", "u64"];
const SIGNED_TYPES: readonly string[] = ["s32", "s16", "s8"];
const FETCH_TEXT: Readonly<Record<number, string>> = { 1: "add", 65: "or", 81: "and", 161: "xor" };
const LOCKED_TEXT: Readonly<Record<number, string>> = { 0: "+=", 64: "|=", 80: "&=", 160: "^=" };

const CLASS = { ld: 0, ldx: 1, st: 2, stx: 3, alu: 4, jmp: 5, jmp32: 6, alu64: 7 } as const;
const MODE = { imm: 0x00, abs: 0x20, ind: 0x40, mem: 0x60, memsx: 0x80, atomic: 0xc0 } as const;
const ATOMIC = { xchg: 0xe1, cmpxchg: 0xf1, loadAcquire: 0x100, storeRelease: 0x110 } as const;

const hex2 = (value: number): string => value.toString(16).padStart(2, "0");
const signed = (value: number): string => (value < 0 ? `${value}` : `+${value}`);
const hexU32 = (value: number): string => `0x${(value >>> 0).toString(16)}`;
const typeOf = (op: number): string => UNSIGNED_TYPES[(op & 0x18) >> 3] ?? NO_TEXT;
const memory = (reg: number, off: number): string => `(r${reg} ${signed(off)})`;

function aluText({ op, dst, src, off, imm }: Insn): string {
  const is64 = (op & 0x07) === CLASS.alu64;
  const letter = is64 ? "r" : "w";
  const operation = op >> 4;
  const isX = (op & 0x08) !== 0;
  if (operation === 0xd) {
    const name = is64 ? "bswap" : isX ? "be" : "le";
    return `r${dst} = ${name}${imm} r${dst}`;
  }
  if (operation === 0x8) return `${letter}${dst} = -${letter}${dst}`;
  if (op === 0xbf && off === 1) return `r${dst} = addr_space_cast(r${src}, ${imm >>> 16}, ${imm & 0xffff})`;
  if (op === 0xbf && off === -1) return `r${dst} = &(void __percpu *)(r${src})`;
  const isSignedDivision = (operation === 0x3 || operation === 0x9) && off === 1;
  const text = `${isSignedDivision ? "s" : ""}${ALU_TEXT[operation] ?? NO_TEXT}`;
  if (!isX) return `${letter}${dst} ${text} ${imm}`;
  const isSignExtension = operation === 0xb && (off === 8 || off === 16 || off === 32);
  return `${letter}${dst} ${text} ${isSignExtension ? `(s${off})` : ""}${letter}${src}`;
}

function atomicText({ op, dst, src, off, imm }: Insn): string | undefined {
  const type = typeOf(op);
  const wide = type === "u64" ? "64" : "";
  const cell = `(${type} *)${memory(dst, off)}`;
  const locked = LOCKED_TEXT[imm];
  if (locked !== undefined) return `lock *${cell} ${locked} r${src}`;
  const fetch = FETCH_TEXT[imm];
  if (fetch !== undefined) return `r${src} = atomic${wide}_fetch_${fetch}(${cell}, r${src})`;
  if (imm === ATOMIC.cmpxchg) return `r0 = atomic${wide}_cmpxchg(${cell}, r0, r${src})`;
  if (imm === ATOMIC.xchg) return `r${src} = atomic${wide}_xchg(${cell}, r${src})`;
  if (imm === ATOMIC.loadAcquire) return `r${dst} = load_acquire((${type} *)${memory(src, off)})`;
  return imm === ATOMIC.storeRelease ? `store_release(${cell}, r${src})` : undefined;
}

function loadStoreText(insn: Insn): string | undefined {
  const { op, dst, src, off, imm } = insn;
  const mode = op & 0xe0;
  if ((op & 0x07) === CLASS.ldx) {
    if (mode !== MODE.mem && mode !== MODE.memsx) return undefined;
    const type = mode === MODE.mem ? typeOf(op) : (SIGNED_TYPES[(op & 0x18) >> 3] ?? NO_TEXT);
    return `r${dst} = *(${type} *)${memory(src, off)}`;
  }
  const cell = `*(${typeOf(op)} *)${memory(dst, off)}`;
  if ((op & 0x07) === CLASS.st) {
    if (mode === MODE.mem) return `${cell} = ${imm}`;
    return mode === MODE.atomic ? "nospec" : undefined;
  }
  if (mode === MODE.mem) return `${cell} = r${src}`;
  return mode === MODE.atomic ? atomicText(insn) : undefined;
}

/** Source numbers of wide loads that name a kernel object: maps by descriptor or index, their values, symbols. */
const POINTER_SOURCES: ReadonlySet<number> = new Set([1, 2, 3, 5, 6]);

function wideText(insns: readonly Insn[], slot: number, insn: Insn, options: KernelPrintOptions): string {
  const isHidden = options.hidePointers === true && POINTER_SOURCES.has(insn.src);
  const value = isHidden ? 0n : wideImm(insns, slot);
  return `r${insn.dst} = ${options.wideText?.(insn, value, slot) ?? `0x${value.toString(16)}`}`;
}

function callText(insn: Insn, slot: number, options: KernelPrintOptions): string {
  if (insn.src === 1) return `call pc${options.calleeText?.(insn, slot) ?? signed(insn.imm)}`;
  const helper = insn.src === 0 ? options.helperName?.(insn.imm) : undefined;
  const kfunc = insn.src === 2 ? (options.kfuncName?.(insn, slot) ?? "kernel-function") : undefined;
  return `call ${helper ?? kfunc ?? "unknown"}#${insn.imm}`;
}

function jumpText(insn: Insn, slot: number, options: KernelPrintOptions): string {
  const { op, dst, src, off, imm } = insn;
  const operation = op >> 4;
  if (operation === 0x8) return callText(insn, slot, options);
  if (op === 0x05) return `goto pc${signed(off)}`;
  if (op === 0x06) return `gotol pc${signed(imm)}`;
  if (op === 0x0d) return `gotox r${dst}`;
  if (op === 0xe5 && src === 0) return `may_goto pc${signed(off)}`;
  if (op === 0x95) return "exit";
  const letter = (op & 0x07) === CLASS.jmp32 ? "w" : "r";
  const right = (op & 0x08) !== 0 ? `${letter}${src}` : hexU32(imm);
  return `if ${letter}${dst} ${JMP_TEXT[operation] ?? NO_TEXT} ${right} goto pc${signed(off)}`;
}

const BUG_PREFIX: Readonly<Record<number, string>> = {
  [CLASS.ld]: "BUG_ld_",
  [CLASS.ldx]: "BUG_ldx_",
  [CLASS.st]: "BUG_st_",
  [CLASS.stx]: "BUG_",
};

function ldText(
  insns: readonly Insn[],
  slot: number,
  insn: Insn,
  options: KernelPrintOptions,
): string | undefined {
  const { op, src, imm } = insn;
  const mode = op & 0xe0;
  if (mode === MODE.abs) return `r0 = *(${typeOf(op)} *)skb[${imm}]`;
  if (mode === MODE.ind) return `r0 = *(${typeOf(op)} *)skb[r${src} + ${imm}]`;
  return op === 0x18 ? wideText(insns, slot, insn, options) : undefined;
}

/**
 * Prints an instruction exactly as Linux does in verifier logs and bpftool in listings, opcode in front:
 * `(85) call bpf_map_lookup_elem#1`, `(61) r2 = *(u32 *)(r1 +4)`.
 *
 * Any slot prints; what is no instruction prints as Linux prints it (`BUG_ldx_e1`). The text need not be readable
 * back: it hides what kind of wide load there is, which `printInsn` shows.
 *
 * @returns an empty string when there is no such slot.
 * @source linux kernel/bpf/disasm.c; gotox as of Linux 6.19
 */
export function printKernelInsn(
  insns: readonly Insn[],
  slot: number,
  options: KernelPrintOptions = {},
): string {
  const insn = insns[slot];
  if (insn === undefined) return "";
  const cls = insn.op & 0x07;
  const text =
    cls === CLASS.alu || cls === CLASS.alu64
      ? aluText(insn)
      : cls === CLASS.jmp || cls === CLASS.jmp32
        ? jumpText(insn, slot, options)
        : cls === CLASS.ld
          ? ldText(insns, slot, insn, options)
          : loadStoreText(insn);
  return text === undefined ? `${BUG_PREFIX[cls]}${hex2(insn.op)}` : `(${hex2(insn.op)}) ${text}`;
}
