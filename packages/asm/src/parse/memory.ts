import type { AtomicOp, SizeBytes } from "@tsbpf/isa";
import type { Cursor } from "../text/cursor.ts";
import { describeToken, fail } from "../text/cursor.ts";
import type { Token } from "../text/lexer.ts";
import { type ParsedInsn, parsedOf } from "./insn.ts";
import {
  checkSameWidth,
  isNumberNext,
  type MemoryOperand,
  type Register,
  readBaseAndOffset,
  readImm32,
  readImmOperand,
  readMemory,
  readRegister,
  readRegister64,
  readSameRegister,
} from "./operands.ts";

/** A C type that gives the bytes of an access and whether a load extends the sign. */
export interface AccessType {
  readonly size: SizeBytes;
  readonly isSigned: boolean;
  readonly token: Token;
}

const TYPES: Readonly<Record<string, readonly [SizeBytes, boolean]>> = {
  u8: [1, false],
  u16: [2, false],
  u32: [4, false],
  u64: [8, false],
  s8: [1, true],
  s16: [2, true],
  s32: [4, true],
};

/** Reads `u32 *` between parentheses. */
function readCast(cursor: Cursor): AccessType {
  cursor.expect("(");
  const token = cursor.peek();
  const found = token.kind === "name" && Object.hasOwn(TYPES, token.text) ? TYPES[token.text] : undefined;
  if (found === undefined) {
    fail("ASM_SIZE", `expected u8, u16, u32, u64, s8, s16 or s32, found ${describeToken(token)}`, token);
  }
  cursor.next();
  cursor.expect("*");
  cursor.expect(")");
  return { size: found[0], isSigned: found[1], token };
}

/** Reads `*(u32 *)` before a memory operand. */
function readAccessType(cursor: Cursor): AccessType {
  cursor.expect("*");
  return readCast(cursor);
}

const refuseSigned = (type: AccessType, what: string): void => {
  if (type.isSigned)
    fail("ASM_SIZE", `${what} take u8, u16, u32 or u64, found ${type.token.text}`, type.token);
};

/** A `w` register holds at most 32 bits of what is loaded or stored. */
function checkAccessWidth(register: Register, type: AccessType): void {
  if (!register.is32 || (type.size <= 4 && !type.isSigned)) return;
  fail(
    "ASM_REGISTER_WIDTH",
    `${type.token.text} needs a 64-bit register, found ${register.token.text}`,
    register.token,
    `write r${register.num}`,
  );
}

/** Reads `*(u32 *)(r1 + 4)` or `*(u8 *)skb[4]` to the right of `=`. */
export function readLoad(cursor: Cursor, dst: Register): ParsedInsn {
  const type = readAccessType(cursor);
  if (cursor.isAt("skb")) return readPacketLoad(cursor, dst, type);
  const { base, off } = readMemory(cursor, "(", ")");
  checkAccessWidth(dst, type);
  const id = `ldx${type.isSigned ? "s" : ""}${type.size * 8}`;
  return parsedOf(id, { dst: dst.num, src: base.num, off });
}

function readPacketLoad(cursor: Cursor, dst: Register, type: AccessType): ParsedInsn {
  if (type.isSigned || type.size === 8) {
    fail("ASM_SIZE", `packet loads take u8, u16 or u32, found ${type.token.text}`, type.token);
  }
  if (dst.num !== 0) {
    fail("ASM_REGISTER_MATCH", `packet loads write r0, found ${dst.token.text}`, dst.token, "write r0");
  }
  cursor.next();
  cursor.expect("[");
  const isAbsolute = isNumberNext(cursor);
  const src = isAbsolute ? 0 : readRegister64(cursor).num;
  // The kernel writes `[r2 + -4]`, others `[r2 - 4]`.
  if (cursor.isAt("+") && cursor.isAt("-", 1)) cursor.next();
  const imm = isNumberNext(cursor) ? readImm32(cursor, "packet offset") : 0;
  cursor.expect("]");
  return parsedOf(`${isAbsolute ? "ldabs" : "ldind"}${type.size * 8}`, { src, imm });
}

/** Reads `*(u32 *)(r10 - 4) = r1` or `= 7`. */
export function readStore(cursor: Cursor): ParsedInsn {
  const type = readAccessType(cursor);
  refuseSigned(type, "stores");
  const { base, off } = readMemory(cursor, "(", ")");
  cursor.expect("=");
  if (isNumberNext(cursor)) {
    return parsedOf(`st${type.size * 8}`, {
      dst: base.num,
      off,
      imm: readImmOperand(cursor, type.size === 8 ? 64 : 32),
    });
  }
  const src = readRegister(cursor);
  checkAccessWidth(src, type);
  return parsedOf(`stx${type.size * 8}`, { dst: base.num, off, src: src.num });
}

const LOCKED_OPS: Readonly<Record<string, AtomicOp>> = { "+=": "add", "|=": "or", "&=": "and", "^=": "xor" };

/** Read-modify-write exists for 4 and 8 bytes only. */
function checkAtomicSize(type: AccessType): void {
  if (type.isSigned || type.size < 4) {
    fail("ASM_SIZE", `atomic operations take u32 or u64, found ${type.token.text}`, type.token);
  }
}

