import type { CbpfInsn } from "../insn.ts";
import type { CbpfRegister } from "../rows.ts";
import type { Assembler } from "./assembler.ts";

/** How translated programs reach the packet. */
export interface Form {
  /** Whether a load finds bytes in some packet; else it ends the program. */
  canLoad(insn: CbpfInsn): boolean;
  /** Loads what the program needs from its context, which is in r1. */
  begin(out: Assembler, uses: { readonly length: boolean }): void;
  /** Loads from the packet, or a fact about it, into A. */
  load(out: Assembler, insn: CbpfInsn): void;
  /** Puts four times the low half of a byte into X, and leaves A alone. */
  loadHeaderLength(out: Assembler, k: number): void;
  loadLength(out: Assembler, to: CbpfRegister): void;
  /** Whether shifts by 32 and more give 0, or count modulo 32. */
  readonly shiftsOut: boolean;
}
