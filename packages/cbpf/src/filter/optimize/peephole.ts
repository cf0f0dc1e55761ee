import { CBPF, cbpfRowOf } from "../../rows.ts";
import { NOP, type Stmt } from "../ir.ts";
import { A_ATOM, ATOMS, storesTo, usesOf, X_ATOM } from "./atoms.ts";
import { falseEdge, type Graph, noOf, yesOf } from "./graph.ts";
import { noteCode, type Pass } from "./pass.ts";

const ALL_BITS = 0xffff_ffff;

const ADD_X = CBPF.alu("add", "x");
const SUB_X = CBPF.alu("sub", "x");
const SUB_K = CBPF.alu("sub", "k");
const AND_K = CBPF.alu("and", "k");
const JEQ_K = CBPF.branch("jeq", "k");
const JEQ_X = CBPF.branch("jeq", "x");
const JSET_K = CBPF.branch("jset", "k");

/** Index of the first statement from `at` on that is not deleted; -1 when there is none. */
function liveAt(stmts: readonly Stmt[], at: number): number {
  for (let i = at; i < stmts.length; i++) if (stmts[i]?.code !== NOP) return i;
  return -1;
}

const usedBehind = ({ usedOut }: Graph, block: number, atom: number): boolean =>
  ((usedOut[block] as number) & (1 << atom)) !== 0;

/** Replaces neighbouring statements of a block by fewer, and its test by one that needs fewer. */
export function shrinkBlock(pass: Pass, block: number): void {
  const stmts = pass.graph.stmts[block] as Stmt[];
  if (stmts.length === 0) return;
  const last = shrinkPairs(pass, block, stmts);
  shrinkComparison(pass, block, last);
  decideBitTest(pass.graph, block);
  decideConstants(pass, block);
}

/** Returns the statement before the test, as far as the walk came. */
function shrinkPairs(pass: Pass, block: number, stmts: readonly Stmt[]): Stmt {
  let at = liveAt(stmts, 0);
  let last = stmts[0] as Stmt;
  while (at !== -1) {
    const nextAt = liveAt(stmts, at + 1);
    if (nextAt === -1) break;
    const one = stmts[at] as Stmt;
    const next = stmts[nextAt] as Stmt;
    last = next;
    if (one.code === CBPF.st && next.code === CBPF.ldxMem && one.k === next.k) {
      next.code = CBPF.tax;
      noteCode(pass);
    }
    if (one.code === CBPF.ldImm && next.code === CBPF.tax) {
      one.code = CBPF.ldxImm;
      next.code = CBPF.txa;
      noteCode(pass);
    }
    if (one.code === CBPF.ldImm && !usedBehind(pass.graph, block, X_ATOM)) {
      shrinkIndexing(pass, stmts, at, nextAt);
    }
    // What came next may have been deleted.
    at = liveAt(stmts, nextAt);
  }
  return last;
}

/** Turns the sum of a constant and a header length, used as an index, into a load with that constant as offset. */
function shrinkIndexing(pass: Pass, stmts: readonly Stmt[], at: number, nextAt: number): void {
  const addAt = stmts[nextAt]?.code === CBPF.ldxMsh ? liveAt(stmts, nextAt + 1) : nextAt;
  const add = stmts[addAt];
  if (add?.code !== ADD_X) return;
  const taxAt = liveAt(stmts, addAt + 1);
  const tax = stmts[taxAt];
  if (tax?.code !== CBPF.tax) return;
  const load = stmts[liveAt(stmts, taxAt + 1)];
  const action = load === undefined ? undefined : cbpfRowOf(load.code)?.action;
  if (load === undefined || action?.kind !== "packet" || action.mode !== "ind") return;
  const constant = stmts[at] as Stmt;
  load.k = (load.k + constant.k) >>> 0;
  constant.code = NOP;
  add.code = NOP;
  tax.code = NOP;
  noteCode(pass);
}

/** Takes a subtraction or a mask before a comparison for equality into the comparison, where A is not used behind. */
function shrinkComparison(pass: Pass, block: number, last: Stmt): void {
  const { graph, values } = pass;
  if (graph.code[block] !== JEQ_K || usedBehind(graph, block, A_ATOM)) return;
  const k = graph.k[block] as number;
  if (last.code === SUB_X) {
    const x = values.constantOf(graph.values[block * ATOMS + X_ATOM] as number);
    if (x !== undefined) graph.k[block] = (k + x) >>> 0;
    else if (k === 0) graph.code[block] = JEQ_X;
    else return;
  } else if (last.code === SUB_K) {
    graph.k[block] = (k + last.k) >>> 0;
  } else if (last.code === AND_K && k === 0) {
    graph.k[block] = last.k;
    graph.code[block] = JSET_K;
    swapBranches(graph, block);
  } else return;
  last.code = NOP;
  noteCode(pass);
}

function swapBranches(graph: Graph, block: number): void {
  const yes = yesOf(graph, block);
  graph.next[block] = noOf(graph, block);
  graph.next[falseEdge(graph, block)] = yes;
}

/** Decides a test of no bits; and, as libpcap does, one of all bits, which is wrong for the value 0. */
function decideBitTest(graph: Graph, block: number): void {
  if (graph.code[block] !== JSET_K) return;
  if (graph.k[block] === 0) graph.next[block] = noOf(graph, block);
  if (graph.k[block] === ALL_BITS) graph.next[falseEdge(graph, block)] = yesOf(graph, block);
}

/** Compares with a constant where X is one, and decides the test where A is one, too. */
function decideConstants(pass: Pass, block: number): void {
  const { graph, values } = pass;
  const row = block * ATOMS;
  const action = (): ReturnType<typeof cbpfRowOf> => cbpfRowOf(graph.code[block] as number);
  const before = action()?.action;
  const x = values.constantOf(graph.values[row + X_ATOM] as number);
  if (x !== undefined && before?.kind === "branch" && before.operand === "x") {
    graph.code[block] = CBPF.branch(before.condition, "k");
    graph.k[block] = x;
  }
  const branch = action()?.action;
  const a = values.constantOf(graph.values[row + A_ATOM] as number);
  if (a === undefined || branch?.kind !== "branch" || branch.operand !== "k") return;
  const k = graph.k[block] as number;
  const holds = { jeq: a === k, jgt: a > k, jge: a >= k, jset: (a & k) !== 0 }[branch.condition];
  const yes = yesOf(graph, block);
  const no = noOf(graph, block);
  if (yes !== no) noteCode(pass);
  graph.next[block] = holds ? yes : no;
  graph.next[falseEdge(graph, block)] = holds ? yes : no;
}

/** Deletes statements whose value nobody loads before it is stored anew, or at all. */
export function deleteDeadStores(pass: Pass, block: number): void {
  const { graph } = pass;
  const pending: (Stmt | undefined)[] = new Array(ATOMS).fill(undefined);
  const visit = (uses: number, atom: number | undefined, one: Stmt | undefined): void => {
    for (let i = 0; i < ATOMS; i++) if ((uses & (1 << i)) !== 0) pending[i] = undefined;
    if (atom === undefined) return;
    const before = pending[atom];
    if (before !== undefined) {
      before.code = NOP;
      noteCode(pass);
    }
    pending[atom] = one;
  };
  for (const one of graph.stmts[block] as Stmt[]) visit(usesOf(one), storesTo(one), one);
  visit(usesOf({ code: graph.code[block] as number, k: graph.k[block] as number }), undefined, undefined);
  pending.forEach((one, atom) => {
    if (one === undefined || usedBehind(graph, block, atom)) return;
    one.code = NOP;
    noteCode(pass);
  });
}
