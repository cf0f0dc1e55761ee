import type { Action, Insn, JmpOp } from "@tsbpf/isa";
import type { Frame } from "../ir/graph.ts";
import { OP } from "../wasm/opcodes.ts";
import type { Emitter } from "./emitter.ts";

type BranchAction = Extract<Action, { kind: "branch" }>;

/** Compares of 64 and of 32 bits; `jset` is a test of bits and has none. */
const COMPARE = {
  jeq: [OP.i64Eq, OP.i32Eq],
  jne: [OP.i64Ne, OP.i32Ne],
  jgt: [OP.i64GtU, OP.i32GtU],
  jge: [OP.i64GeU, OP.i32GeU],
  jlt: [OP.i64LtU, OP.i32LtU],
  jle: [OP.i64LeU, OP.i32LeU],
  jsgt: [OP.i64GtS, OP.i32GtS],
  jsge: [OP.i64GeS, OP.i32GeS],
  jslt: [OP.i64LtS, OP.i32LtS],
  jsle: [OP.i64LeS, OP.i32LeS],
  jset: [OP.i64And, OP.i32And],
} as const satisfies Record<JmpOp, readonly [number, number]>;

/** Pushes whether a conditional jump is taken: a word that is not 0 (reference isa.md §8). */
export function pushCondition(e: Emitter, frame: Frame, insn: Insn, action: BranchAction): void {
  const { code } = e;
  const { jmpOp, width, source } = action;
  const is64 = width === 64;
  if (is64) e.push(frame, insn.dst);
  else e.pushLow(frame, insn.dst);
  if (source === "k" && insn.imm === 0 && jmpOp === "jeq") {
    code.op(is64 ? OP.i64Eqz : OP.i32Eqz);
    return;
  }
  // A word is a condition as it is.
  if (source === "k" && insn.imm === 0 && jmpOp === "jne" && !is64) return;
  if (source === "x") {
    if (is64) e.push(frame, insn.src);
    else e.pushLow(frame, insn.src);
  } else if (is64) code.i64(insn.imm, insn.imm >> 31);
  else code.i32(insn.imm);
  code.op(COMPARE[jmpOp][is64 ? 0 : 1]);
  if (jmpOp === "jset" && is64) {
    code.i64(0, 0);
    code.op(OP.i64Ne);
  }
}
