/**
 * One 8-byte slot of BPF code, the shape of the kernel's `struct bpf_insn`.
 *
 * Code is an array of these, and every index into it counts slots: a wide `ld_imm64` takes two entries, the
 * second with `op` 0. So jump offsets, log lines and fault places need no translation.
 *
 * @source RFC 9669 §3
 */
export interface Insn {
  /** Opcode byte, 0..255. */
  readonly op: number;
  /** Destination register field, 0..15; only 0..10 are valid. */
  readonly dst: number;
  /** Source register field, 0..15. */
  readonly src: number;
  /** Signed 16-bit offset. */
  readonly off: number;
  /** Signed 32-bit immediate. */
  readonly imm: number;
}

/** Opcode of the only instruction that takes two slots. */
export const LD_IMM64_OP = 0x18;

/** Says whether the slot starts a two-slot instruction. */
export const isWide = (insn: Insn): boolean => insn.op === LD_IMM64_OP;

/** Returns how many slots the instruction that starts here takes: 1 or 2. */
export const slotsOf = (insn: Insn): 1 | 2 => (insn.op === LD_IMM64_OP ? 2 : 1);

/** Joins the two immediates of a wide load to an unsigned 64-bit value; a missing second slot counts as zero. */
export function wideImm(insns: readonly Insn[], slot: number): bigint {
  const lo = insns[slot]?.imm ?? 0;
  const hi = insns[slot + 1]?.imm ?? 0;
  return (BigInt(hi >>> 0) << 32n) | BigInt(lo >>> 0);
}

/** Makes an instruction; omitted fields are zero. */
export const makeInsn = (op: number, fields: Partial<Omit<Insn, "op">> = {}): Insn => ({
  op,
  dst: fields.dst ?? 0,
  src: fields.src ?? 0,
  off: fields.off ?? 0,
  imm: fields.imm ?? 0,
});

/** Makes the two slots of a wide load. */
export const makeWide = (dst: number, src: number, value: bigint): readonly [Insn, Insn] => [
  { op: LD_IMM64_OP, dst, src, off: 0, imm: Number(BigInt.asIntN(32, value)) },
  { op: 0, dst: 0, src: 0, off: 0, imm: Number(BigInt.asIntN(32, value >> 32n)) },
];

/** Compares all fields of two instructions. */
export const isSameInsn = (a: Insn, b: Insn): boolean =>
  a.op === b.op && a.dst === b.dst && a.src === b.src && a.off === b.off && a.imm === b.imm;
