import type { ErrnoName } from "@tsbpf/abi";
import { ERRNO } from "@tsbpf/abi";

/** Places of register halves in a register file: the low half of rn; the high half follows. */
export const R0 = 0;
export const R1 = 2;
export const R2 = 4;
export const R3 = 6;
export const R4 = 8;
export const R5 = 10;

/** Reads the low half of a register as unsigned. */
export const u32 = (regs: Int32Array, at: number): number => (regs[at] as number) >>> 0;
/** Reads the low half of a register as signed. */
export const s32 = (regs: Int32Array, at: number): number => regs[at] as number;
/** Says whether a register is 0. */
export const isZero = (regs: Int32Array, at: number): boolean => regs[at] === 0 && regs[at + 1] === 0;
/** Reads a whole register; keep it off hot paths. */
export const u64 = (regs: Int32Array, at: number): bigint =>
  (BigInt((regs[at + 1] as number) >>> 0) << 32n) | BigInt((regs[at] as number) >>> 0);

/** Sets r0 to an unsigned 32-bit value. */
export function setU32(regs: Int32Array, value: number): void {
  regs[0] = value;
  regs[1] = 0;
}

/** Sets r0 to a signed 32-bit value, extended to 64 bits. */
export function setS32(regs: Int32Array, value: number): void {
  regs[0] = value;
  regs[1] = value >> 31;
}

/** Sets r0 to a 64-bit value; keep it off hot paths. */
export function setU64(regs: Int32Array, value: bigint): void {
  regs[0] = Number(BigInt.asIntN(32, value));
  regs[1] = Number(BigInt.asIntN(32, value >> 32n));
}

/** Sets r0 to a negative error number. */
export const fail = (regs: Int32Array, errno: ErrnoName): void => setS32(regs, -ERRNO[errno]);
