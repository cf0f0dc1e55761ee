import { invariant } from "@tsbpf/base";
import { type Insn, LD_IMM64_OP, makeInsn } from "@tsbpf/isa";
import { type Cursor, fail } from "../text/cursor.ts";
import { clip } from "../text/diagnostic.ts";
import type { Token } from "../text/lexer.ts";
import { didYouMean } from "../text/suggest.ts";
import { readCall, readCallx, readCallxImm } from "./call.ts";
import { type ParsedInsn, parsedJump, parsedOf } from "./insn.ts";
import { readLocked, readStore, readStoreRelease } from "./memory.ts";
import { readLockMnemonic, readMnemonic } from "./mnemonic.ts";
import {
  DISTANCE32,
  expectEnd,
  IMM32,
  isRegisterNext,
  OFF16,
  type Range,
  readNumber,
  readRegister64,
  readTarget,
} from "./operands.ts";
import { readAssignment, readBranch } from "./pseudo-c.ts";

/** What one statement says. */
export type Statement =
  | { readonly kind: "insn"; readonly parsed: ParsedInsn; readonly token: Token }
  | { readonly kind: "label"; readonly name: string; readonly token: Token }
  /** `.func` also defines its label here; the others only mark a label. */
  | { readonly kind: "func"; readonly name: string; readonly token: Token }
  | {
      readonly kind: "linkage";
      readonly name: string;
      readonly linkage: "global" | "static";
      readonly token: Token;
    }
  | { readonly kind: "nothing" };

/** What a listing's `(18)` in front of a statement says about it. */
export interface StatementContext {
  readonly opcode?: number;
}

const LINKAGE: Readonly<Record<string, "global" | "static">> = {
  ".global": "global",
  ".globl": "global",
  ".static": "static",
  ".local": "static",
};
/** Directives of compilers that change nothing for the code of one program. */
const WITHOUT_EFFECT: ReadonlySet<string> = new Set([".text", ".type", ".size", ".p2align", ".align"]);
const DIRECTIVES = [".func", ".insn", ...Object.keys(LINKAGE), ...WITHOUT_EFFECT];

const U8: Range = { min: 0n, max: 255n };
const U4: Range = { min: 0n, max: 15n };

/** Reads `.insn OP, DST, SRC, OFF, IMM`: one slot of any content. */
function readRawSlot(cursor: Cursor): Insn {
  const number = (range: Range, what: string): number => Number(readNumber(cursor, range, what));
  const op = number(U8, "opcode");
  cursor.expect(",");
  const dst = number(U4, "dst");
  cursor.expect(",");
  const src = number(U4, "src");
  cursor.expect(",");
  const off = number(OFF16, "off");
  cursor.expect(",");
  const imm = Number(BigInt.asIntN(32, readNumber(cursor, IMM32, "imm")));
  return makeInsn(op, { dst, src, off, imm });
}

function readDirective(cursor: Cursor, token: Token): Statement {
  const name = token.text;
  if (name === ".insn") return { kind: "insn", parsed: { slots: [readRawSlot(cursor)] }, token };
  if (WITHOUT_EFFECT.has(name)) {
    cursor.skipStatement();
    return { kind: "nothing" };
  }
  const linkage = Object.hasOwn(LINKAGE, name) ? LINKAGE[name] : undefined;
  if (name !== ".func" && linkage === undefined) {
    fail("ASM_DIRECTIVE", `there is no directive ${clip(name)}`, token, didYouMean(name, DIRECTIVES));
  }
  const label = cursor.name("the name of a function");
  checkLabelName(label);
  return linkage === undefined
    ? { kind: "func", name: label.text, token: label }
    : { kind: "linkage", name: label.text, linkage, token: label };
}

/** A label must not read like something else. */
function checkLabelName(token: Token): void {
  if (!/^[rwRW]\d+$/.test(token.text) && token.text !== "fp") return;
  fail("ASM_LABEL_NAME", `a label cannot be named like the register ${token.text}`, token);
}

const isLabelNext = (cursor: Cursor): boolean => {
  const { kind } = cursor.peek();
  return (kind === "name" || kind === "number") && cursor.isAt(":", 1);
};

function readLabel(cursor: Cursor): Statement {
  const token = cursor.next();
  cursor.next();
  if (token.kind === "name") checkLabelName(token);
  else if (!/^\d+$/.test(token.text)) fail("ASM_LABEL_NAME", `${clip(token.text)} is no label`, token);
  return { kind: "label", name: token.text, token };
}

type WordReader = (cursor: Cursor) => ParsedInsn;

/** Statements that start with the same word in every notation. */
const WORDS: ReadonlyMap<string, WordReader> = new Map<string, WordReader>([
  ["if", readBranch],
  ["goto", (cursor) => parsedJump("ja", {}, readTarget(cursor))],
  ["gotol", (cursor) => parsedJump("gotol", {}, readTarget(cursor, DISTANCE32), "imm")],
  ["gotox", (cursor) => parsedOf("gotox", { dst: readRegister64(cursor).num })],
  ["may_goto", (cursor) => parsedJump("may_goto", {}, readTarget(cursor))],
  ["call", readCall],
  ["callx", readCallx],
  ["callr", readCallx],
  ["callx.imm", readCallxImm],
  ["exit", () => parsedOf("exit", {})],
  ["store_release", readStoreRelease],
  ["lock", (cursor) => (cursor.isAt("*") ? readLocked(cursor) : readLockMnemonic(cursor))],
]);

function readInsn(cursor: Cursor, context: StatementContext): ParsedInsn {
  if (isRegisterNext(cursor)) return readAssignment(cursor, context.opcode === LD_IMM64_OP);
  if (cursor.isAt("*")) return readStore(cursor);
  const token = cursor.peek();
  if (token.kind !== "name") cursor.failExpected("an instruction, a label or a directive");
  cursor.next();
  const reader = WORDS.get(token.text);
  return reader === undefined ? readMnemonic(cursor, token) : reader(cursor);
}

/**
 * Reads one statement: a label, a directive or an instruction of either notation.
 *
 * The notation is told by the first word: a register, `*`, `if` or `goto` starts an instruction of the kernel's and
 * LLVM's notation, any other name is a mnemonic; `call`, `callx`, `exit` and the like are the same in both.
 */
export function readStatement(cursor: Cursor, context: StatementContext = {}): Statement {
  invariant(!cursor.isAtEnd, "a statement has a first token");
  if (isLabelNext(cursor)) return readLabel(cursor);
  const token = cursor.peek();
  const isDirective = token.kind === "name" && token.text.startsWith(".");
  if (isDirective) cursor.next();
  const statement: Statement = isDirective
    ? readDirective(cursor, token)
    : { kind: "insn", parsed: readInsn(cursor, context), token };
  expectEnd(cursor);
  return statement;
}
