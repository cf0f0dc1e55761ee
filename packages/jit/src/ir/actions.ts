import { type Action, type Insn, rowOf } from "@tsbpf/isa";

/** By opcode: the action of bytes that have one row only, so that most instructions need no search. */
const SEARCH = 1;
const cache: (Action | typeof SEARCH | undefined)[] = [];

/** Opcodes whose row depends on another field. */
const isSelective = (op: number): boolean => {
  const cls = op & 0x07;
  const operation = op & 0xf0;
  if (cls === 4 || cls === 7)
    return operation === 0x30 || operation === 0x90 || operation === 0xb0 || operation === 0xd0;
  if (cls === 5 || cls === 6) return operation === 0x80;
  return cls === 0 ? op === 0x18 : cls === 3 && (op & 0xe0) === 0xc0;
};

/** Returns what an instruction does; undefined for the second half of a wide load. */
export function actionOf(insn: Insn): Action | undefined {
  const known = cache[insn.op];
  if (known === SEARCH) return rowOf(insn)?.action;
  if (known !== undefined) return known;
  const found = rowOf(insn)?.action;
  cache[insn.op] = isSelective(insn.op) ? SEARCH : found;
  return found;
}

/** Decodes a program once: the action of every slot. */
export const actionsOf = (insns: readonly Insn[]): readonly (Action | undefined)[] => insns.map(actionOf);
