import type { CbpfInsn } from "../insn.ts";
import { isAssemblyText, parseAssemblyText } from "./assembly.ts";
import { isDecimalText, parseDecimalText } from "./decimal.ts";
import { textFault } from "./errors.ts";
import { isFragmentText, parseFragmentText } from "./fragment.ts";

/**
 * Says whether text is a classic program in one of the notations that {@link parseCbpf} reads, and nothing else: no
 * eBPF notation has lines of bare numbers, rows in braces, or `ret` with an operand.
 */
export function isCbpfText(text: string): boolean {
  if (text.trim() === "") return false;
  return isDecimalText(text) || isFragmentText(text) || isAssemblyText(text);
}

/**
 * Parses a classic program: the output of `tcpdump -ddd`, `-dd` or `-d`, or assembly as the kernel's bpf_asm reads it.
 * What it says is not checked; see `checkCbpf`.
 *
 * @throws CBPF_… (InputError) naming the line.
 */
export function parseCbpf(text: string): CbpfInsn[] {
  if (text.trim() === "") textFault("CBPF_EMPTY", "the text is empty, a classic program needed");
  if (isDecimalText(text)) return parseDecimalText(text);
  if (isFragmentText(text)) return parseFragmentText(text);
  return parseAssemblyText(text);
}
