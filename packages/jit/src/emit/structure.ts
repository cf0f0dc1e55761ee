import type { Insn } from "@tsbpf/isa";
import type { Node } from "../ir/graph.ts";
import { OP } from "../wasm/opcodes.ts";
import { pushCondition } from "./branch.ts";
import { emitEdge } from "./count-code.ts";
import { edgeCount, endsWithCall } from "./counting.ts";
import type { Emitter } from "./emitter.ts";
import { emitExit, emitNode, pushMayGoto } from "./node.ts";
import { pushLoopStart, pushNextRound } from "./rounds.ts";
import { pushLookupTest } from "./tested.ts";

/** Kinds of pending work, each with a node or label. */
const WORK = { tree: 0, node: 1, end: 2, edge: 3 } as const;

/**
 * Writes a reducible graph with structured control flow, from its dominator tree: a node is followed by the nodes it
 * dominates, those where several forward edges meet behind a `block` that the edges leave, and a node with a back
 * edge begins a `loop`.
 *
 * Assumes a reducible order. Guarantees that control only falls out of a block into the node behind it. Nothing
 * recurses: pending work lies on a stack of numbers, and of two arms the smaller is nested, so nesting is logarithmic
 * where branches form a tree and flat where they form a chain.
 *
 * @source Ramsey, "Beyond Relooper" (ICFP 2022), for the idea
 */
export function emitStructured(e: Emitter): void {
  const structurer = new Structurer(e);
  while (!structurer.run(Number.POSITIVE_INFINITY));
}

/** Pieces of work after which a caller may do something else in between. */
const STEP_WORK = 512;

/** Does the same in steps. */
export function* structureInSteps(e: Emitter): Generator<void, void> {
  const structurer = new Structurer(e);
  while (!structurer.run(STEP_WORK)) yield;
}

class Structurer {
  private readonly e: Emitter;
  private readonly work: number[] = [];
  /** By node: depth at which its block or loop label was opened. */
  private readonly blockAt: Int32Array;
  private readonly loopAt: Int32Array;
  private readonly merges: (number[] | undefined)[] = [];
  /** By node: how many nodes its subtree of the dominator tree holds. */
  private readonly weight: Int32Array;

  constructor(e: Emitter) {
    this.e = e;
    const { order } = e.graph;
    const size = e.graph.nodes.length;
    this.push(WORK.tree, 0);
    this.blockAt = new Int32Array(size);
    this.loopAt = new Int32Array(size);
    this.weight = new Int32Array(size);
    for (let i = order.nodes.length - 1; i >= 0; i--) {
      const id = order.nodes[i] as number;
      this.weight[id] = (this.weight[id] as number) + 1;
      if (i === 0) break;
      const above = order.idom[id] as number;
      this.weight[above] = (this.weight[above] as number) + (this.weight[id] as number);
      if (order.isMerge[id] !== 1) continue;
      const list = this.merges[above];
      // Collected from the last to the first in order.
      if (list === undefined) this.merges[above] = [id];
      else list.push(id);
    }
  }

  /** Does up to so many pieces of work; returns whether none is left. */
  run(pieces: number): boolean {
    for (let left = pieces; left > 0; left--) {
      const arg = this.work.pop();
      const kind = this.work.pop();
      if (arg === undefined || kind === undefined) return true;
      if (kind === WORK.tree) this.tree(arg);
      else if (kind === WORK.node) this.node(this.at(arg));
      else if (kind === WORK.end) this.close();
      else this.branch(this.at(arg), this.work.pop() as number);
    }
    return false;
  }

  private at(id: number): Node {
    return this.e.graph.nodes[id] as Node;
  }

  private push(kind: number, arg: number): void {
    this.work.push(kind, arg);
  }

  private close(): void {
    this.e.code.end();
    this.e.depth--;
  }

