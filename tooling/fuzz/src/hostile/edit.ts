import { type Insn, rowOf, targetSlotOf } from "@tsbpf/isa";

/** Code with what points into it, so that it can be cut and filled without tearing everything. */
export interface Code {
  readonly insns: readonly Insn[];
  readonly fixups: readonly { readonly insn: number; readonly map: number; readonly off?: number }[];
  readonly kfuncs: readonly { readonly insn: number; readonly name: string }[];
  readonly ksyms: readonly { readonly insn: number; readonly name: string; readonly kind?: string }[];
  /** Slots of function records, with their types. */
  readonly funcs: readonly { readonly slot: number; readonly typeId: number }[];
}

/** Replaces `count` slots at `at` by others; jumps, calls and references that lie elsewhere are moved along. */
export function splice(code: Code, at: number, count: number, inserted: readonly Insn[]): Code {
  const by = inserted.length - count;
  const moved = (slot: number): number => (slot >= at + count ? slot + by : Math.min(slot, at));
  const keep = (slot: number): boolean => slot < at || slot >= at + count;
  const insns: Insn[] = [];
  code.insns.forEach((insn, slot) => {
    if (slot === at) insns.push(...inserted);
    if (keep(slot)) insns.push(retarget(insn, slot, moved));
  });
  if (at >= code.insns.length) insns.push(...inserted);
  const follow = <T extends { readonly insn: number }>(all: readonly T[]): T[] =>
    all.filter((one) => keep(one.insn)).map((one) => ({ ...one, insn: moved(one.insn) }));
  return {
    insns,
    fixups: follow(code.fixups),
    kfuncs: follow(code.kfuncs),
    ksyms: follow(code.ksyms),
    funcs: code.funcs
      .filter((one) => keep(one.slot) || one.slot === 0)
      .map((one) => ({ ...one, slot: moved(one.slot) })),
  };
}

const IN_16_BITS = (value: number): number => (value << 16) >> 16;

function retarget(insn: Insn, slot: number, moved: (slot: number) => number): Insn {
  const target = targetSlotOf(insn, slot);
  if (target === undefined) return insn;
  const distance = moved(target) - moved(slot) - 1;
  const action = rowOf(insn)?.action;
  const isShort =
    action?.kind === "branch" ||
    action?.kind === "may_goto" ||
    (action?.kind === "ja" && action.distance === "off");
  return isShort ? { ...insn, off: IN_16_BITS(distance) } : { ...insn, imm: distance | 0 };
}
