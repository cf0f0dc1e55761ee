import type { Reg } from "./reg.ts";

/** Kinds of a stack byte, as logs print them (S-30). */
export const KIND = {
  invalid: "?",
  spill: "r",
  misc: "m",
  zero: "0",
  dynptr: "d",
  iter: "i",
  irqFlag: "f",
} as const;

/**
 * Eight bytes of a frame; immutable. `kinds` has eight characters, the first for the highest address (S-31).
 */
export interface Slot {
  readonly kinds: string;
  /** The spilled register, or the object (dynptr, iterator, irq flag) that lies here. */
  readonly reg: Reg | null;
}

export const EMPTY_SLOT: Slot = { kinds: "????????", reg: null };
export const MISC_SLOT: Slot = { kinds: "mmmmmmmm", reg: null };
export const FULL_SPILL = "rrrrrrrr";

export const makeSlot = (kinds: string, reg: Reg | null = null): Slot => ({ kinds, reg });

/** Says whether a register lies spilled here, whole or in part. */
export const isSpilled = (slot: Slot): boolean => slot.kinds[7] === KIND.spill;
export const isFullSpill = (slot: Slot): boolean => slot.kinds === FULL_SPILL;
export const spilledBytes = (slot: Slot): number => {
  const first = slot.kinds.indexOf(KIND.spill);
  return first < 0 ? 0 : 8 - first;
};
export const isDynptrSlot = (slot: Slot): boolean => slot.kinds[7] === KIND.dynptr;
/** Says whether a slot holds something a plain write must first scrub. */
export const isSpecialSlot = (slot: Slot): boolean => "rdif".includes(slot.kinds[7] ?? "?");

/** Turns every written byte to unknown. */
export const scrubSpecialSlot = (slot: Slot): Slot =>
  isFullSpill(slot) ? MISC_SLOT : makeSlot(slot.kinds.replace(/[^?]/g, KIND.misc));

/** Replaces one kind; `index` 0 is the highest address. */
export const withKind = (kinds: string, index: number, kind: string): string =>
  kinds[index] === kind ? kinds : kinds.slice(0, index) + kind + kinds.slice(index + 1);
