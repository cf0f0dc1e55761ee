import type { CoreKind } from "../ext.ts";
import { BTF_LIMITS } from "../kinds.ts";
import { isComposite, resolveType, sizeOf } from "../query.ts";
import type { BtfMember } from "../types.ts";
import { areFieldsCompatible, areTypesCompatible, type CorePair, doTypesMatch } from "./compat.ts";
import { essentialName } from "./names.ts";
import { type CoreAccessor, type CoreSpec, coreSubject, isFlexible } from "./spec.ts";

interface Found {
  readonly accessor: CoreAccessor;
  readonly member: BtfMember;
  /** Bits from the start of the type that was searched. */
  readonly offsetBits: number;
}

/** Finds a member by name, also in anonymous members; the first of the name decides. */
function findMember(pair: CorePair, typeId: number, name: string, depth: number): Found | undefined {
  const type = resolveType(pair.target, typeId);
  if (!isComposite(type) || depth > BTF_LIMITS.depth) return undefined;
  pair.budget.spend(pair.target, typeId, type.members.length + 1);
  for (const [index, member] of type.members.entries()) {
    if (member.name === name) {
      return { accessor: { typeId: type.id, index, name }, member, offsetBits: member.offsetBits };
    }
    if (member.name !== "") continue;
    const inner = findMember(pair, member.type, name, depth + 1);
    if (inner !== undefined) return { ...inner, offsetBits: inner.offsetBits + member.offsetBits };
  }
  return undefined;
}

function matchField(pair: CorePair, local: CoreSpec, targetId: number): CoreSpec | undefined {
  let typeId = resolveType(pair.target, targetId).id;
  let offsetBits = 0;
  const accessors: CoreAccessor[] = [];
  for (const accessor of local.accessors) {
    if (accessor.name !== undefined) {
      const owner = pair.local.type(accessor.typeId);
      const localMember = isComposite(owner) ? owner.members[accessor.index] : undefined;
      const found = findMember(pair, typeId, accessor.name, 0);
      if (localMember === undefined || found === undefined) return undefined;
      if (!areFieldsCompatible(pair, localMember.type, found.member.type)) return undefined;
      accessors.push(found.accessor);
      offsetBits += found.offsetBits;
      typeId = resolveType(pair.target, found.member.type).id;
      continue;
    }
    // The first step indexes the root type itself; later ones need an array.
    if (accessors.length > 0) {
      const array = pair.target.type(typeId);
      if (array.kind !== "array") return undefined;
      if (accessor.index >= array.count && !isFlexible(pair.target, accessors.at(-1), array))
        return undefined;
      typeId = resolveType(pair.target, array.elem).id;
    }
    accessors.push({ typeId, index: accessor.index, name: undefined });
    if (accessor.index > 0) offsetBits += accessor.index * sizeOf(pair.target, typeId) * 8;
  }
  return { btf: pair.target, rootId: targetId, accessors, offsetBits };
}

function matchEnumerator(pair: CorePair, local: CoreSpec, targetId: number): CoreSpec | undefined {
  const type = resolveType(pair.target, targetId);
  if (type.kind !== "enum" && type.kind !== "enum64") return undefined;
  pair.budget.spend(pair.target, targetId, type.values.length + 1);
  const name = essentialName(local.accessors[0]?.name ?? "");
  const index = type.values.findIndex((value) => essentialName(value.name) === name);
  if (index < 0) return undefined;
  return { btf: pair.target, rootId: targetId, accessors: [{ typeId: type.id, index, name }], offsetBits: 0 };
}

/**
 * Finds in a candidate type what a relocation refers to; undefined when the candidate does not fit.
 *
 * @source linux tools/lib/bpf/relo_core.c bpf_core_spec_match
 */
export function matchCoreSpec(
  pair: CorePair,
  kind: CoreKind,
  local: CoreSpec,
  targetId: number,
): CoreSpec | undefined {
  pair.budget.spend(pair.target, targetId);
  switch (coreSubject(kind)) {
    case "type": {
      const fits = kind === "type_matches" ? doTypesMatch : areTypesCompatible;
      return fits(pair, local.rootId, targetId)
        ? { btf: pair.target, rootId: targetId, accessors: [], offsetBits: 0 }
        : undefined;
    }
    case "enumval":
      return matchEnumerator(pair, local, targetId);
    case "field":
      return matchField(pair, local, targetId);
  }
}
