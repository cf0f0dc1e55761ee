import { decodeUtf8, type Endian, encodeUtf8, InputError } from "@tsbpf/base";
import type { Btf } from "./btf.ts";
import { BTF_LIMITS, BTF_LINKAGES, BTF_MAGIC, type BtfKind, KIND_NUMBER } from "./kinds.ts";
import type { BtfIntEncoding, BtfMember, BtfType } from "./types.ts";

type WithoutId<T> = T extends unknown ? Omit<T, "id"> : never;

/** A type to be written: a {@link BtfType} without its id, which its position gives. */
export type BtfTypeInput = WithoutId<Exclude<BtfType, { readonly kind: "void" }>>;

/** Collects strings and types, and encodes them. */
export interface BtfBuilder {
  /** Id that the next type will get. */
  readonly nextId: number;
  /** Adds a string, once, and returns its offset. */
  addString(text: string): number;
  /** Adds a type and returns its id; it may refer to ids that follow later. */
  addType(type: BtfTypeInput): number;
  /** Puts another type in the place of one of this table. */
  replaceType(id: number, type: BtfTypeInput): void;
  /**
   * Returns the .BTF blob.
   *
   * @throws BTF_WRITE when a count, id, size or offset does not fit the format.
   */
  encode(): Uint8Array;
}

const refuse = (text: string, typeId: number): never => {
  throw new InputError("BTF_WRITE", `${text}, at type ${typeId}`, { details: { typeId } });
};

/** Writes 32-bit words of one byte order, and checks that they are such. */
class WordWriter {
  private words: Uint32Array = new Uint32Array(256);
  count = 0;

  push(value: number): void {
    if (this.count === this.words.length) {
      const larger = new Uint32Array(2 * this.words.length);
      larger.set(this.words);
      this.words = larger;
    }
    this.words[this.count++] = value;
  }

  copyTo(view: DataView, offset: number, isLittle: boolean): void {
    for (let i = 0; i < this.count; i++) view.setUint32(offset + 4 * i, this.words[i] ?? 0, isLittle);
  }
}

class StringPool {
  readonly parts: Uint8Array[];
  private readonly offsets = new Map<string, number>();
  end: number;
  readonly start: number;

  /** @param kept - strings that keep their offsets and are not written twice. */
  constructor(start: number, kept: Uint8Array | undefined) {
    // A table of its own starts with the empty string; a split one has it in its base.
    this.start = start;
    const first = kept ?? new Uint8Array(start === 0 ? 1 : 0);
    this.parts = [first];
    this.end = start + first.length;
    for (let at = 0; at < first.length; ) {
      const end = first.indexOf(0, at);
      const text = decodeUtf8(first.subarray(at, end));
      if (!this.offsets.has(text)) this.offsets.set(text, start + at);
      at = end + 1;
    }
  }

  add(text: string): number {
    if (text === "") return 0;
    const known = this.offsets.get(text);
    if (known !== undefined) return known;
    if (text.includes("\0")) throw new InputError("BTF_WRITE", `string ${JSON.stringify(text)} holds a NUL`);
    const offset = this.end;
    if (offset > BTF_LIMITS.nameOffsetLast) {
      throw new InputError("BTF_WRITE", `more than ${BTF_LIMITS.nameOffsetLast} bytes of strings`);
    }
    const bytes = encodeUtf8(`${text}\0`);
    this.parts.push(bytes);
    this.end += bytes.length;
    this.offsets.set(text, offset);
    return offset;
  }
}

interface Sink {
  readonly typeId: number;
  readonly words: WordWriter;
  readonly strings: StringPool;
}

function putHead(
  sink: Sink,
  type: { readonly kind: BtfKind; readonly name: string },
  fields: { readonly vlen?: number; readonly flag?: boolean; readonly sizeOrType?: number },
): void {
  const { vlen = 0, flag = false, sizeOrType = 0 } = fields;
  if (vlen > BTF_LIMITS.vlenLast)
    refuse(`${vlen} items, at most ${BTF_LIMITS.vlenLast} allowed`, sink.typeId);
  const name = sink.strings.add(type.name);
  sink.words.push(name);
  sink.words.push((((flag ? 1 : 0) << 31) | (KIND_NUMBER[type.kind] << 24) | vlen) >>> 0);
  putU32(sink, sizeOrType);
}

function putU32(sink: Sink, value: number): void {
  if (!Number.isInteger(value) || value < 0 || value > BTF_LIMITS.sizeLast) {
    refuse(`${value} is no unsigned 32-bit number`, sink.typeId);
  }
  sink.words.push(value);
}

const INT_ENCODING_BITS = { unsigned: 0, signed: 1, char: 2, bool: 4 } as const satisfies Record<
  BtfIntEncoding,
  number
>;

function putMember(sink: Sink, member: BtfMember, hasBitfields: boolean): void {
  putU32(sink, sink.strings.add(member.name));
  putU32(sink, member.type);
  const { offsetBits, bitfieldBits } = member;
  if (!hasBitfields) {
    if (bitfieldBits !== 0) refuse(`bit-field ${member.name} in a struct without bit-fields`, sink.typeId);
    putU32(sink, offsetBits);
    return;
  }
  if (offsetBits > 0xff_ffff || bitfieldBits > 0xff) {
    refuse(`member ${member.name} at bit ${offsetBits} of ${bitfieldBits} bits`, sink.typeId);
  }
  putU32(sink, ((bitfieldBits << 24) | offsetBits) >>> 0);
}

type ListKind = "struct" | "union" | "enum" | "enum64" | "func_proto" | "datasec";

