import { MAP_HEADER } from "@tsbpf/abi";
import type { Node } from "../ir/graph.ts";
import { isWatched, type LiveMap } from "../ir/lowered.ts";
import { ALIGN_LOG2, ATOMIC_LOAD, OP, TYPE } from "../wasm/opcodes.ts";
import type { Emitter } from "./emitter.ts";
import { emitFind, pushValue } from "./maps.ts";

/** Pops the address of a key and pushes that of its value, or 0, as 64 bits, where the map is asked if it must be. */
export function pushSharedLookup(e: Emitter, node: Node, map: LiveMap): void {
  const mapCall = e.links.mapCallAt.get(node.block.last) as number;
  if (isWatched(map)) {
    e.code.set(e.word);
    pushWatched(e, map, mapCall);
  } else {
    e.code.call(mapCall);
    e.code.op(OP.i64ExtendI32U);
  }
}

/**
 * Pushes the address of the value for the key at the address in `word`, or 0, as 64 bits, in a hash map that other
 * threads may be changing. What was found between two looks at the same even count of changes is true; the map itself
 * answers only when a change was under way. Uses the other words.
 *
 * @param mapCall - index of the function that asks the map.
 */
function pushWatched(e: Emitter, map: LiveMap, mapCall: number): void {
  const { code } = e;
  loadChanges(e, map);
  code.set(e.word4);
  emitFind(e, map, { isWatched: true });
  loadChanges(e, map);
  code.get(e.word4);
  code.op(OP.i32Xor);
  code.get(e.word4);
  code.i32(1);
  code.op(OP.i32And);
  code.op(OP.i32Or);
  code.if(TYPE.i32);
  code.get(e.word);
  code.call(mapCall);
  code.else();
  code.get(e.word3);
  code.if(TYPE.i32);
  pushValue(e, map);
  code.else();
  code.i32(0);
  code.end();
  code.end();
  code.op(OP.i64ExtendI32U);
}

function loadChanges({ code }: Emitter, map: LiveMap): void {
  code.i32(map.address + MAP_HEADER.changes);
  code.atomic(ATOMIC_LOAD.i32, ALIGN_LOG2[4]);
}
