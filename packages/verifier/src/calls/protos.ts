import { ATTACH_TYPES, type HelperProto, isHelperAvailable, protoFor, protoOf } from "@tsbpf/abi";
import { isHelperMissing } from "../btf/struct-ops.ts";
import type { Env } from "../env.ts";

const HELPER_SETSOCKOPT = 49;
const HELPER_GETSOCKOPT = 57;

/** Returns the prototype of a helper id, a caller's own before Linux's. */
export function helperById(env: Env, id: number): HelperProto | undefined {
  const known = env.protoCache.get(id);
  if (known !== undefined) return known === null ? undefined : known;
  const proto = env.customHelpers.get(id) ?? protoFor(id, env.spec.type) ?? protoOf(id);
  env.protoCache.set(id, proto ?? null);
  return proto;
}

/** Helpers that read kernel memory or print, for CAP_PERFMON alone. @source linux kernel/bpf/helpers.c bpf_base_func_proto */
const PERFMON_HELPERS: ReadonlySet<number> = new Set([
  6, 16, 22, 35, 55, 109, 112, 113, 114, 115, 117, 141, 148, 149, 158, 165, 166, 175, 176, 177, 180, 191,
]);
/** Casts of sockets, for CAP_PERFMON alone but where a type offers them itself. */
const PERFMON_CASTS: ReadonlySet<number> = new Set([136, 137, 138, 139, 140, 178, 196]);

/** Says whether the program may call a helper at all. */
export function isHelperOffered(env: Env, proto: HelperProto): boolean {
  if (env.customHelpers.has(proto.id)) {
    return proto.progTypes === undefined || proto.progTypes.includes(env.spec.type);
  }
  if (!env.isPerfmon) {
    if (PERFMON_HELPERS.has(proto.id)) return false;
    if (PERFMON_CASTS.has(proto.id) && env.spec.type !== "syscall") return false;
  }
  if (isHelperMissing(env, proto.id)) return false;
  return isHelperAvailable(env.spec.type, env.attachType, proto.id) || isSockIterHelper(env, proto.id);
}

const SOCK_ITERS: ReadonlySet<string> = new Set(["tcp", "udp", "unix"]);

/** Iterators over sockets may set options of what they visit. */
const isSockIterHelper = (env: Env, id: number): boolean =>
  (id === HELPER_SETSOCKOPT || id === HELPER_GETSOCKOPT) &&
  env.spec.type === "tracing" &&
  env.attachType === ATTACH_TYPES.trace_iter &&
  SOCK_ITERS.has(env.spec.attachTarget ?? "");