  private tree(id: number): void {
    const { code, graph } = this.e;
    if (graph.order.isLoop[id] === 1) {
      code.loop();
      this.loopAt[id] = this.e.depth++;
      this.push(WORK.end, 0);
    }
    const merges = this.merges[id];
    if (merges !== undefined) {
      // The first of the list comes last in the code, so its block is the outermost.
      for (const merge of merges) {
        code.block();
        this.blockAt[merge] = this.e.depth++;
        this.push(WORK.tree, merge);
        this.push(WORK.end, 0);
      }
    }
    this.push(WORK.node, id);
  }

  private node(node: Node): void {
    const { e } = this;
    emitNode(e, node);
    switch (node.block.kind) {
      case "branch": {
        const slot = node.block.last;
        const action = e.plan.actions[slot];
        if (action?.kind === "branch") pushCondition(e, node.frame, e.plan.insns[slot] as Insn, action);
        this.fork(node);
        return;
      }
      case "may_goto":
        pushMayGoto(e);
        this.fork(node);
        return;
      case "lookup":
        pushLookupTest(e, node);
        this.fork(node);
        return;
      case "loop_start":
        pushLoopStart(e, node);
        this.fork(node);
        return;
      case "loop_next":
        pushNextRound(e, node);
        this.fork(node);
        return;
      case "exit":
        emitExit(e, node);
        if (node.fall >= 0) this.branch(node, node.fall);
        return;
      case "ja":
        this.branch(node, node.taken);
        return;
      case "next":
      case "call":
      case "loop_head":
      case "loop_end":
        if (node.fall >= 0) this.branch(node, node.fall);
        else e.code.op(OP.unreachable);
        return;
      case "gotox":
        e.code.op(OP.unreachable);
    }
  }

  /** Says whether an edge is a jump to a label; else its end is written in place. */
  private isJump(from: Node, to: number): boolean {
    const { order } = this.e.graph;
    return order.isMerge[to] === 1 || (order.position[to] as number) <= (order.position[from.id] as number);
  }

  private labelDepth(from: Node, to: number): number {
    const { position } = this.e.graph.order;
    const isBack = (position[to] as number) <= (position[from.id] as number);
    return this.e.depth - 1 - ((isBack ? this.loopAt[to] : this.blockAt[to]) as number);
  }

  /** Writes a two-way branch whose condition is on the stack. */
  private fork(node: Node): void {
    const { e } = this;
    const { taken, fall } = node;
    if (taken === fall) {
      e.code.op(OP.drop);
      this.branch(node, taken);
    } else if (this.isBare(node, taken)) {
      e.code.brIf(this.labelDepth(node, taken));
      this.branch(node, fall);
    } else if (this.isBare(node, fall) && !this.isJump(node, taken)) {
      e.code.op(OP.i32Eqz);
      e.code.brIf(this.labelDepth(node, fall));
      this.branch(node, taken);
    } else this.nest(node);
  }

  /** Whether an edge is a jump and nothing else. */
  private isBare(from: Node, to: number): boolean {
    return this.isJump(from, to) && (this.e.mode.isExact || edgeCount(this.e.counting, from, to) === 0);
  }

  private nest(node: Node): void {
    const { e } = this;
    const size = (to: number): number => (this.isJump(node, to) ? 0 : (this.weight[to] as number));
    const isTakenInside = size(node.taken) <= size(node.fall);
    if (!isTakenInside) e.code.op(OP.i32Eqz);
    e.code.if();
    this.e.depth++;
    const outside = isTakenInside ? node.fall : node.taken;
    this.work.push(outside, WORK.edge, node.id);
    this.push(WORK.end, 0);
    this.branch(node, isTakenInside ? node.taken : node.fall);
  }

  private branch(from: Node, to: number): void {
    const { e } = this;
    if (!endsWithCall(from)) emitEdge(e, from, to);
    if (this.isJump(from, to)) e.code.br(this.labelDepth(from, to));
    else this.push(WORK.tree, to);
  }
}
