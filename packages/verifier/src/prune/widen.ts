import type { Env } from "../env.ts";
import { REG, type Reg, UNKNOWN_REG } from "../state/reg.ts";
import { isSpilled, type Slot } from "../state/slot.ts";
import { frameAt, type State } from "../state/state.ts";
import { bucketOf } from "./buckets.ts";
import { isSameReg } from "./equal.ts";

/** Says whether two states were reached through the same calls. */
export const hasSameCallsites = (a: State, b: State): boolean =>
  a.frames.length === b.frames.length &&
  a.frames.every((frame, frameno) => frame.callsite === b.frames[frameno]?.callsite);

/** Finds the closest earlier visit of an instruction on the current path. */
export function findLoopEntry(env: Env, below: State | null, insnIdx: number): State | undefined {
  if (below === null) return undefined;
  const list = env.explored.get(bucketOf(env, insnIdx));
  if (list === undefined) return undefined;
  for (let i = list.length - 1; i >= 0; i--) {
    const state = list[i]?.state;
    if (state === undefined || state.insnIdx !== insnIdx || state.branches === 0) continue;
    if (state.dfsDepth < below.dfsDepth && hasSameCallsites(state, below)) return state;
  }
  return undefined;
}

const isWidened = (old: Reg, cur: Reg): boolean =>
  old.type === REG.scalar &&
  cur.type === REG.scalar &&
  !old.isPrecise &&
  !cur.isPrecise &&
  !isSameReg(old, cur);

/** Forgets imprecise scalars that changed since the earlier visit, so that loops converge. */
export function widenState(_env: Env, old: State, cur: State): void {
  for (let frameno = old.frames.length - 1; frameno >= 0; frameno--) {
    const a = frameAt(old, frameno);
    const b = frameAt(cur, frameno);
    for (let i = 0; i < 11; i++) {
      if (isWidened(a.regs[i] as Reg, b.regs[i] as Reg)) b.regs[i] = UNKNOWN_REG;
    }
    const count = Math.min(a.stack.length, b.stack.length);
    for (let spi = 0; spi < count; spi++) {
      const x = a.stack[spi] as Slot;
      const y = b.stack[spi] as Slot;
      if (!isSpilled(x) || !isSpilled(y) || x.reg === null || y.reg === null) continue;
      if (isWidened(x.reg, y.reg)) b.stack[spi] = { kinds: y.kinds, reg: UNKNOWN_REG };
    }
  }
}
