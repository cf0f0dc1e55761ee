import type { Insn } from "@tsbpf/isa";
import { calleeEffects, isAsyncTaker, isIterNext, isSyncTaker } from "../calls/call-kinds.ts";
import type { Env } from "../env.ts";
import { reject } from "../reject.ts";
import { subprogOf } from "./subprogs.ts";

const EXPLORED = 2;
const DISCOVERED = 1;

/** Where an instruction may lead, filled anew for each. */
const edges = [0, 0];

/** Fills {@link edges} in the order they are followed: fall-through first; calls lead to their callee too. */
function findEdges(env: Env, slot: number): 0 | 1 | 2 {
  const insn = env.insns[slot] as Insn;
  const action = env.rows[slot]?.action;
  edges[0] = slot + 1;
  if (action === undefined) return 1;
  switch (action.kind) {
    case "exit":
    case "gotox":
      return 0;
    case "ja":
      edges[0] += action.distance === "off" ? insn.off : insn.imm;
      return 1;
    case "branch":
    case "may_goto":
      edges[1] = slot + 1 + insn.off;
      return 2;
    case "call":
      edges[1] = slot + 1 + insn.imm;
      return action.callKind === "subprog" ? 2 : 1;
    case "wide":
      edges[0] = slot + 2;
      edges[1] = slot + 1 + insn.imm;
      return action.wideKind === "func" ? 2 : 1;
    default:
      return 1;
  }
}

/** Marks a place where states are compared and to which the walk comes by a jump. */
function markTarget(env: Env, slot: number): void {
  env.isPrunePoint[slot] = 1;
  env.isJumpPoint[slot] = 1;
}

/** Marks a place where states are compared and always kept. */
function markForced(env: Env, slot: number): void {
  env.isPrunePoint[slot] = 1;
  env.isForcedCheckpoint[slot] = 1;
}

/** Marks where states are compared and where the walk leaves the straight line. */
function markPoints(env: Env, slot: number): void {
  const insn = env.insns[slot] as Insn;
  const action = env.rows[slot]?.action;
  if (action === undefined) return;
  switch (action.kind) {
    case "ja":
      markTarget(env, slot + 1 + (action.distance === "off" ? insn.off : insn.imm));
      return;
    case "branch":
      env.isPrunePoint[slot] = 1;
      markTarget(env, slot + 1 + insn.off);
      return;
    case "may_goto":
      env.isPrunePoint[slot] = 1;
      if (insn.src === 0) markForced(env, slot);
      markTarget(env, slot + 1 + insn.off);
      return;
    case "wide":
      if (action.wideKind !== "func") return;
      env.isPrunePoint[slot] = 1;
      markTarget(env, slot + 2);
      markTarget(env, slot + 1 + insn.imm);
      return;
    case "call":
      markCall(env, slot, insn, action.callKind === "subprog");
      return;
    default:
  }
}

function markCall(env: Env, slot: number, insn: Insn, isSubprog: boolean): void {
  markTarget(env, slot + 1);
  if (isSubprog) {
    env.isPrunePoint[slot] = 1;
    markTarget(env, slot + 1 + insn.imm);
  }
  if (isAsyncTaker(env, slot)) env.isPrunePoint[slot] = 1;
  if (isSyncTaker(env, slot)) {
    env.callsCallback[slot] = 1;
    markTarget(env, slot);
    markForced(env, slot);
  }
  if (isIterNext(env, slot)) markForced(env, slot);
}

/** Adds what a call does to its function, and what a visited callee does to the caller (C-44). */
function mergeEffects(env: Env, slot: number): void {
  const action = env.rows[slot]?.action;
  if (action?.kind !== "call" && action?.kind !== "wide") return;
  const subprog = subprogOf(env, slot);
  const own = calleeEffects(env, slot);
  if (own.changesPacket) subprog.changesPacket = true;
  if (own.mightSleep) subprog.mightSleep = true;
  const isCall = action.kind === "call" && action.callKind === "subprog";
  if (!isCall && !(action.kind === "wide" && action.wideKind === "func")) return;
  const callee = subprogOf(env, slot + 1 + (env.insns[slot] as Insn).imm);
  if (callee.changesPacket) subprog.changesPacket = true;
  if (callee.mightSleep) subprog.mightSleep = true;
}

function explore(env: Env, start: number, status: Uint8Array): void {
  if (status[start] !== 0) return;
  const path = new Int32Array(env.len);
  const nextEdge = new Uint8Array(env.len);
  let depth = 1;
  path[0] = start;
  status[start] = DISCOVERED;
  while (depth > 0) {
    const slot = path[depth - 1] as number;
    if (nextEdge[slot] === 0) markPoints(env, slot);
    mergeEffects(env, slot);
    const count = findEdges(env, slot);
    let hasPushed = false;
    while ((nextEdge[slot] as number) < count) {
      const to = edges[nextEdge[slot] as number] as number;
      nextEdge[slot] = (nextEdge[slot] as number) + 1;
      if (to < 0 || to >= env.len) {
        env.insnIdx = slot;
        reject(env, "CFG_JUMP_RANGE", "EINVAL", `jump out of range from insn ${slot} to ${to}`);
      }
      if (status[to] === 0) {
        status[to] = DISCOVERED;
        path[depth++] = to;
        hasPushed = true;
        break;
      }
    }
    if (hasPushed) continue;
    status[slot] = EXPLORED;
    depth--;
  }
}

/** Checks reachability and marks prune, jump and checkpoint places (X-10..X-15). */
export function checkCfg(env: Env): void {
  const status = new Uint8Array(env.len);
  explore(env, 0, status);
  const exceptionCallback = env.subprogs[env.exceptionCallback];
  if (exceptionCallback !== undefined) explore(env, exceptionCallback.start, status);
  for (let slot = 0; slot < env.len; slot++) {
    env.insnIdx = slot;
    if (status[slot] !== EXPLORED) {
      reject(env, "CFG_UNREACHABLE", "EINVAL", `unreachable insn ${slot}`);
    }
    if (env.insns[slot]?.op !== 0x18) continue;
    if (status[slot + 1] !== 0) {
      reject(env, "CFG_INTO_WIDE", "EINVAL", `jump into the middle of ldimm64 insn ${slot}`);
    }
    slot++;
  }
}
