import type { Endian } from "@tsbpf/base";
import { checkTypes, kindOf } from "./check.ts";
import { decodeType, VOID } from "./decode.ts";
import { btfError } from "./errors.ts";
import type { BtfKind } from "./kinds.ts";
import { type BtfTable, readTable, stringAt } from "./table.ts";
import type { BtfType, BtfTypeOf, BtfVoid } from "./types.ts";

/** How to read a .BTF section. */
export interface ParseBtfOptions {
  /** The table that a split (module) table continues: its ids and string offsets come first. */
  readonly base?: Btf;
  /** Name for error texts; ".BTF" when absent. */
  readonly what?: string;
}

/**
 * A table of types, decoded one at a time as they are asked for.
 *
 * Ids run from 1 to `endId - 1`, 0 is void; those below `firstId` lie in `base`.
 */
export class Btf {
  readonly bytes: Uint8Array;
  readonly base: Btf | undefined;
  private readonly table: BtfTable;
  private readonly decoded: (BtfType | undefined)[] = [];
  private idsByName: Map<string, number[]> | undefined;
  /** Ids by kind and name, kept because many types may share a name. */
  private readonly idsByKind = new Map<string, readonly number[]>();

  constructor(bytes: Uint8Array, options: ParseBtfOptions = {}) {
    this.bytes = bytes;
    this.base = options.base;
    this.table = readTable(bytes, options.what ?? ".BTF", options.base?.table);
    checkTypes(this.table);
  }

  /** Name of the section or file, for error texts. */
  get what(): string {
    return this.table.what;
  }
  get endian(): Endian {
    return this.table.endian;
  }
  /** Id of the first type that is not in the base. */
  get firstId(): number {
    return this.table.firstId;
  }
  /** One past the last id. */
  get endId(): number {
    return this.table.endId;
  }
  /** One past the last string offset, those of the base included. */
  get stringsEnd(): number {
    return this.table.stringsEnd;
  }

  /**
   * Returns the type with an id.
   *
   * @throws BTF_TYPE_ID when the table ends before `id`.
   */
  type(id: number): BtfType {
    if (id === 0) return VOID;
    const own = id - this.table.firstId;
    if (own < 0 && this.base !== undefined) return this.base.type(id);
    const known = this.decoded[own];
    if (known !== undefined) return known;
    if (!Number.isInteger(id) || own < 0 || id >= this.table.endId) {
      throw btfError("BTF_TYPE_ID", `type id ${id}, the last is ${this.table.endId - 1},`, {
        what: this.what,
      });
    }
    const type = decodeType(this.table, id);
    this.decoded[own] = type;
    return type;
  }

  /**
   * Returns the type with an id, which must be of one kind.
   *
   * @throws BTF_TYPE_ID BTF_KIND_MISMATCH
   */
  typeOfKind<K extends BtfKind>(id: number, kind: K): BtfTypeOf<K> {
    const type = this.type(id);
    if (isKind(type, kind)) return type;
    throw btfError("BTF_KIND_MISMATCH", `${type.kind} found, ${kind} needed`, {
      what: this.what,
      typeId: id,
    });
  }

  /** Returns the kind of a type without decoding it; void for ids past the end. */
  kindOf(id: number): BtfKind {
    return kindOf(this.table, id);
  }

  /**
   * Returns the string at an offset.
   *
   * @throws BTF_STRING_OFFSET when the strings end before `offset`.
   */
  stringAt(offset: number): string {
    return stringAt(this.table, offset);
  }

  /** Bytes of the table's own strings, each with its NUL. */
  get stringPart(): Uint8Array {
    return this.table.strings.bytes;
  }

  /** End of the strings: {@link stringAt} takes any offset below. */
  get stringBytes(): number {
    return this.table.stringsEnd;
  }

  /** Iterates over the types with ids from `firstId` on; those of the base are not among them. */
  *types(): IterableIterator<Exclude<BtfType, BtfVoid>> {
    for (let id = this.firstId; id < this.endId; id++) {
      const type = this.type(id);
      if (type.kind !== "void") yield type;
    }
  }

  /** Returns the ids of the types with a name, those of the base first; anonymous types have none. */
  idsOf(name: string, kind?: BtfKind): readonly number[] {
    if (kind !== undefined) {
      const key = `${kind} ${name}`;
      const known = this.idsByKind.get(key);
      if (known !== undefined) return known;
      const ids = this.idsOf(name).filter((id) => this.kindOf(id) === kind);
      this.idsByKind.set(key, ids);
      return ids;
    }
    this.idsByName ??= this.indexNames();
    const own = this.idsByName.get(name) ?? [];
    return this.base === undefined ? own : [...this.base.idsOf(name), ...own];
  }

  /** Iterates over the names of own types, each with its ids. */
  names(): IterableIterator<[string, readonly number[]]> {
    this.idsByName ??= this.indexNames();
    return this.idsByName.entries();
  }

  private indexNames(): Map<string, number[]> {
    const index = new Map<string, number[]>();
    const { types, offsets, firstId } = this.table;
    offsets.forEach((offset, i) => {
      const name = stringAt(this.table, types.u32(offset));
      if (name === "") return;
      const ids = index.get(name);
      if (ids === undefined) index.set(name, [firstId + i]);
      else ids.push(firstId + i);
    });
    return index;
  }
}

const isKind = <K extends BtfKind>(type: BtfType, kind: K): type is BtfTypeOf<K> & BtfType =>
  type.kind === kind;

/**
 * Reads a .BTF section or a raw BTF file, of either byte order, and checks it whole.
 *
 * @param bytes - kept, not copied: types are decoded from them later, so they must not change.
 *
 * @throws BTF_MAGIC BTF_VERSION BTF_FLAGS BTF_HEADER BTF_LAYOUT BTF_TRUNCATED BTF_STRINGS BTF_ENDIAN BTF_INFO BTF_KIND
 *   BTF_KIND_ZERO BTF_LIMIT BTF_TYPE_ID BTF_NAME_OFFSET BTF_INT BTF_ENUM BTF_LINKAGE BTF_REF_KIND BTF_COMPONENT
 * @source linux Documentation/bpf/btf.rst
 */
export const parseBtf = (bytes: Uint8Array, options: ParseBtfOptions = {}): Btf => new Btf(bytes, options);
