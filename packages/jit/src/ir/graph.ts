import type { Block } from "./blocks.ts";
import { type FlowGraph, type Order, orderOf, plainOrder } from "./order.ts";
import type { FuncPlan, Plan } from "./plan.ts";
import { repeatedBy, unfold } from "./rounds.ts";
import { joinTests } from "./tested.ts";

/** A function's code at one place: its own, or where it was inlined. */
export interface Frame {
  readonly plan: FuncPlan;
  /** Calls that were inlined around it; 0 for the function that is emitted. */
  readonly level: number;
}

/** A block of a function that is emitted, with what was inlined into it. */
export interface Node {
  readonly id: number;
  block: Block;
  readonly frame: Frame;
  /** Registers live at its start, in the numbering of its own function. */
  readonly live: number;
  /** Set when the node ends with a call whose callee was inlined, or begins a round of one: the callee. */
  inlined: FuncPlan | undefined;
  /** Slot of the comparison with null that ends a lookup; -1 for all others. */
  test: number;
  /** Node where a jump leads; -1 for none. */
  taken: number;
  /** Node that follows; -1 when the frame ends here and belongs to the function that is emitted. */
  fall: number;
}

/** The flow graph of a function that is emitted. Node 0 is the entry. */
export interface Graph {
  readonly nodes: readonly Node[];
  readonly order: Order;
  /** Deepest inlining. */
  readonly levels: number;
  readonly hasGotox: boolean;
  /** Whether rounds of a `bpf_loop` stand in the place of its call. */
  readonly hasRounds: boolean;
}

/** What may stand in the place of a call. */
export interface Inlining {
  readonly calls: boolean;
  readonly rounds: boolean;
  /** Whether lookups are code, so that they can be joined with the test of their result. */
  readonly lookups: boolean;
}

const LEVELS_MAX = 4;
/** Nodes that inlining may add to one function. */
const INLINED_NODES_MAX = 2000;

/** Builds the graph of a function, its small callees inlined. */
export function buildGraph(plan: Plan, root: FuncPlan, may: Inlining): Graph {
  const nodes: Node[] = [];
  const hasGotox = root.blocks.some((block) => block.kind === "gotox");
  let levels = 0;
  let hasRounds = false;
  const place = (func: FuncPlan, level: number, after: number): number => {
    const frame: Frame = { plan: func, level };
    levels = Math.max(levels, level);
    const first = nodes.length;
    for (const [i, block] of func.blocks.entries()) {
      nodes.push({
        id: first + i,
        block,
        frame,
        live: func.live[i] as number,
        inlined: undefined,
        test: -1,
        taken: block.taken < 0 ? -1 : first + block.taken,
        fall: block.fall < 0 ? (block.kind === "exit" ? after : -1) : first + block.fall,
      });
    }
    for (let id = first; id < first + func.blocks.length; id++) {
      const node = nodes[id] as Node;
      if (level >= LEVELS_MAX || nodes.length > INLINED_NODES_MAX) continue;
      const callee = may.calls ? calleeOf(plan, node) : undefined;
      if (callee !== undefined) {
        node.inlined = callee;
        node.fall = place(callee, level + 1, node.fall);
      }
      const repeated = may.rounds && !hasGotox ? repeatedBy(plan, node) : undefined;
      if (repeated !== undefined) {
        hasRounds = true;
        unfold(nodes, node, repeated, place);
      }
    }
    return first;
  };
  place(root, 0, -1);
  if (may.lookups && !hasGotox) joinTests(plan, nodes);
  unroll(nodes);
  // A jump through a register may lead anywhere in its function, so no structure is looked for.
  const order = hasGotox ? plainOrder(nodes.length) : orderOf(flowOf(nodes));
  return { nodes, order, levels, hasGotox, hasRounds };
}

/** Copies that a loop of one node becomes, how long a node may be for it, and how many nodes that may add. */
const UNROLL = { copies: 4, insnsMax: 12, nodesMax: 2000 } as const;

/**
 * Repeats loops of one node, so that counting and what WebAssembly engines do once a round is done once in several.
 * Copies leave where the node leaves.
 */
function unroll(nodes: Node[]): void {
  const { length } = nodes;
  for (let id = 0; id < length; id++) {
    const node = nodes[id] as Node;
    const isTaken = node.taken === id;
    if (nodes.length - length > UNROLL.nodesMax) return;
    if (!isTaken && node.fall !== id) continue;
    if (node.block.kind !== "branch" || node.block.count > UNROLL.insnsMax || node.taken === node.fall)
      continue;
    let before = node;
    for (let i = 1; i < UNROLL.copies; i++) {
      const copy: Node = { ...node, id: nodes.length };
      nodes.push(copy);
      if (isTaken) before.taken = copy.id;
      else before.fall = copy.id;
      before = copy;
    }
  }
}

function calleeOf({ prog, funcs }: Plan, { block }: Node): FuncPlan | undefined {
  if (block.kind !== "call") return undefined;
  const target = prog.targets.get(block.last);
  const callee = target?.kind === "subprog" ? funcs[target.funcIdx] : undefined;
  return callee?.isInlinable === true && Number.isFinite(callee.chain) ? callee : undefined;
}

function flowOf(nodes: readonly Node[]): FlowGraph {
  const succ = new Int32Array(2 * nodes.length);
  for (const node of nodes) {
    succ[2 * node.id] = node.taken;
    succ[2 * node.id + 1] = node.fall;
  }
  return { size: nodes.length, succ };
}
