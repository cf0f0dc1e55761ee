import { leadsTo } from "../btf/target-struct.ts";
import { type Env, newId } from "../env.ts";
import { regTypeName } from "../log/print-reg.ts";
import type { SpecialField } from "../maps.ts";
import { reject } from "../reject.ts";
import { FLAG, isNullReg, pointerReg, REG, type Reg } from "../state/reg.ts";
import { curFrame } from "../state/state.ts";
import { checkUnmoved } from "./offsets.ts";

export const isKptr = (field: SpecialField): boolean =>
  field.kind === "kptr_unref" ||
  field.kind === "kptr_ref" ||
  field.kind === "kptr_percpu" ||
  field.kind === "uptr";

/** Kernel types whose kptrs may be used under RCU. */
const RCU_PROTECTED: ReadonlySet<string> = new Set([
  "task_struct",
  "cgroup",
  "bpf_cpumask",
  "bpf_crypto_ctx",
  "prog_test_ref_kfunc",
]);

const isInRcu = (env: Env): boolean => env.cur.isRcu || env.cur.activeLocks > 0 || !env.cur.inSleepable;

/** What a load of a kptr field gives. */
export function loadKptr(env: Env, field: SpecialField): Reg {
  const btf = field.target;
  if (field.kind === "uptr") {
    return pointerReg(REG.mem, {
      flags: FLAG.maybeNull,
      id: newId(env),
      x: { memBytes: field.targetBytes ?? 0 },
    });
  }
  let flags: number = FLAG.maybeNull | FLAG.untrusted;
  if (field.kind !== "kptr_unref" && isInRcu(env)) {
    if (btf !== undefined && (!btf.isKernel || RCU_PROTECTED.has(btf.name))) {
      const own = field.kind === "kptr_percpu" ? FLAG.percpu : btf.isKernel ? 0 : FLAG.alloc;
      flags = FLAG.maybeNull | FLAG.rcu | own;
    }
  }
  return pointerReg(REG.btfId, { flags, id: newId(env), x: btf === undefined ? {} : { btf } });
}

/** Checks a store to a kptr field. */
export function storeKptr(env: Env, field: SpecialField, valueRegno: number): void {
  if (field.kind === "uptr") reject(env, "MEM_KPTR", "EACCES", "store to uptr disallowed");
  if (field.kind !== "kptr_unref") {
    reject(env, "MEM_KPTR", "EACCES", "store to referenced kptr disallowed");
  }
  if (valueRegno < 0) {
    if (env.insns[env.insnIdx]?.imm === 0) return;
    reject(env, "MEM_KPTR", "EACCES", `BPF_ST imm must be 0 when storing to kptr at off=${field.offset}`);
  }
  checkKptrValue(env, field, valueRegno);
}

/** Flags that a pointer may have when it becomes a kptr. */
function allowedFlags(field: SpecialField, isKernel: boolean): number {
  if (isKernel) {
    return FLAG.maybeNull | FLAG.trusted | FLAG.rcu | (field.kind === "kptr_unref" ? FLAG.untrusted : 0);
  }
  return FLAG.maybeNull | FLAG.alloc | (field.kind === "kptr_percpu" ? FLAG.percpu : 0);
}

/** Whether a pointer leads to the type of a field: that very type, or for fields without reference one at its start. */
function isOfType(env: Env, field: SpecialField, reg: Reg): boolean {
  const own = reg.x.btf;
  const wanted = field.target;
  if (own === undefined || wanted === undefined || own.isKernel !== wanted.isKernel) return false;
  const isSame = own.isKernel ? own.name === wanted.name : own.typeId === wanted.typeId;
  if (isSame && reg.off === 0) return true;
  return field.kind === "kptr_unref" && leadsTo(env, own, reg.off, wanted.name);
}

/** Checks that a register may become a kptr: NULL or a pointer of the field's type (A-80, H-70). */
export function checkKptrValue(env: Env, field: SpecialField, regno: number): void {
  const reg = curFrame(env.cur).regs[regno] as Reg;
  if (isNullReg(reg)) return;
  const isTyped =
    reg.type === REG.btfId && (reg.flags & ~allowedFlags(field, reg.x.btf?.isKernel === true)) === 0;
  if (isTyped) {
    checkUnmoved(env, reg, regno, true);
    if (isOfType(env, field, reg)) return;
  }
  const target = field.target?.name;
  const name = isTyped ? (reg.x.btf?.name ?? "") : "";
  const tail = field.kind === "kptr_unref" ? ` or untrusted_ptr_${target}` : "";
  reject(
    env,
    "MEM_KPTR",
    "EACCES",
    `invalid kptr access, R${regno} type=${regTypeName(reg)}${name} expected=ptr_${target}${tail}`,
  );
}
