import { INSN_ROWS, type Insn, type InsnRow, isWide, makeInsn } from "@tsbpf/isa";
import fc from "fast-check";
import { arbInsnOf, arbSlot } from "../../isa/test/samples.ts";

/** Wide loads whose second immediate Linux wants to be zero. */
const ZERO_HALF = new Set(["wide.map_fd", "wide.map_idx", "wide.func"]);

/** The slots of an instruction of a row with any values that its fields may hold. */
export const arbSlotsOf = (row: InsnRow): fc.Arbitrary<Insn[]> =>
  row.action.kind !== "wide"
    ? arbInsnOf(row).map((insn) => [insn])
    : fc
        .tuple(arbInsnOf(row), fc.integer({ min: -0x8000_0000, max: 0x7fff_ffff }))
        .map(([insn, high]) => [insn, makeInsn(0, { imm: ZERO_HALF.has(row.id) ? 0 : high })]);

/** Programs of valid instructions; distances may lead anywhere. */
export const arbValidProg: fc.Arbitrary<Insn[]> = fc
  .array(fc.constantFrom(...INSN_ROWS).chain(arbSlotsOf), { maxLength: 40 })
  .map((parts) => parts.flat());

/** Makes most jumps and calls of a program lead to an instruction of it, so that labels appear. */
export const arbLinkedProg: fc.Arbitrary<Insn[]> = fc
  .tuple(arbValidProg, fc.infiniteStream(fc.nat(1000)))
  .map(([insns, stream]) => {
    const picks = stream[Symbol.iterator]();
    return insns.map((insn, slot) => {
      const pick = (picks.next().value as number) % (insns.length + 2);
      const distance = pick - slot - 1;
      if (insn.op === 0x06 || (insn.op === 0x85 && insn.src === 1)) return { ...insn, imm: distance };
      if (isWide(insn) && insn.src === 4) return { ...insn, imm: distance };
      const isJump = (insn.op & 0x07) === 0x05 || (insn.op & 0x07) === 0x06;
      const hasOff = isJump && ![0x85, 0x8d, 0x95, 0x0d].includes(insn.op);
      return hasOff ? { ...insn, off: distance } : insn;
    });
  });

/** Any slots at all. */
export const arbSlots: fc.Arbitrary<Insn[]> = fc.array(
  fc.oneof(
    arbSlot,
    fc.constantFrom(makeInsn(0x18), makeInsn(0)),
    fc.constantFrom(...INSN_ROWS).chain(arbInsnOf),
  ),
  {
    maxLength: 30,
  },
);
