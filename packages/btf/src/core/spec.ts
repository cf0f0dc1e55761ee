import type { Btf } from "../btf.ts";
import { btfError } from "../errors.ts";
import type { CoreKind } from "../ext.ts";
import { isComposite, resolveType, sizeOf } from "../query.ts";
import type { BtfArray } from "../types.ts";

/** One step of an access: a named member, or an element of an array. */
export interface CoreAccessor {
  /** The composite that has the member; the element type of an array; the enumeration. */
  readonly typeId: number;
  readonly index: number;
  /** Undefined for array elements. */
  readonly name: string | undefined;
}

/** What a relocation refers to, in one table. */
export interface CoreSpec {
  readonly btf: Btf;
  readonly rootId: number;
  readonly accessors: readonly CoreAccessor[];
  readonly offsetBits: number;
}

/** What a relocation asks: about a field, a type or an enumerator. */
export type CoreSubject = "field" | "type" | "enumval";

const SUBJECTS = {
  field_byte_offset: "field",
  field_byte_size: "field",
  field_exists: "field",
  field_signed: "field",
  field_lshift_u64: "field",
  field_rshift_u64: "field",
  type_id_local: "type",
  type_id_target: "type",
  type_exists: "type",
  type_size: "type",
  enumval_exists: "enumval",
  enumval_value: "enumval",
  type_matches: "type",
} as const satisfies Record<CoreKind, CoreSubject>;

/** Tells what a kind of relocation asks about. */
export const coreSubject = (kind: CoreKind): CoreSubject => SUBJECTS[kind];

/** Longest access string. @source linux tools/lib/bpf/relo_core.h BPF_CORE_SPEC_MAX_LEN */
const CORE_STEPS_LAST = 64;

const refuse = (btf: Btf, typeId: number, access: string, why: string) =>
  btfError("BTF_CORE_SPEC", `CO-RE access ${JSON.stringify(access)}: ${why}`, { what: btf.what, typeId });

function parseAccess(btf: Btf, typeId: number, access: string): number[] {
  if (!/^[0-9]+(:[0-9]+)*$/.test(access))
    throw refuse(btf, typeId, access, "numbers joined by colons needed");
  const steps = access.split(":");
  if (steps.length > CORE_STEPS_LAST) throw refuse(btf, typeId, access, `more than ${CORE_STEPS_LAST} steps`);
  return steps.map(Number);
}

/** Says whether an array is the open-ended last member of a struct. */
export function isFlexible(btf: Btf, container: CoreAccessor | undefined, array: BtfArray): boolean {
  if (container?.name === undefined || array.count > 0) return false;
  const struct = btf.type(container.typeId);
  return isComposite(struct) && container.index === struct.members.length - 1;
}

/**
 * Reads the access string of a relocation against the object's own types (L-90).
 *
 * @throws BTF_CORE_SPEC when the string does not fit the types; BTF_UNSIZED BTF_SIZE BTF_DEPTH
 */
export function parseCoreSpec(btf: Btf, kind: CoreKind, rootId: number, access: string): CoreSpec {
  const steps = parseAccess(btf, rootId, access);
  const [first = 0, ...rest] = steps;
  switch (coreSubject(kind)) {
    case "type":
      if (access !== "0") throw refuse(btf, rootId, access, "0 needed for a type");
      return { btf, rootId, accessors: [], offsetBits: 0 };
    case "enumval": {
      const type = resolveType(btf, rootId);
      const value = type.kind === "enum" || type.kind === "enum64" ? type.values[first] : undefined;
      if (value === undefined || rest.length > 0) throw refuse(btf, rootId, access, "no such enumerator");
      return { btf, rootId, accessors: [{ typeId: type.id, index: first, name: value.name }], offsetBits: 0 };
    }
    case "field":
      return parseFieldSpec(btf, rootId, access, first, rest);
  }
}

function parseFieldSpec(
  btf: Btf,
  rootId: number,
  access: string,
  first: number,
  rest: readonly number[],
): CoreSpec {
  let typeId = resolveType(btf, rootId).id;
  let offsetBits = first * sizeOf(btf, typeId) * 8;
  const accessors: CoreAccessor[] = [{ typeId, index: first, name: undefined }];
  for (const index of rest) {
    const type = resolveType(btf, typeId);
    if (isComposite(type)) {
      const member = type.members[index];
      if (member === undefined) throw refuse(btf, rootId, access, `no member ${index} in type ${type.id}`);
      offsetBits += member.offsetBits;
      // Anonymous members are passed through: another version of the type may not have them.
      if (member.name !== "") accessors.push({ typeId: type.id, index, name: member.name });
      typeId = member.type;
    } else if (type.kind === "array") {
      if (index >= type.count && !isFlexible(btf, accessors.at(-1), type)) {
        throw refuse(btf, rootId, access, `no element ${index} in an array of ${type.count}`);
      }
      typeId = resolveType(btf, type.elem).id;
      accessors.push({ typeId, index, name: undefined });
      offsetBits += index * sizeOf(btf, typeId) * 8;
    } else {
      throw refuse(btf, rootId, access, `${type.kind} has no members`);
    }
  }
  return { btf, rootId, accessors, offsetBits };
}
