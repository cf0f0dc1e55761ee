import { toU64 } from "@tsbpf/base";
import { btfError } from "../errors.ts";
import type { CoreKind } from "../ext.ts";
import { isComposite, resolveType, sizeOf } from "../query.ts";
import type { BtfMember, BtfType } from "../types.ts";
import { type CoreSpec, coreSubject } from "./spec.ts";

/** The answer to a relocation in one table. */
export interface CoreValue {
  readonly value: bigint;
  /** Whether the instruction of the object must already hold the local value: not where compilers may differ. */
  readonly isExact: boolean;
  /** What loads and stores of the field move; undefined where the access size does not matter. */
  readonly access?: { readonly sizeBytes: number; readonly type: BtfType };
}

/** Bytes that a load of a bit-field takes (L-99). */
interface LoadUnit {
  readonly offset: number;
  readonly sizeBytes: number;
}

function loadUnit(spec: CoreSpec, declaredBytes: number, sizeBits: number): LoadUnit {
  let sizeBytes = Math.max(1, declaredBytes);
  const start = () => Math.floor(spec.offsetBits / 8 / sizeBytes) * sizeBytes;
  while (spec.offsetBits + sizeBits - start() * 8 > sizeBytes * 8) {
    if (sizeBytes >= 8) {
      throw btfError("BTF_CORE_BITFIELD", `bit-field of ${sizeBits} bits does not fit a load of 8 bytes`, {
        what: spec.btf.what,
        typeId: spec.rootId,
      });
    }
    sizeBytes *= 2;
  }
  return { offset: start(), sizeBytes };
}

/** Size and type of what a load moves; of an array it moves one element. */
function accessOf(spec: CoreSpec, typeId: number): NonNullable<CoreValue["access"]> {
  let type = resolveType(spec.btf, typeId);
  for (let depth = 0; type.kind === "array" && depth < 32; depth++) type = resolveType(spec.btf, type.elem);
  return { sizeBytes: sizeOf(spec.btf, type.id), type };
}

function elementValue(spec: CoreSpec, kind: CoreKind, typeId: number): CoreValue {
  if (kind === "field_byte_size") return { value: BigInt(sizeOf(spec.btf, typeId)), isExact: true };
  if (kind === "field_byte_offset") {
    const value = BigInt(Math.floor(spec.offsetBits / 8));
    const sizeBytes = sizeOf(spec.btf, typeId);
    return { value, isExact: true, access: { sizeBytes, type: spec.btf.type(typeId) } };
  }
  throw btfError("BTF_CORE_SPEC", `CO-RE relocation ${kind} does not apply to array elements`, {
    what: spec.btf.what,
    typeId: spec.rootId,
  });
}

const isSigned = (type: BtfType): boolean =>
  (type.kind === "int" && type.encoding === "signed") ||
  ((type.kind === "enum" || type.kind === "enum64") && type.isSigned);

function memberValue(spec: CoreSpec, kind: CoreKind, member: BtfMember): CoreValue {
  const type = resolveType(spec.btf, member.type);
  const isBitfield = member.bitfieldBits > 0;
  const declaredBytes = sizeOf(spec.btf, type.id);
  const sizeBits = isBitfield ? member.bitfieldBits : declaredBytes * 8;
  const unit = isBitfield
    ? loadUnit(spec, declaredBytes, sizeBits)
    : { offset: Math.floor(spec.offsetBits / 8), sizeBytes: declaredBytes };
  const isExact = !isBitfield;
  switch (kind) {
    case "field_byte_offset":
      return {
        value: BigInt(unit.offset),
        isExact,
        ...(isBitfield ? {} : { access: accessOf(spec, member.type) }),
      };
    case "field_byte_size":
      return { value: BigInt(unit.sizeBytes), isExact };
    case "field_signed":
      return { value: isSigned(type) ? 1n : 0n, isExact: true };
    case "field_lshift_u64": {
      const inUnit = spec.offsetBits - unit.offset * 8;
      const shift =
        spec.btf.endian === "little" ? 64 - (inUnit + sizeBits) : (8 - unit.sizeBytes) * 8 + inUnit;
      return { value: toU64(BigInt(shift)), isExact };
    }
    default:
      // The right shift is never ambiguous.
      return { value: toU64(BigInt(64 - sizeBits)), isExact: true };
  }
}

function fieldValue(spec: CoreSpec, kind: CoreKind): CoreValue {
  const last = spec.accessors.at(-1);
  if (last?.name === undefined) return elementValue(spec, kind, last?.typeId ?? spec.rootId);
  const owner = spec.btf.type(last.typeId);
  const member = isComposite(owner) ? owner.members[last.index] : undefined;
  if (member !== undefined) return memberValue(spec, kind, member);
  throw btfError("BTF_CORE_SPEC", `no member ${last.index}`, { what: spec.btf.what, typeId: last.typeId });
}

function enumeratorValue(spec: CoreSpec): CoreValue {
  const accessor = spec.accessors[0];
  const type = resolveType(spec.btf, spec.rootId);
  const values = type.kind === "enum" || type.kind === "enum64" ? type.values : [];
  return { value: toU64(values[accessor?.index ?? 0]?.value ?? 0n), isExact: true };
}

/**
 * Computes what a relocation asks for in one table.
 *
 * @param spec - where it leads there; undefined when nothing fits.
 * @returns undefined when there is no answer and code that needs it cannot run (L-97).
 * @throws BTF_CORE_SPEC BTF_CORE_BITFIELD BTF_UNSIZED BTF_SIZE BTF_DEPTH
 */
export function coreValue(kind: CoreKind, spec: CoreSpec | undefined): CoreValue | undefined {
  if (
    kind === "field_exists" ||
    kind === "enumval_exists" ||
    kind === "type_exists" ||
    kind === "type_matches"
  ) {
    return { value: spec === undefined ? 0n : 1n, isExact: true };
  }
  switch (coreSubject(kind)) {
    case "field":
      return spec === undefined ? undefined : fieldValue(spec, kind);
    case "enumval":
      return spec === undefined ? undefined : enumeratorValue(spec);
    case "type":
      // Type ids change when objects are linked, so none is expected in the instruction.
      if (kind === "type_size") {
        return { value: spec === undefined ? 0n : BigInt(sizeOf(spec.btf, spec.rootId)), isExact: true };
      }
      return { value: BigInt(spec?.rootId ?? 0), isExact: false };
  }
}
