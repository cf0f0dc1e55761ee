import { type ArgSpec, type HelperProto, type Kfunc, type KfuncFlag, kfuncByName } from "@tsbpf/abi";
import { UnsupportedError } from "@tsbpf/base";
import type { Env } from "../env.ts";
import type { KfuncParam, KfuncSig } from "./kfunc-sig.ts";

/*
 * Kernel functions that a plugin defines. Their prototypes become what the tables say of Linux's own, where suffixes of
 * names carry what the kinds of arguments carry here, so that the same checks judge both.
 */

/** A plugin's kernel function as the checks of Linux's own take it. */
export interface CustomKfunc {
  readonly kfunc: Kfunc;
  readonly sig: KfuncSig;
  readonly proto: HelperProto;
}

const PLAIN = { isPointer: true, isCallback: false, struct: "", base: "void" } as const;

/** Makes a parameter of an argument; undefined where no kernel function can have such a one. */
function paramOf(arg: ArgSpec, args: readonly ArgSpec[], i: number): KfuncParam | undefined {
  const { name } = arg;
  const nullable = arg.nullable === true ? "__nullable" : "";
  switch (arg.kind) {
    case "scalar":
      return { ...PLAIN, isPointer: false, base: "u64", name };
    case "size": {
      const { kind, size } = args[i - 1] ?? {};
      const isPair = kind === "mem" && size === name;
      return { ...PLAIN, isPointer: false, base: "u64", name: isPair ? `${name}__sz` : name };
    }
    case "ctx":
      return { ...PLAIN, isCtx: true, name: `${name}${nullable}` };
    case "map":
      return { ...PLAIN, name: `${name}__map` };
    case "mem":
      if (arg.size === undefined)
        return { ...PLAIN, name: `${name}${nullable}`, sizeBytes: arg.sizeBytes ?? 0 };
      if (args[i + 1]?.name !== arg.size) return undefined;
      return { ...PLAIN, name: arg.nullable === true ? `${name}__opt` : name };
    case "const_str":
      return { ...PLAIN, base: "char", name: `${name}__str` };
    case "dynptr": {
      const isFresh = arg.access === "write";
      const isAny = arg.dynptrKind === undefined || arg.dynptrKind === "any";
      return isAny
        ? {
            ...PLAIN,
            struct: "bpf_dynptr",
            base: "struct bpf_dynptr",
            name: isFresh ? `${name}__uninit` : name,
          }
        : undefined;
    }
    case "btf_id": {
      const [struct, ...others] = arg.btfTypes ?? [];
      if (struct === undefined || others.length > 0) return undefined;
      return { ...PLAIN, struct, base: `struct ${struct}`, name: `${name}${nullable}` };
    }
    default:
      return undefined;
  }
}

function returnsOf({ ret }: HelperProto): KfuncSig["returns"] | undefined {
  const number = { ...PLAIN, isPointer: false };
  if (ret.kind === "void") return { ...number, base: "void" };
  if (ret.kind === "int") return { ...number, base: "u64" };
  if (ret.kind !== "btf_id" || ret.btfType === undefined) return undefined;
  return { ...PLAIN, struct: ret.btfType, base: `struct ${ret.btfType}` };
}

const unsupported = (proto: HelperProto, what: string): UnsupportedError =>
  new UnsupportedError(
    "UNSUPPORTED_KFUNC",
    `kernel function ${proto.name}: ${what}, which the verifier knows of helpers alone`,
    { details: { name: proto.name } },
  );

/**
 * Makes of a plugin's prototype what the checks of kernel functions take.
 *
 * All of them want trusted arguments: NULL passes only where an argument says so.
 *
 * @throws UNSUPPORTED_KFUNC (UnsupportedError) for kinds of arguments and results that only helpers have.
 */
function customKfunc(proto: HelperProto): CustomKfunc {
  const params = proto.args.map((arg, i) => {
    const param = paramOf(arg, proto.args, i);
    if (param === undefined) throw unsupported(proto, `argument ${arg.name} of kind ${arg.kind} found`);
    return param;
  });
  const returns = returnsOf(proto);
  if (returns === undefined) throw unsupported(proto, `result of kind ${proto.ret.kind} found`);
  const flags: KfuncFlag[] = ["trusted-args"];
  if (proto.maySleep) flags.push("sleepable");
  if (proto.ret.acquires === true) flags.push("acquire");
  if (proto.ret.nullable === true) flags.push("ret-null");
  if (proto.args.some((arg) => arg.releases === true)) flags.push("release");
  const { name, signature, progTypes } = proto;
  return {
    kfunc: { name, signature, flags, progTypes: progTypes ?? "all" },
    sig: { params, returns },
    proto,
  };
}

/** Indexes a plugin's kernel functions; those of Linux keep the prototypes of its tables. */
export const indexCustomKfuncs = (protos: readonly HelperProto[]): ReadonlyMap<string, HelperProto> =>
  new Map(
    protos.filter(({ name }) => kfuncByName(name) === undefined).map((proto) => [proto.name, proto] as const),
  );

const made = new WeakMap<HelperProto, CustomKfunc>();

/** Returns a plugin's kernel function of a name. */
export function customByName(env: Env, name: string): CustomKfunc | undefined {
  const proto = env.customKfuncs.get(name);
  if (proto === undefined) return undefined;
  let found = made.get(proto);
  if (found === undefined) {
    found = customKfunc(proto);
    made.set(proto, found);
  }
  return found;
}

/** Returns what is known of a kernel function, a plugin's or Linux's. */
export const kfuncOf = (env: Env, name: string): Kfunc | undefined =>
  customByName(env, name)?.kfunc ?? kfuncByName(name);
