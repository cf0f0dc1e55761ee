import { ATTACH_TYPES } from "@tsbpf/abi";
import { type Btf, type BtfFunc, type BtfType, resolveType } from "@tsbpf/btf";
import type { Env, Subprog } from "../env.ts";
import { reject, rejectSilently } from "../reject.ts";
import { kindName } from "./type-names.ts";

/*
 * Programs that take the place of a function of a loaded program (freplace). Computes: whether the extension fits
 * the function. Assumes: the target was judged; `env` holds the extension under the target's type (C-174).
 */

const bad = (env: Env, text: string): never => reject(env, "CALL_EXTENSION", "EINVAL", text);

/**
 * Checks that the extension may replace the function that it names (C-170..C-173).
 *
 * @source linux 6.18 kernel/bpf/verifier.c bpf_check_attach_target
 */
export function checkExtension(env: Env): void {
  if (!env.isExtension) return;
  const { targetEnv, replaces = "" } = env;
  if (targetEnv === undefined) {
    const isKernel = (env.options.kernelBtf?.idsOf(replaces, "func").length ?? 0) > 0;
    bad(env, isKernel ? "Cannot replace kernel functions" : "Tracing programs must provide btf_id");
    return;
  }
  if (targetEnv.refusal !== undefined) {
    const why = `the target program is refused itself: ${targetEnv.refusal.message.trim()}`;
    rejectSilently(env, "CALL_EXTENSION", "EINVAL", why);
  }
  const btf = targetEnv.env.btf?.btf;
  const id = btf?.idsOf(replaces, "func")[0];
  if (btf === undefined && replaces !== "") {
    bad(env, "FENTRY/FEXIT program can only be attached to another program annotated with BTF");
  }
  if (btf === undefined || id === undefined) {
    bad(env, "Tracing programs must provide btf_id");
    return;
  }
  const subprog = targetEnv.env.subprogs.find((one) => one.btfTypeId === id);
  if (subprog === undefined) {
    bad(env, `Subprog ${replaces} doesn't exist`);
    return;
  }
  checkTarget(env, targetEnv.env, subprog);
  const func = btf.type(id);
  if (func.kind === "func") checkSignature(env, btf, func);
}

function checkTarget(env: Env, target: Env, subprog: Subprog): void {
  const main = env.subprogs[0];
  if (subprog.isExceptionCallback) bad(env, "Extension programs cannot attach to exception callback");
  if (subprog.isUnreliable) bad(env, "Cannot replace static functions");
  if (main?.changesPacket === true && !subprog.changesPacket) {
    bad(env, "Extension program changes packet data, while original does not");
  }
  if (main?.mightSleep === true && !subprog.mightSleep) {
    bad(env, "Extension program may sleep, while original does not");
  }
  if (target.isExtension) bad(env, "Cannot recursively attach");
  if (isFentry(target)) bad(env, "Cannot extend fentry/fexit");
}

const isFentry = ({ spec, attachType }: Env): boolean =>
  spec.type === "tracing" &&
  (attachType === ATTACH_TYPES.trace_fentry || attachType === ATTACH_TYPES.trace_fexit);

/** What the kernel compares of two types first: kind, number of members, and whether the flag is set. */
function infoOf(type: BtfType): string {
  switch (type.kind) {
    case "struct":
    case "union":
      return `${type.kind} ${type.members.length} ${type.hasBitfields}`;
    case "enum":
    case "enum64":
      return `${type.kind} ${type.values.length} ${type.isSigned}`;
    default:
      return type.kind;
  }
}

/** Checks that extension and function have one prototype. @source linux 6.18 kernel/bpf/btf.c btf_check_func_type_match */
function checkSignature(env: Env, targetBtf: Btf, target: BtfFunc): void {
  const own = env.btf?.btf;
  const main = env.spec.funcs[0];
  if (own === undefined || main === undefined) {
    bad(env, "Program extension requires BTF");
    return;
  }
  const func = own.type(main.btfTypeId);
  const proto = func.kind === "func" ? own.type(func.type) : undefined;
  const wanted = targetBtf.type(target.type);
  if (func.kind !== "func" || proto?.kind !== "func_proto" || wanted.kind !== "func_proto") {
    rejectSilently(
      env,
      "CALL_EXTENSION",
      "EFAULT",
      "the extension's first function record names no function",
    );
    return;
  }
  for (const one of [func, target]) {
    if (one.linkage !== "global") bad(env, `${one.name}() is not a global function`);
  }
  if (proto.params.length !== wanted.params.length) {
    bad(
      env,
      `${func.name}() has ${proto.params.length} args while ${target.name}() has ${wanted.params.length} args`,
    );
  }
  const result = resolveType(own, proto.returns);
  const wantedResult = resolveType(targetBtf, wanted.returns);
  if (infoOf(result) !== infoOf(wantedResult)) {
    bad(
      env,
      `Return type ${kindName(result.kind)} of ${func.name}() doesn't match type ${kindName(wantedResult.kind)} of ${target.name}()`,
    );
  }
  proto.params.forEach((param, i) => {
    const theirs = wanted.params[i];
    if (theirs === undefined) return;
    const sides = [
      { btf: own, type: resolveType(own, param.type), name: func.name },
      { btf: targetBtf, type: resolveType(targetBtf, theirs.type), name: target.name },
    ] as const;
    checkParam(env, i, sides);
  });
}

interface Side {
  readonly btf: Btf;
  readonly type: BtfType;
  readonly name: string;
}

const sizeIn = (type: BtfType): number | undefined => ("sizeBytes" in type ? type.sizeBytes : undefined);

function checkParam(env: Env, i: number, [own, theirs]: readonly [Side, Side]): void {
  if (infoOf(own.type) !== infoOf(theirs.type)) {
    bad(
      env,
      `arg${i} in ${own.name}() is ${kindName(own.type.kind)} while ${theirs.name}() has ${kindName(theirs.type.kind)}`,
    );
  }
  const [size, wanted] = [sizeIn(own.type), sizeIn(theirs.type)];
  if (size !== undefined && size !== wanted) {
    bad(env, `arg${i} in ${own.name}() has size ${size} while ${theirs.name}() has ${wanted}`);
  }
  if (own.type.kind === "int" || own.type.kind === "enum" || own.type.kind === "enum64") return;
  if (own.type.kind !== "ptr" || theirs.type.kind !== "ptr") {
    bad(env, `arg${i} in ${own.name}() has unrecognized type`);
    return;
  }
  const pointees = [resolveType(own.btf, own.type.type), resolveType(theirs.btf, theirs.type.type)] as const;
  pointees.forEach(({ kind }, side) => {
    const { name } = side === 0 ? own : theirs;
    if (kind !== "struct" && kind !== "union") bad(env, `arg${i} in ${name}() is not a pointer to context`);
  });
  const [mine, other] = [pointees[0].name, pointees[1].name];
  if (mine !== other) {
    bad(env, `arg${i} ${own.name}(struct ${mine} *) doesn't match ${theirs.name}(struct ${other} *)`);
  }
}
