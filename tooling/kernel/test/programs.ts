import { printHexBytes } from "@tsbpf/base";
import { encodeInsns, type Insn, makeInsn, makeWide } from "@tsbpf/isa";

// The few instructions that the tests need, by name; this package must not depend on the assembler.
export const movImm = (dst: number, imm: number): Insn => makeInsn(0xb7, { dst, imm });
export const movReg = (dst: number, src: number): Insn => makeInsn(0xbf, { dst, src });
export const addImm = (dst: number, imm: number): Insn => makeInsn(0x07, { dst, imm });
export const load32 = (dst: number, src: number, off: number): Insn => makeInsn(0x61, { dst, src, off });
export const load8 = (dst: number, src: number, off: number): Insn => makeInsn(0x71, { dst, src, off });
export const store8 = (dst: number, off: number, src: number): Insn => makeInsn(0x73, { dst, off, src });
export const storeImm32 = (dst: number, off: number, imm: number): Insn => makeInsn(0x62, { dst, off, imm });
export const storeImm64 = (dst: number, off: number, imm: number): Insn => makeInsn(0x7a, { dst, off, imm });
export const atomicAdd64 = (dst: number, off: number, src: number): Insn =>
  makeInsn(0xdb, { dst, off, src, imm: 0 });
export const jumpIfZero = (dst: number, off: number): Insn => makeInsn(0x15, { dst, off });
export const jumpIfAbove = (dst: number, src: number, off: number): Insn => makeInsn(0x2d, { dst, src, off });
export const call = (helper: number): Insn => makeInsn(0x85, { imm: helper });
export const callSubprog = (delta: number): Insn => makeInsn(0x85, { src: 1, imm: delta });
export const callKfunc = (): Insn => makeInsn(0x85, { src: 2 });
export const exit = (): Insn => makeInsn(0x95);
/** Two slots; a fixup puts the map's descriptor in. */
export const loadMap = (dst: number): readonly Insn[] => makeWide(dst, 1, 0n);

export const hexOf = (...parts: readonly (Insn | readonly Insn[])[]): string =>
  printHexBytes(encodeInsns(parts.flat()));

/** A packet of `size` bytes 0, 1, 2, ... as hex. */
export const packet = (size: number): string => printHexBytes(Uint8Array.from({ length: size }, (_, i) => i));

/** Adds `by` to the u64 that map 0 (an array) has at index 0, and returns 2. */
export const countingProgram = (by: number): string =>
  hexOf(
    storeImm32(10, -4, 0),
    movReg(2, 10),
    addImm(2, -4),
    loadMap(1),
    call(1),
    jumpIfZero(0, 2),
    movImm(1, by),
    atomicAdd64(0, 0, 1),
    movImm(0, 2),
    exit(),
  );
export const COUNTING_FIXUPS = [{ insn: 3, map: 0 }];

/** Little-endian u64 as a map dump shows it. */
export const u64Hex = (value: number): string => {
  const bytes = new Uint8Array(8);
  new DataView(bytes.buffer).setBigUint64(0, BigInt(value), true);
  return printHexBytes(bytes);
};
