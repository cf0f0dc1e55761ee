import { CBPF, cbpfRowOf } from "../../rows.ts";
import type { Block } from "../ir.ts";
import { analyse, findInEdges } from "./analysis.ts";
import { A_ATOM, ATOMS, X_ATOM } from "./atoms.ts";
import { pullUp, shortenEdge } from "./branches.ts";
import { falseEdge, fromOf, type Graph, noOf, toBlocks, toGraph, yesOf } from "./graph.ts";
import { mergeEqualBlocks } from "./intern.ts";
import { newPass, noteCode, type Pass } from "./pass.ts";
import { deleteDeadStores, shrinkBlock } from "./peephole.ts";
import { visitStmt } from "./statements.ts";
import { UNKNOWN } from "./values.ts";

/**
 * Makes a flow graph smaller. Computes a graph that gives the same answers; assumes one without cycles and without
 * jumps inside blocks; follows the passes of libpcap, in their order, so that the result is the same to the last
 * instruction. A pass costs the square of the number of blocks in bits; their number is limited.
 *
 * @source McCanne, Jacobson, "The BSD Packet Filter", USENIX Winter 1993, §4; Begel et al., "BPF+", SIGCOMM 1999, §6
 */
export function optimize(root: Block): Block {
  const graph = toGraph(root);
  repeat(graph, false);
  repeat(graph, true);
  mergeEqualBlocks(graph);
  skipDecidedRoot(graph);
  return toBlocks(graph);
}

/** Passes that do nothing but move edges may move them in a circle: this many in a row end the walk. */
const IDLE_PASSES_MAX = 100;
/** No filter needs nearly as many; a guard against a circle of other changes. */
const PASSES_MAX = 10_000;

function repeat(graph: Graph, altersStmts: boolean): void {
  let idle = 0;
  for (let passes = 0; passes < PASSES_MAX && idle < IDLE_PASSES_MAX; passes++) {
    const pass = newPass(graph, altersStmts);
    analyse(graph);
    runPass(pass);
    if (!pass.hasChanged) return;
    idle = pass.hasChangedCode ? 0 : idle + 1;
  }
}

function runPass(pass: Pass): void {
  const { graph } = pass;
  const { levels } = graph;
  findInEdges(graph);
  for (let level = levels.length - 1; level >= 0; level--) {
    for (const block of levels[level] as number[]) visitBlock(pass, block);
  }
  // Where statements change, moving branches cannot help any more.
  if (pass.altersStmts) return;
  const inner = levels.slice(1).flat();
  for (const block of inner) {
    shortenEdge(pass, block);
    shortenEdge(pass, falseEdge(graph, block));
  }
  findInEdges(graph);
  for (const block of inner) {
    pullUp(pass, block, "or");
    pullUp(pass, block, "and");
  }
}

function visitBlock(pass: Pass, block: number): void {
  const { graph } = pass;
  const atoms = graph.values.subarray(block * ATOMS, (block + 1) * ATOMS);
  inheritValues(graph, block, atoms);
  const a = atoms[A_ATOM] as number;
  const x = atoms[X_ATOM] as number;
  const stmts = graph.stmts[block] as Graph["stmts"][number];
  for (const one of stmts) visitStmt(pass, one, atoms);
  const action = cbpfRowOf(graph.code[block] as number)?.action;
  const isReturn = action?.kind === "return";
  const isIdle =
    graph.usedOut[block] === 0 &&
    a !== UNKNOWN &&
    atoms[A_ATOM] === a &&
    x !== UNKNOWN &&
    atoms[X_ATOM] === x;
  if (pass.altersStmts && (isReturn || isIdle)) {
    if (stmts.length > 0) noteCode(pass);
    graph.stmts[block] = [];
  } else {
    shrinkBlock(pass, block);
    deleteDeadStores(pass, block);
  }
  const after = cbpfRowOf(graph.code[block] as number)?.action;
  const comparesX = after?.kind === "branch" && after.operand === "x";
  graph.operand[block] = comparesX
    ? (atoms[X_ATOM] as number)
    : pass.values.constant(graph.k[block] as number);
}

/** Takes over the values on which all edges into a block agree. */
function inheritValues(graph: Graph, block: number, atoms: Int32Array): void {
  let edge = graph.firstIn[block] as number;
  if (edge === -1) {
    atoms.fill(UNKNOWN);
    return;
  }
  const { values, nextIn } = graph;
  const first = fromOf(graph, edge) * ATOMS;
  atoms.set(values.subarray(first, first + ATOMS));
  for (edge = nextIn[edge] as number; edge !== -1; edge = nextIn[edge] as number) {
    const from = fromOf(graph, edge) * ATOMS;
    for (let i = 0; i < ATOMS; i++) if (atoms[i] !== values[from + i]) atoms[i] = UNKNOWN;
  }
}

/** Starts behind tests at the root that lead to one place only. */
function skipDecidedRoot(graph: Graph): void {
  const stmts = graph.stmts[graph.root] as Graph["stmts"][number];
  graph.stmts[graph.root] = [];
  while (yesOf(graph, graph.root) !== -1 && yesOf(graph, graph.root) === noOf(graph, graph.root)) {
    graph.root = yesOf(graph, graph.root);
  }
  const own = graph.stmts[graph.root] as Graph["stmts"][number];
  const isReturn = graph.code[graph.root] === CBPF.retK;
  graph.stmts[graph.root] = isReturn ? [] : [...stmts, ...own];
}
