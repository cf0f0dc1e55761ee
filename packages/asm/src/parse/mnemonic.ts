import { invariant } from "@tsbpf/base";
import type { InsnRow } from "@tsbpf/isa";
import type { Cursor } from "../text/cursor.ts";
import { fail } from "../text/cursor.ts";
import { clip } from "../text/diagnostic.ts";
import type { Token } from "../text/lexer.ts";
import { didYouMean } from "../text/suggest.ts";
import { type Fields, type ParsedInsn, parsedJump, parsedOf } from "./insn.ts";
import { ROWS_OF_MNEMONIC } from "./mnemonic-names.ts";
import {
  DISTANCE32,
  isNumberNext,
  type Register,
  readImm32,
  readImmOperand,
  readMemory,
  readNumber,
  readRegister,
  readTarget,
} from "./operands.ts";
import { readWideOperand } from "./wide.ts";

/** GNU names whose width is an operand: `endbe %r1, 16`, `bswap %r1, 64`, `movs %r1, %r2, 8`. */
const WIDTH_OPERAND: Readonly<Record<string, string>> = {
  endle: "le",
  endbe: "be",
  bswap: "swap",
  swap: "swap",
  movs: "movsx",
  movs32: "movsx",
};

/** Words that start a statement in either notation, for suggestions. */
const OTHER_WORDS = [
  "call",
  "callx",
  "exit",
  "goto",
  "gotol",
  "gotox",
  "if",
  "lock",
  "store_release",
] as const;

/** Every word a statement of this notation may start with. */
export const MNEMONICS: readonly string[] = [
  ...[...ROWS_OF_MNEMONIC.keys()].filter((name) => !name.startsWith("lock ")),
  ...Object.keys(WIDTH_OPERAND),
  ...OTHER_WORDS,
];

/** A `w` register may stand only where the instruction works on 32 bits. */
function checkMnemonicWidth(register: Register, isNarrow: boolean): void {
  if (!register.is32 || isNarrow) return;
  fail(
    "ASM_REGISTER_WIDTH",
    `this mnemonic works on 64 bits, found ${register.token.text}`,
    register.token,
    `write r${register.num}`,
  );
}

function isNarrowRow(row: InsnRow): boolean {
  const { action } = row;
  if (action.kind === "alu" || action.kind === "branch") return action.width === 32;
  if (action.kind === "load") return !action.isSigned && action.size <= 4;
  return (action.kind === "store" || action.kind === "atomic") && action.size <= 4;
}

function readOperandRegister(cursor: Cursor, row: InsnRow): number {
  const register = readRegister(cursor);
  checkMnemonicWidth(register, isNarrowRow(row));
  return register.num;
}

const comma = (cursor: Cursor): void => {
  cursor.expect(",");
};

/** Picks the row whose second operand is an immediate or a register. */
function pickSource(rows: readonly InsnRow[], source: "k" | "x"): InsnRow | undefined {
  return rows.find((row) => "source" in row.action && row.action.source === source);
}

/** Reads `, %r2` or `, 5` and says which row that makes it. */
function readSource(cursor: Cursor, rows: readonly InsnRow[], width: 32 | 64): [InsnRow, Fields] {
  comma(cursor);
  const isImm = isNumberNext(cursor);
  const row = pickSource(rows, isImm ? "k" : "x");
  if (row === undefined) cursor.failExpected(isImm ? "a register" : "a number");
  if (isImm) return [row, { imm: readImmOperand(cursor, width) }];
  return [row, { src: readOperandRegister(cursor, row) }];
}

type Reader = (cursor: Cursor, rows: readonly [InsnRow, ...InsnRow[]]) => ParsedInsn;

const readAlu: Reader = (cursor, rows) => {
  const [first] = rows;
  const dst = readOperandRegister(cursor, first);
  if (first.action.kind === "alu" && first.action.aluOp === "neg") return parsedOf(first.id, { dst });
  const width = first.action.kind === "alu" ? first.action.width : 64;
  const [row, fields] = readSource(cursor, rows, width);
  return parsedOf(row.id, { dst, ...fields });
};

const readBranchMnemonic: Reader = (cursor, rows) => {
  const [first] = rows;
  const dst = readOperandRegister(cursor, first);
  const width = first.action.kind === "branch" ? first.action.width : 64;
  const [row, fields] = readSource(cursor, rows, width);
  comma(cursor);
  return parsedJump(row.id, { dst, ...fields }, readTarget(cursor));
};

const readOneRegister: Reader = (cursor, [row]) =>
  parsedOf(row.id, { dst: readOperandRegister(cursor, row) });

const readLoadMnemonic: Reader = (cursor, [row]) => {
  const dst = readOperandRegister(cursor, row);
  comma(cursor);
  const { base, off } = readMemory(cursor, "[", "]");
  return parsedOf(row.id, { dst, src: base.num, off });
};

const readStoreMnemonic: Reader = (cursor, [row]) => {
  const { base, off } = readMemory(cursor, "[", "]");
  comma(cursor);
  const fields = { dst: base.num, off };
  if (row.action.kind === "store" && row.action.source === "k") {
    return parsedOf(row.id, { ...fields, imm: readImmOperand(cursor, row.action.size === 8 ? 64 : 32) });
  }
  return parsedOf(row.id, { ...fields, src: readOperandRegister(cursor, row) });
};

