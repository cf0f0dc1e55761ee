import type { AluOp, JmpOp } from "@tsbpf/isa";
import type { Cursor } from "../text/cursor.ts";
import { describeToken, fail } from "../text/cursor.ts";
import { type ParsedInsn, parsedJump, parsedOf } from "./insn.ts";
import { isAtomicName, readAtomicCall, readLoad } from "./memory.ts";
import {
  checkSameWidth,
  isNumberNext,
  isRegisterNext,
  type Range,
  type Register,
  readImmOperand,
  readNumber,
  readRegister,
  readRegister64,
  readSameRegister,
  readTarget,
} from "./operands.ts";
import { isWideOperandNext, readWideOperand } from "./wide.ts";

/** The operator of every two-operand arithmetic instruction. @source LLVM BPF assembly, linux kernel/bpf/disasm.c */
export const ALU_OPERATORS = {
  add: "+=",
  sub: "-=",
  mul: "*=",
  div: "/=",
  sdiv: "s/=",
  or: "|=",
  and: "&=",
  lsh: "<<=",
  rsh: ">>=",
  mod: "%=",
  smod: "s%=",
  xor: "^=",
  arsh: "s>>=",
} as const satisfies Partial<Record<AluOp, string>>;

/** The operator of every conditional jump. */
export const JMP_OPERATORS = {
  jeq: "==",
  jgt: ">",
  jge: ">=",
  jset: "&",
  jne: "!=",
  jsgt: "s>",
  jsge: "s>=",
  jlt: "<",
  jle: "<=",
  jslt: "s<",
  jsle: "s<=",
} as const satisfies Record<JmpOp, string>;

const invert = <Key extends string>(table: Readonly<Record<Key, string>>): ReadonlyMap<string, Key> =>
  new Map((Object.entries(table) as [Key, string][]).map(([key, text]) => [text, key]));

const ALU_OF_OPERATOR = invert(ALU_OPERATORS);
const JMP_OF_OPERATOR = invert(JMP_OPERATORS);

const SWAP = /^(be|le|bswap)(16|32|64)$/;
const SPACE: Range = { min: 0n, max: 0xffffn };

const widthOf = (register: Register): 32 | 64 => (register.is32 ? 32 : 64);

/** Reads the right side of `r1 += …`. */
function readBinary(cursor: Cursor, aluOp: AluOp, dst: Register): ParsedInsn {
  const width = widthOf(dst);
  if (isNumberNext(cursor)) {
    return parsedOf(`${aluOp}${width}.k`, { dst: dst.num, imm: readImmOperand(cursor, width) });
  }
  const src = readRegister(cursor);
  checkSameWidth(dst, src);
  return parsedOf(`${aluOp}${width}.x`, { dst: dst.num, src: src.num });
}

/** Reads `(s8)r2`. */
function readSignExtension(cursor: Cursor, dst: Register): ParsedInsn {
  cursor.expect("(");
  const token = cursor.name("s8, s16 or s32");
  const bits = /^s(8|16|32)$/.exec(token.text)?.[1];
  const isTooWide = bits === "32" && dst.is32;
  if (bits === undefined || isTooWide) {
    fail(
      "ASM_SIZE",
      `expected s8${dst.is32 ? " or" : ","} s16${dst.is32 ? "" : " or s32"}, found ${token.text}`,
      token,
    );
  }
  cursor.expect(")");
  const src = readRegister(cursor);
  checkSameWidth(dst, src);
  return parsedOf(`movsx${bits}.${widthOf(dst)}`, { dst: dst.num, src: src.num });
}

/** Reads `be16 r1`. */
function readSwap(cursor: Cursor, dst: Register): ParsedInsn {
  const [, order, bits] = SWAP.exec(cursor.next().text) ?? [];
  if (dst.is32) {
    fail(
      "ASM_REGISTER_WIDTH",
      `byte swaps take r registers, found ${dst.token.text}`,
      dst.token,
      `write r${dst.num}`,
    );
  }
  readSameRegister(cursor, dst, "a byte swap");
  return parsedOf(`${order === "bswap" ? "swap" : order}${bits}`, { dst: dst.num });
}

