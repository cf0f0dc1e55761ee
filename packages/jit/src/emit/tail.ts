import { MAP_HEADER } from "@tsbpf/abi";
import { LIMITS } from "@tsbpf/base";
import type { Node } from "../ir/graph.ts";
import type { LiveMap, Lowered } from "../ir/lowered.ts";
import { CELL, TAIL } from "../run/cell.ts";
import { OP, TYPE } from "../wasm/opcodes.ts";
import { flushCount } from "./count-code.ts";
import type { Emitter } from "./emitter.ts";
import { emitReturnCell } from "./leave.ts";
import type { Mode } from "./mode.ts";

const R1 = 1;
const R3 = 3;
/** Bytes of a slot of a program array, log2. */
const SLOT_LOG2 = 3;
/** Bytes of an entry of the log, log2. */
const LOG_ENTRY_LOG2 = 2;

/** What must be equal in caller and cache entry besides the slot; slots are multiples of 8. */
export const tailModeBits = ({ hasFuel, ctxPerm }: Pick<Mode, "hasFuel" | "ctxPerm">): number =>
  (hasFuel ? 1 : 0) | (ctxPerm << 1);

/**
 * Writes the way of a tail call whose target is in the cache: nothing outside takes part in it. When it is not, or
 * the call fails, control goes on behind it.
 */
export function emitCachedTail(e: Emitter, node: Node, { map }: Extract<Lowered, { kind: "tail" }>): void {
  const { code } = e;
  // A program without proofs must give the context; where it is not known here, the engine compares.
  if (e.mode.isChecked && e.role !== "main") return;
  if (e.mode.isChecked) {
    e.push(node.frame, R1);
    code.get(CTX);
    code.op(OP.i64ExtendI32U);
    code.op(OP.i64Eq);
    code.if();
    cachedTail(e, node, map, 1);
    code.end();
  } else cachedTail(e, node, map, 0);
}

/** Parameter of a main function. */
const CTX = 0;

function cachedTail(e: Emitter, node: Node, map: LiveMap, nesting: number): void {
  const { code } = e;
  e.pushLow(node.frame, R3);
  code.tee(e.word2);
  code.i32(map.spec.maxEntries);
  code.op(OP.i32LtU);
  e.pushCell();
  code.memory(OP.i32Load, CELL.tailCalls);
  code.tee(e.word4);
  code.i32(LIMITS.tailCalls);
  code.op(OP.i32LtU);
  code.op(OP.i32And);
  code.if();
  code.get(e.word2);
  code.i32(SLOT_LOG2);
  code.op(OP.i32Shl);
  code.i32(e.readWord(map.address + MAP_HEADER.data));
  code.op(OP.i32Add);
  code.tee(e.word2);
  code.i32(TAIL.shift);
  code.op(OP.i32Shl);
  code.i32(TAIL.mask);
  code.op(OP.i32And);
  code.set(e.word3);
  pushIsCached(e);
  code.if();
  noteTail(e);
  flushCount(e, node);
  e.pushCell();
  e.pushFrame(node.frame);
  code.memory(OP.i32Store, CELL.base);
  code.get(e.word3);
  code.memory(OP.i32Load, cacheOf(e) + TAIL.target);
  code.set(e.word);
  emitTake(e, node, nesting + 2);
  code.end();
  code.end();
}

/** Address of the cache that says which form of a target runs in the frame of the code that is written. */
function cacheOf({ links, isFirst }: Emitter): number {
  return links.cell + (isFirst ? CELL.tailCache : CELL.movedTailCache);
}

/** Pushes whether the cache entry at `word3` is that of the slot at `word2` and what the slot holds. */
function pushIsCached(e: Emitter): void {
  const { code } = e;
  const cache = cacheOf(e);
  code.get(e.word3);
  code.memory(OP.i32Load, cache + TAIL.slot);
  code.get(e.word2);
  const bits = tailModeBits(e.mode);
  if (bits !== 0) {
    code.i32(bits);
    code.op(OP.i32Or);
  }
  code.op(OP.i32Eq);
  code.get(e.word3);
  code.memory(OP.i32Load, cache + TAIL.id);
  code.get(e.word2);
  code.memory(OP.i32Load, 0);
  code.op(OP.i32Eq);
  code.op(OP.i32And);
}

/** Counts a tail call, the number of those before it being in `word4`, and logs it where effects are recorded. */
function noteTail(e: Emitter): void {
  const { code } = e;
  e.pushCell();
  code.get(e.word4);
  code.i32(1);
  code.op(OP.i32Add);
  code.memory(OP.i32Store, CELL.tailCalls);
  if (!e.isRecording) return;
  code.get(e.word4);
  code.i32(LOG_ENTRY_LOG2);
  code.op(OP.i32Shl);
  code.get(e.word2);
  code.memory(OP.i32Store, e.links.cell + CELL.tailLog);
}

/**
 * Writes the jump into the main function whose table index is in `word`.
 *
 * @param nesting - labels opened around it that the structure does not know of.
 */
export function emitTake(e: Emitter, node: Node, nesting: number): void {
  const { code } = e;
  e.pushLow(node.frame, R1);
  e.pushFrame(node.frame);
  code.get(e.word);
  if (e.role !== "func" && e.role !== "batch") {
    code.callIndirect(OP.returnCallIndirect, e.links.mainType, e.links.table);
    return;
  }
  code.callIndirect(OP.callIndirect, e.links.mainType, e.links.table);
  code.op(OP.drop);
  emitReturnCell(e, nesting);
}

/** Ends the function when the engine says that the target has run already. */
export function emitIfDone(e: Emitter, ended: number): void {
  const { code } = e;
  code.get(e.word);
  code.i32(ended);
  code.op(OP.i32Eq);
  code.if(TYPE.empty);
  emitReturnCell(e, 1);
  code.end();
}
