import { type Btf, type BtfType, resolveType } from "@tsbpf/btf";

/** Structs within structs that are looked into. */
const DEPTH_LAST = 3;

const isScalar = ({ kind }: BtfType): boolean => kind === "int" || kind === "enum" || kind === "enum64";

/**
 * Tells whether a type is a struct or union of nothing but numbers, structs and arrays of such (H-140).
 *
 * @param depth - structs around it.
 * @source linux 6.18 kernel/bpf/verifier.c __btf_type_is_scalar_struct
 */
export function isScalarStruct(btf: Btf, type: BtfType, depth = 0): boolean {
  if (type.kind !== "struct" && type.kind !== "union") return false;
  return type.members.every((member) => {
    const inner = resolveType(btf, member.type);
    if (inner.kind === "struct" || inner.kind === "union") {
      return depth < DEPTH_LAST && isScalarStruct(btf, inner, depth + 1);
    }
    if (inner.kind === "array") return inner.count > 0 && isScalar(resolveType(btf, inner.elem));
    return isScalar(inner);
  });
}
