import { mayAccessPacket } from "../access/packet.ts";
import { fieldsOfObject } from "../btf/fields.ts";
import { isScalarStruct } from "../btf/scalar-struct.ts";
import { assumeSigned } from "../domain/bounds.ts";
import { constScalar } from "../domain/scalar.ts";
import { type Env, newId } from "../env.ts";
import { reject } from "../reject.ts";
import {
  type BtfTarget,
  FLAG,
  NOT_INIT,
  pointerReg,
  REG,
  type Reg,
  scalarReg,
  UNKNOWN_REG,
} from "../state/reg.ts";
import { writeReg } from "../walk/regs.ts";
import { itemFlags } from "./iterators.ts";
import type { KfuncMeta } from "./kfunc-args.ts";
import { plainBytes } from "./kfunc-sig.ts";
import { acquireRef } from "./refs.ts";

const bad = (env: Env, text: string): never => reject(env, "CALL_KFUNC_RESULT", "EINVAL", text);
const btfReg = (btf: BtfTarget, flags: number, off = 0): Reg =>
  pointerReg(REG.btfId, { flags, off, x: { btf } });

/** Largest per-CPU object. */
const MAX_PERCPU_BYTES = 512;

function newObject(env: Env, meta: KfuncMeta): Reg {
  const isPercpu = meta.kfunc.name === "bpf_percpu_obj_new_impl";
  const id = meta.constant ?? 0n;
  if (id > 0xffff_ffffn) bad(env, "local type ID argument must be in range [0, U32_MAX]");
  const btf = env.btf?.btf;
  if (btf === undefined) return bad(env, "bpf_obj_new/bpf_percpu_obj_new requires prog BTF");
  const type = Number(id) < btf.endId ? btf.type(Number(id)) : undefined;
  if (type === undefined || type.kind !== "struct") {
    return bad(env, "bpf_obj_new/bpf_percpu_obj_new type ID argument must be of a struct");
  }
  if (isPercpu && type.sizeBytes > MAX_PERCPU_BYTES) {
    bad(env, `bpf_percpu_obj_new type size (${type.sizeBytes}) is greater than ${MAX_PERCPU_BYTES}`);
  }
  if (isPercpu && !isScalarStruct(btf, type)) {
    bad(env, "bpf_percpu_obj_new type ID argument must be of a struct of scalars");
  }
  if (isPercpu && fieldsOfObject(btf, type.id).length > 0) {
    bad(env, "bpf_percpu_obj_new type ID argument must not contain special fields");
  }
  return btfReg(
    { name: type.name, isKernel: false, typeId: type.id },
    FLAG.alloc | (isPercpu ? FLAG.percpu : 0),
  );
}

function rdonlyCast(env: Env, meta: KfuncMeta): Reg {
  const id = Number(meta.constant ?? 0n);
  if (id === 0) return pointerReg(REG.mem, { flags: FLAG.rdonly | FLAG.untrusted });
  const types = env.options.kernelBtf;
  if (types !== undefined) {
    const type = id < types.endId ? types.type(id) : undefined;
    if (type?.kind !== "struct" && type?.kind !== "union") {
      return bad(env, "kfunc bpf_rdonly_cast type ID argument must be of a struct or void");
    }
    return btfReg({ name: type.name, isKernel: true, typeId: type.name === "" ? id : 0 }, FLAG.untrusted);
  }
  // The id names a type of the kernel, of which only names are known here.
  const local = env.btf?.btf;
  const type = local !== undefined && id < local.endId ? local.type(id) : undefined;
  const name = type?.name ?? `#${id}`;
  return btfReg({ name, isKernel: true, typeId: id }, FLAG.untrusted);
}

/** Results that the prototype alone does not type (H-143..H-146). */
function specialResult(env: Env, meta: KfuncMeta): Reg | undefined {
  switch (meta.kfunc.name) {
    case "bpf_obj_new_impl":
    case "bpf_percpu_obj_new_impl":
      return newObject(env, meta);
    case "bpf_refcount_acquire_impl":
      return meta.target === undefined ? undefined : btfReg(meta.target, FLAG.alloc);
    case "bpf_list_pop_front":
    case "bpf_list_pop_back":
    case "bpf_list_front":
    case "bpf_list_back":
    case "bpf_rbtree_remove":
    case "bpf_rbtree_first":
    case "bpf_rbtree_root":
    case "bpf_rbtree_left":
    case "bpf_rbtree_right": {
      const root = meta.root;
      if (root?.target === undefined) return undefined;
      const isOwned = meta.kfunc.flags.includes("acquire");
      return btfReg(root.target, FLAG.alloc | (isOwned ? 0 : FLAG.nonOwnRef), root.nodeOffset ?? 0);
    }
    case "bpf_cast_to_kern_ctx":
      return btfReg({ name: kernelCtx(env), isKernel: true, typeId: 0 }, FLAG.trusted);
    case "bpf_rdonly_cast":
      return rdonlyCast(env, meta);
    case "bpf_dynptr_slice":
    case "bpf_dynptr_slice_rdwr": {
      const isReadOnly = meta.kfunc.name === "bpf_dynptr_slice";
      if (!isReadOnly && !mayAccessPacket(env, true)) {
        bad(env, "the prog does not allow writes to packet data");
      }
      return pointerReg(REG.mem, {
        flags: isReadOnly ? FLAG.rdonly : 0,
        x: { memBytes: Number(meta.constant ?? 0n), dynptrId: meta.dynptrId },
      });
    }
    default:
      return undefined;
  }
}

