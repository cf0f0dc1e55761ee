import { ATTACH_TYPES, PROG_TYPES } from "@tsbpf/abi";
import { type Btf, type BtfFuncProto, type BtfParam, type BtfType, resolveType, sizeOf } from "@tsbpf/btf";
import { isIterTarget } from "../access/traced-args.ts";
import type { Env } from "../env.ts";
import { isStructOps, structOpsMember } from "./struct-ops.ts";

/** The kernel function whose arguments a tracing program gets. */
export interface TracedFunc {
  readonly btf: Btf;
  /** Name as the kernel's messages give it. */
  readonly name: string;
  /** Parameters that the program sees; a raw tracepoint's private first one is left out. */
  readonly params: readonly BtfParam[];
  /** Bytes that each parameter takes in the context, the first of the function included. */
  readonly slots: readonly number[];
  readonly returns: number;
}

const SLOT_BYTES = 8;
const TRACEPOINT_PREFIX = "btf_trace_";

/** Name and kind of what the program's target is called in the kernel's types (P-2). */
function targetName(env: Env, target: string): { readonly name: string; readonly kind: "func" | "typedef" } {
  if (env.progType === PROG_TYPES.lsm) return { name: `bpf_lsm_${target}`, kind: "func" };
  if (env.attachType === ATTACH_TYPES.trace_iter) return { name: `bpf_iter_${target}`, kind: "func" };
  if (env.attachType === ATTACH_TYPES.trace_raw_tp) {
    return { name: `${TRACEPOINT_PREFIX}${target}`, kind: "typedef" };
  }
  return { name: target, kind: "func" };
}

function protoOf(btf: Btf, type: BtfType): BtfFuncProto | undefined {
  const inner = type.kind === "func" || type.kind === "typedef" ? resolveType(btf, type.type) : type;
  const proto = inner.kind === "ptr" ? resolveType(btf, inner.type) : inner;
  return proto.kind === "func_proto" ? proto : undefined;
}

/** Bytes that a value takes as an argument: whole slots. */
function slotBytes(btf: Btf, id: number): number {
  const type = resolveType(btf, id);
  if (type.kind === "void") return 0;
  if (type.kind === "ptr") return SLOT_BYTES;
  return Math.ceil(sizeOf(btf, id) / SLOT_BYTES) * SLOT_BYTES;
}

/** Says whether the context is the arguments of a kernel function. */
export const isTraced = (env: Env): boolean =>
  env.progType === PROG_TYPES.tracing || env.progType === PROG_TYPES.lsm || isStructOps(env);

const cache = new WeakMap<Env, TracedFunc | null>();

/** Finds the function that the program is attached to; undefined without the kernel's types or a known target. */
export function tracedFunc(env: Env): TracedFunc | undefined {
  const known = cache.get(env);
  if (known !== undefined) return known ?? undefined;
  const found = find(env);
  cache.set(env, found ?? null);
  return found;
}

function find(env: Env): TracedFunc | undefined {
  const btf = env.options.kernelBtf;
  const target = env.spec.attachTarget;
  if (btf === undefined || target === undefined || !isTraced(env)) return undefined;
  if (isStructOps(env)) return memberFunc(env);
  const isIter = env.progType === PROG_TYPES.tracing && env.attachType === ATTACH_TYPES.trace_iter;
  if (isIter && !isIterTarget(target)) return undefined;
  const { name, kind } = targetName(env, target);
  const id = btf.idsOf(name, kind)[0];
  const proto = id === undefined ? undefined : protoOf(btf, btf.type(id));
  if (proto === undefined) return undefined;
  return {
    btf,
    name: kind === "typedef" ? target : name,
    params: kind === "typedef" ? proto.params.slice(1) : proto.params,
    slots: proto.params.map((param) => slotBytes(btf, param.type)),
    returns: proto.returns,
  };
}

/** A member of a struct of functions, whose parameters are the context. */
function memberFunc(env: Env): TracedFunc | undefined {
  const member = structOpsMember(env);
  if (member === undefined) return undefined;
  const { btf, name, proto, params } = member;
  return {
    btf,
    name,
    params: proto.params.map((param, i) =>
      params[i]?.isNullable === true ? { ...param, name: `${param.name}__nullable` } : param,
    ),
    slots: proto.params.map((param) => slotBytes(btf, param.type)),
    returns: proto.returns,
  };
}

/** Number of the argument at an offset of the context; one more than the last is the result. */
export function argAt(func: TracedFunc, off: number): number {
  let end = 0;
  for (const [i, bytes] of func.slots.entries()) {
    end += bytes;
    if (off < end) return i;
  }
  const result = end + slotBytes(func.btf, func.returns);
  return off < result ? func.slots.length : func.slots.length + 1;
}
