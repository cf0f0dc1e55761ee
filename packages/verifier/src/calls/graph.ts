import { isConst } from "../domain/scalar.ts";
import type { Env } from "../env.ts";
import { reject } from "../reject.ts";
import { FLAG, REG, type Reg } from "../state/reg.ts";
import { mapRegs } from "../state/state.ts";
import { isInTreeCallback } from "./frames.ts";
import type { KfuncMeta } from "./kfunc-args.ts";
import { dropRef } from "./refs.ts";

type RootKind = "bpf_list_head" | "bpf_rb_root";
type NodeKind = "bpf_list_node" | "bpf_rb_node";
/** What Linux prints as the place of a lock that a value does not have. */
const NO_LOCK = -22;

const bad = (env: Env, text: string): never => reject(env, "CALL_GRAPH", "EINVAL", text);

const isAllocated = (reg: Reg): boolean => reg.type === REG.btfId && (reg.flags & FLAG.alloc) !== 0;

/** The root of a list or tree: a field of a map value or object whose lock is held (H-144). */
export function checkGraphRoot(env: Env, reg: Reg, i: number, kind: RootKind, meta: KfuncMeta): void {
  if (reg.type !== REG.mapValue && !isAllocated(reg)) {
    bad(env, `arg#${i} expected pointer to map value or allocated object`);
  }
  if (isAllocated(reg) && reg.refObjId === 0) bad(env, "allocated object must be referenced");
  if (!isConst(reg.val)) {
    bad(env, `R${i + 1} doesn't have constant offset. ${kind} has to be at the constant offset`);
  }
  const fields = reg.type === REG.mapValue ? (reg.x.map?.fields ?? []) : env.objectFields(reg);
  const at = reg.off + Number(reg.val.smin);
  const field = fields.find((one) => one.kind === kind && one.offset === at);
  if (field === undefined) {
    bad(env, `${kind} not found at offset=${at}`);
    return;
  }
  const owner = reg.type === REG.mapValue ? reg.x.map : reg.x.btf;
  const isSame = env.cur.activeLockOwner === owner && env.cur.activeLockId === reg.id;
  if (env.cur.activeLocks === 0 || !isSame) {
    if (env.cur.activeLocks > 0) env.log.write("held lock and object are not in the same allocation\n");
    const lock = fields.find((one) => one.kind === "bpf_spin_lock");
    bad(env, `bpf_spin_lock at off=${lock?.offset ?? NO_LOCK} must be held for ${kind}`);
  }
  meta.root = field;
}

/** A node that is put into, or taken out of, a list or tree (H-144). */
export function checkGraphNode(env: Env, reg: Reg, i: number, kind: NodeKind, meta: KfuncMeta): void {
  const isOwned = meta.kfunc.name.includes("push") || meta.kfunc.name.includes("add");
  if (isOwned) {
    if (reg.type !== REG.btfId || reg.flags !== FLAG.alloc) {
      bad(env, `arg#${i} expected pointer to allocated object`);
    }
    if (reg.refObjId === 0) bad(env, "allocated object must be referenced");
  } else if ((reg.flags & FLAG.nonOwnRef) === 0 && reg.refObjId === 0) {
    bad(env, `${meta.kfunc.name} can only take non-owning or refcounted ${kind} pointer`);
  }
  if (!isOwned && kind === "bpf_rb_node" && isInTreeCallback(env)) {
    bad(env, `${meta.kfunc.name} not allowed in rbtree cb`);
  }
  const root = meta.root;
  if (root === undefined || root.target === undefined) return;
  const at = reg.off + Number(reg.val.smin);
  const fields = env.objectFields(reg);
  if (!fields.some((one) => one.kind === kind && one.offset === at)) {
    bad(env, `${kind} not found at offset=${at}`);
  }
  const name = reg.x.btf?.name ?? "";
  if (name !== root.target.name || reg.x.btf?.typeId !== root.target.typeId) {
    bad(
      env,
      `operation on ${root.kind} expects arg#1 ${kind} at offset=${root.nodeOffset} in struct ${root.target.name}, but arg is at offset=${at} in struct ${name}`,
    );
  }
  if (at !== root.nodeOffset) {
    bad(
      env,
      `arg#1 offset=${at}, but expected ${kind} at offset=${root.nodeOffset} in struct ${root.target.name}`,
    );
  }
  meta.target = reg.x.btf;
}

/** After a push or add the object belongs to the container: copies become non-owning until the unlock. */
export function toNonOwning(env: Env, refObjId: number): void {
  dropRef(env.cur, refObjId);
  mapRegs(env.cur, (reg) =>
    reg.refObjId === refObjId ? { ...reg, refObjId: 0, flags: reg.flags | FLAG.nonOwnRef } : reg,
  );
}
