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
import { FLAG } from "../state/reg.ts";

type Composite = BtfStruct | BtfUnion;

/** What lies at an offset of a struct. */
export type Found =
  | { readonly kind: "scalar" }
  /** A pointer member to another struct; flags say what its tag or a union around it makes of it. */
  | { readonly kind: "ptr"; readonly struct: Composite; readonly field: string; readonly flags: number }
  /** A pointer member to anything else. */
  | { readonly kind: "mem" }
  /** A struct inside that starts at the offset. */
  | { readonly kind: "struct"; readonly struct: Composite }
  | { readonly kind: "error"; readonly text: string; readonly errno: ErrnoName };

const SCALAR: Found = { kind: "scalar" };
const MEM: Found = { kind: "mem" };
const POINTER_BYTES = 8;
const MAX_DEPTH = 64;
const TAGS: Readonly<Record<string, number>> = { user: FLAG.user, percpu: FLAG.percpu, rcu: FLAG.rcu };

const fail = (text: string, errno: ErrnoName = "EACCES"): Found => ({ kind: "error", text, errno });

interface Access {
  readonly off: number;
  readonly size: number;
}
/** Where one step of the walk leads: to an answer, or on into an inner struct. */
type Step = { readonly found: Found } | { readonly into: Composite; readonly off: number };

const isComposite = (type: BtfType): type is Composite => type.kind === "struct" || type.kind === "union";
/** A union of several members: pointers behind it are whatever was stored last. */
const isAmbiguous = (type: BtfType): boolean => type.kind === "union" && type.members.length !== 1;

/** Finds what an access of `size` bytes at `off` of a struct reads or writes, through inner structs. */
export function walkStruct(btf: Btf, type: Composite, access: Access, isUntrusted = false): Found {
  let at: Found = { kind: "struct", struct: type };
  let { off } = access;
  let flags = isUntrusted ? FLAG.untrusted : 0;
  for (let depth = 0; at.kind === "struct" && depth < MAX_DEPTH; depth++) {
    const level: { readonly found: Found; readonly flags: number } = walkLevel(
      btf,
      at.struct,
      { ...access, off },
      flags,
    );
    flags = level.flags;
    at = level.found;
    off = 0;
  }
  return at.kind === "struct" ? fail("max struct nesting depth exceeded", "EINVAL") : at;
}

/**
 * Says whether a struct of a name starts at an offset of a type, itself included.
 *
 * @source linux 6.18 kernel/bpf/btf.c btf_struct_ids_match
 */
export function hasStructAt(btf: Btf, type: Composite, off: number, name: string): boolean {
  let at: Found = { kind: "struct", struct: type };
  let from = off;
  if (off === 0 && type.name === name) return true;
  for (let depth = 0; at.kind === "struct" && depth < MAX_DEPTH; depth++) {
    at = walkLevel(btf, at.struct, { off: from, size: 1 }, 0).found;
    if (at.kind === "struct" && at.struct.name === name) return true;
    from = 0;
  }
  return false;
}

/** Walks until a member starts at the offset or the answer is known. */
function walkLevel(
  btf: Btf,
  type: Composite,
  access: Access,
  before: number,
): { readonly found: Found; readonly flags: number } {
  let struct = type;
  let { off } = access;
  let flags = before;
  for (let depth = 0; depth < MAX_DEPTH; depth++) {
    if (isAmbiguous(struct)) flags |= FLAG.untrusted;
    const step = stepInto(btf, struct, { off, size: access.size }, flags);
    if ("found" in step) return { found: step.found, flags };
    if (isAmbiguous(step.into)) flags |= FLAG.untrusted;
    if (step.off === 0) return { found: { kind: "struct", struct: step.into }, flags };
    struct = step.into;
    off = step.off;
  }
  return { found: fail("max struct nesting depth exceeded", "EINVAL"), flags };
}

function stepInto(btf: Btf, type: Composite, access: Access, flags: number): Step {
  const { off, size } = access;
  if (off + size > type.sizeBytes) {
    const open = openEnd(btf, type, off);
    return open ?? { found: fail(`access beyond struct ${type.name} at off ${off} size ${size}`) };
  }
  for (const member of type.members) {
    const start = Math.floor(member.offsetBits / 8);
    if (off + size <= start) break;
    if (member.bitfieldBits !== 0) {
      const end = Math.ceil((member.offsetBits + member.bitfieldBits) / 8);
      if (off <= start && end <= off + size) return { found: SCALAR };
      continue;
    }
    if (off < start) break;
    if (off >= start + sizeOrZero(btf, member.type)) continue;
    return atMember(btf, type, member, access, flags);
  }
  return { found: fail(`struct ${type.name} doesn't have field at offset ${off}`, "EINVAL") };
}

/** An access behind a struct that ends in an array of no fixed length. */
function openEnd(btf: Btf, type: Composite, off: number): Step | undefined {
  const last = type.members.at(-1);
  const lastType = last === undefined ? undefined : resolveType(btf, last.type);
  if (last === undefined || lastType?.kind !== "array" || lastType.count !== 0) return undefined;
  const start = last.offsetBits / 8;
  if (off < start) return undefined;
  const elem = resolveType(btf, lastType.elem);
  if (elem.kind === "int") return { found: SCALAR };
  if (!isComposite(elem) || elem.sizeBytes === 0) return undefined;
  return { into: elem, off: (off - start) % elem.sizeBytes };
}

function atMember(btf: Btf, type: Composite, member: BtfMember, access: Access, flags: number): Step {
  const { off, size } = access;
  const end = member.offsetBits / 8 + sizeOrZero(btf, member.type);
  let start = member.offsetBits / 8;
  let inner = resolveType(btf, member.type);
  if (inner.kind === "array") {
    while (inner.kind === "array") inner = resolveType(btf, inner.elem);
    const bytes = sizeOrZero(btf, inner.id);
    if (bytes > 0) start += Math.floor((off - start) / bytes) * bytes;
  }
  if (isComposite(inner)) return { into: inner, off: off - start };
  if (inner.kind === "ptr")
    return { found: atPointer(btf, type, { member, start, target: inner.type }, access, flags) };
  if (off + size > end && (flags & FLAG.untrusted) === 0) {
    const text = `access beyond the end of member ${member.name} (mend:${end}) in struct ${type.name} with off ${off} size ${size}`;
    return { found: fail(text) };
  }
  return { found: SCALAR };
}

interface PointerMember {
  readonly member: BtfMember;
  readonly start: number;
  readonly target: number;
}

function atPointer(
  btf: Btf,
  type: Composite,
  pointer: PointerMember,
  { off, size }: Access,
  flags: number,
): Found {
  const { member, start } = pointer;
  if (size !== POINTER_BYTES || off !== start) {
    return fail(
      `cannot access ptr member ${member.name} with moff ${start} in struct ${type.name} with off ${off} size ${size}`,
    );
  }
  const target = resolveType(btf, pointer.target);
  if (!isComposite(target)) return MEM;
  const tag = btf.type(pointer.target);
  const tagFlags = tag.kind === "type_tag" ? (TAGS[tag.name] ?? 0) : 0;
  return { kind: "ptr", struct: target, field: member.name, flags: flags | tagFlags };
}

function sizeOrZero(btf: Btf, id: number): number {
  try {
    return sizeOf(btf, id);
  } catch {
    return 0;
  }
}
