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
  for (const subprog of env.subprogs) {
    const path = [subprog.start];
    while (path.length > 0) {
      const top = path[path.length - 1] as number;
      isFound[top] = 1;
      if (isDone[top] === 1) {
        subprog.postorder.push(top);
        path.pop();
        continue;
      }
      const count = successorsOf(env, top, out);
      for (let i = 0; i < count; i++) {
        const to = out[i] as number;
        if (isFound[to] === 1) continue;
        isFound[to] = 1;
        path.push(to);
      }
      isDone[top] = 1;
    }
  }
}

/** Numbers the loops: maximal sets of instructions that reach each other inside a function. */
export function computeLoops(env: Env): void {
  const index = new Int32Array(env.len).fill(-1);
  const low = new Int32Array(env.len);
  const onStack = new Uint8Array(env.len);
  const stack: number[] = [];
  const out = [0, 0];
  let nextIndex = 0;
  let nextLoop = 1;
  for (let root = 0; root < env.len; root++) {
    if (index[root] !== -1) continue;
    const path: { slot: number; edge: number }[] = [{ slot: root, edge: 0 }];
    while (path.length > 0) {
      const top = path[path.length - 1] as { slot: number; edge: number };
      const slot = top.slot;
      if (top.edge === 0 && index[slot] === -1) {
        index[slot] = low[slot] = nextIndex++;
        stack.push(slot);
        onStack[slot] = 1;
      }
      const count = env.insns[slot]?.op === 0 ? 0 : successorsOf(env, slot, out);
      if (top.edge < count) {
        const to = out[top.edge] as number;
        top.edge++;
        if (to < 0 || to >= env.len) continue;
        if (index[to] === -1) path.push({ slot: to, edge: 0 });
        else if (onStack[to] === 1) low[slot] = Math.min(low[slot] as number, index[to] as number);
        continue;
      }
      path.pop();
      const parent = path[path.length - 1];
      if (parent !== undefined) {
        low[parent.slot] = Math.min(low[parent.slot] as number, low[slot] as number);
      }
      if (low[slot] !== index[slot]) continue;
      const isLoop = stack[stack.length - 1] !== slot || (count > 0 && out.slice(0, count).includes(slot));
      for (;;) {
        const member = stack.pop() as number;
        onStack[member] = 0;
        if (isLoop) env.scc[member] = nextLoop;
        if (member === slot) break;
      }
      if (isLoop) nextLoop++;
    }
  }
}
