import { UnsupportedError } from "@tsbpf/base";
import type { Insn } from "@tsbpf/isa";
import type { Node } from "../ir/graph.ts";
import { OP } from "../wasm/opcodes.ts";
import { pushCondition } from "./branch.ts";
import { emitEdge, flushCount } from "./count-code.ts";
import { endsWithCall } from "./counting.ts";
import type { Emitter } from "./emitter.ts";
import { emitExit, emitNode, pushMayGoto } from "./node.ts";
import { pushLoopStart, pushNextRound } from "./rounds.ts";
import { pushLookupTest } from "./tested.ts";

/** Largest jump table that V8 takes. @source V8 src/wasm/wasm-limits.h kV8MaxWasmFunctionBrTableSize */
const TABLE_MAX = 65_520;

/**
 * Writes a graph as one loop around a jump table: for graphs that no structure fits, for jumps through registers, and
 * for code that is entered in the middle. The local `next` holds the node to run.
 *
 * @throws UNSUPPORTED_JIT_SIZE (UnsupportedError) when the graph has more nodes than a table may have.
 */
export function emitDispatch(e: Emitter): void {
  const { code, graph } = e;
  const ids = graph.order.nodes;
  if (ids.length > TABLE_MAX) {
    throw new UnsupportedError(
      "UNSUPPORTED_JIT_SIZE",
      `function ${e.func.func.name} has ${ids.length} blocks that no structure fits, the jit takes ${TABLE_MAX}`,
    );
  }
  const place = new Int32Array(graph.nodes.length).fill(ids.length);
  for (const [i, id] of ids.entries()) place[id] = i;
  if (e.role === "exact") enterAt(e, place);
  code.loop();
  for (let i = 0; i < ids.length; i++) code.block();
  code.get(e.next);
  code.op(OP.brTable);
  code.u32(ids.length - 1);
  for (let i = 0; i < ids.length; i++) code.u32(i);
  for (const [i, id] of ids.entries()) {
    code.end();
    const node = graph.nodes[id] as Node;
    emitNode(e, node);
    leaveNode(e, node, { place, loopDepth: ids.length - 1 - i });
  }
  code.end();
}

interface Jumps {
  readonly place: Int32Array;
  /** Labels between here and the loop. */
  readonly loopDepth: number;
}

/** Turns the node number that exact code is entered with into a place of the table. */
function enterAt(e: Emitter, place: Int32Array): void {
  // Gates are few; a chain of compares is enough where code is entered once.
  for (const [id, isGate] of e.counting.isGate.entries()) {
    if (isGate === 0) continue;
    e.code.get(0);
    e.code.i32(id);
    e.code.op(OP.i32Eq);
    e.code.if();
    e.code.i32(place[id] as number);
    e.code.set(e.next);
    e.code.end();
  }
}

function leaveNode(e: Emitter, node: Node, jumps: Jumps): void {
  const slot = node.block.last;
  switch (node.block.kind) {
    case "branch": {
      const action = e.plan.actions[slot];
      if (action?.kind === "branch") pushCondition(e, node.frame, e.plan.insns[slot] as Insn, action);
      fork(e, node, jumps);
      return;
    }
    case "may_goto":
      pushMayGoto(e);
      fork(e, node, jumps);
      return;
    case "lookup":
      pushLookupTest(e, node);
      fork(e, node, jumps);
      return;
    case "loop_start":
      pushLoopStart(e, node);
      fork(e, node, jumps);
      return;
    case "loop_next":
      pushNextRound(e, node);
      fork(e, node, jumps);
      return;
    case "exit":
      emitExit(e, node);
      if (node.fall >= 0) jump(e, node, node.fall, jumps, 0);
      return;
    case "ja":
      jump(e, node, node.taken, jumps, 0);
      return;
    case "gotox":
      jumpThrough(e, node, jumps.loopDepth);
      return;
    case "next":
    case "call":
    case "loop_head":
    case "loop_end":
      if (node.fall >= 0) jump(e, node, node.fall, jumps, 0);
      else e.code.op(OP.unreachable);
  }
}

function jump(e: Emitter, from: Node, to: number, { place, loopDepth }: Jumps, inside: number): void {
  if (!endsWithCall(from)) emitEdge(e, from, to);
  e.code.i32(place[to] as number);
  e.code.set(e.next);
  e.code.br(loopDepth + inside);
}

function fork(e: Emitter, node: Node, jumps: Jumps): void {
  e.code.if();
  jump(e, node, node.taken, jumps, 1);
  e.code.end();
  jump(e, node, node.fall, jumps, 0);
}

/** Writes `gotox`: the engine checks that the register points to an instruction of the function (ISA-92). */
function jumpThrough(e: Emitter, node: Node, loopDepth: number): void {
  const { code } = e;
  const slot = node.block.last;
  const insn = e.plan.insns[slot] as Insn;
  flushCount(e, node);
  e.pushLow(node.frame, insn.dst);
  e.push(node.frame, insn.dst);
  code.i64(32, 0);
  code.op(OP.i64ShrU);
  code.op(OP.i32WrapI64);
  code.i32(slot);
  code.call(e.links.checkJump);
  code.set(e.word);
  // Every instruction is a node here, and nothing is inlined into a function that jumps so.
  if (!e.mode.hasFuel) {
    code.i64(0, 0);
    code.set(e.count);
  } else if (!e.mode.isExact) emitEdge(e, node, node.id);
  code.get(e.word);
  code.i32(e.func.func.start);
  code.op(OP.i32Sub);
  code.set(e.word);
  pushPlaceOf(e);
  code.set(e.next);
  code.br(loopDepth);
}

/**
 * Pushes the place of the node that starts at the slot in `word`, counted from the function's start: slots and nodes
 * differ only by the second halves of wide loads.
 */
function pushPlaceOf(e: Emitter): void {
  const { code } = e;
  code.i32(0);
  code.set(e.word2);
  for (const offset of wideOffsets(e)) {
    code.get(e.word2);
    code.get(e.word);
    code.i32(offset);
    code.op(OP.i32GtU);
    code.op(OP.i32Add);
    code.set(e.word2);
  }
  code.get(e.word);
  code.get(e.word2);
  code.op(OP.i32Sub);
}

/** Offsets of wide loads from the function's start. */
function* wideOffsets({ func }: Emitter): Generator<number> {
  for (const block of func.blocks) {
    if (block.end - block.start > block.count) yield block.start - func.func.start;
  }
}
