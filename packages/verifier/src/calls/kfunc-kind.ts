import { isCtxStructName } from "../btf/ctx-type.ts";
import type { Env } from "../env.ts";
import { reject } from "../reject.ts";
import { isNullReg, REG, type Reg } from "../state/reg.ts";
import type { KfuncMeta } from "./kfunc-args.ts";
import { hasSuffix, type KfuncParam, plainBytes } from "./kfunc-sig.ts";

const bad = (env: Env, text: string): never => reject(env, "CALL_KFUNC_ARG", "EINVAL", text);

/** Kinds of pointer parameters, in the kernel's order of recognition (H-137). */
export type PointerKind =
  | "null"
  | "ctx"
  | "alloc"
  | "refcounted"
  | "dynptr"
  | "iter"
  | "list_head"
  | "list_node"
  | "rb_root"
  | "rb_node"
  | "const_str"
  | "map"
  | "wq"
  | "task_work"
  | "irq_flag"
  | "res_lock"
  | "btf"
  | "callback"
  | "mem_size"
  | "mem";

const BY_STRUCT: Readonly<Record<string, PointerKind>> = {
  bpf_dynptr: "dynptr",
  bpf_list_head: "list_head",
  bpf_list_node: "list_node",
  bpf_rb_root: "rb_root",
  bpf_rb_node: "rb_node",
  bpf_wq: "wq",
  bpf_task_work: "task_work",
  bpf_res_spin_lock: "res_lock",
};

/** Kernel structs that socket and map registers stand for. */
export const STRUCT_OF_REG: Partial<Record<number, string>> = {
  [REG.sock]: "sock",
  [REG.sockCommon]: "sock_common",
  [REG.tcpSock]: "tcp_sock",
  [REG.mapPtr]: "bpf_map",
};

/** Classifies a pointer parameter by its type, its name's suffix and what the register holds. */
export function kindOf(env: Env, param: KfuncParam, i: number, meta: KfuncMeta, reg: Reg): PointerKind {
  if (meta.kfunc.name === "bpf_cast_to_kern_ctx") return "ctx";
  const isNullable = hasSuffix(param, "__nullable") || hasSuffix(param, "__opt");
  if (param.isCtx !== true && param.struct !== "" && isCtxStructName(env, param.struct)) return "ctx";
  if (hasSuffix(param, "__nullable") && isNullReg(reg)) return "null";
  if (param.isCtx === true) return "ctx";
  if (hasSuffix(param, "__alloc")) return "alloc";
  if (hasSuffix(param, "__refcounted_kptr")) return "refcounted";
  const flags = meta.kfunc.flags;
  const isIterCall =
    i === 0 && (flags.includes("iter-new") || flags.includes("iter-next") || flags.includes("iter-destroy"));
  if (isIterCall || hasSuffix(param, "__iter")) return "iter";
  const byStruct = BY_STRUCT[param.struct];
  if (byStruct !== undefined) return byStruct;
  if (hasSuffix(param, "__str")) return "const_str";
  if (hasSuffix(param, "__map")) return "map";
  if (hasSuffix(param, "__irq_flag")) return "irq_flag";
  if (reg.type === REG.btfId || STRUCT_OF_REG[reg.type] !== undefined) {
    if (param.struct !== "") return "btf";
    bad(
      env,
      `kernel function ${meta.kfunc.name} args#${i} pointer type ${param.base === "void" ? "UNKNOWN" : "INT"} ${param.base === "void" ? "" : param.base} is not supported`,
    );
  }
  if (param.isCallback) return "callback";
  const next = meta.sig.params[i + 1];
  const isSized = hasSuffix(next, "__sz") || hasSuffix(next, "__szk");
  const isPlain = plainBytes(param) !== undefined || (isSized && param.base === "void");
  if (!isPlain && !isNullable) {
    const what =
      param.struct === "" ? `UNKNOWN ${param.base === "void" ? "" : param.base}` : `STRUCT ${param.struct}`;
    bad(
      env,
      `arg#${i} pointer type ${what} must point to ${isSized ? "void, " : ""}scalar, or struct with scalar`,
    );
  }
  return isSized ? "mem_size" : "mem";
}
