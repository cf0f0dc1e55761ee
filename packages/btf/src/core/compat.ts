import type { Btf } from "../btf.ts";
import { isComposite, resolveType } from "../query.ts";
import type { BtfType } from "../types.ts";
import type { CoreBudget } from "./budget.ts";
import { essentialName } from "./names.ts";

const DEPTH = 32;

const isAnyEnum = (type: BtfType): type is AnyEnum => type.kind === "enum" || type.kind === "enum64";

/** Says whether two kinds may stand for each other: equal ones, and the two widths of enumerations. */
export const areKindsCompatible = (a: BtfType, b: BtfType): boolean =>
  a.kind === b.kind || (isAnyEnum(a) && isAnyEnum(b));

/** Two sides of a comparison: the object's types and the target's. */
export interface CorePair {
  readonly local: Btf;
  readonly target: Btf;
  readonly budget: CoreBudget;
}

const isPlainInt = (type: BtfType): boolean => type.kind === "int" && type.offsetBits === 0;

/**
 * Says whether two members of equal name hold the same sort of value (L-92).
 *
 * @source linux tools/lib/bpf/relo_core.c bpf_core_fields_are_compat
 */
export function areFieldsCompatible(pair: CorePair, localId: number, targetId: number): boolean {
  let local = resolveType(pair.local, localId);
  let target = resolveType(pair.target, targetId);
  for (let depth = 0; depth < DEPTH; depth++) {
    if (isComposite(local) && isComposite(target)) return true;
    if (!areKindsCompatible(local, target)) return false;
    switch (local.kind) {
      case "ptr":
      case "float":
        return true;
      case "fwd":
      case "enum":
      case "enum64": {
        const names = [essentialName(local.name), essentialName(target.name)];
        return names.includes("") || names[0] === names[1];
      }
      case "int":
        return isPlainInt(local) && isPlainInt(target);
      case "array":
        if (target.kind !== "array") return false;
        local = resolveType(pair.local, local.elem);
        target = resolveType(pair.target, target.elem);
        break;
      default:
        return false;
    }
  }
  return false;
}

/**
 * Says whether two types of equal name are the same sort of type (L-94).
 *
 * @source linux tools/lib/bpf/relo_core.c bpf_core_types_are_compat
 */
export function areTypesCompatible(pair: CorePair, localId: number, targetId: number): boolean {
  return areKindsCompatible(pair.local.type(localId), pair.target.type(targetId))
    ? isCompatible(pair, localId, targetId, DEPTH)
    : false;
}

function isCompatible(pair: CorePair, localId: number, targetId: number, depth: number): boolean {
  pair.budget.spend(pair.local, localId);
  if (depth < 0) return false;
  const local = resolveType(pair.local, localId);
  const target = resolveType(pair.target, targetId);
  if (!areKindsCompatible(local, target)) return false;
  switch (local.kind) {
    case "void":
    case "struct":
    case "union":
    case "enum":
    case "enum64":
    case "fwd":
      return true;
    case "int":
      return isPlainInt(local) && isPlainInt(target);
    case "ptr":
      return target.kind === "ptr" && isCompatible(pair, local.type, target.type, depth - 1);
    case "array":
      return target.kind === "array" && isCompatible(pair, local.elem, target.elem, depth - 1);
    case "func_proto": {
      if (target.kind !== "func_proto" || !haveSameShape(local, target)) return false;
      const params = local.params.every((param, i) =>
        isCompatible(pair, param.type, target.params[i]?.type ?? 0, depth - 1),
      );
      return params && isCompatible(pair, local.returns, target.returns, depth - 1);
    }
    default:
      return false;
  }
}

type FuncProto = Extract<BtfType, { kind: "func_proto" }>;
const haveSameShape = (a: FuncProto, b: FuncProto): boolean =>
  a.params.length === b.params.length && a.isVariadic === b.isVariadic;

const haveSameName = (local: BtfType | { name: string }, target: BtfType | { name: string }): boolean =>
  target.name === "" ? local.name === "" : essentialName(local.name) === essentialName(target.name);

/**
 * Says whether all that the local type has is in the target type as well (L-95).
 *
 * @source linux tools/lib/bpf/relo_core.c bpf_core_types_match
 */
export const doTypesMatch = (pair: CorePair, localId: number, targetId: number): boolean =>
  isMatch(pair, localId, targetId, false, DEPTH);

function isMatch(
  pair: CorePair,
  localId: number,
  targetId: number,
  behindPointer: boolean,
  depth: number,
): boolean {
  pair.budget.spend(pair.local, localId);
  if (depth < 0) return false;
  const local = resolveType(pair.local, localId);
  const target = resolveType(pair.target, targetId);
  if (!haveSameName(local, target)) return false;
  const next = (a: number, b: number, pointer = behindPointer) => isMatch(pair, a, b, pointer, depth - 1);
  switch (local.kind) {
    case "void":
      return target.kind === "void";
    case "fwd":
      if (target.kind === "fwd") return local.isUnion === target.isUnion;
      return behindPointer && target.kind === (local.isUnion ? "union" : "struct");
    case "enum":
    case "enum64":
      return isAnyEnum(target) && doEnumeratorsMatch(pair, local, target);
    case "struct":
    case "union":
      if (behindPointer && target.kind === "fwd") return (local.kind === "union") === target.isUnion;
      if (local.kind !== target.kind) return false;
      return behindPointer || doMembersMatch(pair, local, target, depth);
    case "int":
      return (
        target.kind === "int" &&
        local.sizeBytes === target.sizeBytes &&
        (local.encoding === "signed") === (target.encoding === "signed")
      );
    case "ptr":
      return target.kind === "ptr" && next(local.type, target.type, true);
    case "array":
      return target.kind === "array" && local.count === target.count && next(local.elem, target.elem);
    case "func_proto":
      return (
        target.kind === "func_proto" &&
        haveSameShape(local, target) &&
        local.params.every((param, i) => next(param.type, target.params[i]?.type ?? 0)) &&
        next(local.returns, target.returns)
      );
    default:
      return false;
  }
}

type AnyEnum = Extract<BtfType, { kind: "enum" | "enum64" }>;

function doEnumeratorsMatch(pair: CorePair, local: AnyEnum, target: AnyEnum): boolean {
  if (local.values.length > target.values.length) return false;
  pair.budget.spend(pair.target, target.id, target.values.length);
  const names = new Set(target.values.map(({ name }) => essentialName(name)));
  return local.values.every(({ name }) => names.has(essentialName(name)));
}

type Composite = Extract<BtfType, { kind: "struct" | "union" }>;

function doMembersMatch(pair: CorePair, local: Composite, target: Composite, depth: number): boolean {
  if (local.members.length > target.members.length) return false;
  return local.members.every((member) =>
    target.members.some((candidate) => {
      pair.budget.spend(pair.target, target.id);
      return haveSameName(member, candidate) && isMatch(pair, member.type, candidate.type, false, depth - 1);
    }),
  );
}
