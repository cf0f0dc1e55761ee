import { PROG_TYPES } from "@tsbpf/abi";
import { type Btf, type BtfFuncProto, type BtfStruct, resolveType } from "@tsbpf/btf";
import { acquireRef } from "../calls/refs.ts";
import type { Env } from "../env.ts";
import { reject, rejectSilently } from "../reject.ts";

/*
 * Programs that are a member of a struct of functions. Computes: which member, by the program's target
 * `STRUCT.MEMBER`, or by the target `STRUCT` and the attach type as the member's number. Assumes: the kernel's types;
 * a kernel registers a struct S of functions with a type `bpf_struct_ops_S`.
 */

/** What a parameter of a member promises, by the name that the kernel's own stub gives it. */
interface MemberParam {
  readonly isNullable: boolean;
  /** Whether the program owns what it gets, and must give it back. */
  readonly isOwned: boolean;
}

/** A member of a struct of functions that a program becomes. */
export interface StructOpsMember {
  readonly btf: Btf;
  readonly struct: BtfStruct;
  readonly name: string;
  readonly proto: BtfFuncProto;
  readonly params: readonly MemberParam[];
}

export const isStructOps = (env: Env): boolean => env.progType === PROG_TYPES.struct_ops;

/** Members that programs may not be, though they are functions. */
const UNSUPPORTED: Readonly<Record<string, readonly string[]>> = { tcp_congestion_ops: ["get_info"] };
/** Structs of which only some members may sleep. */
const SLEEPABLE: Readonly<Record<string, readonly string[]>> = { bpf_dummy_ops: ["test_sleepable"] };

function structOf(btf: Btf, name: string): BtfStruct | undefined {
  const id =
    btf.idsOf(`bpf_struct_ops_${name}`, "struct")[0] === undefined ? undefined : btf.idsOf(name, "struct")[0];
  const type = id === undefined ? undefined : btf.type(id);
  return type?.kind === "struct" ? type : undefined;
}

function protoOf(btf: Btf, typeId: number): BtfFuncProto | undefined {
  const pointer = resolveType(btf, typeId);
  const proto = pointer.kind === "ptr" ? resolveType(btf, pointer.type) : undefined;
  return proto?.kind === "func_proto" ? proto : undefined;
}

/** Names of parameters as the stub `STRUCT__MEMBER` has them, where the kernel has one. */
function paramsOf(btf: Btf, struct: string, member: string, proto: BtfFuncProto): readonly MemberParam[] {
  const id = btf.idsOf(`${struct}__${member}`, "func")[0];
  const func = id === undefined ? undefined : btf.type(id);
  const stub = func?.kind === "func" ? btf.type(func.type) : undefined;
  const names = stub?.kind === "func_proto" ? stub.params.map(({ name }) => name) : [];
  return proto.params.map((_param, i) => ({
    isNullable: names[i]?.endsWith("__nullable") ?? false,
    isOwned: names[i]?.endsWith("__ref") ?? false,
  }));
}

function split(env: Env): { readonly struct: string; readonly member: string | undefined } {
  const [struct = "", member] = (env.spec.attachTarget ?? "").split(".");
  return { struct, member };
}

/** Finds the member that the program is; undefined without the kernel's types or where there is no such member. */
export function structOpsMember(env: Env): StructOpsMember | undefined {
  if (!isStructOps(env)) return undefined;
  const known = members.get(env);
  if (known !== undefined) return known ?? undefined;
  const found = findMember(env);
  members.set(env, found ?? null);
  return found;
}

const members = new WeakMap<Env, StructOpsMember | null>();

function findMember(env: Env): StructOpsMember | undefined {
  const btf = env.options.kernelBtf;
  if (btf === undefined) return undefined;
  const target = split(env);
  const struct = structOf(btf, target.struct);
  const member =
    target.member === undefined
      ? struct?.members[env.attachType]
      : struct?.members.find(({ name }) => name === target.member);
  if (struct === undefined || member === undefined) return undefined;
  const proto = protoOf(btf, member.type);
  if (proto === undefined) return undefined;
  const { name } = member;
  return { btf, struct, name, proto, params: paramsOf(btf, struct.name, name, proto) };
}

