import { ATTACH_TYPES, ctxLayout, PROG_TYPES } from "@tsbpf/abi";
import { type Btf, type BtfType, isModifier, resolveType } from "@tsbpf/btf";
import type { Env } from "../env.ts";
import { reject } from "../reject.ts";

/** Kernel structs that stand behind a uapi context: both names are taken (C-90). */
const PROJECTIONS: Readonly<Record<string, string>> = { __sk_buff: "sk_buff", xdp_md: "xdp_buff" };

/** Context structs that have no layout of their own. */
const NAMED: Partial<Record<number, string>> = {
  [PROG_TYPES.kprobe]: "pt_regs",
  [PROG_TYPES.perf_event]: "bpf_perf_event_data",
  [PROG_TYPES.raw_tracepoint]: "bpf_raw_tracepoint_args",
  [PROG_TYPES.raw_tracepoint_writable]: "bpf_raw_tracepoint_args",
};

const canonicalName = (env: Env): string | undefined =>
  NAMED[env.progType] ?? ctxLayout(env.spec.type, env.attachType)?.struct;

/** Says whether a struct of this name is the context, or stands behind it. */
export function isCtxStructName(env: Env, struct: string): boolean {
  const name = canonicalName(env);
  return name !== undefined && (struct === name || struct === PROJECTIONS[name]);
}

/** Says whether a kernel struct stands behind a uapi context struct. */
export const isProjection = (uapi: string, kernel: string): boolean => PROJECTIONS[uapi] === kernel;

/** Follows modifiers; the name of a typedef on the way is what some program types go by. */
function typedefName(btf: Btf, typeId: number): string {
  let type = btf.type(typeId);
  while (isModifier(type)) type = btf.type(type.type);
  return type.kind === "typedef" ? type.name : "";
}

/** Says whether a parameter points to the program type's context, by the name of its struct (C-90). */
export function isCtxPointer(env: Env, btf: Btf, pointeeId: number): boolean {
  if (env.progType === PROG_TYPES.kprobe && typedefName(btf, pointeeId) === "bpf_user_pt_regs_t") return true;
  const target = resolveType(btf, pointeeId);
  if (target.kind !== "struct" && target.kind !== "union") return false;
  // Programs written before the kernel had the typedef declare a struct of its name.
  if (env.progType === PROG_TYPES.kprobe && target.name === "bpf_user_pt_regs_t") return true;
  const name = canonicalName(env);
  if (name === undefined || target.name === "") return false;
  return target.name === name || target.name === PROJECTIONS[name];
}

const isU64 = (type: BtfType, alias: string): boolean =>
  (type.kind === "int" && type.sizeBytes === 8 && type.encoding === "unsigned") || alias === "u64";

/** Checks the type behind a `ctx` tag (C-93). */
export function validateCtxTag(env: Env, btf: Btf, pointeeId: number, i: number): void {
  const target = resolveType(btf, pointeeId);
  if (target.kind === "void") return;
  const alias = typedefName(btf, pointeeId);
  const structName = target.kind === "struct" ? target.name : "";
  switch (env.progType) {
    case PROG_TYPES.kprobe:
      if (structName === "pt_regs" || alias === "bpf_user_pt_regs_t") return;
      break;
    case PROG_TYPES.perf_event:
      if (structName === "pt_regs" || structName === "bpf_perf_event_data" || alias === "bpf_user_pt_regs_t")
        return;
      break;
    case PROG_TYPES.raw_tracepoint:
    case PROG_TYPES.raw_tracepoint_writable:
      if (isU64(target, alias) || structName === "bpf_raw_tracepoint_args") return;
      break;
    case PROG_TYPES.tracing:
      if (env.attachType === ATTACH_TYPES.trace_raw_tp && structName === "bpf_raw_tracepoint_args") return;
      if (env.attachType === ATTACH_TYPES.trace_iter && structName.startsWith("bpf_iter__")) return;
      if (isU64(target, alias)) return;
      break;
    case PROG_TYPES.lsm:
    case PROG_TYPES.struct_ops:
      if (isU64(target, alias)) return;
      break;
    case PROG_TYPES.tracepoint:
    case PROG_TYPES.syscall:
    case PROG_TYPES.ext:
      return;
    default:
  }
  const name = canonicalName(env);
  if (name === undefined) reject(env, "CALL_FUNC_BTF", "EINVAL", `arg#${i} should be void pointer`);
  if (structName === name) return;
  reject(env, "CALL_FUNC_BTF", "EINVAL", `arg#${i} should be \`struct ${name} *\``);
}
