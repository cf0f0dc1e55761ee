import { invariant } from "@tsbpf/base";
import { type Insn, insnOfRow, makeInsn, makeWide, rowOfId, type WideKind } from "@tsbpf/isa";
import type { Token } from "../text/lexer.ts";
import type { JumpTarget } from "./operands.ts";

/** What an instruction names and only the whole text can resolve. */
export type Ref =
  /** `field` gets the distance in slots from the next slot to the label. */
  | { readonly kind: "label"; readonly field: "off" | "imm"; readonly name: string; readonly token: Token }
  /** A call by bare name: a function of the text, a helper or a kfunc. */
  | { readonly kind: "callee"; readonly name: string; readonly id?: number; readonly token: Token }
  | { readonly kind: "helper"; readonly name: string; readonly token: Token }
  | { readonly kind: "kfunc"; readonly name: string; readonly id?: number; readonly token: Token }
  | { readonly kind: "map"; readonly name: string; readonly valueOffset?: number; readonly token: Token }
  | { readonly kind: "ksym"; readonly name: string; readonly token: Token }
  /** A wide load of a bare name: a function of the text or a map. */
  | { readonly kind: "symbol"; readonly name: string; readonly token: Token };

/** One instruction as far as its own text tells; wide loads have two slots. */
export interface ParsedInsn {
  readonly slots: readonly [Insn] | readonly [Insn, Insn];
  readonly ref?: Ref;
}

export type Fields = Partial<Omit<Insn, "op">>;

const rowOfIdOrBug = (id: string) => {
  const row = rowOfId(id);
  invariant(row !== undefined, `there is an instruction named ${id}`);
  return row;
};

/** Makes a one-slot instruction of the row with this name. */
export function parsedOf(rowId: string, fields: Fields, ref?: Ref): ParsedInsn {
  const slots = [insnOfRow(rowOfIdOrBug(rowId), fields)] as const;
  return ref === undefined ? { slots } : { slots, ref };
}

/** Makes a wide load from its two immediates. */
export function parsedWide(kind: WideKind, dst: number, imm: number, nextImm: number, ref?: Ref): ParsedInsn {
  const slots = [
    insnOfRow(rowOfIdOrBug(`wide.${kind}`), { dst, imm }),
    makeInsn(0, { imm: nextImm }),
  ] as const;
  return ref === undefined ? { slots } : { slots, ref };
}

/** Makes a wide load of a constant. */
export const parsedWideImm = (dst: number, value: bigint): ParsedInsn => ({ slots: makeWide(dst, 0, value) });

/** Makes a jump whose distance lies in `field`. */
export function parsedJump(
  rowId: string,
  fields: Fields,
  target: JumpTarget,
  field: "off" | "imm" = "off",
): ParsedInsn {
  return target.kind === "distance"
    ? parsedOf(rowId, { ...fields, [field]: target.slots })
    : parsedOf(rowId, fields, { kind: "label", field, name: target.name, token: target.token });
}
