import { findEncodingIssue, findWideHalfIssue, type Insn, isWide, rowOf } from "@tsbpf/isa";
import { printKernelInsn } from "./kernel.ts";
import { printMnemonic } from "./mnemonic.ts";
import { type PseudoCStyle, printPseudoC } from "./pseudo-c.ts";
import type { PrintSymbols } from "./symbols.ts";

/** Notations: the kernel's, LLVM's, and mnemonics as uBPF and bpf_conformance write them. */
export type Syntax = "kernel" | "llvm" | "mnemonic";

export interface PrintOptions {
  /** `kernel` when omitted. */
  readonly syntax?: Syntax;
  readonly symbols?: PrintSymbols;
  /** How LLVM's notation prints numbers: `hex` as llvm-objdump (the default), `dec` as clang. */
  readonly numbers?: "hex" | "dec";
}

/** Second halves that Linux wants to be zero: maps by descriptor or index, and functions. */
const ZERO_HALF_SOURCES: ReadonlySet<number> = new Set([1, 4, 5]);

/** Says whether a slot starts an instruction that text can express: known, with no reserved field in use. */
export function isPrintable(insns: readonly Insn[], slot: number): boolean {
  const insn = insns[slot];
  if (insn === undefined || findEncodingIssue(insn) !== undefined) return false;
  if (!isWide(insn)) return true;
  const half = insns[slot + 1];
  return findWideHalfIssue(half) === undefined && (!ZERO_HALF_SOURCES.has(insn.src) || half?.imm === 0);
}

/**
 * Prints one instruction so that {@link assemble} reads it back as the same slots.
 *
 * What is no valid instruction prints as Linux prints it, opcode in front, and cannot be read back; `disassemble`
 * prints such slots as `.insn`. Never throws.
 *
 * @param slot - where the instruction starts; of a wide load, its first slot.
 */
export function printInsn(insns: readonly Insn[], slot: number, options: PrintOptions = {}): string {
  const insn = insns[slot];
  const symbols = options.symbols ?? {};
  const row = insn === undefined ? undefined : rowOf(insn);
  if (insn === undefined || row === undefined || !isPrintable(insns, slot)) {
    return printKernelInsn(insns, slot, symbols);
  }
  const style: PseudoCStyle = { isLlvm: options.syntax === "llvm", numbers: options.numbers ?? "hex" };
  const printing = { insns, slot, insn, row, style, symbols };
  return options.syntax === "mnemonic" ? printMnemonic(printing) : printPseudoC(printing);
}
