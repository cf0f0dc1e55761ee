/** The successors of each node of a flow graph; -1 for none. */
export interface FlowGraph {
  readonly size: number;
  /** `succ[2*n]` and `succ[2*n+1]` are the successors of node n. */
  readonly succ: Int32Array;
}

/** Order and structure of the reachable part of a flow graph; node 0 is the entry. */
export interface Order {
  /** Reachable nodes in reverse postorder. */
  readonly nodes: Int32Array;
  /** Position in `nodes`, -1 for unreachable nodes. */
  readonly position: Int32Array;
  readonly idom: Int32Array;
  /** 1 where a back edge leads. */
  readonly isLoop: Uint8Array;
  /** 1 where at least two forward edges meet. */
  readonly isMerge: Uint8Array;
  /** Whether every edge against the order leads to a node that dominates its start. */
  readonly isReducible: boolean;
  readonly loopDepth: Uint16Array;
}

/** Returns successor 0 or 1 of a node; -1 where it has none, or has it twice. */
function successor({ succ }: FlowGraph, node: number, which: number): number {
  const to = succ[2 * node + which] as number;
  return which === 1 && to === succ[2 * node] ? -1 : to;
}

/** Orders nodes so that a node comes after its forward predecessors and fall-through successors follow closely. */
function reversePostorder(graph: FlowGraph): Int32Array {
  const state = new Uint8Array(graph.size);
  const stack: number[] = [0];
  const post: number[] = [];
  while (stack.length > 0) {
    const node = stack[stack.length - 1] as number;
    if (state[node] === 0) {
      state[node] = 1;
      // The last pushed is visited first, so the jump's target is finished first and comes later in the order.
      for (let which = 1; which >= 0; which--) {
        const to = successor(graph, node, which);
        if (to >= 0 && state[to] === 0) stack.push(to);
      }
      continue;
    }
    stack.pop();
    if (state[node] === 1) {
      state[node] = 2;
      post.push(node);
    }
  }
  return Int32Array.from(post.reverse());
}

/**
 * Computes order, dominators, loops and merges.
 *
 * Cost: n log n for n edges. Nothing recurses, so chains of any length are fine.
 */
export function orderOf(graph: FlowGraph): Order {
  const nodes = reversePostorder(graph);
  const position = new Int32Array(graph.size).fill(-1);
  for (const [i, node] of nodes.entries()) position[node] = i;
  const preds = predecessors(graph, nodes);
  const tree = dominators(graph.size, nodes, position, preds);
  const isLoop = new Uint8Array(graph.size);
  const isMerge = new Uint8Array(graph.size);
  const forward = new Int32Array(graph.size);
  let isReducible = true;
  for (const from of nodes) {
    for (let which = 0; which < 2; which++) {
      const to = successor(graph, from, which);
      if (to < 0) continue;
      if ((position[to] as number) > (position[from] as number)) {
        forward[to] = (forward[to] as number) + 1;
        if ((forward[to] as number) > 1) isMerge[to] = 1;
        continue;
      }
      isLoop[to] = 1;
      if (!tree.dominates(to, from)) isReducible = false;
    }
  }
  const loopDepth = depths(nodes, position, preds, isLoop, graph.size);
  return { nodes, position, idom: tree.idom, isLoop, isMerge, isReducible, loopDepth };
}

/** The order of nodes about which nothing is known: as they are numbered, not reducible. */
export function plainOrder(size: number): Order {
  const nodes = Int32Array.from({ length: size }, (_, i) => i);
  return {
    nodes,
    position: nodes,
    idom: new Int32Array(size),
    isLoop: new Uint8Array(size).fill(1),
    isMerge: new Uint8Array(size),
    isReducible: false,
    loopDepth: new Uint16Array(size),
  };
}

interface Preds {
  readonly first: Int32Array;
  readonly from: Int32Array;
}

function predecessors(graph: FlowGraph, nodes: Int32Array): Preds {
  const first = new Int32Array(graph.size + 1);
  for (const node of nodes) {
    for (let which = 0; which < 2; which++) {
      const to = successor(graph, node, which);
      if (to >= 0) first[to + 1] = (first[to + 1] as number) + 1;
    }
  }
  for (let i = 0; i < graph.size; i++) first[i + 1] = (first[i + 1] as number) + (first[i] as number);
  const fill = first.slice();
  const from = new Int32Array(first[graph.size] as number);
  for (const node of nodes) {
    for (let which = 0; which < 2; which++) {
      const to = successor(graph, node, which);
      if (to < 0) continue;
      from[fill[to] as number] = node;
      fill[to] = (fill[to] as number) + 1;
    }
  }
  return { first, from };
}

