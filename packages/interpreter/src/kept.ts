import { defsOf, type Insn, rowOf } from "@tsbpf/isa";
import type { LinkedProg } from "@tsbpf/runtime";

/** Registers that a frame keeps the short way at most. */
const SHORT_MAX = 2;
const R6 = 6;
const R9 = 9;

/**
 * Says how many of r6..r9, from r6 on, each function of a program changes: those that a call of it must keep; or
 * undefined for a function that does what the short way of opening a frame does not provide for.
 *
 * Assumes: the verifier's proofs, so that nobody reads what a frame did not set. Guarantees: when the function exits,
 * all of r6..r9 beyond these are what they were. Needs time linear in the slots.
 */
export function keptCounts({ funcs, insns, targets }: LinkedProg): readonly (number | undefined)[] {
  return funcs.map(({ start, end }) => {
    let count = 0;
    for (let slot = start; slot < end; slot++) {
      const insn = insns[slot] as Insn;
      const kind = rowOf(insn)?.action.kind;
      const target = targets.get(slot)?.kind;
      // Another program may take the frame over, or the frame has a counter of its own.
      if (target === "tail_call" || target === "indirect" || kind === "may_goto") return undefined;
      const defs = defsOf(insn);
      for (let reg = R9; reg >= R6 + count; reg--) if ((defs & (1 << reg)) !== 0) count = reg - R6 + 1;
    }
    return count > SHORT_MAX ? undefined : count;
  });
}

/** Names of the cases that call and leave a function, by how many registers it needs kept. */
export const shortName = (what: "call.subprog" | "exit", count: number | undefined) =>
  count === undefined ? what : (`${what}.${count as 0 | 1 | 2}` as const);
