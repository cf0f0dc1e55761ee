import type { Graph, Node } from "../ir/graph.ts";
import type { Plan } from "../ir/plan.ts";
import type { Mode } from "./mode.ts";

/**
 * Where instructions are counted.
 *
 * Every node has a base: the count at its entry is the counter plus the base, so the counter changes only on edges
 * where that does not hold by itself. Along one way into each node it does: straight code, forward branches and calls
 * cost nothing, a loop costs one addition a round.
 */
export interface Counting {
  /** By node: what the count at its entry is above the counter. */
  readonly base: Float64Array;
  /** By node: 1 where the budget is compared. */
  readonly isGate: Uint8Array;
  /** By gate: the most instructions that can run before the next gate. */
  readonly need: Float64Array;
}

/** Says whether a node ends with a call that stays a call. */
export const endsWithCall = (node: Node): boolean => node.block.kind === "call" && node.inlined === undefined;

/** Chooses bases and gates. Cost: linear in the edges. */
export function planCounting(plan: Plan, graph: Graph, mode: Mode): Counting {
  const size = graph.nodes.length;
  const counting: Counting = {
    base: new Float64Array(size),
    isGate: new Uint8Array(size),
    need: new Float64Array(size),
  };
  if (graph.order.isReducible && !mode.isExact) chooseBases(graph, counting.base);
  if (mode.hasFuel) chooseGates(plan, graph, counting);
  return counting;
}

function chooseBases({ nodes, order }: Graph, base: Float64Array): void {
  const chosen = new Int32Array(nodes.length).fill(-1);
  for (const id of order.nodes) {
    const node = nodes[id] as Node;
    const from = chosen[id] as number;
    if (from >= 0) base[id] = (base[from] as number) + (nodes[from] as Node).block.count;
    for (let which = 0; which < 2; which++) {
      const to = which === 0 ? node.fall : node.taken;
      if (to < 0 || (order.position[to] as number) <= (order.position[id] as number)) continue;
      const known = chosen[to] as number;
      // Of ways that meet the last one is taken: what is skipped where nothing was found is mostly run.
      if (known < 0 || (order.loopDepth[id] as number) >= (order.loopDepth[known] as number)) chosen[to] = id;
    }
  }
}

/** Whether instructions may be counted inside the call that ends a node. */
function runsCode({ prog }: Plan, node: Node): boolean {
  if (!endsWithCall(node)) return false;
  const target = prog.targets.get(node.block.last);
  return target !== undefined && (!("helper" in target) || target.helper.proto.callsBack);
}

function chooseGates(plan: Plan, { nodes, order }: Graph, { isGate, need }: Counting): void {
  isGate[0] = 1;
  for (const id of order.nodes) {
    const node = nodes[id] as Node;
    if (order.isLoop[id] === 1 || !order.isReducible) isGate[id] = 1;
    if (node.fall >= 0 && runsCode(plan, node)) isGate[node.fall] = 1;
  }
  for (let i = order.nodes.length - 1; i >= 0; i--) {
    const id = order.nodes[i] as number;
    const node = nodes[id] as Node;
    let most = 0;
    for (let which = 0; which < 2; which++) {
      const to = which === 0 ? node.fall : node.taken;
      if (to >= 0 && isGate[to] === 0) most = Math.max(most, need[to] as number);
    }
    need[id] = node.block.count + most;
  }
}

/** Returns what the counter must grow by on an edge. */
export const edgeCount = ({ base }: Counting, from: Node, to: number): number =>
  (base[from.id] as number) + from.block.count - (base[to] as number);
