import type { Btf } from "./btf.ts";
import { btfError } from "./errors.ts";
import { BTF_LIMITS } from "./kinds.ts";
import type { BtfDatasec, BtfDeclTag, BtfFuncProto, BtfStruct, BtfType, BtfUnion, BtfVar } from "./types.ts";

/** Bytes of a pointer of the BPF target. */
export const POINTER_BYTES = 8;

const tooDeep = (btf: Btf, typeId: number) =>
  btfError("BTF_DEPTH", `chain of more than ${BTF_LIMITS.depth} types, a cycle or nested too deep,`, {
    what: btf.what,
    typeId,
  });

/**
 * Follows const, volatile, restrict and type tags, but no typedef.
 *
 * @throws BTF_DEPTH BTF_TYPE_ID
 */
export function skipModifiers(btf: Btf, id: number): BtfType {
  let type = btf.type(id);
  for (let depth = 0; isModifier(type); depth++) {
    if (depth >= BTF_LIMITS.depth) throw tooDeep(btf, id);
    type = btf.type(type.type);
  }
  return type;
}

/**
 * Follows modifiers and typedefs to the type that says what the bytes are.
 *
 * @throws BTF_DEPTH BTF_TYPE_ID
 */
export function resolveType(btf: Btf, id: number): BtfType {
  let type = btf.type(id);
  for (let depth = 0; isModifier(type) || type.kind === "typedef"; depth++) {
    if (depth >= BTF_LIMITS.depth) throw tooDeep(btf, id);
    type = btf.type(type.type);
  }
  return type;
}

/** Says whether a type is const, volatile, restrict or a type tag. */
export const isModifier = (
  type: BtfType,
): type is Extract<BtfType, { kind: "const" | "volatile" | "restrict" | "type_tag" }> =>
  type.kind === "const" || type.kind === "volatile" || type.kind === "restrict" || type.kind === "type_tag";

/** Says whether a type is a struct or a union. */
export const isComposite = (type: BtfType): type is BtfStruct | BtfUnion =>
  type.kind === "struct" || type.kind === "union";

/**
 * Returns the size of a value of a type in bytes, 0..2^32-1.
 *
 * @throws BTF_UNSIZED when the type has none: void, forward declarations, functions.
 * @throws BTF_SIZE when arrays multiply past 2^32-1.
 * @throws BTF_DEPTH BTF_TYPE_ID
 * @source linux tools/lib/bpf/btf.c btf__resolve_size
 */
export function sizeOf(btf: Btf, id: number): number {
  let count = 1;
  let at = id;
  for (let depth = 0; depth <= BTF_LIMITS.depth; depth++) {
    const type = btf.type(at);
    switch (type.kind) {
      case "int":
      case "struct":
      case "union":
      case "enum":
      case "enum64":
      case "float":
      case "datasec":
        return checkSize(btf, id, count * type.sizeBytes);
      case "ptr":
        return checkSize(btf, id, count * POINTER_BYTES);
      case "array":
        // Checked at every step, so that the product never leaves the range that a number compares rightly.
        count = checkSize(btf, id, count * type.count);
        at = type.elem;
        break;
      case "typedef":
      case "volatile":
      case "const":
      case "restrict":
      case "type_tag":
      case "decl_tag":
      case "var":
        at = type.type;
        break;
      case "void":
      case "fwd":
      case "func":
      case "func_proto":
        throw btfError("BTF_UNSIZED", `${type.kind} has no size`, { what: btf.what, typeId: id });
    }
  }
  throw tooDeep(btf, id);
}

function checkSize(btf: Btf, typeId: number, size: number): number {
  if (size <= BTF_LIMITS.sizeLast) return size;
  throw btfError("BTF_SIZE", `size of ${size} bytes, at most ${BTF_LIMITS.sizeLast} allowed`, {
    what: btf.what,
    typeId,
  });
}

// Alignments of composites, kept because members share them: without it nesting costs exponential time.
const alignments = new WeakMap<Btf, Map<number, number>>();

/**
 * Returns the natural alignment of a type in bytes: 1, 2, 4 or 8; 1 for packed structs.
 *
 * @throws BTF_UNSIZED BTF_DEPTH BTF_TYPE_ID
 * @source linux tools/lib/bpf/btf.c btf__align_of
 */
