import type { HelperProto, Kfunc } from "@tsbpf/abi";
import { isProjection } from "../btf/ctx-type.ts";
import { mayWalkCssTasks } from "../btf/lsm-hooks.ts";
import { leadsTo } from "../btf/target-struct.ts";
import { isConst } from "../domain/scalar.ts";
import type { Env } from "../env.ts";
import { regTypeName } from "../log/print-reg.ts";
import { fieldOf, type MapInfo, type SpecialField } from "../maps.ts";
import { markPrecise } from "../precise/mark.ts";
import { Rejection, reject } from "../reject.ts";
import {
  type BtfTarget,
  type DynptrType,
  FLAG,
  isMaybeNull,
  isNullReg,
  isTrustedReg,
  REG,
  type Reg,
} from "../state/reg.ts";
import { curFrame } from "../state/state.ts";
import { checkArgOffset } from "./arg-offset.ts";
import { checkDeclared, newCallMeta } from "./args.ts";
import { checkConstStr } from "./const-str.ts";
import { checkDynptrArg } from "./dynptr.ts";
import { checkMemory } from "./global-args.ts";
import { checkGraphNode, checkGraphRoot } from "./graph.ts";
import { checkIrqFlag } from "./irq.ts";
import { checkIterArg, type IterPlace } from "./iterators.ts";
import type { CustomKfunc } from "./kfunc-custom.ts";
import { kindOf, type PointerKind, STRUCT_OF_REG } from "./kfunc-kind.ts";
import { hasSuffix, type KfuncParam, type KfuncSig, plainBytes, sigOf } from "./kfunc-sig.ts";
import { checkMemArg } from "./mem-arg.ts";
import { checkLock } from "./spin-lock.ts";

/** What the argument checks of a kernel function found out. */
export interface KfuncMeta {
  readonly kfunc: Kfunc;
  readonly sig: KfuncSig;
  /** What a plugin declares beyond what Linux has words for. */
  readonly proto: HelperProto | undefined;
  constant: bigint | undefined;
  resultBytes: number;
  isResultReadOnly: boolean;
  releaseRegno: number;
  refObjId: number;
  subprog: number;
  map: MapInfo | undefined;
  mapUid: number;
  iter: IterPlace | undefined;
  dynptrId: number;
  dynptrType: DynptrType | undefined;
  dynptrRefId: number;
  target: BtfTarget | undefined;
  isOwningRef: boolean;
  root: SpecialField | undefined;
}

export const newKfuncMeta = (kfunc: Kfunc, custom?: CustomKfunc): KfuncMeta => ({
  kfunc,
  proto: custom?.proto,
  sig: custom?.sig ?? sigOf(kfunc),
  constant: undefined,
  resultBytes: 0,
  isResultReadOnly: false,
  releaseRegno: 0,
  refObjId: 0,
  subprog: -1,
  map: undefined,
  mapUid: 0,
  iter: undefined,
  dynptrId: 0,
  dynptrType: undefined,
  dynptrRefId: 0,
  target: undefined,
  isOwningRef: false,
  root: undefined,
});

const MAX_ARGS = 5;
const bad = (env: Env, text: string, errno: "EINVAL" | "EACCES" = "EINVAL"): never =>
  reject(env, "CALL_KFUNC_ARG", errno, text);

const isScalarParam = (param: KfuncParam): boolean => !param.isPointer && param.struct === "";

/** Checks the arguments of a kernel function by its prototype and name suffixes (H-136..H-147). */
export function checkKfuncArgs(env: Env, meta: KfuncMeta): void {
  const { params } = meta.sig;
  if (params.length > MAX_ARGS) {
    bad(env, `Function ${meta.kfunc.name} has ${params.length} > ${MAX_ARGS} args`);
  }
  for (let i = 0; i < params.length; i++) {
    const param = params[i] as KfuncParam;
    if (hasSuffix(param, "__ign") || hasSuffix(param, "__prog")) continue;
    if (isScalarParam(param)) {
      checkScalar(env, param, i, meta);
      continue;
    }
    if (checkPointer(env, param, i, meta)) i++;
  }
  meta.proto?.args.forEach((arg, i) => {
    checkDeclared(env, arg, curFrame(env.cur).regs[i + 1] as Reg, i + 1);
  });
  if (meta.kfunc.flags.includes("release") && meta.releaseRegno === 0) {
    bad(env, `release kernel function ${meta.kfunc.name} expects refcounted PTR_TO_BTF_ID`);
  }
}

