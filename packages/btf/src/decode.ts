import { BTF_LINKAGES, type BtfKind, TYPE_HEAD_BYTES } from "./kinds.ts";
import { type BtfTable, readHead, stringAt, type TypeHead } from "./table.ts";
import type { BtfIntEncoding, BtfMember, BtfParam, BtfType, BtfTypeOf } from "./types.ts";

interface Decode {
  readonly table: BtfTable;
  readonly id: number;
  readonly name: string;
  readonly head: TypeHead;
  readonly extra: number;
}

function items<T>(decode: Decode, itemBytes: number, read: (offset: number) => T): T[] {
  const list: T[] = [];
  for (let i = 0, at = decode.extra; i < decode.head.vlen; i++, at += itemBytes) list.push(read(at));
  return list;
}

const intEncoding = (bits: number): BtfIntEncoding =>
  bits & 1 ? "signed" : bits & 2 ? "char" : bits & 4 ? "bool" : "unsigned";

function decodeInt({ table, id, name, head, extra }: Decode): BtfTypeOf<"int"> {
  const word = table.types.u32(extra);
  return {
    kind: "int",
    id,
    name,
    sizeBytes: head.sizeOrType,
    encoding: intEncoding(word >>> 24),
    offsetBits: (word >>> 16) & 0xff,
    sizeBits: word & 0xff,
  };
}

function decodeMembers(decode: Decode): BtfMember[] {
  const { table, head } = decode;
  return items(decode, 12, (at) => {
    const word = table.types.u32(at + 8);
    return {
      name: stringAt(table, table.types.u32(at)),
      type: table.types.u32(at + 4),
      offsetBits: head.kindFlag ? word & 0xff_ffff : word,
      bitfieldBits: head.kindFlag ? word >>> 24 : 0,
    };
  });
}

function decodeFuncProto(decode: Decode): BtfTypeOf<"func_proto"> {
  const { table, id, name, head } = decode;
  const params: BtfParam[] = items(decode, 8, (at) => ({
    name: stringAt(table, table.types.u32(at)),
    type: table.types.u32(at + 4),
  }));
  // A last parameter without name and type stands for `...`.
  const last = params.at(-1);
  const isVariadic = last !== undefined && last.type === 0 && last.name === "";
  if (isVariadic) params.pop();
  return { kind: "func_proto", id, name, returns: head.sizeOrType, params, isVariadic };
}

const linkage = (number: number) => BTF_LINKAGES[number] ?? "static";
const refers = <K extends BtfKind>(kind: K, { id, name, head }: Decode) => ({
  kind,
  id,
  name,
  type: head.sizeOrType,
});
const composite = <K extends "struct" | "union">(kind: K, decode: Decode) => ({
  kind,
  id: decode.id,
  name: decode.name,
  sizeBytes: decode.head.sizeOrType,
  members: decodeMembers(decode),
  hasBitfields: decode.head.kindFlag,
});
const enumeration = <K extends "enum" | "enum64">(
  kind: K,
  decode: Decode,
  itemBytes: number,
  value: (offset: number) => bigint,
) => ({
  kind,
  id: decode.id,
  name: decode.name,
  sizeBytes: decode.head.sizeOrType,
  isSigned: decode.head.kindFlag,
  values: items(decode, itemBytes, (at) => ({
    name: stringAt(decode.table, decode.table.types.u32(at)),
    value: value(at + 4),
  })),
});

const DECODERS: { readonly [K in BtfKind]: (decode: Decode) => BtfTypeOf<K> } = {
  void: () => VOID,
  int: decodeInt,
  ptr: (decode) => refers("ptr", decode),
  array: ({ table, id, name, extra }) => ({
    kind: "array",
    id,
    name,
    elem: table.types.u32(extra),
    index: table.types.u32(extra + 4),
    count: table.types.u32(extra + 8),
  }),
  struct: (decode) => composite("struct", decode),
  union: (decode) => composite("union", decode),
  enum: (decode) => {
    const { types } = decode.table;
    return enumeration("enum", decode, 8, (at) =>
      BigInt(decode.head.kindFlag ? types.s32(at) : types.u32(at)),
    );
  },
  fwd: ({ id, name, head }) => ({ kind: "fwd", id, name, isUnion: head.kindFlag }),
  typedef: (decode) => refers("typedef", decode),
  volatile: (decode) => refers("volatile", decode),
  const: (decode) => refers("const", decode),
  restrict: (decode) => refers("restrict", decode),
  func: (decode) => ({ ...refers("func", decode), linkage: linkage(decode.head.vlen) }),
  func_proto: decodeFuncProto,
  var: (decode) => ({
    ...refers("var", decode),
    linkage: linkage(decode.table.types.u32(decode.extra)),
  }),
  datasec: (decode) => ({
    kind: "datasec",
    id: decode.id,
    name: decode.name,
    sizeBytes: decode.head.sizeOrType,
    vars: items(decode, 12, (at) => ({
      type: decode.table.types.u32(at),
      offset: decode.table.types.u32(at + 4),
      sizeBytes: decode.table.types.u32(at + 8),
    })),
  }),
  float: ({ id, name, head }) => ({ kind: "float", id, name, sizeBytes: head.sizeOrType }),
  decl_tag: (decode) => ({
    ...refers("decl_tag", decode),
    component: decode.table.types.s32(decode.extra),
    isAttribute: decode.head.kindFlag,
  }),
  type_tag: (decode) => ({ ...refers("type_tag", decode), isAttribute: decode.head.kindFlag }),
  enum64: (decode) => {
    const { types } = decode.table;
    return enumeration("enum64", decode, 12, (at) => {
      const value = (BigInt(types.u32(at + 4)) << 32n) | BigInt(types.u32(at));
      return decode.head.kindFlag ? BigInt.asIntN(64, value) : value;
    });
  },
};

/** The type that id 0 names. */
export const VOID: BtfTypeOf<"void"> = { kind: "void", id: 0, name: "" };

/** Decodes an own type of a checked table. */
export function decodeType(table: BtfTable, id: number): BtfType {
  const offset = table.offsets[id - table.firstId] ?? 0;
  const head = readHead(table.types, offset);
  const name = stringAt(table, head.nameOffset);
  return DECODERS[head.kind]({ table, id, name, head, extra: offset + TYPE_HEAD_BYTES });
}
