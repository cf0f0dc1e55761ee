import type { Insn } from "./insn.ts";
import type { Role } from "./row.ts";
import { rowOf } from "./table.ts";

/** A set of registers, bit n for rn. */
export type RegMask = number;

/** Registers that a callee may change: r1..r5 hold nothing after a call. */
export const SCRATCH_MASK: RegMask = 0b11_1110;
/** Registers that survive a call. */
export const CALLEE_SAVED_MASK: RegMask = 0b11_1100_0000;
/** r10, the read-only frame pointer. */
export const FRAME_POINTER = 10;

function maskOf(roles: readonly Role[], insn: Insn): RegMask {
  let mask = 0;
  for (const role of roles) {
    if (role === "dst") mask |= 1 << insn.dst;
    else if (role === "src") mask |= 1 << insn.src;
    else if (role === "imm") mask |= 1 << (insn.imm & 0xf);
    else if (role === "r0") mask |= 1;
    else if (role === "r6") mask |= 1 << 6;
    else mask |= SCRATCH_MASK;
  }
  return mask;
}

/** Returns the registers that an instruction reads; a call counts all five arguments, its prototype may need fewer. */
export const usesOf = (insn: Insn): RegMask => maskOf(rowOf(insn)?.uses ?? [], insn);

/** Returns the registers that an instruction writes or leaves without a value. */
export const defsOf = (insn: Insn): RegMask => maskOf(rowOf(insn)?.defs ?? [], insn);
