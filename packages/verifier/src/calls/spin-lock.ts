import { isConst } from "../domain/scalar.ts";
import type { Env } from "../env.ts";
import { reject } from "../reject.ts";
import { FLAG, REG, type Reg } from "../state/reg.ts";
import { mapRegs } from "../state/state.ts";
import { acquireRef, dropRef, invalidated } from "./refs.ts";

/** Taking and giving back bpf_spin_lock (H-75..H-80). */
export function checkSpinLock(env: Env, reg: Reg, regno: number, isLock: boolean): void {
  const bad = (text: string): never => reject(env, "REF_LOCK", "EINVAL", text);
  if (!isConst(reg.val)) {
    bad(`R${regno} doesn't have constant offset. bpf_spin_lock has to be at the constant offset`);
  }
  const map = reg.type === REG.mapValue ? reg.x.map : undefined;
  if (map !== undefined && !map.hasBtf) {
    bad(`map '${map.name}' has to have BTF in order to use bpf_spin_lock`);
  }
  const fields = map?.fields ?? env.objectFields(reg);
  const field = fields.find((one) => one.kind === "bpf_spin_lock");
  if (field === undefined) {
    return bad(`${map === undefined ? "local" : "map"} '${map?.name ?? "kptr"}' has no valid bpf_spin_lock`);
  }
  const at = reg.off + Number(reg.val.smin);
  if (field.offset !== at) {
    bad(`off ${at} doesn't point to 'struct bpf_spin_lock' that is at ${field.offset}`);
  }
  const owner = map ?? reg.x.btf;
  if (isLock) lock(env, owner, reg.id, bad);
  else unlock(env, owner, reg.id, bad);
}

function lock(env: Env, owner: unknown, id: number, bad: (text: string) => never): void {
  if (env.cur.activeLocks > 0) bad("Locking two bpf_spin_locks are not allowed");
  acquireRef(env, "lock", owner, id);
  env.cur.activeLocks++;
  env.cur.activeLockId = id;
  env.cur.activeLockOwner = owner;
}

function unlock(env: Env, owner: unknown, id: number, bad: (text: string) => never): void {
  const state = env.cur;
  if (state.activeLocks === 0) bad("bpf_spin_unlock without taking a lock");
  const held = state.refs.find((ref) => ref.kind === "lock");
  if (held === undefined || held.id !== id || held.owner !== owner) {
    bad("bpf_spin_unlock of different lock");
  }
  dropRef(state, id, "lock");
  state.activeLocks--;
  state.activeLockId = 0;
  state.activeLockOwner = undefined;
  const gone = invalidated(env);
  mapRegs(state, (reg) => ((reg.flags & FLAG.nonOwnRef) !== 0 ? gone : reg));
}