function checkScalar(env: Env, param: KfuncParam, i: number, meta: KfuncMeta): void {
  const regno = i + 1;
  const reg = curFrame(env.cur).regs[regno] as Reg;
  if (reg.type !== REG.scalar) bad(env, `R${regno} is not a scalar`);
  const isReadOnlySize = param.name === "rdonly_buf_size";
  if (hasSuffix(param, "__k")) {
    if (!isConst(reg.val)) bad(env, `R${regno} must be a known constant`);
    markPrecise(env, regno);
    meta.constant = reg.val.umin;
  } else if (isReadOnlySize || param.name === "rdwr_buf_size") {
    if (!isConst(reg.val)) bad(env, `R${regno} is not a const`);
    meta.resultBytes = Number(reg.val.umin);
    meta.isResultReadOnly = isReadOnlySize;
    markPrecise(env, regno);
  }
}

/** Checks one pointer argument; true when it took the size argument behind it along. */
function checkPointer(env: Env, param: KfuncParam, i: number, meta: KfuncMeta): boolean {
  const regno = i + 1;
  const reg = curFrame(env.cur).regs[regno] as Reg;
  const { flags } = meta.kfunc;
  const isRelease = flags.includes("release");
  const isStrict = flags.includes("trusted-args") || flags.includes("rcu") || isRelease;
  const isNullable = hasSuffix(param, "__nullable") || hasSuffix(param, "__opt");
  if (isStrict && (isNullReg(reg) || isMaybeNull(reg)) && !isNullable) {
    bad(env, `Possibly NULL pointer passed to trusted arg${i}`, "EACCES");
  }
  if (reg.refObjId !== 0) {
    meta.refObjId = reg.refObjId;
    if (isRelease) meta.releaseRegno = regno;
  }
  const kind = kindOf(env, param, i, meta, reg);
  if (kind === "null") return false;
  if ((kind === "map" || kind === "alloc" || kind === "btf") && isStrict && !isTrustedReg(reg)) {
    if (!flags.includes("rcu")) bad(env, `R${regno} must be referenced or trusted`);
    if ((reg.flags & FLAG.rcu) === 0) bad(env, `R${regno} must be a rcu pointer`);
  }
  checkArgOffset(
    env,
    { name: param.name, kind: "btf_id", releases: isRelease && reg.refObjId !== 0 },
    reg,
    regno,
  );
  return checkKind(env, kind, { param, i, regno, reg }, meta);
}

interface Place {
  readonly param: KfuncParam;
  readonly i: number;
  readonly regno: number;
  readonly reg: Reg;
}

function checkKind(env: Env, kind: PointerKind, place: Place, meta: KfuncMeta): boolean {
  const { param, i, regno, reg } = place;
  switch (kind) {
    case "ctx":
      if (reg.type !== REG.ctx) {
        bad(env, `arg#${i} expected pointer to ctx, but got ${regTypeName(reg)}`);
      }
      return false;
    case "alloc":
      checkAlloc(env, place, meta);
      return false;
    case "refcounted":
      checkRefcounted(env, place, meta);
      return false;
    case "dynptr":
      checkDynptr(env, place, meta);
      return false;
    case "iter":
      checkIter(env, place, meta);
      return false;
    case "list_head":
    case "rb_root":
      checkGraphRoot(env, reg, i, kind === "list_head" ? "bpf_list_head" : "bpf_rb_root", meta);
      return false;
    case "list_node":
    case "rb_node":
      checkGraphNode(env, reg, i, kind === "list_node" ? "bpf_list_node" : "bpf_rb_node", meta);
      return false;
    case "const_str":
      if (reg.type !== REG.mapValue) bad(env, `arg#${i} doesn't point to a const string`);
      checkConstStr(env, reg, regno);
      return false;
    case "map":
      if (reg.type === REG.btfId) checkBtf(env, { ...place, param: { ...param, struct: "bpf_map" } }, meta);
      else checkMap(env, reg, regno, meta);
      return false;
    case "wq":
    case "task_work":
      checkAsyncField(env, place, kind === "wq" ? "bpf_wq" : "bpf_task_work", meta);
      return false;
    case "irq_flag": {
      const { name } = meta.kfunc;
      checkIrqFlag(
        env,
        regno,
        name === "bpf_local_irq_save" || name === "bpf_res_spin_lock_irqsave",
        name.includes("res_spin") ? "lock" : "native",
      );
      return false;
    }
    case "res_lock":
      checkResLock(env, place, meta);
      return false;
    case "btf":
      checkBtf(env, place, meta);
      return false;
    case "callback":
      if (reg.type !== REG.func) bad(env, `arg${i} expected pointer to func`);
      meta.subprog = reg.x.subprog;
      return false;
    case "mem":
      if (isNullReg(reg) && hasSuffix(param, "__opt")) return false;
      checkMemory(env, reg, regno, plainBytes(param) ?? 0);
      return false;
    case "mem_size":
      checkMemSize(env, place, meta);
      return true;
    case "null":
      return false;
  }
}

