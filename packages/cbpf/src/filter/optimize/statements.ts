import { SHIFT_MAX } from "../../insn.ts";
import { CBPF, type CbpfAction, type CbpfAluOp, cbpfRowOf } from "../../rows.ts";
import { fault } from "../errors.ts";
import { NOP, type Stmt } from "../ir.ts";
import { A_ATOM, X_ATOM } from "./atoms.ts";
import { noteCode, type Pass } from "./pass.ts";
import { UNKNOWN } from "./values.ts";

/** Value numbers of all atoms at one place. */
export type AtomValues = Int32Array;

/** Deletes a statement that stores a value which is there already; else notes the value. */
function store(pass: Pass, one: Stmt, atoms: AtomValues, store: { atom: number; value: number }): void {
  const { atom, value } = store;
  if (pass.altersStmts && value !== UNKNOWN && atoms[atom] === value) one.code = NOP;
  else atoms[atom] = value;
}

/** Works out what an operation makes of two constants. */
function foldConstants(op: CbpfAluOp, a: number, b: number): number {
  switch (op) {
    case "add":
      return (a + b) >>> 0;
    case "sub":
      return (a - b) >>> 0;
    case "mul":
      return Math.imul(a, b) >>> 0;
    case "div":
      return b === 0 ? fault("FILTER_ARITHMETIC", "division by zero") : Math.floor(a / b);
    case "mod":
      return b === 0 ? fault("FILTER_ARITHMETIC", "modulus by zero") : a % b;
    case "and":
      return (a & b) >>> 0;
    case "or":
      return (a | b) >>> 0;
    case "xor":
      return (a ^ b) >>> 0;
    case "lsh":
      return b > SHIFT_MAX ? 0 : (a << b) >>> 0;
    case "rsh":
      return b > SHIFT_MAX ? 0 : a >>> b;
  }
}

/** Replaces a statement by the load of a constant. */
function setImmediate(pass: Pass, one: Stmt, atoms: AtomValues, k: number): void {
  one.code = CBPF.ldImm;
  one.k = k;
  atoms[A_ATOM] = pass.values.constant(k);
}

function foldAlu(
  pass: Pass,
  one: Stmt,
  atoms: AtomValues,
  folded: { op: CbpfAluOp; a: number; b: number },
): void {
  setImmediate(pass, one, atoms, foldConstants(folded.op, folded.a, folded.b));
  noteCode(pass);
}

const NOTHING_WITH_ZERO: ReadonlySet<CbpfAluOp> = new Set(["add", "lsh", "rsh", "or", "xor"]);
const ZERO_WITH_ZERO: ReadonlySet<CbpfAluOp> = new Set(["mul", "and"]);

function visitAluK(pass: Pass, one: Stmt, atoms: AtomValues, op: CbpfAluOp): void {
  const { values } = pass;
  if (pass.altersStmts) {
    if (one.k === 0) {
      if (NOTHING_WITH_ZERO.has(op)) {
        one.code = NOP;
        return;
      }
      if (ZERO_WITH_ZERO.has(op)) {
        setImmediate(pass, one, atoms, 0);
        return;
      }
      if (op === "div") fault("FILTER_ARITHMETIC", "division by zero");
      if (op === "mod") fault("FILTER_ARITHMETIC", "modulus by zero");
    }
    const a = values.constantOf(atoms[A_ATOM] as number);
    if (a !== undefined) {
      foldAlu(pass, one, atoms, { op, a, b: one.k });
      return;
    }
  }
  atoms[A_ATOM] = values.numberOf(one.code, atoms[A_ATOM] as number, values.constant(one.k));
}

const KEEPS_OTHER: ReadonlySet<CbpfAluOp> = new Set(["add", "or", "xor"]);
const STAYS_ZERO: ReadonlySet<CbpfAluOp> = new Set(["mul", "div", "mod", "and", "lsh", "rsh"]);

