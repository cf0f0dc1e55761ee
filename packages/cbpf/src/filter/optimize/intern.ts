import { NOP, type Stmt } from "../ir.ts";
import { type Graph, noOf, yesOf } from "./graph.ts";

/** Merges blocks that do the same and lead to the same, until there are none. */
export function mergeEqualBlocks(graph: Graph): void {
  const { next, count } = graph;
  for (;;) {
    const twin = findTwins(graph);
    let hasMerged = false;
    for (let edge = 0; edge < 2 * count; edge++) {
      const target = next[edge] as number;
      if (target === -1 || twin[target] === -1) continue;
      next[edge] = twin[target] as number;
      hasMerged = true;
    }
    if (!hasMerged) return;
  }
}

/** For each block the equal one that takes its place; -1 for none. */
function findTwins(graph: Graph): Int32Array {
  const { count } = graph;
  const twin = new Int32Array(count).fill(-1);
  const isLive = liveBlocks(graph);
  // The first equal block behind each one is its twin, so blocks are met from the last to the first.
  const known = new Map<string, number>();
  for (let block = count - 1; block >= 0; block--) {
    if (isLive[block] === 0) continue;
    const key = keyOf(graph, block);
    const behind = known.get(key);
    if (behind !== undefined) twin[block] = twin[behind] === -1 ? behind : (twin[behind] as number);
    known.set(key, block);
  }
  return twin;
}

/** Text that is the same for equal blocks, and only for them. */
function keyOf(graph: Graph, block: number): string {
  const stmts = (graph.stmts[block] as Stmt[])
    .filter(({ code }) => code !== NOP)
    .map(({ code, k }) => `${code}:${k}`)
    .join(",");
  return `${graph.code[block]}:${graph.k[block]}:${yesOf(graph, block)}:${noOf(graph, block)}:${stmts}`;
}

function liveBlocks(graph: Graph): Uint8Array {
  const isLive = new Uint8Array(graph.count);
  const work = [graph.root];
  for (let block = work.pop(); block !== undefined; block = work.pop()) {
    if (block === -1 || isLive[block] === 1) continue;
    isLive[block] = 1;
    work.push(yesOf(graph, block), noOf(graph, block));
  }
  return isLive;
}