function checkAlloc(env: Env, { i, reg }: Place, meta: KfuncMeta): void {
  const isPercpuDrop = meta.kfunc.name === "bpf_percpu_obj_drop_impl";
  if (reg.type === REG.btfId && reg.flags === FLAG.alloc) {
    if (meta.kfunc.name !== "bpf_obj_drop_impl") bad(env, `arg#${i} expected for bpf_obj_drop_impl()`);
  } else if (reg.type === REG.btfId && reg.flags === (FLAG.alloc | FLAG.percpu)) {
    if (!isPercpuDrop) bad(env, `arg#${i} expected for bpf_percpu_obj_drop_impl()`);
  } else bad(env, `arg#${i} expected pointer to allocated object`);
  if (reg.refObjId === 0) bad(env, "allocated object must be referenced");
  meta.target = reg.x.btf;
}

function checkRefcounted(env: Env, { i, reg }: Place, meta: KfuncMeta): void {
  if (reg.type !== REG.btfId || (reg.flags & FLAG.alloc) === 0) {
    bad(env, `arg#${i} is neither owning or non-owning ref`);
  }
  if ((reg.flags & FLAG.nonOwnRef) === 0 && reg.refObjId !== 0) meta.isOwningRef = true;
  if (!env.objectFields(reg).some((field) => field.kind === "bpf_refcount")) {
    bad(env, `arg#${i} doesn't point to a type with bpf_refcount field`);
  }
  meta.target = reg.x.btf;
}

const DYNPTR_OF: Readonly<Record<string, DynptrType>> = {
  bpf_dynptr_from_skb: "skb",
  bpf_dynptr_from_xdp: "xdp",
  bpf_dynptr_from_skb_meta: "skb_meta",
};

function checkDynptr(env: Env, { param, regno }: Place, meta: KfuncMeta): void {
  const call = newCallMeta({ args: [] } as never);
  const isNew = hasSuffix(param, "__uninit");
  if (isNew) {
    const type = DYNPTR_OF[meta.kfunc.name] ?? meta.dynptrType ?? "local";
    call.clonedRefId = meta.dynptrRefId;
    call.newDynptrType = type;
    checkDynptrArg(env, { name: param.name, kind: "dynptr", access: "write" }, regno, call);
    return;
  }
  checkDynptrArg(env, { name: param.name, kind: "dynptr", access: "read", dynptrKind: "any" }, regno, call);
  meta.dynptrId = call.dynptrId;
  meta.dynptrType = call.dynptrType;
  meta.dynptrRefId = call.refObjId;
}

function checkIter(env: Env, { param, regno }: Place, meta: KfuncMeta): void {
  const { flags, name } = meta.kfunc;
  const action = flags.includes("iter-new")
    ? "new"
    : flags.includes("iter-next")
      ? "next"
      : flags.includes("iter-destroy")
        ? "destroy"
        : "use";
  if (name === "bpf_iter_css_task_new" && !mayWalkCssTasks(env)) {
    bad(env, "css_task_iter is only allowed in bpf_lsm, bpf_iter and sleepable progs");
  }
  meta.iter = checkIterArg(env, regno, {
    name: param.struct.replace(/^bpf_iter_/, ""),
    action,
    isRcu: flags.includes("rcu-protected"),
    kfunc: name,
  });
  if (action !== "new") meta.refObjId = meta.iter.refObjId;
}

function checkMap(env: Env, reg: Reg, regno: number, meta: KfuncMeta): void {
  const map = reg.x.map;
  if (map === undefined) {
    bad(env, `pointer in R${regno} isn't map pointer`);
    return;
  }
  if (meta.map !== undefined && (meta.map !== map || meta.mapUid !== reg.x.mapUid)) {
    const ids = [`map_uid=${meta.mapUid}`, `map_uid=${reg.x.mapUid}`];
    if (fieldOf(map, "bpf_wq") !== undefined) {
      bad(env, `workqueue pointer in R1 ${ids[0]} doesn't match map pointer in R2 ${ids[1]}`);
    }
    if (fieldOf(map, "bpf_task_work") !== undefined) {
      bad(env, `bpf_task_work pointer in R2 ${ids[0]} doesn't match map pointer in R3 ${ids[1]}`);
    }
  }
  meta.map = map;
  meta.mapUid = reg.x.mapUid;
}

