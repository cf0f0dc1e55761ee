import { ByteReader, type Endian, StringTable, UnsupportedError } from "@tsbpf/base";
import { btfError } from "./errors.ts";
import { parseHeader } from "./header.ts";
import { BTF_KINDS, BTF_LIMITS, type BtfKind, TYPE_HEAD_BYTES } from "./kinds.ts";

/** The raw types and strings of one BTF blob, with where each type starts. */
export interface BtfTable {
  readonly what: string;
  readonly endian: Endian;
  readonly base: BtfTable | undefined;
  /** The type part. */
  readonly types: ByteReader;
  /** Offset of each own type within the type part. */
  readonly offsets: Uint32Array;
  /** Id of the first own type. */
  readonly firstId: number;
  /** One past the last id. */
  readonly endId: number;
  readonly strings: StringTable;
  /** Offset of the string part within the blob. */
  readonly stringsOffset: number;
  /** Whether some string is longer than a name may be. */
  readonly hasLongStrings: boolean;
  /** Offset of `strings[0]` in the joint space of base and own strings. */
  readonly stringsStart: number;
  /** One past the last string offset. */
  readonly stringsEnd: number;
}

/** The first 12 bytes of a type. */
export interface TypeHead {
  readonly nameOffset: number;
  readonly kind: BtfKind;
  readonly kindFlag: boolean;
  readonly vlen: number;
  /** Size in bytes, or id of the type referred to. */
  readonly sizeOrType: number;
}

/** Bytes after the head: a fixed part and a part for each of `vlen` items. */
const EXTRA_BYTES = {
  void: [0, 0],
  int: [4, 0],
  ptr: [0, 0],
  array: [12, 0],
  struct: [0, 12],
  union: [0, 12],
  enum: [0, 8],
  fwd: [0, 0],
  typedef: [0, 0],
  volatile: [0, 0],
  const: [0, 0],
  restrict: [0, 0],
  func: [0, 0],
  func_proto: [0, 8],
  var: [4, 0],
  datasec: [0, 12],
  float: [0, 0],
  decl_tag: [4, 0],
  type_tag: [0, 0],
  enum64: [0, 12],
} as const satisfies Record<BtfKind, readonly [number, number]>;

const KIND_SHIFT = 24;
const KIND_MASK = 0x1f;
const VLEN_MASK = 0xffff;
const RESERVED_MASK = 0x60ff_0000;

/** Reads the head of the type at an offset of the type part. */
export function readHead(types: ByteReader, offset: number): TypeHead {
  const info = types.u32(offset + 4);
  return {
    nameOffset: types.u32(offset),
    kind: BTF_KINDS[(info >>> KIND_SHIFT) & KIND_MASK] ?? "void",
    kindFlag: info >>> 31 === 1,
    vlen: info & VLEN_MASK,
    sizeOrType: types.u32(offset + 8),
  };
}

/** Checks the info word and returns how many bytes the type takes. */
function typeBytes(types: ByteReader, offset: number, typeId: number): number {
  const { what, baseOffset = 0 } = types.place;
  types.check(offset, TYPE_HEAD_BYTES);
  const info = types.u32(offset + 4);
  const place = { what, typeId, offset: baseOffset + offset + 4 };
  if ((info & RESERVED_MASK) !== 0) {
    throw btfError("BTF_INFO", `info word 0x${info.toString(16)} has reserved bits set`, place);
  }
  const kindNumber = (info >>> KIND_SHIFT) & KIND_MASK;
  const kind = BTF_KINDS[kindNumber];
  if (kind === undefined) {
    const text = `kind ${kindNumber}, 1..${BTF_KINDS.length - 1} supported, at type ${typeId}, at offset ${place.offset} of ${what}`;
    throw new UnsupportedError("BTF_KIND", text, { details: { ...place, kind: kindNumber } });
  }
  if (kind === "void") throw btfError("BTF_KIND_ZERO", "kind 0, which only type id 0 may have,", place);
  const [fixed, each] = EXTRA_BYTES[kind];
  const size = TYPE_HEAD_BYTES + fixed + each * (info & VLEN_MASK);
  types.check(offset, size);
  return size;
}

