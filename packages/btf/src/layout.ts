import type { Btf } from "./btf.ts";
import { btfError } from "./errors.ts";
import { BTF_LIMITS } from "./kinds.ts";
import { isComposite, resolveType, sizeOf } from "./query.ts";
import type { BtfMember, BtfStruct, BtfUnion } from "./types.ts";

/** Where a member lies, seen from the start of the outermost struct. */
export interface BtfField {
  /** Names from the outermost struct on, joined by dots; anonymous members add nothing. */
  readonly path: string;
  readonly name: string;
  readonly type: number;
  readonly offsetBits: number;
  /** Bits of the value: the bit-field's own size, or that of the type; 0 when the type has no size. */
  readonly sizeBits: number;
  readonly isBitfield: boolean;
}

/** Returns size and kind of one member: `isBitfield` holds for both encodings of bit-fields. */
export function fieldOf(btf: Btf, member: BtfMember): BtfField {
  const { name, type, offsetBits, bitfieldBits } = member;
  const place = { path: name, name, type };
  if (bitfieldBits !== 0) return { ...place, offsetBits, sizeBits: bitfieldBits, isBitfield: true };
  const resolved = resolveType(btf, type);
  if (resolved.kind === "int" && resolved.sizeBits !== 8 * resolved.sizeBytes) {
    // The older encoding keeps a bit-field's size and place in its int type.
    const { sizeBits } = resolved;
    return { ...place, offsetBits: offsetBits + resolved.offsetBits, sizeBits, isBitfield: true };
  }
  return { ...place, offsetBits, sizeBits: 8 * sizeOrZero(btf, type), isBitfield: false };
}

function sizeOrZero(btf: Btf, id: number): number {
  const { kind } = resolveType(btf, id);
  return kind === "void" || kind === "fwd" || kind === "func" || kind === "func_proto" ? 0 : sizeOf(btf, id);
}

/**
 * Lists the members of a struct or union, those of anonymous members in their place.
 *
 * @throws BTF_DEPTH when anonymous members nest too deep; BTF_FIELDS when they add up to more than 65535 members.
 * @throws BTF_UNSIZED BTF_SIZE BTF_TYPE_ID
 */
export function fieldsOf(btf: Btf, type: BtfStruct | BtfUnion): readonly BtfField[] {
  const fields: BtfField[] = [];
  collect(btf, type, 0, 0, { fields, typesLeft: BTF_LIMITS.vlenLast });
  return fields;
}

interface Collection {
  readonly fields: BtfField[];
  /** Anonymous types yet to be entered; empty ones would otherwise cost time and add no member. */
  typesLeft: number;
}

function collect(
  btf: Btf,
  type: BtfStruct | BtfUnion,
  startBits: number,
  depth: number,
  into: Collection,
): void {
  const place = { what: btf.what, typeId: type.id };
  if (depth > BTF_LIMITS.depth) {
    throw btfError("BTF_DEPTH", `anonymous members nest deeper than ${BTF_LIMITS.depth}`, place);
  }
  for (const member of type.members) {
    const inner = member.name === "" ? resolveType(btf, member.type) : undefined;
    if (inner !== undefined && isComposite(inner)) {
      into.typesLeft--;
      collect(btf, inner, startBits + member.offsetBits, depth + 1, into);
    } else {
      const field = fieldOf(btf, member);
      into.fields.push({ ...field, offsetBits: startBits + field.offsetBits });
    }
    if (into.fields.length > BTF_LIMITS.vlenLast || into.typesLeft < 0) {
      throw btfError("BTF_FIELDS", `more than ${BTF_LIMITS.vlenLast} members`, place);
    }
  }
}

/** Finds a member by name, also within anonymous members; undefined when there is none. */
export function findField(btf: Btf, type: BtfStruct | BtfUnion, name: string): BtfField | undefined {
  return fieldsOf(btf, type).find((field) => field.name === name);
}

/**
 * Finds a member by a dotted path such as `iph.saddr`.
 *
 * @returns undefined when a name is missing or a struct is expected where there is none.
 */
export function findPath(btf: Btf, typeId: number, path: string): BtfField | undefined {
  let at = typeId;
  let offsetBits = 0;
  let found: BtfField | undefined;
  for (const name of path.split(".")) {
    const type = resolveType(btf, at);
    if (!isComposite(type)) return undefined;
    const field = findField(btf, type, name);
    if (field === undefined) return undefined;
    offsetBits += field.offsetBits;
    found = { ...field, path, offsetBits };
    at = field.type;
  }
  return found;
}
