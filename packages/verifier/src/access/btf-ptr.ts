import type { ErrnoName } from "@tsbpf/abi";
import { walkStruct } from "../btf/struct-walk.ts";
import { structOf } from "../btf/target-struct.ts";
import { mayStoreTyped } from "../btf/typed-stores.ts";
import { isConst } from "../domain/scalar.ts";
import type { Env } from "../env.ts";
import { printTnum } from "../log/print-reg.ts";
import { reject } from "../reject.ts";
import {
  type BtfTarget,
  FLAG,
  isMaybeNull,
  isTrustedReg,
  pointerReg,
  REG,
  type Reg,
  UNKNOWN_REG,
} from "../state/reg.ts";
import type { Access } from "./sized.ts";

/** Bytes that a kernel struct surely has, for judging without the kernel's types. */
const SURE_BYTES: Readonly<Record<string, number>> = {
  task_struct: 4096,
  sock: 512,
  cgroup: 512,
  mm_struct: 512,
};
const SURE_BYTES_OTHERS = 64;

/** Fields whose pointers stay trusted, or are valid under RCU. */
const SAFE_TRUSTED: Readonly<Record<string, readonly string[]>> = {
  bpf_iter_meta: ["seq"],
  bpf_iter__task: ["meta", "task"],
  linux_binprm: ["file"],
  file: ["f_inode"],
};
const SAFE_TRUSTED_OR_NULL: Readonly<Record<string, readonly string[]>> = {
  dentry: ["d_inode"],
  socket: ["sk"],
  vm_area_struct: ["vm_mm", "vm_file"],
};
const SAFE_RCU: Readonly<Record<string, readonly string[]>> = {
  task_struct: ["cpus_ptr", "cgroups", "real_parent", "group_leader"],
  cgroup: ["kn"],
  css_set: ["dfl_cgrp"],
  cgroup_subsys_state: ["cgroup"],
};
const SAFE_RCU_OR_NULL: Readonly<Record<string, readonly string[]>> = {
  mm_struct: ["exe_file", "owner"],
  sk_buff: ["sk"],
  request_sock: ["sk"],
};

function checkBase(env: Env, access: Access): void {
  const { reg, regno, off } = access;
  const name = reg.x.btf?.name ?? "";
  const bad = (text: string): never => reject(env, "MEM_BTF", "EACCES", `R${regno} is ptr_${name} ${text}`);
  if (!env.isPerfmon) {
    reject(
      env,
      "MEM_BTF",
      "EPERM",
      `'struct ${name}' access is allowed only to CAP_PERFMON and CAP_SYS_ADMIN`,
    );
  }
  if (!env.isGpl && reg.x.btf?.isKernel === true) {
    reject(
      env,
      "MEM_BTF_LICENSE",
      "EINVAL",
      `Cannot access kernel 'struct ${name}' from non-GPL compatible program`,
    );
  }
  if (off < 0) bad(`invalid negative access: off=${off}`);
  if (!isConst(reg.val) || reg.val.umin !== 0n) {
    bad(`invalid variable offset: off=${off}, var_off=${printTnum(reg.val.tnum)}`);
  }
  if ((reg.flags & FLAG.user) !== 0) bad(`access user memory: off=${off}`);
  if ((reg.flags & FLAG.percpu) !== 0) bad(`access percpu memory: off=${off}`);
  if (
    access.isWrite &&
    (reg.flags & FLAG.alloc) === 0 &&
    !mayStoreTyped(env, { name, off, size: access.size })
  ) {
    reject(env, "MEM_READ_ONLY", "EACCES", "only read is supported");
  }
}

/** Special fields of an allocated object are not for loads and stores. */
function checkObjectFields(env: Env, access: Access): void {
  for (const field of env.objectFields(access.reg)) {
    const isApart = access.off >= field.offset + field.sizeBytes || access.off + access.size <= field.offset;
    if (!isApart) {
      reject(env, "MEM_SPECIAL_FIELD", "EACCES", `direct access to ${field.kind} is disallowed`);
    }
  }
}

const TRUST = FLAG.alloc | FLAG.trusted | FLAG.nonOwnRef | FLAG.rcu;

/** Flags of a pointer loaded from a field of a typed object; `own` are those the field itself gives. */
function loadedFlags(env: Env, reg: Reg, field: string, own: number): number {
  const base = reg.x.btf?.name ?? "";
  const has = (table: Readonly<Record<string, readonly string[]>>): boolean =>
    Object.hasOwn(table, base) && (table[base]?.includes(field) ?? false);
  if ((reg.flags & FLAG.untrusted) !== 0) return FLAG.untrusted;
  // Walking from pointers of unknown standing gives pointers of the same kind: faults are handled.
  if (!isTrustedReg(reg) && (reg.flags & FLAG.rcu) === 0) return own & ~TRUST;
  if (has(SAFE_TRUSTED)) return own | FLAG.trusted;
  if (has(SAFE_TRUSTED_OR_NULL)) return own | FLAG.trusted | FLAG.maybeNull;
  const isInRcu = env.cur.isRcu || env.cur.activeLocks > 0 || !env.cur.inSleepable;
  if (!isInRcu || isMaybeNull(reg)) return FLAG.untrusted;
  if (has(SAFE_RCU)) return own | FLAG.rcu;
  if (has(SAFE_RCU_OR_NULL)) return (own & ~FLAG.untrusted) | FLAG.rcu | FLAG.maybeNull;
  if ((own & FLAG.rcu) !== 0) return own | FLAG.maybeNull;
  return (own & (FLAG.percpu | FLAG.user)) !== 0 ? own : own & ~TRUST;
}