/** Finds where each type starts; ids count from `firstId`. */
function indexTypes(types: ByteReader, firstId: number): Uint32Array {
  // No type is shorter than its head, so the part's own length bounds the table.
  const offsets = new Uint32Array(Math.floor(types.lengthBytes / TYPE_HEAD_BYTES));
  let count = 0;
  for (let at = 0; at < types.lengthBytes; ) {
    const typeId = firstId + count;
    if (typeId > BTF_LIMITS.typeIdLast) {
      throw btfError("BTF_LIMIT", `more than ${BTF_LIMITS.typeIdLast} types`, {
        what: types.place.what,
        typeId,
        offset: (types.place.baseOffset ?? 0) + at,
      });
    }
    const size = typeBytes(types, at, typeId);
    offsets[count++] = at;
    at += size;
  }
  return offsets.slice(0, count);
}

function checkStrings(strings: Uint8Array, what: string, offset: number, isSplit: boolean): void {
  if (isSplit && strings.length === 0) return;
  if (strings.length === 0)
    throw btfError("BTF_STRINGS", "no strings, at least one NUL needed", { what, offset });
  if (!isSplit && strings[0] !== 0) {
    throw btfError("BTF_STRINGS", "the first string is not empty", { what, offset });
  }
  if (strings[strings.length - 1] !== 0) {
    throw btfError("BTF_STRINGS", "the strings do not end in NUL", {
      what,
      offset: offset + strings.length - 1,
    });
  }
}

function hasRunOver(strings: Uint8Array, limit: number): boolean {
  let start = 0;
  for (let at = 0; at < strings.length; at++) {
    if (strings[at] !== 0) continue;
    if (at - start > limit) return true;
    start = at + 1;
  }
  return false;
}

/** Reads header, strings and type starts of a blob; the types' own fields are not checked yet. */
export function readTable(bytes: Uint8Array, what: string, base: BtfTable | undefined): BtfTable {
  const header = parseHeader(bytes, what);
  if (base !== undefined && base.endian !== header.endian) {
    throw btfError("BTF_ENDIAN", `${header.endian}-endian types on a ${base.endian}-endian base`, {
      what,
      offset: 0,
    });
  }
  const range = (part: { readonly offset: number; readonly sizeBytes: number }) =>
    bytes.subarray(part.offset, part.offset + part.sizeBytes);
  const strings = range(header.strings);
  checkStrings(strings, what, header.strings.offset, base !== undefined);
  const types = new ByteReader(range(header.types), header.endian, {
    what,
    baseOffset: header.types.offset,
    area: "BTF",
  });
  const firstId = base?.endId ?? 1;
  const offsets = indexTypes(types, firstId);
  const stringsStart = base?.stringsEnd ?? 0;
  return {
    what,
    endian: header.endian,
    base,
    types,
    offsets,
    firstId,
    endId: firstId + offsets.length,
    strings: new StringTable(strings),
    stringsOffset: header.strings.offset,
    hasLongStrings: hasRunOver(strings, BTF_LIMITS.nameBytes),
    stringsStart,
    stringsEnd: stringsStart + strings.length,
  };
}

/**
 * Returns the string at an offset of the joint string space.
 *
 * @throws BTF_STRING_OFFSET when the offset is past the last string.
 * @throws BTF_STRING_LENGTH when the string is longer than BTF_LIMITS.stringBytes.
 */
export function stringAt(table: BtfTable, offset: number): string {
  if (offset === 0) return "";
  if (offset < table.stringsStart && table.base !== undefined) return stringAt(table.base, offset);
  const start = offset - table.stringsStart;
  const text = table.strings.at(start, BTF_LIMITS.stringBytes);
  if (text !== undefined) return text;
  if (start < 0 || start >= table.strings.bytes.length) {
    throw btfError(
      "BTF_STRING_OFFSET",
      `string offset ${offset}, the strings end at ${table.stringsEnd},`,
      { what: table.what },
      { stringOffset: offset },
    );
  }
  throw btfError("BTF_STRING_LENGTH", `string of more than ${BTF_LIMITS.stringBytes} bytes`, {
    what: table.what,
    offset: table.stringsOffset + start,
  });
}

/** Says whether the string at a valid offset is short enough for a name. */
export function isNameShort(table: BtfTable, offset: number): boolean {
  if (offset < table.stringsStart && table.base !== undefined) return isNameShort(table.base, offset);
  return offset === 0 || table.strings.sizeAt(offset - table.stringsStart, BTF_LIMITS.nameBytes) >= 0;
}
