import { isIterNext } from "../calls/call-kinds.ts";
import type { Checkpoint, Env } from "../env.ts";
import { logSourceLine, printState } from "../log/print-state.ts";
import { pushHistory } from "../precise/history.ts";
import { propagatePrecision } from "../precise/mark.ts";
import { rejectSilently } from "../reject.ts";
import { NOT_INIT, REG, type Reg, withPrecise } from "../state/reg.ts";
import { EMPTY_SLOT, isSpilled, type Slot } from "../state/slot.ts";
import { copyState, curFrame, frameAt, type State } from "../state/state.ts";
import { frameInsnIdx } from "../walk/linked.ts";
import { bucketOf } from "./buckets.ts";
import { areStatesEqual, haveIterDepthsChanged, mayLoop } from "./equal.ts";
import { findLiveSlots, isSlotLive } from "./liveness.ts";
import { addBackedge, areMarksIncomplete, enterLoop, leaveLoop } from "./loops.ts";
import { hasSameCallsites } from "./widen.ts";

const MAX_HISTORY = 40;
const MIN_JUMPS = 2;
const MIN_INSNS = 8;
const LOOP_JUMPS = 20;
const LOOP_INSNS = 100;

/** What the comparison with one checkpoint came to. */
type Outcome = "hit" | "loop hit" | "miss" | "open miss";

/** Forgets what no later instruction reads, so that finished checkpoints match more. */
function cleanState(env: Env, state: State): void {
  state.isCleaned = true;
  for (let frameno = 0; frameno < state.frames.length; frameno++) {
    const frame = frameAt(state, frameno);
    const live = env.liveRegs[frameInsnIdx(state, frameno)] as number;
    for (let i = 0; i < 10; i++) if (((live >> i) & 1) === 0) frame.regs[i] = NOT_INIT;
    if (frame.stack.length > 0) findLiveSlots(env, state, frameno);
    for (let spi = 0; spi < frame.stack.length; spi++) {
      if (!isSlotLive(spi)) frame.stack[spi] = EMPTY_SLOT;
    }
  }
}

function cleanFinished(env: Env, list: readonly Checkpoint[], insnIdx: number): void {
  for (let i = list.length - 1; i >= 0; i--) {
    const state = (list[i] as Checkpoint).state;
    if (state.branches > 0 || state.insnIdx !== insnIdx || state.isCleaned) continue;
    if (!hasSameCallsites(state, env.cur) || areMarksIncomplete(env, state)) continue;
    cleanState(env, state);
  }
}

function rejectLoop(env: Env, old: State, insnIdx: number): never {
  const frameno = env.cur.frames.length - 1;
  logSourceLine(env, insnIdx);
  const text = `infinite loop detected at insn ${insnIdx}`;
  env.log.write(
    `${text}\ncur state:${printState(env, env.cur, frameno, true)}old state:${printState(env, old, frameno, true)}`,
  );
  return rejectSilently(env, "LIMIT_LOOP", "EINVAL", text);
}

/** Whether the iterator that r1 leads to has not ended. */
function isIterActive(state: State): boolean {
  const r1 = curFrame(state).regs[1] as Reg;
  if (r1.type !== REG.stack) return false;
  const off = r1.off + r1.val.sminNumber;
  const slot = frameAt(state, r1.x.frameno).stack[Math.floor((-off - 1) / 8)];
  return slot?.reg?.x.iter?.isActive ?? false;
}

/** Compares with a checkpoint whose paths are not all walked: the current path may have come from it. */
function compareOpen(env: Env, old: State, insnIdx: number): Outcome {
  const cur = env.cur;
  const frame = curFrame(old);
  if (frame.inAsyncCallback && frame.asyncEntryCnt !== curFrame(cur).asyncEntryCnt) return "open miss";
  if (isIterNext(env, insnIdx)) {
    if (areStatesEqual(env, old, cur, "range within") && isIterActive(cur)) return "loop hit";
    return "open miss";
  }
  if (env.rows[insnIdx]?.action.kind === "may_goto") {
    if (old.mayGotoDepth !== cur.mayGotoDepth && areStatesEqual(env, old, cur, "range within")) {
      return "loop hit";
    }
  }
  if (env.callsCallback[insnIdx] === 1) {
    return areStatesEqual(env, old, cur, "range within") ? "loop hit" : "open miss";
  }
  const isLoop =
    mayLoop(old, cur) &&
    areStatesEqual(env, old, cur, "exact") &&
    !haveIterDepthsChanged(old, cur) &&
    old.mayGotoDepth === cur.mayGotoDepth &&
    old.callbackUnrollDepth === cur.callbackUnrollDepth;
  if (isLoop) rejectLoop(env, old, insnIdx);
  return "open miss";
}