const atomicFields = (memory: MemoryOperand, src: number) => ({
  dst: memory.base.num,
  off: memory.off,
  src,
});

/** Reads `*(u64 *)(r1 + 0) += r2` after `lock`. */
export function readLocked(cursor: Cursor): ParsedInsn {
  const type = readAccessType(cursor);
  checkAtomicSize(type);
  const memory = readMemory(cursor, "(", ")");
  const token = cursor.peek();
  const atomicOp = Object.hasOwn(LOCKED_OPS, token.text) ? LOCKED_OPS[token.text] : undefined;
  if (atomicOp === undefined) cursor.failExpected("+=, |=, &= or ^=");
  cursor.next();
  const src = readRegister(cursor);
  checkAccessWidth(src, type);
  return parsedOf(`atomic${type.size * 8}.${atomicOp}`, atomicFields(memory, src.num));
}

const FETCH = /^atomic(64)?_fetch_(add|or|and|xor)$/;
const KERNEL_XCHG = /^atomic(64)?_(cmpxchg|xchg)$/;
const LLVM_XCHG = /^(xchg|cmpxchg)(_64|32_32)$/;

/** Says whether a name is an atomic operation that yields a value. */
export const isAtomicName = (name: string): boolean =>
  FETCH.test(name) || KERNEL_XCHG.test(name) || LLVM_XCHG.test(name) || name === "load_acquire";

/** The kernel writes `atomic64_` for 8 bytes; LLVM leaves it to the type. */
function checkPrefixSize(type: AccessType, has64: boolean): void {
  checkAtomicSize(type);
  if (has64 && type.size !== 8) {
    fail("ASM_SIZE", `an atomic64 operation takes u64, found ${type.token.text}`, type.token);
  }
}

function checkResult(dst: Register, expected: number, what: string): void {
  if (dst.num === expected) return;
  fail(
    "ASM_REGISTER_MATCH",
    `${what} leaves the old value in ${dst.is32 ? "w" : "r"}${expected}, found ${dst.token.text}`,
    dst.token,
    `write ${dst.is32 ? "w" : "r"}${expected}`,
  );
}

interface AtomicCall {
  readonly atomicOp: AtomicOp;
  readonly type: AccessType;
  readonly memory: MemoryOperand;
}

/** Reads the operands after the memory: `, r2)`, or `, r0, r2)` for a compare-and-exchange. */
function readAtomicOperands(
  cursor: Cursor,
  dst: Register,
  { atomicOp, type, memory }: AtomicCall,
): ParsedInsn {
  const isCompare = atomicOp === "cmpxchg";
  cursor.expect(",");
  if (isCompare) {
    checkResult(dst, 0, "cmpxchg");
    readSameRegister(cursor, dst, "cmpxchg");
    cursor.expect(",");
  }
  const src = readRegister(cursor);
  checkSameWidth(dst, src);
  checkAccessWidth(src, type);
  if (!isCompare) checkResult(dst, src.num, atomicOp);
  cursor.expect(")");
  return parsedOf(`atomic${type.size * 8}.${atomicOp}`, atomicFields(memory, src.num));
}

/** Reads an atomic operation to the right of `=`. */
export function readAtomicCall(cursor: Cursor, dst: Register): ParsedInsn {
  const token = cursor.next();
  const name = token.text;
  cursor.expect("(");
  if (name === "load_acquire") {
    const type = readCast(cursor);
    refuseSigned(type, "acquiring loads");
    const { base, off } = readMemory(cursor, "(", ")");
    cursor.expect(")");
    checkAccessWidth(dst, type);
    return parsedOf(`atomic${type.size * 8}.load_acquire`, { dst: dst.num, src: base.num, off });
  }
  const llvm = LLVM_XCHG.exec(name);
  if (llvm !== null) {
    const type: AccessType = { size: llvm[2] === "_64" ? 8 : 4, isSigned: false, token };
    const memory = readBaseAndOffset(cursor);
    return readAtomicOperands(cursor, dst, { atomicOp: llvm[1] as "xchg" | "cmpxchg", type, memory });
  }
  const fetch = FETCH.exec(name);
  const [, has64, operation] = fetch ?? KERNEL_XCHG.exec(name) ?? [];
  const atomicOp = (fetch === null ? operation : `fetch_${operation}`) as AtomicOp;
  const type = readCast(cursor);
  checkPrefixSize(type, has64 !== undefined);
  const memory = readMemory(cursor, "(", ")");
  return readAtomicOperands(cursor, dst, { atomicOp, type, memory });
}

/** Reads `((u64 *)(r1 + 0), r2)` after `store_release`. */
export function readStoreRelease(cursor: Cursor): ParsedInsn {
  cursor.expect("(");
  const type = readCast(cursor);
  refuseSigned(type, "releasing stores");
  const memory = readMemory(cursor, "(", ")");
  cursor.expect(",");
  const src = readRegister(cursor);
  checkAccessWidth(src, type);
  cursor.expect(")");
  return parsedOf(`atomic${type.size * 8}.store_release`, atomicFields(memory, src.num));
}
