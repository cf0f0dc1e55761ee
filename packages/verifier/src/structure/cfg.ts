import type { Insn } from "@tsbpf/isa";
import { calleeEffects, isAsyncTaker, isIterNext, isSyncTaker } from "../calls/call-kinds.ts";
import type { Env } from "../env.ts";
import { reject } from "../reject.ts";
import { subprogOf } from "./subprogs.ts";

const EXPLORED = 2;
const DISCOVERED = 1;

/** Edges of an instruction in the order they are followed: fall-through first; calls lead to their callee too. */
function edgesOf(env: Env, slot: number): readonly number[] {
  const insn = env.insns[slot] as Insn;
  const action = env.rows[slot]?.action;
  if (action === undefined) return [slot + 1];
  switch (action.kind) {
    case "exit":
    case "gotox":
      return [];
    case "ja":
      return [slot + 1 + (action.distance === "off" ? insn.off : insn.imm)];
    case "branch":
    case "may_goto":
      return [slot + 1, slot + 1 + insn.off];
    case "call":
      return action.callKind === "subprog" ? [slot + 1, slot + 1 + insn.imm] : [slot + 1];
    case "wide":
      return action.wideKind === "func" ? [slot + 2, slot + 1 + insn.imm] : [slot + 2];
    default:
      return [slot + 1];
  }
}

function mark(env: Env, slot: number, marks: { prune?: boolean; jump?: boolean; force?: boolean }): void {
  if (marks.prune === true) env.isPrunePoint[slot] = 1;
  if (marks.jump === true) env.isJumpPoint[slot] = 1;
  if (marks.force === true) env.isForcedCheckpoint[slot] = 1;
}

/** Marks where states are compared and where the walk leaves the straight line. */
function markPoints(env: Env, slot: number): void {
  const insn = env.insns[slot] as Insn;
  const action = env.rows[slot]?.action;
  if (action === undefined) return;
  switch (action.kind) {
    case "ja":
      mark(env, edgesOf(env, slot)[0] ?? 0, { prune: true, jump: true });
      return;
    case "branch":
      mark(env, slot, { prune: true });
      mark(env, slot + 1 + insn.off, { prune: true, jump: true });
      return;
    case "may_goto":
      mark(env, slot, { prune: true, force: insn.src === 0 });
      mark(env, slot + 1 + insn.off, { prune: true, jump: true });
      return;
    case "wide":
      if (action.wideKind !== "func") return;
      mark(env, slot, { prune: true });
      mark(env, slot + 2, { prune: true, jump: true });
      mark(env, slot + 1 + insn.imm, { prune: true, jump: true });
      return;
    case "call":
      mark(env, slot + 1, { prune: true, jump: true });
      if (action.callKind === "subprog") {
        mark(env, slot, { prune: true });
        mark(env, slot + 1 + insn.imm, { prune: true, jump: true });
      }
      if (isAsyncTaker(env, slot)) mark(env, slot, { prune: true });
      if (isSyncTaker(env, slot)) {
        env.callsCallback[slot] = 1;
        mark(env, slot, { prune: true, jump: true, force: true });
      }
      if (isIterNext(env, slot)) mark(env, slot, { prune: true, force: true });
      return;
    default:
  }
}

/** Adds what a call does to its function, and what a visited callee does to the caller (C-44). */
function mergeEffects(env: Env, slot: number): void {
  const subprog = subprogOf(env, slot);
  const own = calleeEffects(env, slot);
  if (own.changesPacket) subprog.changesPacket = true;
  if (own.mightSleep) subprog.mightSleep = true;
  const action = env.rows[slot]?.action;
  const isCall = action?.kind === "call" && action.callKind === "subprog";
  if (!isCall && !(action?.kind === "wide" && action.wideKind === "func")) return;
  const callee = subprogOf(env, slot + 1 + (env.insns[slot] as Insn).imm);
  if (callee.changesPacket) subprog.changesPacket = true;
  if (callee.mightSleep) subprog.mightSleep = true;
}

function explore(env: Env, start: number, status: Uint8Array): void {
  if (status[start] !== 0) return;
  const path = [start];
  const nextEdge = new Int32Array(env.len);
  status[start] = DISCOVERED;
  while (path.length > 0) {
    const slot = path[path.length - 1] as number;
    if (nextEdge[slot] === 0) markPoints(env, slot);
    mergeEffects(env, slot);
    const edges = edgesOf(env, slot);
    let hasPushed = false;
    while ((nextEdge[slot] as number) < edges.length) {
      const to = edges[nextEdge[slot] as number] as number;
      nextEdge[slot] = (nextEdge[slot] as number) + 1;
      if (to < 0 || to >= env.len) {
        env.insnIdx = slot;
        reject(env, "CFG_JUMP_RANGE", "EINVAL", `jump out of range from insn ${slot} to ${to}`);
      }
      if (status[to] === 0) {
        status[to] = DISCOVERED;
        path.push(to);
        hasPushed = true;
        break;
      }
    }
    if (hasPushed) continue;
    status[slot] = EXPLORED;
    path.pop();
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