function compare(env: Env, old: State, insnIdx: number): Outcome {
  if (old.branches > 0) return compareOpen(env, old, insnIdx);
  const isIncomplete = areMarksIncomplete(env, old);
  const isClose = isIncomplete || env.isComplete;
  if (!areStatesEqual(env, old, env.cur, isClose ? "range within" : "not exact")) return "miss";
  return isIncomplete ? "loop hit" : "hit";
}

function takeHit(env: Env, checkpoint: Checkpoint, insnIdx: number, isLoop: boolean): void {
  checkpoint.hits++;
  if (env.isJumpPoint[insnIdx] === 1) pushHistory(env);
  propagatePrecision(env, checkpoint.state, env.cur);
  if (isLoop) addBackedge(env, checkpoint.state, env.cur);
}

/**
 * Compares the current state with the checkpoints of an instruction, and may become a checkpoint itself (X-30..X-37).
 *
 * @returns true when an earlier walk covers the current path, which then ends.
 */
export function visitCheckpoint(env: Env, insnIdx: number): boolean {
  const cur = env.cur;
  const steps = cur.history?.count ?? 0;
  const isForced = env.isStateFreq || env.isForcedCheckpoint[insnIdx] === 1 || steps > MAX_HISTORY;
  let isAdded =
    isForced || (env.jumps - env.prevJumps >= MIN_JUMPS && env.processed - env.prevProcessed >= MIN_INSNS);
  const bucket = bucketOf(env, insnIdx);
  const list = env.explored.get(bucket);
  if (list !== undefined) {
    if (!env.isComplete) cleanFinished(env, list, insnIdx);
    let count = 0;
    for (let i = list.length - 1; i >= 0; i--) {
      const checkpoint = list[i] as Checkpoint;
      count++;
      if (checkpoint.state.insnIdx !== insnIdx) continue;
      const outcome = compare(env, checkpoint.state, insnIdx);
      if (outcome === "hit" || outcome === "loop hit") {
        takeHit(env, checkpoint, insnIdx, outcome === "loop hit");
        return true;
      }
      if (
        outcome === "open miss" &&
        !isForced &&
        env.jumps - env.prevJumps < LOOP_JUMPS &&
        env.processed - env.prevProcessed < LOOP_INSNS
      ) {
        isAdded = false;
      }
      if (isAdded) checkpoint.misses++;
      dropUseless(env, list, i, insnIdx);
    }
    env.maxStatesPerInsn = Math.max(env.maxStatesPerInsn, count);
  }
  if (isAdded) addCheckpoint(env, bucket, insnIdx);
  return false;
}

/** Removes a checkpoint that keeps missing. */
function dropUseless(env: Env, list: Checkpoint[], at: number, insnIdx: number): void {
  const checkpoint = list[at] as Checkpoint;
  const patience = env.isForcedCheckpoint[insnIdx] === 1 && checkpoint.state.branches > 0 ? 64 : 3;
  if (checkpoint.misses <= checkpoint.hits * patience + patience) return;
  list.splice(at, 1);
  env.exploredCount--;
  if (checkpoint.state.branches > 0) {
    env.freeListCount++;
    env.freeList.add(checkpoint.state);
  }
}

function addCheckpoint(env: Env, bucket: number, insnIdx: number): void {
  const cur = env.cur;
  env.totalStates++;
  env.exploredCount++;
  env.peakStates = Math.max(env.peakStates, env.exploredCount + env.freeListCount + env.backedgeCount);
  env.prevJumps = env.jumps;
  env.prevProcessed = env.processed;
  forgetPrecision(cur);
  const state = copyState(cur);
  state.insnIdx = insnIdx;
  state.branches = 1;
  enterLoop(env, state);
  cur.parent = state;
  cur.firstIdx = insnIdx;
  cur.dfsDepth = state.dfsDepth + 1;
  cur.history = null;
  const list = env.explored.get(bucket);
  const checkpoint: Checkpoint = { state, hits: 0, misses: 0 };
  if (list === undefined) env.explored.set(bucket, [checkpoint]);
  else list.push(checkpoint);
}

function forgetPrecision(state: State): void {
  for (const frame of state.frames) {
    for (let i = 0; i < 10; i++) {
      const reg = frame.regs[i] as Reg;
      if (reg.isPrecise) frame.regs[i] = withPrecise(reg, false);
    }
    for (let spi = 0; spi < frame.stack.length; spi++) {
      const slot = frame.stack[spi] as Slot;
      if (slot.reg === null || !slot.reg.isPrecise || !isSpilled(slot)) continue;
      frame.stack[spi] = { kinds: slot.kinds, reg: withPrecise(slot.reg, false) };
    }
  }
}

/** Counts a finished path off the checkpoints above it; those without open paths are complete. */
export function leaveBranches(env: Env, end: State): void {
  let state: State | null = end;
  while (state !== null) {
    state.branches--;
    if (state.branches > 0) break;
    leaveLoop(env, state);
    if (env.freeList.delete(state)) env.freeListCount--;
    state = state.parent;
  }
}
