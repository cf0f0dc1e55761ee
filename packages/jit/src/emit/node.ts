import { LIMITS } from "@tsbpf/base";
import { type Action, type Insn, slotsOf } from "@tsbpf/isa";
import { PACKET_DESC } from "../batch-layout.ts";
import type { Node } from "../ir/graph.ts";
import { type FuncPlan, liveInOf } from "../ir/plan.ts";
import { CELL } from "../run/cell.ts";
import { OP } from "../wasm/opcodes.ts";
import { emitAlu, emitCast } from "./alu.ts";
import { emitAtomic } from "./atomic.ts";
import { emitCall } from "./call.ts";
import { emitGate, emitStep, flushCount, pushCountAt } from "./count-code.ts";
import { BATCH_LOCAL, type Emitter } from "./emitter.ts";
import { emitReturn } from "./leave.ts";
import { emitLoad, emitStore } from "./memory.ts";
import { emitPacketLoad } from "./packet-load.ts";
import type { Place } from "./place.ts";
import { beginRound, endRounds } from "./rounds.ts";
import { emitEnd } from "./swap.ts";

type Kind = Action["kind"];
type Emit<K extends Kind> = (
  e: Emitter,
  place: Place,
  insn: Insn,
  action: Extract<Action, { kind: K }>,
) => void;

/** Jumps, exits and calls end a node; the code around nodes writes them. */
const nothing = (): void => {};

const EMIT: { readonly [K in Kind]: Emit<K> } = {
  alu: (e, { node }, insn, action) => emitAlu(e, node.frame, insn, action),
  end: (e, { node }, insn, action) => emitEnd(e, node.frame, insn, action),
  addr_cast: (e, { node }, insn) => emitCast(e, node.frame, insn),
  load: emitLoad,
  store: emitStore,
  atomic: emitAtomic,
  wide: (e, { node, slot }, insn) => {
    e.code.i64(insn.imm, (e.plan.insns[slot + 1] as Insn).imm);
    e.pop(node.frame, insn.dst);
  },
  packet: nothing,
  ja: nothing,
  branch: nothing,
  may_goto: nothing,
  gotox: nothing,
  call: nothing,
  exit: nothing,
};

/** Writes the instructions of a node, up to the jump or exit that ends it. */
export function emitNode(e: Emitter, node: Node): void {
  const { block } = node;
  const { insns, actions } = e.plan;
  emitGate(e, node);
  let ordinal = 0;
  for (let slot = block.start; slot < block.end; slot += slotsOf(insns[slot] as Insn)) {
    ordinal++;
    const action = actions[slot];
    if (action === undefined) continue;
    if (e.mode.isExact) emitStep(e, slot);
    (EMIT[action.kind] as Emit<Kind>)(e, { node, slot, ordinal }, insns[slot] as Insn, action);
  }
  if (block.kind === "call") endWithCall(e, node);
  else if (block.kind === "loop_head") beginRound(e, node);
  else if (block.kind === "loop_end") endRounds(e, node);
}

function endWithCall(e: Emitter, node: Node): void {
  const slot = node.block.last;
  const action = e.plan.actions[slot];
  if (action?.kind === "packet") emitPacketLoad(e, node, e.plan.insns[slot] as Insn, action);
  else if (node.inlined === undefined) emitCall(e, node);
  else enterInlined(e, node, node.inlined);
}

/** r0 and r6..r9, which hold nothing when a function starts. */
const FRESH = 0b11_1100_0001;

/** Clears what an inlined callee would find zeroed in a frame of its own. */
function enterInlined(e: Emitter, node: Node, callee: FuncPlan): void {
  if (!e.mode.isChecked) return;
  e.clear({ plan: callee, level: node.frame.level + 1 }, liveInOf(callee) & FRESH);
}

/** Writes the exit that ends a node. Leaves the function, or falls to the code after an inlined call. */
export function emitExit(e: Emitter, node: Node): void {
  if (node.fall < 0) {
    if (e.role === "batch") storeBatchCount(e, node);
    else if (e.role === "repeat") {
      pushCountAt(e, { node, ordinal: node.block.count });
      e.code.set(e.count);
    } else flushCount(e, node);
    emitReturn(e, node.frame);
    return;
  }
  e.clearScratch(node);
}

/** Stores the count of a packet in its descriptor. */
function storeBatchCount(e: Emitter, node: Node): void {
  e.code.get(BATCH_LOCAL.at);
  pushCountAt(e, { node, ordinal: node.block.count });
  if (e.mode.hasFuel) {
    // The counter counts up to 0 from the budget, negated.
    e.pushCell();
    e.code.memory(OP.i64Load, CELL.budget);
    e.code.op(OP.i64Add);
  }
  e.code.memory(OP.i64Store32, PACKET_DESC.insnCount);
}

/** Pushes whether a `may_goto` jumps, and counts it down when it does not (ISA-84). */
export function pushMayGoto(e: Emitter): void {
  const { code } = e;
  code.get(e.loops);
  code.i32(LIMITS.loops);
  code.op(OP.i32Eq);
  code.get(e.loops);
  code.get(e.loops);
  code.i32(LIMITS.loops);
  code.op(OP.i32Ne);
  code.op(OP.i32Add);
  code.set(e.loops);
}
