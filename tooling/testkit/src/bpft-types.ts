import type { ValueField } from "@tsbpf/abi";
import {
  BTF_SPECIAL_STRUCTS,
  type BtfTypeInput,
  createBtfBuilder,
  parseBtf,
  sizeOf,
  specialFieldsOf,
} from "@tsbpf/btf";

/**
 * Turns declarations of C, one a line, into BTF.
 *
 * - `struct NAME { TYPE name; TYPE *name @TAG; TYPE name[N]; … }`, laid out as C does
 * - `[static] TYPE name(TYPE name @TAG, …) @TAG`: a function; `@TAG` is a decl tag such as `@arg:nonnull`
 *
 * Types are those of C and `u8` … `s64`, `struct NAME` with `const`, `*` and the type tags `__kptr`, `__kptr_untrusted`,
 * `__percpu_kptr` and `__uptr`. What Linux names itself (`struct bpf_spin_lock` …) has its size; a struct that is
 * declared nowhere is a forward declaration.
 */
export interface DeclaredTypes {
  readonly btf: Uint8Array;
  readonly funcs: ReadonlyMap<string, { readonly btfTypeId: number; readonly linkage: "static" | "global" }>;
  /** Id of `int` and of each struct, by its name alone. */
  readonly types: ReadonlyMap<string, number>;
}

const INTS = {
  char: [1, "char"],
  bool: [1, "bool"],
  short: [2, "signed"],
  int: [4, "signed"],
  long: [8, "signed"],
  u8: [1, "unsigned"],
  u16: [2, "unsigned"],
  u32: [4, "unsigned"],
  u64: [8, "unsigned"],
  s32: [4, "signed"],
  s64: [8, "signed"],
} as const;

/** Bytes and alignment of what Linux lets programs hold without its definition. */
const OPAQUE: Readonly<Record<string, readonly [bytes: number, align: number]>> = {
  ...BTF_SPECIAL_STRUCTS,
  bpf_dynptr: [16, 8],
  bpf_iter_num: [8, 8],
};

type Fail = (why: string) => Error;

/** A name with its type, e.g. a member or parameter. */
interface Named {
  readonly name: string;
  readonly type: number;
  readonly bytes: number;
  readonly align: number;
  readonly tags: readonly string[];
}

const TYPE_TAG = /^__(?:kptr|kptr_untrusted|percpu_kptr|uptr)$/;
const isTypeWord = (word: string): boolean => /^(?:const|struct|\*)$/.test(word) || TYPE_TAG.test(word);

class Declarations {
  private readonly builder = createBtfBuilder();
  private readonly known = new Map<string, { id: number; bytes: number; align: number }>();
  readonly funcs = new Map<string, { btfTypeId: number; linkage: "static" | "global" }>();
  private readonly fail: Fail;

  constructor(fail: Fail) {
    this.fail = fail;
  }

  private readonly add = (type: BtfTypeInput): number => this.builder.addType(type);

