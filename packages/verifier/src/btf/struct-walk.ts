import type { ErrnoName } from "@tsbpf/abi";
import {
  type Btf,
  type BtfMember,
  type BtfStruct,
  type BtfType,
  type BtfUnion,
  resolveType,
  sizeOf,
} from "@tsbpf/btf";

/** What lies at an offset of a struct. */
export type Found =
  | { readonly kind: "scalar" }
  /** A pointer member to another struct; `inUnion` says that other members share its bytes. */
  | { readonly kind: "ptr"; readonly struct: BtfStruct; readonly field: string; readonly inUnion: boolean }
  | { readonly kind: "error"; readonly text: string; readonly errno: ErrnoName };

const SCALAR: Found = { kind: "scalar" };
const POINTER_BYTES = 8;
const MAX_DEPTH = 16;

const fail = (text: string, errno: ErrnoName = "EACCES"): Found => ({ kind: "error", text, errno });

interface Access {
  readonly off: number;
  readonly size: number;
}

/** Finds what an access of `size` bytes at `off` of a struct reads or writes. */
export function walkStruct(btf: Btf, type: BtfStruct | BtfUnion, access: Access): Found {
  return walk(btf, type, access, { depth: 0, inUnion: type.kind === "union" });
}

interface Place {
  readonly depth: number;
  readonly inUnion: boolean;
}

function walk(btf: Btf, type: BtfStruct | BtfUnion, access: Access, place: Place): Found {
  const { off, size } = access;
  if (off + size > type.sizeBytes && !hasOpenEnd(btf, type, off)) {
    return fail(`access beyond struct ${type.name} at off ${off} size ${size}`);
  }
  if (place.depth > MAX_DEPTH) return fail("max struct nesting depth exceeded", "EINVAL");
  let failure: Found | undefined;
  for (const member of type.members) {
    const found = inMember(btf, type, member, access, place);
    if (found === undefined) continue;
    if (found.kind !== "error") return found;
    failure ??= found;
    if (type.kind === "struct") return failure;
  }
  return failure ?? fail(`struct ${type.name} doesn't have field at offset ${off}`, "EINVAL");
}

/** Whether a struct ends in an array of no fixed length that the access lies in. */
function hasOpenEnd(btf: Btf, type: BtfStruct | BtfUnion, off: number): boolean {
  const last = type.members.at(-1);
  if (last === undefined || off < last.offsetBits / 8) return false;
  const lastType = resolveType(btf, last.type);
  return lastType.kind === "array" && lastType.count === 0;
}

function inMember(
  btf: Btf,
  type: BtfStruct | BtfUnion,
  member: BtfMember,
  access: Access,
  place: Place,
): Found | undefined {
  const { off, size } = access;
  if (member.bitfieldBits !== 0) {
    const startBits = member.offsetBits;
    const endBits = startBits + member.bitfieldBits;
    return off * 8 < endBits && (off + size) * 8 > startBits ? SCALAR : undefined;
  }
  const start = member.offsetBits / 8;
  if (off < start) return undefined;
  let inner: BtfType = resolveType(btf, member.type);
  let at = off - start;
  let elemBytes = sizeOrZero(btf, inner);
  const isOpen = inner.kind === "array" && inner.count === 0;
  if (!isOpen && at >= elemBytes) return undefined;
  while (inner.kind === "array") {
    const elem: BtfType = resolveType(btf, inner.elem);
    elemBytes = sizeOrZero(btf, elem);
    if (elemBytes === 0) return SCALAR;
    at %= elemBytes;
    inner = elem;
  }
  const next: Place = { depth: place.depth + 1, inUnion: place.inUnion || inner.kind === "union" };
  if (inner.kind === "struct" || inner.kind === "union") {
    return walk(btf, inner, { off: at, size }, next);
  }
  if (inner.kind === "ptr") return atPointer(btf, type, member, inner, access, place);
  if (at + size > elemBytes) {
    return fail(
      `access beyond the end of member ${member.name} (mend:${start + elemBytes}) in struct ${type.name} with off ${off} size ${size}`,
    );
  }
  return SCALAR;
}

function atPointer(
  btf: Btf,
  type: BtfStruct | BtfUnion,
  member: BtfMember,
  ptr: Extract<BtfType, { kind: "ptr" }>,
  { off, size }: Access,
  place: Place,
): Found {
  const start = member.offsetBits / 8;
  const within = (off - start) % POINTER_BYTES;
  if (size !== POINTER_BYTES || within !== 0) {
    return fail(
      `cannot access ptr member ${member.name} with moff ${start} in struct ${type.name} with off ${off} size ${size}`,
    );
  }
  const target = resolveType(btf, ptr.type);
  if (target.kind !== "struct") return SCALAR;
  return { kind: "ptr", struct: target, field: member.name, inUnion: place.inUnion };
}

function sizeOrZero(btf: Btf, type: BtfType): number {
  if (type.kind === "array" && type.count === 0) return 0;
  try {
    return sizeOf(btf, type.id);
  } catch {
    return 0;
  }
}