function visitAluX(pass: Pass, one: Stmt, atoms: AtomValues, op: CbpfAluOp): void {
  const { values } = pass;
  const a = values.constantOf(atoms[A_ATOM] as number);
  const x = values.constantOf(atoms[X_ATOM] as number);
  if (pass.altersStmts && x !== undefined) {
    if (a !== undefined) foldAlu(pass, one, atoms, { op, a, b: x });
    else makeAluK(pass, one, atoms, { op, x });
  } else if (pass.altersStmts && a === 0 && KEEPS_OTHER.has(op)) {
    one.code = CBPF.txa;
    store(pass, one, atoms, { atom: A_ATOM, value: atoms[X_ATOM] as number });
  } else if (pass.altersStmts && a === 0 && STAYS_ZERO.has(op)) {
    one.code = CBPF.ldImm;
    one.k = 0;
    store(pass, one, atoms, { atom: A_ATOM, value: values.constant(0) });
  } else {
    atoms[A_ATOM] = values.numberOf(one.code, atoms[A_ATOM] as number, atoms[X_ATOM] as number);
  }
}

/** Puts a constant into an operation where X holds it. */
function makeAluK(pass: Pass, one: Stmt, atoms: AtomValues, made: { op: CbpfAluOp; x: number }): void {
  const { op, x } = made;
  if ((op === "lsh" || op === "rsh") && x > SHIFT_MAX) {
    fault("FILTER_ARITHMETIC", "shift by more than 31 bits");
  }
  one.code = CBPF.alu(op, "k");
  one.k = x;
  noteCode(pass);
  atoms[A_ATOM] = pass.values.numberOf(one.code, atoms[A_ATOM] as number, pass.values.constant(x));
}

function visitPacketLoad(
  pass: Pass,
  one: Stmt,
  atoms: AtomValues,
  action: CbpfAction & { readonly kind: "packet" },
): void {
  const { values } = pass;
  let value: number;
  const index = atoms[X_ATOM] as number;
  const x = values.constantOf(index);
  if (action.mode === "abs") value = values.numberOf(one.code, one.k);
  else if (pass.altersStmts && x !== undefined) {
    one.code = CBPF.ldAbs(action.bytes);
    one.k = (one.k + x) >>> 0;
    value = values.numberOf(one.code, one.k);
    noteCode(pass);
  } else value = values.numberOf(one.code, one.k, index);
  store(pass, one, atoms, { atom: A_ATOM, value });
}

function visitScratchLoad(pass: Pass, one: Stmt, atoms: AtomValues, to: "a" | "x"): void {
  const value = atoms[one.k] as number;
  const constant = pass.values.constantOf(value);
  if (pass.altersStmts && constant !== undefined) {
    one.code = to === "a" ? CBPF.ldImm : CBPF.ldxImm;
    one.k = constant;
    noteCode(pass);
  }
  store(pass, one, atoms, { atom: to === "a" ? A_ATOM : X_ATOM, value });
}

/** Works out what a statement does to the atoms' values; where the pass allows it, replaces it by less. */
export function visitStmt(pass: Pass, one: Stmt, atoms: AtomValues): void {
  const action = one.code === NOP ? undefined : cbpfRowOf(one.code)?.action;
  const { values } = pass;
  switch (action?.kind) {
    case "packet":
      visitPacketLoad(pass, one, atoms, action);
      return;
    case "len":
      store(pass, one, atoms, { atom: A_ATOM, value: values.numberOf(one.code, 0) });
      return;
    case "imm": {
      const atom = action.to === "a" ? A_ATOM : X_ATOM;
      store(pass, one, atoms, { atom, value: values.constant(one.k) });
      return;
    }
    case "header-length":
      store(pass, one, atoms, { atom: X_ATOM, value: values.numberOf(one.code, one.k) });
      return;
    case "neg": {
      const a = values.constantOf(atoms[A_ATOM] as number);
      if (pass.altersStmts && a !== undefined) setImmediate(pass, one, atoms, -a >>> 0);
      else atoms[A_ATOM] = values.numberOf(one.code, atoms[A_ATOM] as number);
      return;
    }
    case "alu":
      if (action.operand === "k") visitAluK(pass, one, atoms, action.op);
      else visitAluX(pass, one, atoms, action.op);
      return;
    case "move": {
      const [atom, from] = action.to === "a" ? [A_ATOM, X_ATOM] : [X_ATOM, A_ATOM];
      store(pass, one, atoms, { atom, value: atoms[from] as number });
      return;
    }
    case "mem":
      visitScratchLoad(pass, one, atoms, action.to);
      return;
    case "store": {
      const from = action.from === "a" ? A_ATOM : X_ATOM;
      store(pass, one, atoms, { atom: one.k, value: atoms[from] as number });
      return;
    }
    default:
      return;
  }
}