export function alignOf(btf: Btf, id: number): number {
  let memo = alignments.get(btf);
  if (memo === undefined) {
    memo = new Map();
    alignments.set(btf, memo);
  }
  return alignAt(btf, id, memo, 0);
}

function alignAt(btf: Btf, id: number, memo: Map<number, number>, depth: number): number {
  if (depth > BTF_LIMITS.depth) throw tooDeep(btf, id);
  const type = btf.type(id);
  switch (type.kind) {
    case "int":
    case "enum":
    case "enum64":
    case "float":
      return Math.min(POINTER_BYTES, Math.max(1, type.sizeBytes));
    case "ptr":
      return POINTER_BYTES;
    case "array":
      return alignAt(btf, type.elem, memo, depth + 1);
    case "typedef":
    case "volatile":
    case "const":
    case "restrict":
    case "type_tag":
    case "decl_tag":
    case "var":
      return alignAt(btf, type.type, memo, depth + 1);
    case "struct":
    case "union": {
      const known = memo.get(id);
      if (known !== undefined) return known;
      const align = compositeAlign(btf, type, memo, depth);
      memo.set(id, align);
      return align;
    }
    case "void":
    case "fwd":
    case "func":
    case "func_proto":
    case "datasec":
      throw btfError("BTF_UNSIZED", `${type.kind} has no alignment`, { what: btf.what, typeId: id });
  }
}

function compositeAlign(
  btf: Btf,
  type: BtfStruct | BtfUnion,
  memo: Map<number, number>,
  depth: number,
): number {
  let largest = 1;
  for (const member of type.members) {
    const align = alignAt(btf, member.type, memo, depth + 1);
    // A plain member off its alignment betrays a packed struct.
    if (member.bitfieldBits === 0 && member.offsetBits % (8 * align) !== 0) return 1;
    largest = Math.max(largest, align);
  }
  return type.sizeBytes % largest === 0 ? largest : 1;
}

/**
 * Returns the prototype of a function.
 *
 * @throws BTF_KIND_MISMATCH BTF_TYPE_ID
 */
export const funcProtoOf = (btf: Btf, funcId: number): BtfFuncProto =>
  btf.typeOfKind(btf.typeOfKind(funcId, "func").type, "func_proto");

/** Returns the section with a name, or undefined. */
export function findDatasec(btf: Btf, name: string): BtfDatasec | undefined {
  const id = btf.idsOf(name, "datasec")[0];
  return id === undefined ? undefined : btf.typeOfKind(id, "datasec");
}

/** A variable of a section, with what its VAR type says. */
export interface SectionVariable {
  readonly variable: BtfVar;
  readonly offset: number;
  readonly sizeBytes: number;
}

/** Returns the variables of a section; the functions that extern sections may hold are left out. */
export function sectionVariables(btf: Btf, section: BtfDatasec): readonly SectionVariable[] {
  const variables: SectionVariable[] = [];
  for (const { type, offset, sizeBytes } of section.vars) {
    if (btf.kindOf(type) !== "var") continue;
    variables.push({ variable: btf.typeOfKind(type, "var"), offset, sizeBytes });
  }
  return variables;
}

// Declaration tags by the type they are on.
const declTags = new WeakMap<Btf, Map<number, BtfDeclTag[]>>();

/**
 * Returns the declaration tags of a type or of one of its members or parameters.
 *
 * @param component - member or parameter index; -1 for the type itself; undefined for all.
 */
export function declTagsOf(btf: Btf, typeId: number, component?: number): readonly BtfDeclTag[] {
  let index = declTags.get(btf);
  if (index === undefined) {
    index = indexDeclTags(btf);
    declTags.set(btf, index);
  }
  const tags = [
    ...(btf.base === undefined ? [] : declTagsOf(btf.base, typeId)),
    ...(index.get(typeId) ?? []),
  ];
  return component === undefined ? tags : tags.filter((tag) => tag.component === component);
}

function indexDeclTags(btf: Btf): Map<number, BtfDeclTag[]> {
  const index = new Map<number, BtfDeclTag[]>();
  for (let id = btf.firstId; id < btf.endId; id++) {
    if (btf.kindOf(id) !== "decl_tag") continue;
    const tag = btf.typeOfKind(id, "decl_tag");
    const list = index.get(tag.type);
    if (list === undefined) index.set(tag.type, [tag]);
    else list.push(tag);
  }
  return index;
}
