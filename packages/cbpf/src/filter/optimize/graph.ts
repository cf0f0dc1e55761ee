import type { Block, Stmt } from "../ir.ts";
import { ATOMS } from "./atoms.ts";

/**
 * The flow graph as the optimiser sees it: blocks by number, in the order of a walk that takes the true branch first.
 * An edge has a number, too: that of its block for the true branch, and the count of blocks more for the false one.
 * Numbers stay the same while edges move and blocks fall out of the graph.
 */
export interface Graph {
  readonly count: number;
  root: number;
  readonly stmts: Stmt[][];
  /** Opcode and operand of what ends each block. */
  readonly code: number[];
  readonly k: number[];
  /** Where each edge leads; -1 behind a return. */
  readonly next: Int32Array;
  /** Blocks by their longest way to a return, those found last in front; refilled by every pass. */
  levels: number[][];
  /** Dominators of each block, and of each edge, as rows of bits. */
  readonly dominators: BitRows;
  readonly edgeDominators: BitRows;
  /** First edge into each block and the next one into the same block; -1 ends a list. */
  readonly firstIn: Int32Array;
  readonly nextIn: Int32Array;
  /** Atoms that a block stores before it loads them, and that it or a block behind it loads. */
  readonly killed: Int32Array;
  readonly usedIn: Int32Array;
  readonly usedOut: Int32Array;
  /** Value numbers of the atoms behind each block. */
  readonly values: Int32Array;
  /** Value number of what each block compares with. */
  readonly operand: Int32Array;
}

/** Rows of bits, all of the same length. */
export interface BitRows {
  readonly words: Uint32Array;
  readonly perRow: number;
}

const WORD_BITS = 32;

const bitRows = (rows: number, columns: number): BitRows => {
  const perRow = Math.floor(columns / WORD_BITS) + 1;
  return { words: new Uint32Array(rows * perRow), perRow };
};

/** Numbers the blocks that the root leads to. */
function numberBlocks(root: Block): Map<Block, number> {
  const numbers = new Map<Block, number>();
  const work: Block[] = [root];
  for (let block = work.pop(); block !== undefined; block = work.pop()) {
    if (numbers.has(block)) continue;
    numbers.set(block, numbers.size);
    if (block.whenFalse !== undefined) work.push(block.whenFalse);
    if (block.whenTrue !== undefined) work.push(block.whenTrue);
  }
  return numbers;
}

/** Counts the blocks that the root leads to. */
export const countBlocks = (root: Block): number => numberBlocks(root).size;

export function toGraph(root: Block): Graph {
  const numbers = numberBlocks(root);
  const blocks = [...numbers.keys()];
  const { length: count } = blocks;
  const next = new Int32Array(2 * count);
  blocks.forEach((block, i) => {
    next[i] = block.whenTrue === undefined ? -1 : (numbers.get(block.whenTrue) as number);
    next[count + i] = block.whenFalse === undefined ? -1 : (numbers.get(block.whenFalse) as number);
  });
  return {
    count,
    root: 0,
    stmts: blocks.map((block) => block.stmts),
    code: blocks.map((block) => block.code),
    k: blocks.map((block) => block.k),
    next,
    levels: [],
    dominators: bitRows(count, count),
    edgeDominators: bitRows(2 * count, 2 * count),
    firstIn: new Int32Array(count),
    nextIn: new Int32Array(2 * count),
    killed: new Int32Array(count),
    usedIn: new Int32Array(count),
    usedOut: new Int32Array(count),
    values: new Int32Array(count * ATOMS),
    operand: new Int32Array(count),
  };
}

/** Makes blocks of the graph again. */
export function toBlocks(graph: Graph): Block {
  const blocks: Block[] = graph.stmts.map((stmts, i) => ({
    stmts,
    code: graph.code[i] as number,
    k: graph.k[i] as number,
    whenTrue: undefined,
    whenFalse: undefined,
  }));
  blocks.forEach((block, i) => {
    block.whenTrue = blocks[graph.next[i] as number];
    block.whenFalse = blocks[graph.next[graph.count + i] as number];
  });
  return blocks[graph.root] as Block;
}

/** Where the true edge of a block leads. */
export const yesOf = ({ next }: Graph, block: number): number => next[block] as number;

/** Where the false edge of a block leads. */
export const noOf = ({ next, count }: Graph, block: number): number => next[count + block] as number;

/** The block that an edge comes from. */
export const fromOf = ({ count }: Graph, edge: number): number => (edge < count ? edge : edge - count);

/** Number of the false edge of a block; its true edge has the block's own number. */
export const falseEdge = ({ count }: Graph, block: number): number => count + block;

export function hasBit({ words, perRow }: BitRows, row: number, column: number): boolean {
  const word = words[row * perRow + (column >>> 5)] as number;
  return ((word >>> (column & 31)) & 1) !== 0;
}

export function setBit({ words, perRow }: BitRows, row: number, column: number): void {
  const at = row * perRow + (column >>> 5);
  words[at] = (words[at] as number) | (1 << (column & 31));
}

/** Keeps in a row only what another has, too. */
export function intersect({ words, perRow }: BitRows, row: number, other: number): void {
  const to = row * perRow;
  const from = other * perRow;
  for (let i = 0; i < perRow; i++) words[to + i] = (words[to + i] as number) & (words[from + i] as number);
}

export function clearRow({ words, perRow }: BitRows, row: number): void {
  words.fill(0, row * perRow, (row + 1) * perRow);
}
