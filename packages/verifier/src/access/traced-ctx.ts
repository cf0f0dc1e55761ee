import { ATTACH_TYPES, PROG_TYPES } from "@tsbpf/abi";
import { type Btf, type BtfType, isModifier, resolveType } from "@tsbpf/btf";
import { lsmResult } from "../btf/lsm-hooks.ts";
import { isStructOps, ownedArgRef, structOpsMember } from "../btf/struct-ops.ts";
import { argAt, type TracedFunc } from "../btf/traced-func.ts";
import { assumeSignedBoth } from "../domain/bounds.ts";
import { type Env, newId } from "../env.ts";
import { FLAG, pointerReg, REG, type Reg, scalarReg, UNKNOWN_REG } from "../state/reg.ts";
import type { Access } from "./sized.ts";
import { iterArg, iterBuffer, tracedArgFlags } from "./traced-args.ts";

const SLOT_BYTES = 8;
const MAX_ARGS = 12;
const MAX_SMALL_INT = 8;

/** Says that the access is refused, with what the kernel writes before its own refusal. */
function refuse(env: Env, text: string): undefined {
  env.log.write(`${text}\n`);
  return undefined;
}

const kindName = (type: BtfType): string => (type.kind === "void" ? "UNKNOWN" : type.kind.toUpperCase());

const isScalar = (type: BtfType): boolean =>
  (type.kind === "int" && type.sizeBytes <= MAX_SMALL_INT) ||
  type.kind === "enum" ||
  type.kind === "enum64" ||
  type.kind === "struct" ||
  type.kind === "union";

/**
 * Checks a load of an argument of the traced function and returns what it gives.
 *
 * @returns undefined when the context may not be read there; why is in the log.
 * @source linux 6.18 kernel/bpf/btf.c btf_ctx_access; reference/programs.md "tracing types"
 */
export function accessTraced(env: Env, func: TracedFunc, access: Access): Reg | undefined {
  const { off, size } = access;
  const isLsm = env.progType === PROG_TYPES.lsm;
  if (!isLsm) {
    if (off < 0 || off >= SLOT_BYTES * MAX_ARGS || access.isWrite || off % size !== 0) return undefined;
  }
  if (off % SLOT_BYTES !== 0) return refuse(env, `func '${func.name}' offset ${off} is not multiple of 8`);
  const arg = argAt(func, off);
  if (arg > func.params.length) return missing(env, func, arg);
  if (arg === func.params.length) return resultOf(env, func, arg, size);
  return argument(env, func, arg, { ...access, id: func.params[arg]?.type ?? 0 });
}

const missing = (env: Env, func: TracedFunc, arg: number): undefined =>
  refuse(env, `func '${func.name}' doesn't have ${arg + 1}-th argument`);

/** The function's result, which stands behind the arguments where the program sees it. */
function resultOf(env: Env, func: TracedFunc, arg: number, size: number): Reg | undefined {
  const { attachType } = env;
  // What stands for the attach type of a struct of functions is the number of a member.
  const seesResult =
    !isStructOps(env) &&
    (attachType === ATTACH_TYPES.lsm_mac ||
      attachType === ATTACH_TYPES.lsm_cgroup ||
      attachType === ATTACH_TYPES.trace_fexit ||
      attachType === ATTACH_TYPES.modify_return);
  if (!seesResult) return missing(env, func, arg);
  const type = resolveType(func.btf, func.returns);
  if (
    attachType === ATTACH_TYPES.modify_return &&
    !(type.kind === "int" && type.sizeBytes <= MAX_SMALL_INT)
  ) {
    return refuse(env, `ret type ${kindName(type)} not allowed for fmod_ret`);
  }
  const hook =
    env.progType === PROG_TYPES.lsm && attachType === ATTACH_TYPES.lsm_mac ? lsmResult(env) : "any";
  const reg = argument(env, func, arg, { off: -1, size, id: func.returns });
  // Those before the program answered within the hook's bounds too.
  if (hook === "any" || hook === undefined || reg?.type !== REG.scalar) return reg;
  return scalarReg(assumeSignedBoth(reg.val, Number(hook.min), Number(hook.max)));
}

interface ArgAccess {
  readonly off: number;
  readonly size: number;
  /** Type of the argument. */
  readonly id: number;
}

function argument(env: Env, func: TracedFunc, arg: number, access: ArgAccess): Reg | undefined {
  const { btf, name } = func;
  const type = resolveType(btf, access.id);
  if (isScalar(type)) return UNKNOWN_REG;
  if (type.kind !== "ptr") {
    const text = `func '${name}' arg${arg} '${type.name}' has type ${kindName(type)}. Only pointer access is allowed`;
    return refuse(env, text);
  }
  if (access.size !== SLOT_BYTES) return refuse(env, `func '${name}' size ${access.size} must be 8`);
  const known = iterArg(env, access.off);
  if (known !== undefined && known.struct === undefined) return iterBuffer(known, newId(env));
  const pointee = resolveType(btf, type.type);
  if (pointee.kind === "void" || pointee.kind === "int") return UNKNOWN_REG;
  if (known?.struct !== undefined) return pointerTo(env, known.struct, known.flags);
  const flags = tracedArgFlags(env, arg, func.params[arg]?.name ?? "") | tagFlags(btf, type.type);
  if (pointee.kind !== "struct" && pointee.kind !== "union") {
    return refuse(env, `func '${name}' arg${arg} type ${kindName(pointee)} is not a struct`);
  }
  // What a struct of functions says of a parameter itself is taken without a word.
  const own = access.off < 0 ? undefined : structOpsMember(env)?.params[arg];
  const isDeclared = own?.isNullable === true || own?.isOwned === true;
  if (!isDeclared)
    env.log.write(
      `func '${name}' arg${arg} has btf_id ${pointee.id} type ${kindName(pointee)} '${pointee.name}'\n`,
    );
  const owned = own?.isOwned === true ? ownedArgRef(env, arg, access.off) : 0;
  const reg = pointerTo(env, promoted(env, pointee.name), flags);
  return owned === 0 ? reg : { ...reg, refObjId: owned };
}

/** Congestion control gets sockets that are known to be TCP's. */
const promoted = (env: Env, struct: string): string =>
  struct === "sock" && structOpsMember(env)?.struct.name === "tcp_congestion_ops" ? "tcp_sock" : struct;

/** Flags that a tag on the pointed-to type asks for. */
function tagFlags(btf: Btf, id: number): number {
  const type = btf.type(id);
  if (!isModifier(type) || type.kind !== "type_tag") return 0;
  return type.name === "user" ? FLAG.user : type.name === "percpu" ? FLAG.percpu : 0;
}

const pointerTo = (env: Env, name: string, flags: number): Reg =>
  pointerReg(REG.btfId, {
    flags,
    id: (flags & FLAG.maybeNull) === 0 ? 0 : newId(env),
    x: { btf: { name, isKernel: true, typeId: 0 } },
  });
