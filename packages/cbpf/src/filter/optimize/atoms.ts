import { SCRATCH_WORDS } from "../../insn.ts";
import { cbpfRowOf } from "../../rows.ts";
import { NOP, type Stmt } from "../ir.ts";

/** What code can store to: words of scratch memory by their number, then A and X. */
export const A_ATOM = SCRATCH_WORDS;
export const X_ATOM = SCRATCH_WORDS + 1;
export const ATOMS = SCRATCH_WORDS + 2;

const A_BIT = 1 << A_ATOM;
const X_BIT = 1 << X_ATOM;

/** Atoms that a statement loads, as bits. */
export function usesOf({ code, k }: Pick<Stmt, "code" | "k">): number {
  const action = code === NOP ? undefined : cbpfRowOf(code)?.action;
  switch (action?.kind) {
    case "packet":
      return action.mode === "ind" ? X_BIT : 0;
    case "mem":
      return 1 << k;
    case "store":
      return action.from === "a" ? A_BIT : X_BIT;
    case "alu":
    case "branch":
      return action.operand === "x" ? A_BIT | X_BIT : A_BIT;
    case "neg":
      return A_BIT;
    case "move":
      return action.to === "x" ? A_BIT : X_BIT;
    case "return":
      return action.value === "a" ? A_BIT : 0;
    default:
      return 0;
  }
}

/** The atom that a statement stores to; undefined when it stores to none. */
export function storesTo({ code, k }: Pick<Stmt, "code" | "k">): number | undefined {
  const action = code === NOP ? undefined : cbpfRowOf(code)?.action;
  switch (action?.kind) {
    case "packet":
    case "alu":
    case "neg":
      return A_ATOM;
    case "imm":
    case "len":
    case "mem":
    case "move":
      return action.to === "a" ? A_ATOM : X_ATOM;
    case "header-length":
      return X_ATOM;
    case "store":
      return k;
    default:
      return undefined;
  }
}
