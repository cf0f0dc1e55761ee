import { type Action, type Insn, SCRATCH_MASK } from "@tsbpf/isa";
import type { Node } from "../ir/graph.ts";
import { OP } from "../wasm/opcodes.ts";
import { flushCount, resumeCount } from "./count-code.ts";
import type { Emitter } from "./emitter.ts";
import { emitReturn } from "./leave.ts";
import { emitEnd } from "./swap.ts";

type PacketAction = Extract<Action, { kind: "packet" }>;

const R0 = 0;
const R6 = 6;
const LOAD = { 1: OP.i64Load8U, 2: OP.i64Load16U, 4: OP.i64Load32U } as const;

/**
 * Writes a legacy packet load (reference isa.md §10): the engine finds the bytes; without them the frame exits with
 * r0 = 0. r1..r5 hold nothing afterwards, whatever the mode.
 */
export function emitPacketLoad(e: Emitter, node: Node, insn: Insn, { size, mode }: PacketAction): void {
  const { code } = e;
  const { frame } = node;
  flushCount(e, node);
  e.pushLow(frame, R6);
  code.get(e.reg(frame, R6));
  code.i64(32, 0);
  code.op(OP.i64ShrU);
  code.op(OP.i32WrapI64);
  code.i32(insn.imm);
  if (mode === "ind") {
    e.pushLow(frame, insn.src);
    code.op(OP.i32Add);
  }
  code.i32(node.block.last);
  code.call(e.links.findPacket);
  code.tee(e.word);
  code.op(OP.i32Eqz);
  code.if();
  code.i64(0, 0);
  e.pop(frame, R0);
  emitReturn(e, frame);
  code.end();
  code.get(e.word);
  const wire = size as keyof typeof LOAD;
  code.memory(LOAD[wire], 0);
  e.pop(frame, R0);
  if (wire > 1) {
    const bits = wire === 2 ? 16 : 32;
    emitEnd(e, frame, { ...insn, dst: R0 }, { kind: "end", order: "swap", bits });
  }
  const after = node.fall < 0 ? 0 : (e.graph.nodes[node.fall]?.live ?? 0);
  e.clear(frame, after & SCRATCH_MASK);
  resumeCount(e, node, false);
}