function kernelCtx(env: Env): string {
  const names: Partial<Record<string, string>> = {
    xdp: "xdp_buff",
    perf_event: "bpf_perf_event_data_kern",
    sk_lookup: "bpf_sk_lookup_kern",
    sk_msg: "sk_msg",
    sock_ops: "bpf_sock_ops_kern",
    cgroup_sock_addr: "bpf_sock_addr_kern",
    cgroup_sockopt: "bpf_sockopt_kern",
    cgroup_sysctl: "bpf_sysctl_kern",
    sk_reuseport: "sk_reuseport_kern",
    kprobe: "pt_regs",
  };
  return names[env.spec.type] ?? "sk_buff";
}

function pointerResult(env: Env, meta: KfuncMeta): Reg {
  const special = specialResult(env, meta);
  if (special !== undefined) return special;
  const { returns } = meta.sig;
  if (returns.struct !== "" && plainBytes(returns) === undefined) {
    const btf = { name: returns.struct, isKernel: true, typeId: 0 };
    const isNext = meta.kfunc.flags.includes("iter-next");
    if (isNext && meta.iter !== undefined) return btfReg(btf, itemFlags(env, meta.iter));
    return btfReg(btf, meta.kfunc.flags.includes("rcu-protected") ? FLAG.rcu : 0);
  }
  const fixed = plainBytes(returns);
  const bytes = meta.resultBytes !== 0 ? meta.resultBytes : (fixed ?? 0);
  const isCookie = meta.kfunc.name === "bpf_session_cookie";
  const isReadOnly = meta.resultBytes !== 0 ? meta.isResultReadOnly : !isCookie;
  if (bytes === 0) {
    bad(
      env,
      `kernel function ${meta.kfunc.name} returns pointer type UNKNOWN ${returns.base} is not supported`,
    );
  }
  return pointerReg(REG.mem, {
    flags: isReadOnly ? FLAG.rdonly : 0,
    refObjId: meta.refObjId,
    x: { memBytes: bytes },
  });
}

/** A number, within what a plugin promises. */
function numberResult({ kfunc, proto }: KfuncMeta): Reg {
  // Where the lock was not had another path goes on (H-82).
  if (kfunc.name.startsWith("bpf_res_spin_lock")) return scalarReg(constScalar(0n));
  const { min, max } = proto?.ret ?? {};
  if (min === undefined || max === undefined) return UNKNOWN_REG;
  return scalarReg(min === max ? constScalar(min) : assumeSigned(UNKNOWN_REG.val, min, max));
}

/** Gives r0 what a kernel function returns (H-142). */
export function setKfuncResult(env: Env, meta: KfuncMeta): void {
  const { returns } = meta.sig;
  const { flags, name } = meta.kfunc;
  if (!returns.isPointer) {
    writeReg(env, 0, returns.base === "void" ? NOT_INIT : numberResult(meta));
    return;
  }
  const isTyped = SPECIAL.has(name);
  if (returns.base === "void" && !isTyped && meta.resultBytes === 0) {
    writeReg(env, 0, UNKNOWN_REG);
    return;
  }
  let reg = pointerResult(env, meta);
  const isNullable = flags.includes("ret-null") && !meta.isOwningRef;
  if (isNullable) reg = { ...reg, flags: reg.flags | FLAG.maybeNull, id: newId(env) };
  if (flags.includes("acquire")) {
    const id = acquireRef(env, "ptr");
    reg = { ...reg, refObjId: id, id: isNullable ? id : reg.id };
  }
  if (reg.type === REG.btfId && (reg.flags & FLAG.alloc) !== 0 && reg.id === 0) {
    const hasLock = env
      .objectFields(reg)
      .some((field) => field.kind === "bpf_spin_lock" || field.kind === "bpf_res_spin_lock");
    if (hasLock) reg = { ...reg, id: newId(env) };
  }
  writeReg(env, 0, reg);
}

const SPECIAL: ReadonlySet<string> = new Set([
  "bpf_obj_new_impl",
  "bpf_percpu_obj_new_impl",
  "bpf_refcount_acquire_impl",
  "bpf_cast_to_kern_ctx",
  "bpf_rdonly_cast",
  "bpf_dynptr_slice",
  "bpf_dynptr_slice_rdwr",
]);