/** Checks an access through a typed pointer and returns what a load gives (A-110..A-118). */
export function accessBtf(env: Env, access: Access): Reg {
  checkBase(env, access);
  const { reg, off, size } = access;
  const isAllocated = (reg.flags & FLAG.alloc) !== 0;
  if (access.isWrite && !isAllocated) return UNKNOWN_REG;
  if (isAllocated) checkObjectFields(env, access);
  const struct = structOf(env, reg.x.btf);
  const name = reg.x.btf?.name ?? "";
  if (struct === undefined) {
    const sure = SURE_BYTES[name] ?? SURE_BYTES_OTHERS;
    if (off + size <= sure) return UNKNOWN_REG;
    return reject(
      env,
      "MEM_BTF_UNKNOWN",
      "EACCES",
      `access beyond struct ${name} at off ${off} size ${size}`,
    );
  }
  const btf = reg.x.btf?.isKernel === true ? env.options.kernelBtf : env.btf?.btf;
  if (btf === undefined) return UNKNOWN_REG;
  const found = walkStruct(btf, struct, { off, size }, (reg.flags & FLAG.untrusted) !== 0);
  if (found.kind === "error") return reject(env, "MEM_BTF", found.errno, found.text);
  if (access.isWrite) return UNKNOWN_REG;
  if (found.kind === "mem") return pointerReg(REG.mem, { flags: FLAG.rdonly | FLAG.untrusted });
  if (found.kind !== "ptr" || isAllocated) return UNKNOWN_REG;
  const flags = loadedFlags(env, reg, found.field, found.flags);
  return pointerReg(REG.btfId, {
    flags,
    id: (flags & FLAG.maybeNull) !== 0 ? ++env.idGen : 0,
    x: { btf: loadedTarget(reg, found.struct) },
  });
}

/** Kernel types are known by name, so that all ways to one agree; those without a name by id. */
function loadedTarget(reg: Reg, struct: { readonly name: string; readonly id: number }): BtfTarget {
  const isKernel = reg.x.btf?.isKernel ?? true;
  return { name: struct.name, isKernel, typeId: isKernel && struct.name !== "" ? 0 : struct.id };
}

/** Checks a load of the kernel's own map struct. */
export function accessMapPtr(env: Env, access: Access): Reg {
  const { reg, regno, off } = access;
  const name = mapStruct(reg.x.map?.spec.type ?? "");
  if (!env.isPerfmon) {
    reject(
      env,
      "MEM_BTF",
      "EPERM",
      `'struct ${name}' access is allowed only to CAP_PERFMON and CAP_SYS_ADMIN`,
    );
  }
  if (off < 0) {
    reject(env, "MEM_BTF", "EACCES", `R${regno} is ${name} invalid negative access: off=${off}`);
  }
  if (access.isWrite) {
    reject(env, "MEM_READ_ONLY", "EACCES", `only read from ${name} is supported`);
  }
  checkMapStruct(env, name, off, access.size);
  return UNKNOWN_REG;
}

/** Bytes that every map's struct has; behind a digest it starts with a pointer. */
const MAP_STRUCT_BYTES = 256;
const OPS_OFFSET = 32;
const OPS_END = 40;

function checkMapStruct(env: Env, name: string, off: number, size: number): void {
  const bad = (text: string, errno: ErrnoName = "EACCES"): never => reject(env, "MEM_BTF", errno, text);
  const btf = env.options.kernelBtf;
  const id = btf?.idsOf(name, "struct")[0];
  const type = id === undefined ? undefined : btf?.type(id);
  if (btf !== undefined && type?.kind === "struct") {
    const found = walkStruct(btf, type, { off, size });
    if (found.kind === "error") bad(found.text, found.errno);
    return;
  }
  const isAtOps = off < OPS_END && off + size > OPS_OFFSET;
  if (isAtOps && (off !== OPS_OFFSET || size !== OPS_END - OPS_OFFSET)) {
    bad(
      `cannot access ptr member ops with moff ${OPS_OFFSET} in struct bpf_map with off ${off} size ${size}`,
    );
  }
  if (off + size > MAP_STRUCT_BYTES) bad(`access beyond struct ${name} at off ${off} size ${size}`);
}

function mapStruct(type: string): string {
  if (type.includes("hash")) return "bpf_htab";
  return type === "ringbuf" ? "bpf_ringbuf_map" : "bpf_array";
}