const readAtomicMnemonic: Reader = (cursor, rows) => {
  const [row] = rows;
  const isLoad = row.action.kind === "atomic" && row.action.atomicOp === "load_acquire";
  return isLoad ? readLoadMnemonic(cursor, rows) : readStoreMnemonic(cursor, rows);
};

const readSpaceCastMnemonic: Reader = (cursor, [row]) => {
  const dst = readOperandRegister(cursor, row);
  comma(cursor);
  const src = readOperandRegister(cursor, row);
  comma(cursor);
  const to = Number(readNumber(cursor, { min: 0n, max: 0xffffn }, "address space"));
  comma(cursor);
  const from = Number(readNumber(cursor, { min: 0n, max: 0xffffn }, "address space"));
  return parsedOf(row.id, { dst, src, imm: (to << 16) | from });
};

const readWideMnemonic: Reader = (cursor) => {
  const dst = readRegister(cursor);
  checkMnemonicWidth(dst, false);
  comma(cursor);
  const parsed = readWideOperand(cursor, dst);
  cursor.accept("ll");
  return parsed;
};

const readPacketMnemonic: Reader = (cursor, [row]) => {
  const isAbsolute = row.action.kind === "packet" && row.action.mode === "abs";
  if (isAbsolute) return parsedOf(row.id, { imm: readImm32(cursor, "packet offset") });
  const src = readOperandRegister(cursor, row);
  const imm = cursor.accept(",") ? readImm32(cursor, "packet offset") : 0;
  return parsedOf(row.id, { src, imm });
};

const readJump: Reader = (cursor, [row]) =>
  row.action.kind === "ja" && row.action.distance === "imm"
    ? parsedJump(row.id, {}, readTarget(cursor, DISTANCE32), "imm")
    : parsedJump(row.id, {}, readTarget(cursor));

const READERS = {
  alu: readAlu,
  end: readOneRegister,
  addr_cast: readSpaceCastMnemonic,
  load: readLoadMnemonic,
  store: readStoreMnemonic,
  atomic: readAtomicMnemonic,
  wide: readWideMnemonic,
  packet: readPacketMnemonic,
  ja: readJump,
  branch: readBranchMnemonic,
  may_goto: readJump,
  gotox: readOneRegister,
  call: readOneRegister,
  exit: (_cursor, [row]) => parsedOf(row.id, {}),
} as const satisfies Record<InsnRow["action"]["kind"], Reader>;

function readWithWidthOperand(cursor: Cursor, name: string, family: string): ParsedInsn {
  const dst = readRegister(cursor);
  const isMove = family === "movsx";
  const width = name.endsWith("32") ? 32 : 64;
  checkMnemonicWidth(dst, isMove && width === 32);
  comma(cursor);
  const src = isMove ? readRegister(cursor) : undefined;
  if (src !== undefined) {
    checkMnemonicWidth(src, width === 32);
    comma(cursor);
  }
  const token = cursor.peek();
  const bits = Number(readNumber(cursor, { min: 0n, max: 64n }, "width"));
  const allowed = isMove ? (width === 32 ? [8, 16] : [8, 16, 32]) : [16, 32, 64];
  if (!allowed.includes(bits)) {
    fail("ASM_SIZE", `${name} takes the widths ${allowed.join(", ")}, found ${bits}`, token);
  }
  return src === undefined
    ? parsedOf(`${family}${bits}`, { dst: dst.num })
    : parsedOf(`movsx${bits}.${width}`, { dst: dst.num, src: src.num });
}

/** Reads the words after `lock`: `add`, `fetch add32`, `xchg`. */
export function readLockMnemonic(cursor: Cursor): ParsedInsn {
  const words: Token[] = [];
  while (cursor.peek().kind === "name" && words.length < 2) {
    words.push(cursor.next());
    if (ROWS_OF_MNEMONIC.has(`lock ${words.map((word) => word.text).join(" ")}`)) break;
  }
  const name = words.map((word) => word.text).join(" ");
  const rows = ROWS_OF_MNEMONIC.get(`lock ${name}`);
  const [row] = rows ?? [];
  if (row === undefined) {
    const locked = [...ROWS_OF_MNEMONIC.keys()].filter((key) => key.startsWith("lock "));
    const token = words[0] ?? cursor.peek();
    fail(
      "ASM_UNKNOWN_INSN",
      `there is no atomic operation ${clip(name)}`,
      token,
      didYouMean(`lock ${name}`, locked),
    );
  }
  return readAtomicMnemonic(cursor, [row]);
}

/** Reads an instruction of the mnemonic notation; its name has been taken. */
export function readMnemonic(cursor: Cursor, token: Token): ParsedInsn {
  const name = token.text;
  const rows = ROWS_OF_MNEMONIC.get(name);
  if (rows === undefined) {
    const family = Object.hasOwn(WIDTH_OPERAND, name) ? WIDTH_OPERAND[name] : undefined;
    if (family !== undefined) return readWithWidthOperand(cursor, name, family);
    fail("ASM_UNKNOWN_INSN", `there is no instruction ${clip(name)}`, token, didYouMean(name, MNEMONICS));
  }
  const [first, ...rest] = rows;
  invariant(first !== undefined, "every mnemonic has a row");
  return READERS[first.action.kind](cursor, [first, ...rest]);
}
