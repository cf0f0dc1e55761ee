import { type ActionKind, type Insn, rowsOfOp } from "@tsbpf/isa";

const OP_BYTES = 256;

const KINDS: readonly ReadonlySet<ActionKind>[] = Array.from(
  { length: OP_BYTES },
  (_, op) => new Set(rowsOfOp(op).map(({ action }) => action.kind)),
);

/** Says whether the opcode byte alone leaves a kind possible; saves looking at rows for most instructions. */
export const mayBe = (insn: Insn, kind: ActionKind): boolean => KINDS[insn.op]?.has(kind) === true;
