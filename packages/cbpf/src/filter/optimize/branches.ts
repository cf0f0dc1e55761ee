import { CBPF } from "../../rows.ts";
import { A_ATOM, ATOMS } from "./atoms.ts";
import { falseEdge, fromOf, type Graph, hasBit, noOf, yesOf } from "./graph.ts";
import { noteCode, type Pass } from "./pass.ts";

const WORD_BITS = 32;
const JEQ_K = CBPF.branch("jeq", "k");

/** Says whether an atom that is used behind `target` has another value there than behind `block`. */
function hasConflict({ usedOut, values }: Graph, block: number, target: number): boolean {
  const used = usedOut[target] as number;
  if (used === 0) return false;
  for (let atom = 0; atom < ATOMS; atom++) {
    if ((used & (1 << atom)) === 0) continue;
    if (values[block * ATOMS + atom] !== values[target * ATOMS + atom]) return true;
  }
  return false;
}

const valueOfA = ({ values }: Graph, block: number): number => values[block * ATOMS + A_ATOM] as number;

/** Where a block's test must lead when an edge was taken before; -1 when that is not known. */
function outcome(graph: Graph, block: number, edge: number): number {
  const before = fromOf(graph, edge);
  const code = graph.code[block];
  if (code !== graph.code[before] || valueOfA(graph, block) !== valueOfA(graph, before)) return -1;
  const wasTrue = edge === before;
  if (graph.operand[block] === graph.operand[before]) {
    return wasTrue ? yesOf(graph, block) : noOf(graph, block);
  }
  // A value that equals one constant equals no other.
  return wasTrue && code === JEQ_K ? noOf(graph, block) : -1;
}

/** Lets an edge skip blocks whose test is decided by the edges that come before it on every way. */
export function shortenEdge(pass: Pass, edge: number): void {
  const { graph } = pass;
  const from = fromOf(graph, edge);
  const first = graph.next[edge] as number;
  if (first === -1 || yesOf(graph, first) === -1) return;
  if (yesOf(graph, first) === noOf(graph, first) && !hasConflict(graph, from, yesOf(graph, first))) {
    noteCode(pass);
    graph.next[edge] = yesOf(graph, first);
  }
  for (;;) {
    const target = decidedTarget(graph, edge, from);
    if (target === -1) return;
    pass.hasChanged = true;
    graph.next[edge] = target;
    if (yesOf(graph, target) === -1) return;
  }
}

/** Finds where an edge may go instead; -1 for nowhere. */
function decidedTarget(graph: Graph, edge: number, from: number): number {
  const { words, perRow } = graph.edgeDominators;
  const block = graph.next[edge] as number;
  for (let i = 0; i < perRow; i++) {
    let bits = words[edge * perRow + i] as number;
    while (bits !== 0) {
      const bit = WORD_BITS - 1 - Math.clz32(bits & -bits);
      bits &= bits - 1;
      const target = outcome(graph, block, i * WORD_BITS + bit);
      if (target !== -1 && !hasConflict(graph, from, target)) return target;
    }
  }
  return -1;
}

/**
 * Moves a test of the value that all ways to a block have loaded up to where it is loaded, past tests of other
 * values. `or` chains follow false edges and share a true target, `and` chains the other way round.
 */
export function pullUp(pass: Pass, block: number, chain: "or" | "and"): void {
  const { graph } = pass;
  const sources = sourcesOf(graph, block);
  const [source] = sources;
  if (source === undefined) return;
  const value = valueOfA(graph, source);
  if (sources.some((one) => valueOfA(graph, one) !== value)) return;
  const { sharedOf, alongOf, alongEdge } = chain === "or" ? OR_CHAIN : AND_CHAIN;
  const shared = sharedOf(graph, block);
  const isPart = (one: number): boolean =>
    one !== -1 && sharedOf(graph, one) === shared && hasBit(graph.dominators, one, block);

  let different = yesOf(graph, source) === block ? source : falseEdge(graph, source);
  let isAtTop = true;
  for (;;) {
    const one = graph.next[different] as number;
    if (!isPart(one)) return;
    if (valueOfA(graph, one) !== value) break;
    different = alongEdge(graph, one);
    isAtTop = false;
  }
  let same = alongEdge(graph, graph.next[different] as number);
  for (;;) {
    const one = graph.next[same] as number;
    if (!isPart(one)) return;
    if (valueOfA(graph, one) === value) break;
    same = alongEdge(graph, one);
  }

  const pulled = graph.next[same] as number;
  graph.next[same] = alongOf(graph, pulled);
  graph.next[alongEdge(graph, pulled)] = graph.next[different] as number;
  if (!isAtTop) graph.next[different] = pulled;
  else {
    for (const one of sources) {
      const edge = yesOf(graph, one) === block ? one : falseEdge(graph, one);
      graph.next[edge] = pulled;
    }
  }
  pass.hasChanged = true;
}

const OR_CHAIN = { sharedOf: yesOf, alongOf: noOf, alongEdge: falseEdge };
const AND_CHAIN = { sharedOf: noOf, alongOf: yesOf, alongEdge: (_graph: Graph, block: number) => block };

/** The blocks that edges into a block come from. */
function sourcesOf(graph: Graph, block: number): number[] {
  const sources: number[] = [];
  for (let edge = graph.firstIn[block] as number; edge !== -1; edge = graph.nextIn[edge] as number) {
    sources.push(fromOf(graph, edge));
  }
  return sources;
}
