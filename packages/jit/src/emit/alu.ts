import type { Action, AluOp, Insn } from "@tsbpf/isa";
import type { Frame } from "../ir/graph.ts";
import { OP, TYPE } from "../wasm/opcodes.ts";
import type { Emitter } from "./emitter.ts";

type AluAction = Extract<Action, { kind: "alu" }>;

/** One arithmetic instruction about to be written. */
interface Site {
  readonly e: Emitter;
  readonly frame: Frame;
  readonly insn: Insn;
  readonly source: "k" | "x";
}

type Emit = (site: Site) => void;

/** Pushes the second operand, 64 or 32 bits. */
function operand64({ e, frame, insn, source }: Site): void {
  if (source === "k") e.code.i64(insn.imm, insn.imm >> 31);
  else e.push(frame, insn.src);
}

function operand32({ e, frame, insn, source }: Site): void {
  if (source === "k") e.code.i32(insn.imm);
  else e.pushLow(frame, insn.src);
}

const simple64 =
  (opcode: number): Emit =>
  (site) => {
    const { e, frame, insn } = site;
    e.push(frame, insn.dst);
    operand64(site);
    e.code.op(opcode);
    e.pop(frame, insn.dst);
  };

const simple32 =
  (opcode: number): Emit =>
  (site) => {
    const { e, frame, insn } = site;
    e.pushLow(frame, insn.dst);
    operand32(site);
    e.code.op(opcode);
    e.popLow(frame, insn.dst);
  };

/** Widths of a division, so that both are written once. */
interface DivWidth {
  readonly type: number;
  readonly eqz: number;
  readonly eq: number;
  readonly sub: number;
  push(site: Site): void;
  operand(site: Site): void;
  pop(site: Site): void;
  constant(site: Site, value: number): void;
}

const DIV64: DivWidth = {
  type: TYPE.i64,
  eqz: OP.i64Eqz,
  eq: OP.i64Eq,
  sub: OP.i64Sub,
  push: ({ e, frame, insn }) => e.push(frame, insn.dst),
  operand: operand64,
  pop: ({ e, frame, insn }) => e.pop(frame, insn.dst),
  constant: ({ e }, value) => e.code.i64(value, value >> 31),
};

const DIV32: DivWidth = {
  type: TYPE.i32,
  eqz: OP.i32Eqz,
  eq: OP.i32Eq,
  sub: OP.i32Sub,
  push: ({ e, frame, insn }) => e.pushLow(frame, insn.dst),
  operand: operand32,
  pop: ({ e, frame, insn }) => e.popLow(frame, insn.dst),
  constant: ({ e }, value) => e.code.i32(value),
};

type Ending = "zero" | "dst" | "negate";

function pushEnding(site: Site, w: DivWidth, ending: Ending): void {
  if (ending === "negate") {
    w.constant(site, 0);
    w.push(site);
    site.e.code.op(w.sub);
  } else if (ending === "zero") w.constant(site, 0);
  else w.push(site);
}

/**
 * Writes a division: what a zero divisor gives, what -1 gives where WebAssembly would trap, else the operation
 * (ISA-32..ISA-35). A constant divisor needs none of the tests.
 */
const division =
  (w: DivWidth, opcode: number, ofZero: Ending, ofMinusOne?: Ending): Emit =>
  (site) => {
    const { e, insn, source } = site;
    const { code } = e;
    const known =
      source === "x" ? undefined : insn.imm === 0 ? ofZero : insn.imm === -1 ? ofMinusOne : undefined;
    const plain = (): void => {
      w.push(site);
      w.operand(site);
      code.op(opcode);
    };
    if (known !== undefined) pushEnding(site, w, known);
    else if (source === "k") plain();
    else {
      w.operand(site);
      code.op(w.eqz);
      code.if(w.type);
      pushEnding(site, w, ofZero);
      code.else();
      if (ofMinusOne === undefined) plain();
      else {
        w.operand(site);
        w.constant(site, -1);
        code.op(w.eq);
        code.if(w.type);
        pushEnding(site, w, ofMinusOne);
        code.else();
        plain();
        code.end();
      }
      code.end();
    }
    w.pop(site);
  };

const SHIFT_MASK_64 = 63;

const shift64 =
  (opcode: number): Emit =>
  (site) => {
    const { e, frame, insn, source } = site;
    e.push(frame, insn.dst);
    if (source === "k") e.code.i64(insn.imm & SHIFT_MASK_64, 0);
    else operand64(site);
    e.code.op(opcode);
    e.pop(frame, insn.dst);
  };

