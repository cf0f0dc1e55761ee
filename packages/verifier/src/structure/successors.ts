import type { Insn } from "@tsbpf/isa";
import type { Env } from "../env.ts";

/** Fills `out` with the successors inside the function, calls stepped over; returns how many (0..2). */
export function successorsOf(env: Env, slot: number, out: number[]): number {
  const insn = env.insns[slot] as Insn;
  const cls = insn.op & 0x07;
  if (cls !== 0x05 && cls !== 0x06) {
    out[0] = slot + (insn.op === 0x18 ? 2 : 1);
    return out[0] < env.len ? 1 : 0;
  }
  const operation = insn.op & 0xf0;
  if (operation === 0x90) return 0;
  if (operation === 0x80) {
    out[0] = slot + 1;
    return 1;
  }
  if (operation === 0x00) {
    out[0] = slot + 1 + (cls === 0x06 ? insn.imm : insn.off);
    return 1;
  }
  out[0] = slot + 1;
  const target = slot + 1 + insn.off;
  if (target === out[0]) return 1;
  out[1] = target;
  return 2;
}

/** Orders the instructions of every function so that, loops aside, successors come first. */
export function computePostorder(env: Env): void {
  const out = [0, 0];
  const isFound = new Uint8Array(env.len);
  const isDone = new Uint8Array(env.len);
  // An instruction is pushed once, when it is found.
  const path = new Int32Array(env.len);
  for (const subprog of env.subprogs) {
    let depth = 1;
    path[0] = subprog.start;
    while (depth > 0) {
      const top = path[depth - 1] as number;
      isFound[top] = 1;
      if (isDone[top] === 1) {
        subprog.postorder.push(top);
        depth--;
        continue;
      }
      const count = successorsOf(env, top, out);
      for (let i = 0; i < count; i++) {
        const to = out[i] as number;
        if (to <= top) subprog.leadsBack = true;
        if (isFound[to] === 1) continue;
        isFound[to] = 1;
        path[depth++] = to;
      }
      isDone[top] = 1;
    }
  }
}

/** Numbers the loops: maximal sets of instructions that reach each other inside a function. */
export function computeLoops(env: Env): void {
  const index = new Int32Array(env.len).fill(-1);
  const low = new Int32Array(env.len);
  const nextEdge = new Uint8Array(env.len);
  const onStack = new Uint8Array(env.len);
  const stack = new Int32Array(env.len);
  const path = new Int32Array(env.len);
  const out = [0, 0];
  let height = 0;
  let nextIndex = 0;
  let nextLoop = 1;
  for (let root = 0; root < env.len; root++) {
    if (index[root] !== -1) continue;
    let depth = 1;
    path[0] = root;
    while (depth > 0) {
      const slot = path[depth - 1] as number;
      if (index[slot] === -1) {
        index[slot] = low[slot] = nextIndex++;
        stack[height++] = slot;
        onStack[slot] = 1;
      }
      const count = env.insns[slot]?.op === 0 ? 0 : successorsOf(env, slot, out);
      const edge = nextEdge[slot] as number;
      if (edge < count) {
        const to = out[edge] as number;
        nextEdge[slot] = edge + 1;
        if (to < 0 || to >= env.len) continue;
        if (index[to] === -1) path[depth++] = to;
        else if (onStack[to] === 1) low[slot] = Math.min(low[slot] as number, index[to] as number);
        continue;
      }
      depth--;
      if (depth > 0) {
        const parent = path[depth - 1] as number;
        low[parent] = Math.min(low[parent] as number, low[slot] as number);
      }
      if (low[slot] !== index[slot]) continue;
      const isLoop =
        stack[height - 1] !== slot || (count > 0 && out[0] === slot) || (count > 1 && out[1] === slot);
      for (;;) {
        const member = stack[--height] as number;
        onStack[member] = 0;
        if (isLoop) env.scc[member] = nextLoop;
        if (member === slot) break;
      }
      if (isLoop) nextLoop++;
    }
  }
}