/** A field of a map's value that has a function run later: a work queue or a task's work (H-147). */
function checkAsyncField(
  env: Env,
  { i, reg }: Place,
  kind: "bpf_wq" | "bpf_task_work",
  meta: KfuncMeta,
): void {
  if (reg.type !== REG.mapValue) bad(env, `arg#${i} doesn't point to a map value`);
  const map = reg.x.map as MapInfo;
  const field = fieldOf(map, kind);
  if (field === undefined) {
    bad(env, `map '${map.name}' has no valid ${kind}`);
    return;
  }
  const at = reg.off + Number(reg.val.smin);
  if (field.offset !== at) {
    bad(env, `off ${at} doesn't point to 'struct ${kind}' that is at ${field.offset}`);
  }
  meta.map = map;
  meta.mapUid = reg.x.mapUid;
}

function checkResLock(env: Env, { i, regno, reg }: Place, meta: KfuncMeta): void {
  const isPlace = reg.type === REG.mapValue || (reg.type === REG.btfId && (reg.flags & FLAG.alloc) !== 0);
  if (!isPlace) bad(env, `arg#${i} doesn't point to map value or allocated object`);
  const { name } = meta.kfunc;
  checkLock(env, reg, regno, {
    name: "bpf_res_spin",
    kind: name.includes("irq") ? "res_lock_irq" : "res_lock",
    isLock: name.startsWith("bpf_res_spin_lock"),
  });
}

function checkBtf(env: Env, { param, i, regno, reg }: Place, meta: KfuncMeta): void {
  const name = reg.type === REG.btfId ? (reg.x.btf?.name ?? "") : (STRUCT_OF_REG[reg.type] ?? "");
  // An object that is not set up yet has a name of its own, which leads to no other.
  const isAlias = name === `${param.struct}___init` || param.struct === `${name}___init`;
  const isStrict = isAlias || (meta.kfunc.flags.includes("release") && reg.refObjId !== 0);
  const isSame = name === param.struct && reg.off === 0;
  const target = reg.x.btf ?? { name, isKernel: true, typeId: 0 };
  const isEmbedded = !isStrict && leadsTo(env, target, reg.off, param.struct);
  if (isSame || isEmbedded || (!isAlias && isProjection(param.struct, name))) return;
  bad(
    env,
    `kernel function ${meta.kfunc.name} args#${i} expected pointer to STRUCT ${param.struct} but R${regno} has a pointer to STRUCT ${name}`,
  );
}

const MAX_SIZE = 1n << 29n;

function checkMemSize(env: Env, { param, i, regno, reg }: Place, meta: KfuncMeta): void {
  const size = curFrame(env.cur).regs[regno + 1] as Reg;
  const sizeParam = meta.sig.params[i + 1];
  if (size.type !== REG.scalar) bad(env, `R${regno + 1} is not a scalar`);
  if (!(isNullReg(reg) && hasSuffix(param, "__opt"))) {
    try {
      checkSizedMemory(env, regno, size);
    } catch (thrown) {
      if (!(thrown instanceof Rejection)) throw thrown;
      const text = `arg#${i} arg#${i + 1} memory, len pair leads to invalid memory access`;
      env.log.write(`${text}\n`);
      throw new Rejection(thrown.code, thrown.errnoName, text, thrown.insnIdx);
    }
  }
  if (!hasSuffix(sizeParam, "__szk")) return;
  if (!isConst(size.val)) bad(env, `R${regno + 1} must be a known constant`);
  meta.constant = size.val.umin;
}

function checkSizedMemory(env: Env, regno: number, size: Reg): void {
  const sizeNo = regno + 1;
  if (size.val.smin < 0n) {
    bad(env, `R${sizeNo} min value is negative, either use unsigned or 'var &= const'`, "EACCES");
  }
  if (size.val.umax >= MAX_SIZE) {
    bad(env, `R${sizeNo} unbounded memory access, use 'var &= const' or 'if (var < const)'`, "EACCES");
  }
  const arg = { regno, size: Number(size.val.umax), allowZero: true, isRaw: false };
  checkMemArg(env, { ...arg, isWrite: false });
  checkMemArg(env, { ...arg, isWrite: true });
  markPrecise(env, sizeNo);
}
