import { type Env, newId } from "../env.ts";
import { FLAG, isPacketPointer, NOT_INIT, REG, type Reg, UNKNOWN_REG } from "../state/reg.ts";
import { mapRegs, type Ref, type State } from "../state/state.ts";

/** What an invalidated register becomes: a number for who may leak pointers, else nothing (S-26). */
export const invalidated = (env: Env): Reg => (env.isPerfmon ? UNKNOWN_REG : NOT_INIT);

/** Notes that the current instruction acquired something (H-62). */
export function acquireRef(env: Env, kind: Ref["kind"], owner?: unknown, id = newId(env)): number {
  const ref: Ref = { kind, id, insnIdx: env.insnIdx, ...(owner === undefined ? {} : { owner }) };
  env.cur.refs = [...env.cur.refs, ref];
  return id;
}

/** Drops a reference from the list; the kernel fills its place with the last one. */
export function dropRef(state: State, id: number, kind: Ref["kind"] = "ptr"): boolean {
  const at = state.refs.findIndex((ref) => ref.id === id && ref.kind === kind);
  if (at < 0) return false;
  state.refs = state.refs.filter((_, i) => i !== at);
  return true;
}

/** Releases a reference: all pointers that depend on it lose their value (H-60). False when it is not held. */
export function releaseRef(env: Env, refObjId: number): boolean {
  if (!dropRef(env.cur, refObjId)) return false;
  const gone = invalidated(env);
  mapRegs(env.cur, (reg) => (reg.refObjId === refObjId ? gone : reg));
  return true;
}

/**
 * Gives up a reference that went into a map. Per-CPU objects live on until the present section of readers ends: what
 * points to one stays, without owning it.
 *
 * @returns false when nobody holds it.
 */
export function exchangeRef(env: Env, refObjId: number): boolean {
  const { cur } = env;
  const isRead = cur.isRcu || cur.activeLocks > 0 || !cur.inSleepable;
  const percpu = FLAG.alloc | FLAG.percpu;
  if (!isRead) return releaseRef(env, refObjId);
  if (!dropRef(cur, refObjId)) return false;
  const gone = invalidated(env);
  mapRegs(cur, (reg) => {
    if (reg.refObjId !== refObjId) return reg;
    if ((reg.flags & percpu) !== percpu) return gone;
    return { ...reg, refObjId: 0, flags: (reg.flags & ~FLAG.alloc) | FLAG.rcu };
  });
  return true;
}

/** Invalidates packet pointers and slices of packet dynptrs after the packet may have moved (S-175). */
export function clearPacketPointers(env: Env): void {
  const gone = invalidated(env);
  const state = env.cur;
  const packetDynptrs = new Set<number>();
  for (const frame of state.frames) {
    for (const slot of frame.stack) {
      const dynptr = slot.reg?.x.dynptr;
      if (
        dynptr !== undefined &&
        (dynptr.type === "skb" || dynptr.type === "xdp" || dynptr.type === "skb_meta")
      ) {
        packetDynptrs.add(slot.reg?.id ?? 0);
      }
    }
  }
  mapRegs(state, (reg) => {
    if (isPacketPointer(reg) || reg.type === REG.pktEnd) return gone;
    if (reg.type === REG.mem && reg.x.dynptrId !== 0 && packetDynptrs.has(reg.x.dynptrId)) return gone;
    return reg;
  });
}
