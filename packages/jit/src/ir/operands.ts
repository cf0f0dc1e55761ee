import type { Insn } from "@tsbpf/isa";
import type { Block, Code } from "./blocks.ts";

/** What is known of a register at the end of a block from the block alone. */
export type Known =
  | { readonly kind: "constant"; readonly lo: number; readonly hi: number }
  /** r10 plus an offset. */
  | { readonly kind: "frame"; readonly offset: number };

const FRAME_POINTER = 10;

/**
 * Looks back from the call that ends a block for what an argument holds. Compilers set arguments right before a call,
 * so this finds nearly all constant maps, functions and addresses of locals.
 */
export function knownArgument({ insns, actions }: Code, block: Block, reg: number): Known | undefined {
  let wanted = reg;
  let added = 0;
  for (let slot = block.last - 1; slot >= block.start; slot--) {
    const action = actions[slot];
    const insn = insns[slot] as Insn;
    // Second halves of wide loads have no action; nothing else writes the frame pointer.
    if (action === undefined || !writes(action.kind, insn, wanted)) continue;
    if (action.kind === "wide") {
      return added === 0 ? { kind: "constant", lo: insn.imm, hi: (insns[slot + 1] as Insn).imm } : undefined;
    }
    if (action.kind !== "alu" || action.width !== 64) return undefined;
    if (action.aluOp === "add" && action.source === "k") added += insn.imm;
    else if (action.aluOp === "mov" && action.source === "x") {
      if (insn.src === FRAME_POINTER) return { kind: "frame", offset: added };
      wanted = insn.src;
    } else if (action.aluOp === "mov" && added === 0)
      return { kind: "constant", lo: insn.imm, hi: insn.imm >> 31 };
    else return undefined;
  }
  return undefined;
}

/** Whether an instruction may write a register; atomics fetch into their source or r0. */
function writes(kind: string, insn: Insn, reg: number): boolean {
  switch (kind) {
    case "alu":
    case "end":
    case "addr_cast":
    case "load":
    case "wide":
      return insn.dst === reg;
    case "atomic":
      return insn.src === reg || insn.dst === reg || reg === 0;
    default:
      return false;
  }
}