/** Reads `addr_space_cast(r1, 0, 1)`: destination space, source space. */
function readSpaceCast(cursor: Cursor, dst: Register): ParsedInsn {
  cursor.next();
  cursor.expect("(");
  const src = readRegister64(cursor);
  checkSameWidth(dst, src);
  cursor.expect(",");
  const to = Number(readNumber(cursor, SPACE, "address space"));
  cursor.expect(",");
  const from = Number(readNumber(cursor, SPACE, "address space"));
  cursor.expect(")");
  return parsedOf("addr_space_cast", { dst: dst.num, src: src.num, imm: (to << 16) | from });
}

/** Says whether a number is followed by `ll`, which makes the load a wide one. */
const isWideNumberNext = (cursor: Cursor): boolean =>
  isNumberNext(cursor) && cursor.isAt("ll", cursor.peek().kind === "number" ? 1 : 2);

function readWide(cursor: Cursor, dst: Register, needsMark: boolean): ParsedInsn {
  if (dst.is32) {
    fail(
      "ASM_REGISTER_WIDTH",
      `wide loads take r registers, found ${dst.token.text}`,
      dst.token,
      `write r${dst.num}`,
    );
  }
  const parsed = readWideOperand(cursor, dst);
  const hasMark = cursor.accept("ll");
  if (needsMark && !hasMark) cursor.failExpected("ll after a symbol");
  return parsed;
}

/** Reads the right side of `r1 = …`. */
function readMove(cursor: Cursor, dst: Register, isWide: boolean): ParsedInsn {
  if (isWide || isWideNumberNext(cursor) || isWideOperandNext(cursor)) return readWide(cursor, dst, false);
  if (isNumberNext(cursor) || isRegisterNext(cursor)) return readBinary(cursor, "mov", dst);
  if (cursor.accept("-")) {
    readSameRegister(cursor, dst, "negation");
    return parsedOf(`neg${widthOf(dst)}`, { dst: dst.num });
  }
  if (cursor.isAt("(")) return readSignExtension(cursor, dst);
  if (cursor.isAt("*")) return readLoad(cursor, dst);
  const token = cursor.peek();
  if (token.kind !== "name") cursor.failExpected("a register, a number or a load");
  if (SWAP.test(token.text)) return readSwap(cursor, dst);
  if (token.text === "addr_space_cast") return readSpaceCast(cursor, dst);
  if (isAtomicName(token.text)) return readAtomicCall(cursor, dst);
  return readWide(cursor, dst, true);
}

/**
 * Reads an instruction that starts with a register.
 *
 * @param isWide - whether an opcode prefix already says that this is a wide load.
 */
export function readAssignment(cursor: Cursor, isWide: boolean): ParsedInsn {
  const dst = readRegister(cursor);
  const token = cursor.peek();
  if (cursor.accept("=")) return readMove(cursor, dst, isWide);
  const aluOp = ALU_OF_OPERATOR.get(token.text);
  if (aluOp === undefined) {
    fail("ASM_SYNTAX", `expected =, += or another assignment, found ${describeToken(token)}`, token);
  }
  cursor.next();
  return readBinary(cursor, aluOp, dst);
}

/** Reads what follows `if`. */
export function readBranch(cursor: Cursor): ParsedInsn {
  const dst = readRegister(cursor);
  const token = cursor.peek();
  const jmpOp = JMP_OF_OPERATOR.get(token.text);
  if (jmpOp === undefined) {
    fail("ASM_SYNTAX", `expected a comparison such as == or s>, found ${describeToken(token)}`, token);
  }
  cursor.next();
  const width = widthOf(dst);
  if (isNumberNext(cursor)) {
    const imm = readImmOperand(cursor, width);
    cursor.expect("goto");
    return parsedJump(`${jmpOp}${width}.k`, { dst: dst.num, imm }, readTarget(cursor));
  }
  const src = readRegister(cursor);
  checkSameWidth(dst, src);
  cursor.expect("goto");
  return parsedJump(`${jmpOp}${width}.x`, { dst: dst.num, src: src.num }, readTarget(cursor));
}
