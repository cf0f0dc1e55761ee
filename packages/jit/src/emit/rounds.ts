import { ERRNO } from "@tsbpf/abi";
import { LIMITS } from "@tsbpf/base";
import type { Node } from "../ir/graph.ts";
import { type FuncPlan, liveInOf } from "../ir/plan.ts";
import { OP } from "../wasm/opcodes.ts";
import type { Emitter } from "./emitter.ts";

const R0 = 0;
const R1 = 1;
const R2 = 2;
const R3 = 3;
const R4 = 4;
/** Registers that hold nothing when a callback starts: all but the round and what the caller gave. */
const FRESH = 0b11_1111_1001;

/**
 * Ends the node that calls `bpf_loop` (C-128): keeps the arguments, leaves in r0 what the call gives when no round
 * runs, and pushes whether one does.
 */
export function pushLoopStart(e: Emitter, node: Node): void {
  const { code } = e;
  const { frame } = node;
  const { times, given, round } = e.roundsOf(frame);
  e.pushLow(frame, R1);
  code.set(times);
  e.push(frame, R3);
  code.set(given);
  code.i32(0);
  code.set(round);
  e.push(frame, R4);
  code.op(OP.i64Eqz);
  code.set(e.word);
  pushRefusal(e, times);
  e.pop(frame, R0);
  e.clearScratch(node);
  // No round at all wraps to the largest number.
  code.get(times);
  code.i32(1);
  code.op(OP.i32Sub);
  code.i32(LIMITS.loops);
  code.op(OP.i32LtU);
  code.get(e.word);
  code.op(OP.i32And);
}

/** Pushes what a loop gives in which no round runs; `word` says whether the flags are 0. */
function pushRefusal(e: Emitter, times: number): void {
  const { code } = e;
  code.i64(-ERRNO.E2BIG, -1);
  code.i64(0, 0);
  code.get(times);
  code.i32(LIMITS.loops);
  code.op(OP.i32GtU);
  code.op(OP.select);
  code.i64(-ERRNO.EINVAL, -1);
  code.get(e.word);
  code.op(OP.select);
}

/** Begins a round: r1 is its number, r2 what the caller gave; programs without proofs find 0 in all else. */
export function beginRound(e: Emitter, node: Node): void {
  const { code } = e;
  const { round, given } = e.roundsOf(node.frame);
  const callee = node.inlined as FuncPlan;
  const inner = { plan: callee, level: node.frame.level + 1 };
  code.get(round);
  e.popLow(inner, R1);
  code.get(given);
  e.pop(inner, R2);
  if (e.mode.isChecked) e.clear(inner, liveInOf(callee) & FRESH);
}

/** Counts a round and pushes whether another one follows: the callback gave 0, and rounds are left. */
export function pushNextRound(e: Emitter, node: Node): void {
  const { code } = e;
  const { round, times } = e.roundsOf(node.frame);
  code.get(round);
  code.i32(1);
  code.op(OP.i32Add);
  code.tee(round);
  code.get(times);
  code.op(OP.i32LtU);
  e.pushLow(node.frame, R0);
  code.op(OP.i32Eqz);
  code.op(OP.i32And);
}

/** Ends the rounds: r0 is how many there were. */
export function endRounds(e: Emitter, node: Node): void {
  e.code.get(e.roundsOf(node.frame).round);
  e.popLow(node.frame, R0);
  e.clearScratch(node);
}
