import type { ErrnoName } from "@tsbpf/abi";
import { type Btf, type BtfType, resolveType, sizeOf } from "@tsbpf/btf";
import type { Env, Subprog } from "../env.ts";
import { reject, rejectSilently } from "../reject.ts";
import { isCtxPointer, validateCtxTag } from "./ctx-type.ts";
import { argTags, essentialName, isKernelStruct, kindName } from "./type-names.ts";

/** What a parameter of a global function takes (C-90). */
export type FuncArg =
  | { readonly kind: "anything" | "ctx" | "dynptr" | "arena" }
  | {
      readonly kind: "mem";
      readonly bytes: number;
      readonly isNullable: boolean;
      readonly isUntrusted: boolean;
    }
  | {
      readonly kind: "btf";
      readonly name: string;
      readonly isNullable: boolean;
      readonly isUntrusted: boolean;
    };

const MAX_ARGS = 5;
const KNOWN_TAGS: ReadonlySet<string> = new Set([
  "ctx",
  "trusted",
  "untrusted",
  "nonnull",
  "nullable",
  "arena",
]);

interface Param {
  readonly env: Env;
  readonly btf: Btf;
  readonly i: number;
  readonly tags: ReadonlySet<string>;
  readonly isGlobal: boolean;
}

const bad = (env: Env, text: string, errno: ErrnoName = "EINVAL"): never =>
  reject(env, "CALL_FUNC_BTF", errno, text);
const quiet = (env: Env): never => rejectSilently(env, "CALL_FUNC_BTF", "EINVAL", "");

/**
 * Classifies the parameters of a function from its BTF (C-89..C-96), logging the kernel's line on failure.
 *
 * Refuses by throwing: for static functions the caller catches, since there a mismatch is no error.
 */
export function prepareFuncArgs(env: Env, subprog: Subprog): readonly FuncArg[] {
  const known = env.funcArgs.get(subprog.idx);
  if (known !== undefined) return known;
  const btf = env.btf?.btf;
  const isGlobal = subprog.linkage === "global";
  if (btf === undefined || subprog.btfTypeId === 0) {
    if (!isGlobal) return quiet(env);
    return bad(env, "Global functions need valid BTF", "EFAULT");
  }
  const func = btf.type(subprog.btfTypeId);
  const proto = func.kind === "func" ? btf.type(func.type) : undefined;
  if (proto === undefined || proto.kind !== "func_proto") {
    return bad(env, `Invalid type of function ${subprog.name}()`, "EFAULT");
  }
  if (proto.params.length > MAX_ARGS) {
    if (!isGlobal) return quiet(env);
    bad(
      env,
      `Global function ${subprog.name}() with ${proto.params.length} > ${MAX_ARGS} args. Buggy compiler.`,
    );
  }
  const result = resolveType(btf, proto.returns);
  if (result.kind !== "int" && result.kind !== "enum" && result.kind !== "enum64") {
    if (!isGlobal) return quiet(env);
    bad(env, `Global function ${subprog.name}() doesn't return scalar. Only those are supported.`);
  }
  const args = proto.params.map((param, i) => {
    const tags = readTags(env, btf, subprog, i, isGlobal);
    return classify({ env, btf, i, tags, isGlobal }, param.type, subprog);
  });
  env.funcArgs.set(subprog.idx, args);
  return args;
}

function readTags(env: Env, btf: Btf, subprog: Subprog, i: number, isGlobal: boolean): ReadonlySet<string> {
  const tags = argTags(btf, subprog.btfTypeId, i);
  for (const tag of tags) {
    if (!isGlobal) bad(env, `arg#${i} type tag is not supported in static functions`, "EOPNOTSUPP");
    if (!KNOWN_TAGS.has(tag)) bad(env, `arg#${i} has unsupported set of tags`, "EOPNOTSUPP");
  }
  return new Set(tags);
}

const hasOther = (tags: ReadonlySet<string>, only: string): boolean => tags.size > (tags.has(only) ? 1 : 0);

function classify(param: Param, typeId: number, subprog: Subprog): FuncArg {
  const { env, btf, i, tags, isGlobal } = param;
  const type = resolveType(btf, typeId);
  if (type.kind === "ptr") {
    const arg = classifyPointer(param, type);
    if (arg !== undefined) return arg;
  }
  if (tags.size > 0) bad(env, `arg#${i} has pointer tag, but is not a pointer type`);
  if (type.kind === "int" || type.kind === "enum" || type.kind === "enum64") return { kind: "anything" };
  if (!isGlobal) return quiet(env);
  return bad(env, `Arg#${i} type ${kindName(type.kind)} in ${subprog.name}() is not supported yet.`);
}

function classifyPointer(param: Param, ptr: Extract<BtfType, { kind: "ptr" }>): FuncArg | undefined {
  const { env, btf, i, tags, isGlobal } = param;
  const badTags = (): never => bad(env, `arg#${i} has invalid combination of tags`);
  if (tags.has("ctx") || isCtxPointer(env, btf, ptr.type)) {
    if (hasOther(tags, "ctx")) badTags();
    if (tags.has("ctx")) validateCtxTag(env, btf, ptr.type, i);
    return { kind: "ctx" };
  }
  const target = resolveType(btf, ptr.type);
  if (target.kind === "struct" && target.name === "bpf_dynptr") {
    if (tags.size > 0) badTags();
    return { kind: "dynptr" };
  }
  if (tags.has("trusted")) {
    if (tags.has("nonnull")) badTags();
    const name = kernelTypeOf(param, target);
    return { kind: "btf", name, isNullable: tags.has("nullable"), isUntrusted: false };
  }
  if (tags.has("untrusted")) {
    if (hasOther(tags, "untrusted")) {
      bad(env, `arg#${i} untrusted cannot be combined with any other tags`);
    }
    const isPlain = target.kind === "void" || isPrimitive(target);
    if (isPlain) return { kind: "mem", bytes: 0, isNullable: false, isUntrusted: true };
    return { kind: "btf", name: kernelTypeOf(param, target), isNullable: false, isUntrusted: true };
  }
  if (tags.has("arena")) {
    if (hasOther(tags, "arena")) bad(env, `arg#${i} arena cannot be combined with any other tags`);
    return { kind: "arena" };
  }
  if (!isGlobal) return undefined;
  if (tags.has("nullable")) badTags();
  const bytes = sizeOfPointee(param, target);
  return { kind: "mem", bytes, isNullable: !tags.has("nonnull"), isUntrusted: false };
}

const isPrimitive = (type: BtfType): boolean =>
  type.kind === "int" || type.kind === "enum" || type.kind === "enum64" || type.kind === "float";

function sizeOfPointee(param: Param, target: BtfType): number {
  const { env, btf, i } = param;
  try {
    return sizeOf(btf, target.id);
  } catch {
    return bad(
      env,
      `arg#${i} reference type('${kindName(target.kind)} ${target.name}') size cannot be determined: -22`,
    );
  }
}

/** Finds the kernel's type for a local one, by name (C-94). */
function kernelTypeOf(param: Param, target: BtfType): string {
  const name = essentialName(target.name);
  if (name !== "" && isKernelStruct(name)) return name;
  return bad(
    param.env,
    `arg#${param.i} reference type('${kindName(target.kind)} ${target.name}') has no matches`,
    "ENOENT",
  );
}
