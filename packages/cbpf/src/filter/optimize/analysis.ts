import { cbpfRowOf } from "../../rows.ts";
import { storesTo, usesOf } from "./atoms.ts";
import { clearRow, falseEdge, type Graph, intersect, noOf, setBit, yesOf } from "./graph.ts";

/**
 * Facts about the graph that every pass needs anew: levels, dominators of blocks and edges, and which atoms are
 * still used where. Assumes a graph without cycles; costs the square of the number of edges in bits.
 */
export function analyse(graph: Graph): void {
  findLevels(graph);
  findDominators(graph);
  findUses(graph);
  findEdgeDominators(graph);
}

/** Puts each block into the level of its longest way to a return. */
function findLevels(graph: Graph): void {
  const levelOf = new Int32Array(graph.count).fill(-1);
  const found: number[][] = [];
  const work = [graph.root];
  const isOpen = new Uint8Array(graph.count);
  while (work.length > 0) {
    const block = work[work.length - 1] as number;
    const yes = yesOf(graph, block);
    const no = noOf(graph, block);
    const isDone = levelOf[block] !== -1;
    if (!isDone && isOpen[block] === 0 && yes !== -1) {
      isOpen[block] = 1;
      if (levelOf[no] === -1) work.push(no);
      if (levelOf[yes] === -1) work.push(yes);
      continue;
    }
    work.pop();
    if (isDone) continue;
    const level = yes === -1 ? 0 : Math.max(levelOf[yes] as number, levelOf[no] as number) + 1;
    levelOf[block] = level;
    const blocks = found[level] ?? [];
    blocks.push(block);
    found[level] = blocks;
  }
  graph.levels = found.map((blocks) => blocks.reverse());
}

function findDominators(graph: Graph): void {
  const { dominators, levels, root } = graph;
  dominators.words.fill(0xffff_ffff);
  clearRow(dominators, root);
  for (let level = levels.length - 1; level >= 0; level--) {
    for (const block of levels[level] as number[]) {
      setBit(dominators, block, block);
      if (yesOf(graph, block) === -1) continue;
      intersect(dominators, yesOf(graph, block), block);
      intersect(dominators, noOf(graph, block), block);
    }
  }
}

function findEdgeDominators(graph: Graph): void {
  const { edgeDominators, levels, root, next } = graph;
  edgeDominators.words.fill(0xffff_ffff);
  clearRow(edgeDominators, root);
  clearRow(edgeDominators, falseEdge(graph, root));
  for (let level = levels.length - 1; level >= 0; level--) {
    for (const block of levels[level] as number[]) {
      for (const edge of [block, falseEdge(graph, block)]) {
        setBit(edgeDominators, edge, edge);
        const target = next[edge] as number;
        if (target === -1) continue;
        intersect(edgeDominators, target, edge);
        intersect(edgeDominators, falseEdge(graph, target), edge);
      }
    }
  }
}

/** Finds which atoms each block loads, stores, and leaves to those behind it. */
function findUses(graph: Graph): void {
  const { levels, usedIn, usedOut, killed } = graph;
  for (const blocks of levels) {
    for (const block of blocks) {
      findOwnUses(graph, block);
      usedOut[block] = 0;
    }
  }
  for (const blocks of levels.slice(1)) {
    for (const block of blocks) {
      const used = (usedIn[yesOf(graph, block)] as number) | (usedIn[noOf(graph, block)] as number);
      usedOut[block] = used;
      usedIn[block] = (usedIn[block] as number) | (used & ~(killed[block] as number));
    }
  }
}

function findOwnUses(graph: Graph, block: number): void {
  let stored = 0;
  let used = 0;
  let killed = 0;
  for (const one of graph.stmts[block] as Graph["stmts"][number]) {
    used |= usesOf(one) & ~stored;
    const atom = storesTo(one);
    if (atom === undefined) continue;
    if ((used & (1 << atom)) === 0) killed |= 1 << atom;
    stored |= 1 << atom;
  }
  const code = graph.code[block] as number;
  if (cbpfRowOf(code)?.action.kind === "branch") used |= usesOf({ code, k: 0 }) & ~stored;
  graph.usedIn[block] = used;
  graph.killed[block] = killed;
}

/** Lists the edges into each block, those of the highest level last, as the walk meets them. */
export function findInEdges(graph: Graph): void {
  const { firstIn, nextIn, levels, next } = graph;
  firstIn.fill(-1);
  for (let level = levels.length - 1; level > 0; level--) {
    for (const block of levels[level] as number[]) {
      for (const edge of [block, falseEdge(graph, block)]) {
        const target = next[edge] as number;
        nextIn[edge] = firstIn[target] as number;
        firstIn[target] = edge;
      }
    }
  }
}
