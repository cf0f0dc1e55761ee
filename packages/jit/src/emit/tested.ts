import type { Node } from "../ir/graph.ts";
import { callsMap, type Lowered } from "../ir/lowered.ts";
import { jumpsOnNull } from "../ir/tested.ts";
import { OP } from "../wasm/opcodes.ts";
import { emitStep } from "./count-code.ts";
import type { Emitter } from "./emitter.ts";
import { pushFound, pushLookup, pushValue } from "./maps.ts";
import { pushSharedLookup } from "./watched.ts";

const R0 = 0;
const R2 = 2;

/**
 * Writes a lookup joined with the test of its result, up to pushing whether the jump is taken. Where nothing was found
 * and nobody reads r0, it holds anything.
 */
export function pushLookupTest(e: Emitter, node: Node): void {
  const { code } = e;
  const lowered = e.plan.lowered.get(node.block.last) as Extract<Lowered, { kind: "lookup" }>;
  const onNull = jumpsOnNull(e.plan, node);
  const none = e.graph.nodes[onNull ? node.taken : node.fall] as Node;
  e.pushLow(node.frame, R2);
  if (callsMap(lowered, e.mode.isShared)) {
    pushSharedLookup(e, node, lowered.map);
    pushTest(e, node, onNull);
  } else {
    code.set(e.word);
    if ((none.live & 1) === 0) {
      pushFound(e, lowered.map, onNull);
      code.set(e.word);
      pushValue(e, lowered.map);
      e.popLow(node.frame, R0);
      code.get(e.word);
    } else {
      pushLookup(e, lowered.map);
      pushTest(e, node, onNull);
    }
  }
  code.set(e.word);
  e.clearScratch(node);
  if (e.mode.isExact) emitStep(e, node.test);
  code.get(e.word);
}

/** Keeps the pushed result in r0 and pushes whether the jump is taken. */
function pushTest(e: Emitter, node: Node, onNull: boolean): void {
  const { code } = e;
  code.tee(e.reg(node.frame, R0));
  code.op(OP.i64Eqz);
  if (!onNull) code.op(OP.i32Eqz);
}
