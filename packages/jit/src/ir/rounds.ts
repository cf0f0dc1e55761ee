import type { Block, BlockEnd } from "./blocks.ts";
import type { Node } from "./graph.ts";
import type { FuncPlan, Plan } from "./plan.ts";

/**
 * Kinds of nodes that an unfolded `bpf_loop` consists of: the call, which checks its arguments; where each round
 * begins; where the callback has returned; and where the rounds end.
 */
export type RoundsEnd = "loop_start" | "loop_head" | "loop_next" | "loop_end";

/** r0 and r6..r9: what the code around the rounds may hold, or the callback gives. */
const KEPT = 0b11_1100_0001;

/** Puts a function's code behind a node's, one frame deeper; returns the node that it begins with. */
export type PlaceFunc = (func: FuncPlan, level: number, after: number) => number;

/** Returns the function that a call repeats, when rounds of it may stand in the place of the call. */
export function repeatedBy({ lowered, funcs }: Plan, { block, fall }: Node): FuncPlan | undefined {
  if (block.kind !== "call" || fall < 0) return undefined;
  const own = lowered.get(block.last);
  const callee = own?.kind === "loop" ? funcs[own.funcIdx] : undefined;
  return callee?.isInlinable === true && Number.isFinite(callee.chain) ? callee : undefined;
}

/**
 * Turns the call of `bpf_loop` that ends a node into rounds of its callback: the call tests its arguments, every round
 * begins at the head, and the callback's exits lead to the test for a next one.
 */
export function unfold(nodes: Node[], node: Node, callee: FuncPlan, place: PlaceFunc): void {
  const { block, frame, fall: after } = node;
  const add = (kind: BlockEnd): Node => {
    const empty: Block = { ...block, start: block.last, end: block.last, count: 0, kind };
    const made: Node = {
      id: nodes.length,
      block: empty,
      frame,
      live: KEPT,
      inlined: undefined,
      test: -1,
      taken: -1,
      fall: -1,
    };
    nodes.push(made);
    return made;
  };
  const head = add("loop_head");
  const next = add("loop_next");
  const end = add("loop_end");
  node.block = { ...block, kind: "loop_start" };
  node.taken = head.id;
  head.inlined = callee;
  head.fall = place(callee, frame.level + 1, next.id);
  next.taken = head.id;
  next.fall = end.id;
  end.fall = after;
}
