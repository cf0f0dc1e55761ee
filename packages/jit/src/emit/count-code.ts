import type { RegMask } from "@tsbpf/isa";
import { PACKET_DESC } from "../batch-layout.ts";
import type { Node } from "../ir/graph.ts";
import { CELL, ROUNDS, SPILL } from "../run/cell.ts";
import { OP } from "../wasm/opcodes.ts";
import { edgeCount } from "./counting.ts";
import { BATCH_LOCAL, type Emitter } from "./emitter.ts";
import { emitReturn } from "./leave.ts";
import type { Place } from "./place.ts";

/** Pushes the count after an instruction. */
export function pushCountAt(e: Emitter, { node, ordinal }: Pick<Place, "node" | "ordinal">): void {
  e.code.get(e.count);
  const above = e.mode.isExact ? 0 : (e.counting.base[node.id] as number) + ordinal;
  if (above === 0) return;
  e.code.i64n(above);
  e.code.op(OP.i64Add);
}

/** Adds to the counter what an edge adds. */
export function emitEdge(e: Emitter, from: Node, to: number): void {
  if (!e.mode.isExact) addCount(e, edgeCount(e.counting, from, to));
}

export function addCount(e: Emitter, by: number): void {
  if (by === 0) return;
  e.code.get(e.count);
  e.code.i64n(by);
  e.code.op(OP.i64Add);
  e.code.set(e.count);
}

/** Brings the count in the exchange block up to date, as of the end of a node. */
export function flushCount(e: Emitter, node: Node): void {
  const pushCount = (): void => pushCountAt(e, { node, ordinal: node.block.count });
  if (e.mode.hasFuel) {
    storeLeft(e, pushCount);
    return;
  }
  e.pushCell();
  e.pushCell();
  e.code.memory(OP.i64Load, CELL.count);
  pushCount();
  e.code.op(OP.i64Add);
  e.code.memory(OP.i64Store, CELL.count);
}

/** Stores what is left of a budget: the counter counts up to 0 from what was left, negated. */
function storeLeft(e: Emitter, pushCount: () => void): void {
  e.pushCell();
  e.code.i64(0, 0);
  pushCount();
  e.code.op(OP.i64Sub);
  e.code.memory(OP.i64Store, CELL.count);
}

/** Sets the counter from what is left of a budget. */
function loadLeft(e: Emitter, base: number): void {
  e.code.i64n(-base);
  e.pushCell();
  e.code.memory(OP.i64Load, CELL.count);
  e.code.op(OP.i64Sub);
  e.code.set(e.count);
}

/**
 * Sets the counter after a call before which the count was flushed.
 *
 * @param mayCount - whether the callee may have counted.
 */
export function resumeCount(e: Emitter, node: Node, mayCount: boolean): void {
  const to = node.fall;
  if (to < 0) return;
  const base = e.mode.isExact ? 0 : (e.counting.base[to] as number);
  if (!e.mode.hasFuel) {
    e.code.i64n(-base);
    e.code.set(e.count);
  } else if (mayCount) {
    loadLeft(e, base);
  } else emitEdge(e, node, to);
}

/** Starts the counter of a function. */
export function startCount(e: Emitter): void {
  if (e.mode.hasFuel) loadLeft(e, 0);
}

/** Writes what every instruction of exact code begins with. */
export function emitStep(e: Emitter, slot: number): void {
  const { code } = e;
  code.get(e.count);
  code.i64(0, 0);
  code.op(OP.i64GeS);
  code.if();
  storeLeft(e, () => code.get(e.count));
  code.i32(slot);
  code.call(e.links.noBudget);
  code.op(OP.unreachable);
  code.end();
  addCount(e, 1);
}

/**
 * Writes a gate: when the budget might end before the next gate, the rest of the function runs as exact code, which
 * ends at the right instruction. So the other code need not look at every one.
 */
export function emitGate(e: Emitter, node: Node): void {
  const { code, counting } = e;
  if (e.mode.isExact || counting.isGate[node.id] === 0) return;
  code.get(e.count);
  code.i64n(-((counting.base[node.id] as number) + (counting.need[node.id] as number)));
  code.op(OP.i64GtS);
  code.if();
  storeLeft(e, () => pushCountAt(e, { node, ordinal: 0 }));
  // What is kept for nothing would take registers all the way to here.
  const live = e.mode.isHooked ? ALL_REGS : node.live;
  eachSpilled(e, node, live, (local, at, bytes) => {
    e.pushCell();
    code.get(local);
    code.memory(STORE[bytes], at);
  });
  code.i32(e.func.func.idx);
  code.i32(node.id);
  if (e.frame >= 0) code.get(e.frame);
  else code.i32(0);
  code.call(e.links.goExact);
  e.pushCell();
  code.memory(OP.i64Load, CELL.regs);
  code.set(e.reg(node.frame, 0));
  if (e.role === "batch") {
    code.get(BATCH_LOCAL.at);
    e.pushCell();
    code.memory(OP.i64Load, CELL.budget);
    e.pushCell();
    code.memory(OP.i64Load, CELL.count);
    code.op(OP.i64Sub);
    code.memory(OP.i64Store32, PACKET_DESC.insnCount);
  }
  emitReturn(e, node.frame, 1);
  code.end();
}

const ALL_REGS = 0x3ff;
const STORE = { 4: OP.i32Store, 8: OP.i64Store } as const;
const LOAD = { 4: OP.i32Load, 8: OP.i64Load } as const;

/**
 * Visits what a change to exact code takes along: of the registers those of a mask that a node can see of its own
 * level and all of the levels around it, the counter of `may_goto`, and the rounds that may be running.
 */
function eachSpilled(
  e: Emitter,
  node: Node,
  mask: RegMask,
  visit: (local: number, at: number, bytes: 4 | 8) => void,
): void {
  const { frame } = node;
  const isWanted = (level: number, reg: number): boolean => level < frame.level || (mask & (1 << reg)) !== 0;
  for (let reg = 0; reg < SPILL.shared; reg++) {
    if (isWanted(frame.level, reg)) visit(e.reg(frame, reg), CELL.spill + 8 * reg, 8);
  }
  for (let level = 0; level <= frame.level; level++) {
    for (let i = 0; i < SPILL.perLevel; i++) {
      const at = CELL.spill + 8 * (SPILL.shared + SPILL.perLevel * level + i);
      const reg = SPILL.shared + i;
      if (isWanted(level, reg)) visit(e.reg({ plan: frame.plan, level }, reg), at, 8);
    }
  }
  visit(e.loops, CELL.loops, 4);
  for (const [level, { round, times, given }] of e.openRounds(node).entries()) {
    const at = CELL.rounds + ROUNDS.bytes * level;
    visit(round, at + ROUNDS.round, 4);
    visit(times, at + ROUNDS.times, 4);
    visit(given, at + ROUNDS.given, 8);
  }
}

/** Loads what the code before left for exact code. */
export function loadSpilled(e: Emitter): void {
  const deepest: Node = {
    ...(e.graph.nodes[0] as Node),
    frame: { plan: e.func, level: e.graph.levels },
  };
  eachSpilled(e, deepest, ALL_REGS, (local, at, bytes) => {
    e.pushCell();
    e.code.memory(LOAD[bytes], at);
    e.code.set(local);
  });
}