/** The dominator tree, with pointers that jump far up, so that common ancestors are found in logarithmic time. */
class DominatorTree {
  readonly idom: Int32Array;
  private readonly depth: Int32Array;
  private readonly jump: Int32Array;

  constructor(size: number) {
    this.idom = new Int32Array(size).fill(-1);
    this.depth = new Int32Array(size);
    this.jump = new Int32Array(size);
    this.idom[0] = 0;
  }

  attach(node: number, parent: number): void {
    const { depth, jump } = this;
    this.idom[node] = parent;
    depth[node] = (depth[parent] as number) + 1;
    const far = jump[parent] as number;
    const farther = jump[far] as number;
    const isEven =
      (depth[parent] as number) - (depth[far] as number) ===
      (depth[far] as number) - (depth[farther] as number);
    jump[node] = isEven ? farther : parent;
  }

  meet(one: number, other: number): number {
    const { depth, jump, idom } = this;
    let a = one;
    let b = other;
    if ((depth[a] as number) < (depth[b] as number)) [a, b] = [b, a];
    a = this.ancestor(a, depth[b] as number);
    while (a !== b) {
      if (jump[a] === jump[b]) {
        a = idom[a] as number;
        b = idom[b] as number;
      } else {
        a = jump[a] as number;
        b = jump[b] as number;
      }
    }
    return a;
  }

  dominates(above: number, node: number): boolean {
    const wanted = this.depth[above] as number;
    return (this.depth[node] as number) >= wanted && this.ancestor(node, wanted) === above;
  }

  private ancestor(node: number, wanted: number): number {
    let at = node;
    while ((this.depth[at] as number) > wanted) {
      const far = this.jump[at] as number;
      at = (this.depth[far] as number) >= wanted ? far : (this.idom[at] as number);
    }
    return at;
  }
}

/**
 * Builds the dominator tree of the forward edges. When every other edge leads to a dominator of its start it is the
 * tree of the whole graph: a path through such an edge u -> h passed h before, so leaving the round out changes
 * nothing. When one does not, the graph is irreducible and the tree is not used.
 */
function dominators(size: number, nodes: Int32Array, position: Int32Array, preds: Preds): DominatorTree {
  const tree = new DominatorTree(size);
  for (let i = 1; i < nodes.length; i++) {
    const node = nodes[i] as number;
    let found = -1;
    for (let p = preds.first[node] as number; p < (preds.first[node + 1] as number); p++) {
      const pred = preds.from[p] as number;
      if ((position[pred] as number) >= i) continue;
      found = found === -1 ? pred : tree.meet(found, pred);
    }
    tree.attach(node, found);
  }
  return tree;
}

/** How many loops hold each node; an estimate of how often it runs. Loops nested deeper than 3 count as 3. */
function depths(
  nodes: Int32Array,
  position: Int32Array,
  preds: Preds,
  isLoop: Uint8Array,
  size: number,
): Uint16Array {
  const depth = new Uint16Array(size);
  const seen = new Int32Array(size).fill(-1);
  let work = 0;
  for (const header of nodes) {
    if (isLoop[header] !== 1 || work > WORK_MAX) continue;
    const stack: number[] = [];
    const add = (node: number): void => {
      if (seen[node] === header || (position[node] as number) < (position[header] as number)) return;
      seen[node] = header;
      depth[node] = (depth[node] as number) + 1;
      stack.push(node);
    };
    seen[header] = header;
    depth[header] = (depth[header] as number) + 1;
    for (let p = preds.first[header] as number; p < (preds.first[header + 1] as number); p++) {
      const pred = preds.from[p] as number;
      if ((position[pred] as number) >= (position[header] as number)) add(pred);
    }
    while (stack.length > 0) {
      const node = stack.pop() as number;
      work++;
      if (work > WORK_MAX) break;
      for (let p = preds.first[node] as number; p < (preds.first[node + 1] as number); p++)
        add(preds.from[p] as number);
    }
  }
  return depth;
}

/** Depth is only a guide, so its cost is bounded. */
const WORK_MAX = 200_000;