/** Checks that the program may be the member that it names (check_struct_ops_btf_id). */
export function checkStructOps(env: Env): void {
  if (!isStructOps(env)) return;
  const bad = (text: string, errno: "EINVAL" | "ENOTSUPP" = "EINVAL"): never =>
    reject(env, "CALL_STRUCT_OPS", errno, text);
  if (!env.isGpl) bad("struct ops programs must have a GPL compatible license");
  const { struct: name, member: wanted } = split(env);
  const btf = env.options.kernelBtf;
  if (name === "") {
    rejectSilently(env, "CALL_STRUCT_OPS", "ENOTSUPP", "the program names no struct of functions");
  }
  if (btf === undefined) return;
  const struct = structOf(btf, name);
  if (struct === undefined) {
    const id = btf.idsOf(name, "struct")[0] ?? 0;
    bad(`attach_btf_id ${id} is not a supported struct`, "ENOTSUPP");
    return;
  }
  const idx =
    wanted === undefined ? env.attachType : struct.members.findIndex((member) => member.name === wanted);
  const member = struct.members[idx];
  if (member === undefined) {
    bad(`attach to invalid member idx ${idx >>> 0} of struct ${name}`);
    return;
  }
  if (protoOf(btf, member.type) === undefined) {
    bad(`attach to invalid member ${member.name}(@idx ${idx}) of struct ${name}`);
  }
  if (UNSUPPORTED[name]?.includes(member.name) === true) {
    bad(`attach to unsupported member ${member.name} of struct ${name}`, "ENOTSUPP");
  }
  const hasOwned = structOpsMember(env)?.params.some(({ isOwned }) => isOwned) ?? false;
  if (hasOwned && env.subprogs.some(({ hasTailCall }) => hasTailCall)) {
    bad("program with __ref argument cannot tail call");
  }
  const sleepable = SLEEPABLE[name];
  if (env.isSleepable && sleepable !== undefined && !sleepable.includes(member.name)) {
    bad(`attach to unsupported member ${member.name} of struct ${name}`);
  }
}

const SOCK_OPTIONS: ReadonlySet<number> = new Set([49, 57]);

/** Whether the struct that the program is a member of offers no such helper, though others do; measured on 6.18. */
export function isHelperMissing(env: Env, helperId: number): boolean {
  const member = structOpsMember(env);
  if (member?.struct.name === "bpf_dummy_ops") return true;
  const isRelease = member?.struct.name === "tcp_congestion_ops" && member.name === "release";
  return isRelease && SOCK_OPTIONS.has(helperId);
}

const owned = new WeakMap<Env, ReadonlyMap<number, number>>();

/** Takes the references that a member's parameters bring along, at the start of the program. */
export function acquireOwnedArgs(env: Env): void {
  const refs = new Map<number, number>();
  structOpsMember(env)?.params.forEach(({ isOwned }, i) => {
    if (isOwned) refs.set(i, acquireRef(env, "ptr"));
  });
  owned.set(env, refs);
}

/**
 * Returns the reference that belongs to an argument, 0 when none does.
 *
 * @param off - of the argument in the context, for the message when it was given away.
 */
export function ownedArgRef(env: Env, arg: number, off: number): number {
  const id = owned.get(env)?.get(arg);
  if (id === undefined) return 0;
  if (!env.cur.refs.some((ref) => ref.id === id)) {
    const text = `invalid bpf_context access off=${off}. Reference may already be released`;
    reject(env, "MEM_CTX_ACCESS", "EACCES", text);
  }
  return id;
}

/** Whether the program's result is checked: not where the member returns nothing, or a pointer that it owns (H-160). */
export function structOpsResult(env: Env): "any" | "unchecked" | { readonly struct: string } {
  const member = structOpsMember(env);
  if (member === undefined) return "any";
  if (member.proto.returns === 0) return "unchecked";
  const type = resolveType(member.btf, member.proto.returns);
  return type.kind === "ptr" ? { struct: resolveType(member.btf, type.type).name } : "any";
}
