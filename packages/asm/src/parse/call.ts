import type { Cursor } from "../text/cursor.ts";
import { fail } from "../text/cursor.ts";
import type { Token } from "../text/lexer.ts";
import { type ParsedInsn, parsedJump, parsedOf } from "./insn.ts";
import {
  DISTANCE32,
  isNumberNext,
  isRegisterNext,
  OFF16,
  readImm32,
  readNumber,
  readRegister64,
  readTarget,
} from "./operands.ts";

/** Words after `call` that say what kind of call it is, unless nothing follows them. */
const KIND_WORDS: ReadonlySet<string> = new Set(["local", "helper", "kfunc", "runtime"]);

const parsedHelper = (id: number): ParsedInsn => parsedOf("call.helper", { imm: id });

/** Reads `123` or `123, 2`: a BTF id and the index of a module's BTF. */
function readKfuncId(cursor: Cursor): ParsedInsn {
  const imm = readImm32(cursor, "BTF id");
  const off = cursor.accept(",") ? Number(readNumber(cursor, OFF16, "BTF index")) : 0;
  return parsedOf("call.kfunc", { imm, off });
}

/** Reads the `#1` of `bpf_map_lookup_elem#1`. */
const readId = (cursor: Cursor): number | undefined =>
  cursor.accept("#") ? readImm32(cursor, "id") : undefined;

function readKind(cursor: Cursor, word: string): ParsedInsn {
  cursor.next();
  if (word === "local") return parsedJump("call.subprog", {}, readTarget(cursor, DISTANCE32), "imm");
  if (word === "helper") {
    if (isNumberNext(cursor)) return parsedHelper(readImm32(cursor, "helper id"));
    const token = cursor.name("a helper's number or name");
    return parsedOf("call.helper", {}, { kind: "helper", name: token.text, token });
  }
  if (isNumberNext(cursor)) return readKfuncId(cursor);
  const token = cursor.name("a kernel function's BTF id or name");
  return parsedOf("call.kfunc", {}, { kind: "kfunc", name: token.text, token });
}

function readPlainNumber(cursor: Cursor): ParsedInsn {
  const token = cursor.peek();
  const id = readImm32(cursor, "helper id");
  if (token.text === "-" || token.text === "+") {
    fail(
      "ASM_CALL_AMBIGUOUS",
      `call with a signed number may mean a distance or a helper id, found ${token.text}${Math.abs(id)}`,
      token,
      `write call local ${id < 0 ? "" : "+"}${id}, or call helper ${id}`,
    );
  }
  return parsedHelper(id);
}

function readNamed(cursor: Cursor, token: Token): ParsedInsn {
  const id = readId(cursor);
  if (id !== undefined && token.text === "unknown") return parsedHelper(id);
  if (id === undefined) return parsedOf("call.helper", {}, { kind: "callee", name: token.text, token });
  return parsedOf("call.helper", { imm: id }, { kind: "callee", name: token.text, id, token });
}

/**
 * Reads what follows `call`: a helper's number or name, `local` or `pc` and a distance, a function's name, `kfunc`
 * and a BTF id or name, or a register.
 */
export function readCall(cursor: Cursor): ParsedInsn {
  const token = cursor.peek();
  if (token.text === "pc" && (cursor.isAt("+", 1) || cursor.isAt("-", 1))) {
    const parsed = parsedJump("call.subprog", {}, readTarget(cursor, DISTANCE32), "imm");
    // bpftool writes the callee's symbol after the distance.
    if (cursor.accept("#")) cursor.next();
    return parsed;
  }
  if (isNumberNext(cursor)) return readPlainNumber(cursor);
  if (isRegisterNext(cursor)) return parsedOf("callx", { dst: readRegister64(cursor).num });
  if (token.kind !== "name") cursor.failExpected("a function, a helper or a number");
  const isLast = cursor.peek(1).kind === "end" || cursor.peek(1).text === ";";
  if (KIND_WORDS.has(token.text) && !isLast) return readKind(cursor, token.text);
  cursor.next();
  if (token.text === "kernel" && cursor.accept("-")) {
    cursor.expect("function");
    cursor.expect("#");
    return readKfuncId(cursor);
  }
  return readNamed(cursor, token);
}

/** Reads what follows `callx`: a register that holds the address of a function. */
export const readCallx = (cursor: Cursor): ParsedInsn =>
  parsedOf("callx", { dst: readRegister64(cursor).num });

/** Reads what follows `callx.imm`: the older encoding, with the register's number in the immediate. */
export function readCallxImm(cursor: Cursor): ParsedInsn {
  const register = readRegister64(cursor);
  if (register.num === 0 || register.num === 10) {
    fail("ASM_REGISTER", `callx.imm takes r1..r9, found ${register.token.text}`, register.token);
  }
  return parsedOf("callx.imm", { imm: register.num });
}
