import { isConst } from "../domain/scalar.ts";
import type { Env } from "../env.ts";
import { printTnum } from "../log/print-reg.ts";
import { reject } from "../reject.ts";
import { FLAG, type Reg, UNKNOWN_REG } from "../state/reg.ts";
import type { Access } from "./sized.ts";

/** Checks an access through a typed pointer (A-110..A-118); member types beyond scalars are not followed. */
export function accessBtf(env: Env, access: Access): Reg {
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
  if (access.isWrite && (reg.flags & FLAG.alloc) === 0) {
    reject(env, "MEM_READ_ONLY", "EACCES", "only read is supported");
  }
  return UNKNOWN_REG;
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
  return UNKNOWN_REG;
}

function mapStruct(type: string): string {
  if (type.includes("hash")) return "bpf_htab";
  return type === "ringbuf" ? "bpf_ringbuf_map" : "bpf_array";
}