/** Writes a type that has items: members, enumerators, parameters, variables. */
function putListType(sink: Sink, type: Extract<BtfTypeInput, { readonly kind: ListKind }>): void {
  switch (type.kind) {
    case "struct":
    case "union":
      putHead(sink, type, {
        vlen: type.members.length,
        flag: type.hasBitfields,
        sizeOrType: type.sizeBytes,
      });
      for (const member of type.members) putMember(sink, member, type.hasBitfields);
      return;
    case "enum":
    case "enum64":
      putHead(sink, type, { vlen: type.values.length, flag: type.isSigned, sizeOrType: type.sizeBytes });
      for (const { name, value } of type.values) {
        putU32(sink, sink.strings.add(name));
        putU32(sink, Number(BigInt.asUintN(32, value)));
        if (type.kind === "enum64") putU32(sink, Number(BigInt.asUintN(32, value >> 32n)));
      }
      return;
    case "func_proto": {
      const params = type.isVariadic ? [...type.params, { name: "", type: 0 }] : type.params;
      putHead(sink, type, { vlen: params.length, sizeOrType: type.returns });
      for (const param of params) {
        putU32(sink, sink.strings.add(param.name));
        putU32(sink, param.type);
      }
      return;
    }
    case "datasec":
      putHead(sink, type, { vlen: type.vars.length, sizeOrType: type.sizeBytes });
      for (const variable of type.vars) {
        for (const word of [variable.type, variable.offset, variable.sizeBytes]) putU32(sink, word);
      }
  }
}

/** Writes one type. @source linux Documentation/bpf/btf.rst "Type Encoding" */
function putType(sink: Sink, type: BtfTypeInput): void {
  switch (type.kind) {
    case "int":
      putHead(sink, type, { sizeOrType: type.sizeBytes });
      putU32(sink, (INT_ENCODING_BITS[type.encoding] << 24) | (type.offsetBits << 16) | type.sizeBits);
      return;
    case "ptr":
    case "typedef":
    case "volatile":
    case "const":
    case "restrict":
      putHead(sink, type, { sizeOrType: type.type });
      return;
    case "type_tag":
      putHead(sink, type, { sizeOrType: type.type, flag: type.isAttribute });
      return;
    case "array":
      putHead(sink, type, {});
      for (const word of [type.elem, type.index, type.count]) putU32(sink, word);
      return;
    case "fwd":
      putHead(sink, type, { flag: type.isUnion });
      return;
    case "func":
      putHead(sink, type, { vlen: BTF_LINKAGES.indexOf(type.linkage), sizeOrType: type.type });
      return;
    case "var":
      putHead(sink, type, { sizeOrType: type.type });
      putU32(sink, BTF_LINKAGES.indexOf(type.linkage));
      return;
    case "float":
      putHead(sink, type, { sizeOrType: type.sizeBytes });
      return;
    case "decl_tag":
      putHead(sink, type, { sizeOrType: type.type, flag: type.isAttribute });
      putU32(sink, type.component >>> 0);
      return;
    default:
      putListType(sink, type);
  }
}

const HEADER_BYTES = 24;

/**
 * Creates a builder of a BTF table.
 *
 * @param options.base - the table that a split table continues; its strings and types are not looked through.
 * @param options.strings - a string part to start with, which ends in NUL: offsets into it stay right.
 */
export function createBtfBuilder(
  options: { readonly endian?: Endian; readonly base?: Btf; readonly strings?: Uint8Array } = {},
): BtfBuilder {
  const { base } = options;
  const endian = options.endian ?? base?.endian ?? "little";
  const firstId = base?.endId ?? 1;
  const types: BtfTypeInput[] = [];
  const strings = new StringPool(base?.stringsEnd ?? 0, options.strings);
  return {
    get nextId() {
      return firstId + types.length;
    },
    addString: (text) => strings.add(text),
    addType: (type) => firstId + types.push(type) - 1,
    replaceType(id, type) {
      if (id < firstId || id >= firstId + types.length) refuse("no such type to replace", id);
      types[id - firstId] = type;
    },
    encode() {
      const words = new WordWriter();
      types.forEach((type, i) => {
        putType({ typeId: firstId + i, words, strings }, type);
      });
      return assemble(words, strings, endian);
    },
  };
}

function assemble(words: WordWriter, strings: StringPool, endian: Endian): Uint8Array {
  const isLittle = endian === "little";
  const typeBytes = 4 * words.count;
  const stringBytes = strings.end - strings.start;
  const bytes = new Uint8Array(HEADER_BYTES + typeBytes + stringBytes);
  const view = new DataView(bytes.buffer);
  view.setUint16(0, BTF_MAGIC, isLittle);
  view.setUint8(2, 1);
  [HEADER_BYTES, 0, typeBytes, typeBytes, stringBytes].forEach((word, i) => {
    view.setUint32(4 + 4 * i, word, isLittle);
  });
  words.copyTo(view, HEADER_BYTES, isLittle);
  let at = HEADER_BYTES + typeBytes;
  for (const part of strings.parts) {
    bytes.set(part, at);
    at += part.length;
  }
  return bytes;
}

/**
 * Writes a table again with other types in the place of some, all ids and string offsets unchanged.
 *
 * @param types - all types of the table, in order of their ids.
 */
export function rewriteBtf(btf: Btf, types: Iterable<BtfTypeInput>): Uint8Array {
  const { endian, base, stringPart: strings } = btf;
  const builder = createBtfBuilder({ endian, strings, ...(base === undefined ? {} : { base }) });
  for (const type of types) builder.addType(type);
  return builder.encode();
}

/** Encodes a list of types as a table of its own; the first gets id 1. */
export function encodeBtf(types: Iterable<BtfTypeInput>, endian: Endian = "little"): Uint8Array {
  const builder = createBtfBuilder({ endian });
  for (const type of types) builder.addType(type);
  return builder.encode();
}