const extend64 =
  (opcode: number): Emit =>
  ({ e, frame, insn }) => {
    e.push(frame, insn.src);
    e.code.op(opcode);
    e.pop(frame, insn.dst);
  };

const extend32 =
  (opcode: number): Emit =>
  ({ e, frame, insn }) => {
    e.pushLow(frame, insn.src);
    e.code.op(opcode);
    e.popLow(frame, insn.dst);
  };

const mov64: Emit = (site) => {
  operand64(site);
  site.e.pop(site.frame, site.insn.dst);
};

const mov32: Emit = (site) => {
  const { e, frame, insn, source } = site;
  if (source === "k") {
    e.code.i64(insn.imm, 0);
    e.pop(frame, insn.dst);
  } else {
    e.pushLow(frame, insn.src);
    e.popLow(frame, insn.dst);
  }
};

const neg64: Emit = ({ e, frame, insn }) => {
  e.code.i64(0, 0);
  e.push(frame, insn.dst);
  e.code.op(OP.i64Sub);
  e.pop(frame, insn.dst);
};

const neg32: Emit = ({ e, frame, insn }) => {
  e.code.i32(0);
  e.pushLow(frame, insn.dst);
  e.code.op(OP.i32Sub);
  e.popLow(frame, insn.dst);
};

const EMIT_64 = {
  add: simple64(OP.i64Add),
  sub: simple64(OP.i64Sub),
  mul: simple64(OP.i64Mul),
  div: division(DIV64, OP.i64DivU, "zero"),
  sdiv: division(DIV64, OP.i64DivS, "zero", "negate"),
  or: simple64(OP.i64Or),
  and: simple64(OP.i64And),
  lsh: shift64(OP.i64Shl),
  rsh: shift64(OP.i64ShrU),
  neg: neg64,
  mod: division(DIV64, OP.i64RemU, "dst"),
  smod: division(DIV64, OP.i64RemS, "dst"),
  xor: simple64(OP.i64Xor),
  mov: mov64,
  movsx8: extend64(OP.i64Extend8S),
  movsx16: extend64(OP.i64Extend16S),
  movsx32: extend64(OP.i64Extend32S),
  arsh: shift64(OP.i64ShrS),
} as const satisfies Record<AluOp, Emit>;

const EMIT_32 = {
  add: simple32(OP.i32Add),
  sub: simple32(OP.i32Sub),
  mul: simple32(OP.i32Mul),
  div: division(DIV32, OP.i32DivU, "zero"),
  sdiv: division(DIV32, OP.i32DivS, "zero", "negate"),
  or: simple32(OP.i32Or),
  and: simple32(OP.i32And),
  lsh: simple32(OP.i32Shl),
  rsh: simple32(OP.i32ShrU),
  neg: neg32,
  mod: division(DIV32, OP.i32RemU, "dst"),
  smod: division(DIV32, OP.i32RemS, "dst"),
  xor: simple32(OP.i32Xor),
  mov: mov32,
  movsx8: extend32(OP.i32Extend8S),
  movsx16: extend32(OP.i32Extend16S),
  // No such row exists; the 32 bits stay as they are.
  movsx32: mov32,
  arsh: simple32(OP.i32ShrS),
} as const satisfies Record<AluOp, Emit>;

/** Writes an arithmetic instruction (reference isa.md §4). */
export function emitAlu(e: Emitter, frame: Frame, insn: Insn, action: AluAction): void {
  const table = action.width === 64 ? EMIT_64 : EMIT_32;
  table[action.aluOp]({ e, frame, insn, source: action.source });
}

/**
 * Writes `addr_space_cast` (ISA-43): to the kernel's view the low 32 bits, to the user's view the arena's high half on
 * top, null staying null.
 */
export function emitCast(e: Emitter, frame: Frame, insn: Insn): void {
  const { arenaUserHi } = e.plan.prog;
  if (insn.imm === 1 || arenaUserHi === 0) {
    e.pushLow(frame, insn.src);
    e.popLow(frame, insn.dst);
    return;
  }
  e.pushLow(frame, insn.src);
  e.code.op(OP.i64ExtendI32U);
  e.code.tee(e.wide);
  e.code.i64(0, arenaUserHi);
  e.code.i64(0, 0);
  e.code.get(e.wide);
  e.code.op(OP.i64Eqz);
  e.code.op(OP.i32Eqz);
  e.code.op(OP.select);
  e.code.op(OP.i64Or);
  e.pop(frame, insn.dst);
}
