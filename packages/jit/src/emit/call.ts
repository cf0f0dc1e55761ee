import { LIMITS } from "@tsbpf/base";
import type { RegMask } from "@tsbpf/isa";
import { FRAME_STRIDE_BYTES, type Target } from "@tsbpf/runtime";
import type { Node } from "../ir/graph.ts";
import { argMask, targetUses } from "../ir/liveness.ts";
import { type FuncPlan, liveInOf } from "../ir/plan.ts";
import { CELL } from "../run/cell.ts";
import { OP, TYPE } from "../wasm/opcodes.ts";
import { keepBase, takeBack } from "./call-base.ts";
import { emitEdge, flushCount, resumeCount } from "./count-code.ts";
import { type Emitter, hasFrame } from "./emitter.ts";
import { emitLowered, mayLower } from "./lower.ts";
import { emitCachedTail, emitIfDone, emitTake } from "./tail.ts";

const ALL_ARGS = argMask(5);
const ALL_REGS = 0x7ff;

/** What a call that may end the function answers: the rest of the function runs, or nothing of it. */
export const CALL_ENDED = -2;
export const CALL_NEXT = -1;

/** Writes the call that ends a node and was not inlined. */
export function emitCall(e: Emitter, node: Node): void {
  const slot = node.block.last;
  const target = e.plan.prog.targets.get(slot);
  switch (target?.kind) {
    case undefined:
      return;
    case "subprog":
      emitSubprog(e, node, e.plan.funcs[target.funcIdx] as FuncPlan);
      return;
    case "tail_call":
      emitTailCall(e, node, target);
      return;
    case "indirect":
      emitIndirect(e, node, target);
      return;
    case "helper":
    case "kfunc":
      emitHelper(e, node, target);
      return;
    case "throw":
      emitOutside(e, node, target, true);
      return;
    case "missing":
      emitOutside(e, node, target, false);
  }
}

function emitHelper(e: Emitter, node: Node, target: Extract<Target, { kind: "helper" | "kfunc" }>): void {
  const lowered = e.plan.lowered.get(node.block.last);
  if (lowered !== undefined && mayLower(e, lowered)) emitLowered(e, node, lowered);
  else emitOutside(e, node, target, target.helper.proto.callsBack);
}

/** Registers that a call outside must find in the exchange block. */
function visibleRegs(e: Emitter, target: Target): RegMask {
  return e.mode.isHooked ? ALL_REGS : targetUses(target, () => ALL_ARGS);
}

/** Makes registers, count and frame visible to the engine, and calls it. */
function callOutside(e: Emitter, node: Node, target: Target, needsFrame: boolean): void {
  flushCount(e, node);
  if (needsFrame || e.mode.isHooked) e.storeFrame(node.frame);
  e.storeRegs(node.frame, visibleRegs(e, target));
  e.code.call(e.links.callAt.get(node.block.last) as number);
}

/** Writes a call that the runtime's dispatch acts on. */
export function emitOutside(e: Emitter, node: Node, target: Target, callsBack: boolean): void {
  callOutside(e, node, target, callsBack);
  e.loadResult(node.frame);
  e.clearScratch(node);
  resumeCount(e, node, callsBack);
}

/**
 * Writes a tail call. The engine answers with the table index of the main function that takes over, or that the
 * call failed, or that the program has run already, being one of another engine.
 */
function emitTailCall(e: Emitter, node: Node, target: Target): void {
  const { code } = e;
  const lowered = e.plan.lowered.get(node.block.last);
  if (lowered?.kind === "tail" && !e.mode.isHooked) emitCachedTail(e, node, lowered);
  callOutside(e, node, target, true);
  code.tee(e.word);
  code.i32(0);
  code.op(OP.i32GeS);
  code.if();
  emitTake(e, node, 1);
  code.end();
  emitIfDone(e, CALL_ENDED);
  // A failed tail call leaves r0 alone, but for programs without proofs, which must not depend on it.
  if (e.mode.isChecked) e.clear(node.frame, R0);
  e.clearScratch(node);
  resumeCount(e, node, false);
}

const R0 = 1;

/** Writes a call through a register, which the engine resolves. */
function emitIndirect(e: Emitter, node: Node, target: Target): void {
  callOutside(e, node, target, true);
  e.code.set(e.word);
  emitIfDone(e, CALL_ENDED);
  e.loadResult(node.frame);
  e.clearScratch(node);
  resumeCount(e, node, true);
}

function emitSubprog(e: Emitter, node: Node, callee: FuncPlan): void {
  const isFlushed = e.mode.hasFuel || e.mode.isDeep || e.mode.isChecked || callee.mayLeave;
  if (isFlushed) flushCount(e, node);
  if (e.mode.isDeep) emitDepthCheck(e, node);
  keepBase(e, callee);
  pushCall(e, node, callee);
  e.pop(node.frame, 0);
  takeBack(e, callee);
  e.clearScratch(node);
  if (isFlushed) resumeCount(e, node, true);
  else if (node.fall >= 0) emitEdge(e, node, node.fall);
}

/** Pushes what a direct call returns. */
function pushCall(e: Emitter, node: Node, callee: FuncPlan): void {
  for (let reg = 1; reg <= 5; reg++) if ((liveInOf(callee) & (1 << reg)) !== 0) e.push(node.frame, reg);
  if (hasFrame(callee, e.mode)) e.pushFrame(node.frame, FRAME_STRIDE_BYTES);
  e.code.call(e.links.funcs[callee.func.idx] as number);
}

function emitDepthCheck(e: Emitter, node: Node): void {
  e.pushFrame(node.frame);
  e.pushCell();
  e.code.memory(OP.i32Load, CELL.base);
  e.code.i32((LIMITS.callFrames - 1) * FRAME_STRIDE_BYTES);
  e.code.op(OP.i32Add);
  e.code.op(OP.i32GeU);
  e.code.if(TYPE.empty);
  e.code.i32(node.block.last);
  e.code.call(e.links.tooDeep);
  e.code.op(OP.unreachable);
  e.code.end();
}
