import type { MapRef } from "@tsbpf/abi";
import { type Insn, type InsnRow, insnOfRow, LD_IMM64_OP, rowOfId, slotsOf } from "@tsbpf/isa";

/** One instruction before its slot is known; `target` is an instruction index within the function. */
export interface Draft {
  readonly insn: Insn;
  readonly half?: Insn;
  readonly target?: number;
  /** Function that a call or pointer leads to. */
  readonly func?: number;
  readonly map?: number;
}

export const row = (id: string): InsnRow => {
  const found = rowOfId(id);
  if (found === undefined) throw new Error(`no row ${id}`);
  return found;
};

export const plain = (id: string, fields: Partial<Omit<Insn, "op">> = {}): Draft => ({
  insn: insnOfRow(row(id), fields),
});

export const helper = (id: number): Draft => plain("call.helper", { imm: id });

export const wideDraft = (dst: number, src: number, lo: number, hi: number): Draft => ({
  insn: { op: LD_IMM64_OP, dst, src, off: 0, imm: lo },
  half: { op: 0, dst: 0, src: 0, off: 0, imm: hi },
});

/** Lays the functions one after the other and fills in distances. */
export function place(funcs: readonly (readonly Draft[])[]): { insns: Insn[]; mapRefs: MapRef[] } {
  const starts: number[][] = [];
  let slot = 0;
  for (const func of funcs) {
    starts.push(
      func.map((draft) => {
        const at = slot;
        slot += slotsOf(draft.insn);
        return at;
      }),
    );
  }
  const insns: Insn[] = [];
  const mapRefs: MapRef[] = [];
  for (const [f, func] of funcs.entries()) {
    for (const draft of func) {
      const at = insns.length;
      if (draft.map !== undefined) mapRefs.push({ slot: at, mapIdx: draft.map });
      const to = draft.func !== undefined ? starts[draft.func]?.[0] : starts[f]?.[draft.target ?? -1];
      insns.push(to === undefined ? draft.insn : withDistance(draft.insn, to - at - 1));
      if (draft.half !== undefined) insns.push(draft.half);
    }
  }
  return { insns, mapRefs };
}

/** Puts a distance where the instruction has it. */
function withDistance(insn: Insn, distance: number): Insn {
  const inImm = insn.op === LD_IMM64_OP || insn.op === GOTOL || insn.op === CALL;
  return inImm ? { ...insn, imm: distance } : { ...insn, off: distance };
}

const GOTOL = 0x06;
const CALL = 0x85;