  declare(text: string): void {
    const struct = /^struct\s+(\w+)\s*\{(.*)\}\s*;?$/.exec(text);
    if (struct !== null) {
      this.declareStruct(struct[1] ?? "", struct[2] ?? "");
      return;
    }
    const func = /^(static\s+)?([^(]+)\((.*)\)\s*((?:@\S+\s*)*)$/.exec(text);
    if (func === null) throw this.fail(`no declaration: ${text}`);
    const linkage = func[1] === undefined ? "global" : "static";
    this.declareFunc(linkage, func[2] ?? "", func[3] ?? "", tagsOf(func[4] ?? ""));
  }

  /** Gives a function without a declaration one. */
  addPlain(name: string, linkage: "static" | "global"): void {
    this.declareFunc(linkage, `int ${name}`, "", []);
  }

  private declareStruct(name: string, body: string): void {
    const parts = body.split(";").filter((part) => part.trim() !== "");
    const members = parts.map((part) => this.parseNamed(part));
    const align = Math.max(1, ...members.map((member) => member.align));
    let end = 0;
    const placed = members.map((member) => {
      const offset = Math.ceil(end / member.align) * member.align;
      end = offset + member.bytes;
      return { name: member.name, type: member.type, offsetBits: 8 * offset, bitfieldBits: 0 };
    });
    const bytes = Math.ceil(end / align) * align;
    const input = { kind: "struct", name, sizeBytes: bytes, members: placed, hasBitfields: false } as const;
    const declared = this.known.get(`struct ${name}`);
    const id = declared?.id ?? this.add(input);
    if (declared !== undefined) this.builder.replaceType(id, input);
    this.known.set(`struct ${name}`, { id, bytes, align });
    members.forEach((member, component) => {
      this.addTags(id, component, member.tags);
    });
  }

  private declareFunc(linkage: "static" | "global", head: string, list: string, tags: string[]): void {
    const { name, type: returns } = this.parseNamed(head);
    const items = list.trim() === "" || list.trim() === "void" ? [] : list.split(",");
    const params = items.map((item) => this.parseNamed(item));
    const type = this.add({
      kind: "func_proto",
      name: "",
      returns,
      params: params.map((param) => ({ name: param.name, type: param.type })),
      isVariadic: false,
    });
    const btfTypeId = this.add({ kind: "func", name, type, linkage });
    this.funcs.set(name, { btfTypeId, linkage });
    this.addTags(btfTypeId, -1, tags);
    params.forEach((param, component) => {
      this.addTags(btfTypeId, component, param.tags);
    });
  }

  private addTags(type: number, component: number, tags: readonly string[]): void {
    for (const name of tags) this.add({ kind: "decl_tag", name, type, component, isAttribute: false });
  }

  private parseNamed(text: string): Named {
    const tags = tagsOf(text);
    const words = text.replace(/@\S+/g, "").replace(/\*/g, " * ").trim().split(/\s+/);
    const [, name, count] = /^(\w+)(?:\[(\d+)\])?$/.exec(words.pop() ?? "") ?? [];
    if (name === undefined || words.length === 0) throw this.fail(`no type and name: ${text}`);
    const { id, bytes, align } = this.parseType(words, text);
    if (count === undefined) return { name, type: id, bytes, align, tags };
    const type = this.add({ kind: "array", name: "", elem: id, index: this.base("int").id, count: +count });
    return { name, type, bytes: bytes * Number(count), align, tags };
  }

  private parseType(words: readonly string[], text: string): { id: number; bytes: number; align: number } {
    const plain = words.filter((word) => !isTypeWord(word));
    if (plain.length !== 1) throw this.fail(`no type: ${text}`);
    const isStruct = words.includes("struct");
    let { id, bytes, align } = this.base(`${isStruct ? "struct " : ""}${plain[0]}`);
    for (const word of words) {
      if (word === "const") id = this.add({ kind: "const", name: "", type: id });
      else if (TYPE_TAG.test(word)) {
        id = this.add({ kind: "type_tag", name: word.slice(2), type: id, isAttribute: false });
      } else if (word === "*") {
        id = this.add({ kind: "ptr", name: "", type: id });
        [bytes, align] = [8, 8];
      }
    }
    return { id, bytes, align };
  }

  base(name: string): { id: number; bytes: number; align: number } {
    if (name === "void") return { id: 0, bytes: 0, align: 1 };
    const known = this.known.get(name);
    if (known !== undefined) return known;
    const made = name.startsWith("struct ") ? this.addOpaque(name.slice(7)) : this.addInt(name);
    this.known.set(name, made);
    return made;
  }

  private addInt(name: string): { id: number; bytes: number; align: number } {
    if (!(name in INTS)) throw this.fail(`no type ${name}, there are: ${Object.keys(INTS)}, struct NAME`);
    const [bytes, encoding] = INTS[name as keyof typeof INTS];
    const sizeBits = bytes * 8;
    const id = this.add({ kind: "int", name, sizeBytes: bytes, encoding, offsetBits: 0, sizeBits });
    return { id, bytes, align: bytes };
  }

  private addOpaque(name: string): { id: number; bytes: number; align: number } {
    const [bytes, align] = OPAQUE[name] ?? [0, 1];
    if (bytes === 0) return { id: this.add({ kind: "fwd", name, isUnion: false }), bytes, align };
    const { id: elem } = this.base(align === 8 ? "u64" : "u32");
    const array = {
      kind: "array",
      name: "",
      elem,
      index: this.base("int").id,
      count: bytes / align,
    } as const;
    const members = [{ name: "opaque", type: this.add(array), offsetBits: 0, bitfieldBits: 0 }];
    const id = this.add({ kind: "struct", name, sizeBytes: bytes, members, hasBitfields: false });
    return { id, bytes, align };
  }

  finish(): DeclaredTypes {
    this.base("int");
    const types = new Map([...this.known].map(([name, { id }]) => [name.replace(/^struct /, ""), id]));
    return { btf: this.builder.encode(), funcs: this.funcs, types };
  }
}

const tagsOf = (text: string): string[] => [...text.matchAll(/@(\S+)/g)].map((found) => found[1] ?? "");

/**
 * Makes BTF of declarations, with plain functions beside them for what the program has and they leave out.
 *
 * @param funcs - names of the program's functions; the first is its entry and global.
 */
export function declareTypes(lines: readonly string[], funcs: readonly string[], fail: Fail): DeclaredTypes {
  const declarations = new Declarations(fail);
  for (const line of lines) declarations.declare(line.trim());
  funcs.forEach((name, idx) => {
    if (!declarations.funcs.has(name)) declarations.addPlain(name, idx === 0 ? "global" : "static");
  });
  return declarations.finish();
}

/** Size and special fields of a declared type, as a map's value has them. */
export function valueTypeOf(
  { btf, types }: DeclaredTypes,
  name: string,
): { readonly typeId: number; readonly bytes: number; readonly fields: readonly ValueField[] } | undefined {
  const typeId = types.get(name);
  if (typeId === undefined) return undefined;
  const table = parseBtf(btf);
  const fields = specialFieldsOf(table, typeId, "map");
  return {
    typeId,
    bytes: sizeOf(table, typeId),
    fields: fields.map(({ kind, offset, sizeBytes }) => ({ kind, offset, sizeBytes })),
  };
}
