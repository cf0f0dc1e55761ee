import { isConst } from "../domain/scalar.ts";
import type { Env } from "../env.ts";
import type { SpecialKind } from "../maps.ts";
import { reject } from "../reject.ts";
import { FLAG, REG, type Reg } from "../state/reg.ts";
import { mapRegs, type Ref } from "../state/state.ts";
import { isInTreeCallback } from "./frames.ts";
import { acquireRef, dropRef, invalidated } from "./refs.ts";

/** Which lock an operation is about. */
export interface LockOp {
  /** `bpf_spin` or `bpf_res_spin`, as messages write it. */
  readonly name: "bpf_spin" | "bpf_res_spin";
  readonly kind: Extract<Ref["kind"], "lock" | "res_lock" | "res_lock_irq">;
  readonly isLock: boolean;
}

type Bad = (text: string) => never;

/** Taking and giving back bpf_spin_lock (H-75..H-80). */
export function checkSpinLock(env: Env, reg: Reg, regno: number, isLock: boolean): void {
  if (isInTreeCallback(env)) reject(env, "REF_LOCK", "EACCES", "can't spin_{lock,unlock} in rbtree cb");
  checkLock(env, reg, regno, { name: "bpf_spin", kind: "lock", isLock });
}

/** Takes or gives back a lock of either family. */
export function checkLock(env: Env, reg: Reg, regno: number, op: LockOp): void {
  const bad: Bad = (text) => reject(env, "REF_LOCK", "EINVAL", text);
  const name = `${op.name}_lock`;
  if (!isConst(reg.val)) {
    bad(`R${regno} doesn't have constant offset. ${name} has to be at the constant offset`);
  }
  const map = reg.type === REG.mapValue ? reg.x.map : undefined;
  if (map !== undefined && !map.hasBtf) {
    bad(`map '${map.name}' has to have BTF in order to use ${name}`);
  }
  const fields = map?.fields ?? env.objectFields(reg);
  const field = fields.find((one) => one.kind === (name as SpecialKind));
  if (field === undefined) {
    const place = map === undefined ? "local" : "map";
    bad(`${place} '${map?.name ?? "kptr"}' has no valid ${name}`);
    return;
  }
  const at = reg.off + Number(reg.val.smin);
  if (field.offset !== at) {
    bad(`off ${at} doesn't point to 'struct ${name}' that is at ${field.offset}`);
  }
  const owner = map ?? reg.x.btf;
  if (op.isLock) lock(env, op, owner, reg.id, bad);
  else unlock(env, op, owner, reg.id, bad);
}

const isLockRef = (ref: Ref): boolean =>
  ref.kind === "lock" || ref.kind === "res_lock" || ref.kind === "res_lock_irq";

function lock(env: Env, op: LockOp, owner: unknown, id: number, bad: Bad): void {
  const { refs } = env.cur;
  if (op.kind === "lock") {
    if (refs.some((ref) => ref.kind === "lock")) bad("Locking two bpf_spin_locks are not allowed");
  } else if (
    refs.some((ref) => isLockRef(ref) && ref.kind !== "lock" && ref.id === id && ref.owner === owner)
  ) {
    bad("Acquiring the same lock again, AA deadlock detected");
  }
  acquireRef(env, op.kind, owner, id);
  env.cur.activeLocks++;
  env.cur.activeLockId = id;
  env.cur.activeLockOwner = owner;
}

function unlock(env: Env, op: LockOp, owner: unknown, id: number, bad: Bad): void {
  const state = env.cur;
  if (state.activeLocks === 0) bad(`${op.name}_unlock without taking a lock`);
  const isHeld = state.refs.some((ref) => ref.kind === op.kind && ref.id === id && ref.owner === owner);
  if (!isHeld) bad(`${op.name}_unlock of different lock`);
  if (state.activeLockId !== id || state.activeLockOwner !== owner) {
    bad(`${op.name}_unlock cannot be out of order`);
  }
  dropRef(state, id, op.kind);
  state.activeLocks--;
  const before = state.refs.filter(isLockRef).at(-1);
  state.activeLockId = before?.id ?? 0;
  state.activeLockOwner = before?.owner;
  const gone = invalidated(env);
  mapRegs(state, (reg) => ((reg.flags & FLAG.nonOwnRef) !== 0 ? gone : reg));
}
