import type { Insn } from "./insn.ts";
import { rowOf } from "./table.ts";

/** What a call instruction calls, read from the instruction alone. */
export type CallSite =
  | { readonly kind: "helper"; readonly helperId: number }
  /** `distance` in slots from the next slot. */
  | { readonly kind: "subprog"; readonly distance: number }
  /** `btfFdIdx` 0 means the kernel's own BTF. */
  | { readonly kind: "kfunc"; readonly btfId: number; readonly btfFdIdx: number }
  | { readonly kind: "indirect"; readonly reg: number };

/**
 * Tells kernel helpers from pseudo calls: the one place that reads the source field of a call.
 *
 * @returns undefined when the instruction is no call of a known kind.
 * @source RFC 9669 §4.3.1; linux uapi/linux/bpf.h BPF_PSEUDO_CALL
 */
export function classifyCall(insn: Insn): CallSite | undefined {
  const action = rowOf(insn)?.action;
  if (action?.kind !== "call") return undefined;
  switch (action.callKind) {
    case "helper":
      return { kind: "helper", helperId: insn.imm };
    case "subprog":
      return { kind: "subprog", distance: insn.imm };
    case "kfunc":
      return { kind: "kfunc", btfId: insn.imm, btfFdIdx: insn.off };
    case "indirect":
      return { kind: "indirect", reg: action.registerField === "imm" ? insn.imm : insn.dst };
  }
}

/** Returns the slot that a jump, call or function reference at `slot` leads to; undefined when it has no target of its own. */
export function targetSlotOf(insn: Insn, slot: number): number | undefined {
  const action = rowOf(insn)?.action;
  if (action === undefined) return undefined;
  switch (action.kind) {
    case "ja":
      return slot + 1 + (action.distance === "off" ? insn.off : insn.imm);
    case "branch":
    case "may_goto":
      return slot + 1 + insn.off;
    case "call":
      return action.callKind === "subprog" ? slot + 1 + insn.imm : undefined;
    case "wide":
      return action.wideKind === "func" ? slot + 1 + insn.imm : undefined;
    default:
      return undefined;
  }
}
