import type { Btf } from "./btf.ts";
import { resolveType, sizeOf } from "./query.ts";
import type { BtfStruct, BtfType } from "./types.ts";

/*
 * Computes: the fields of a value or object that only particular helpers may touch.
 * Assumes: a checked table.
 * Guarantees: what Linux finds, and nothing where Linux gives up on a type.
 * Cost: one pass over each type that is met; answers are kept with the table.
 */

/** Bytes and alignment of the structs that only particular helpers may touch. */
export const BTF_SPECIAL_STRUCTS = {
  bpf_spin_lock: [4, 4],
  bpf_res_spin_lock: [4, 4],
  bpf_timer: [16, 8],
  bpf_wq: [16, 8],
  bpf_task_work: [8, 8],
  bpf_list_head: [16, 8],
  bpf_list_node: [24, 8],
  bpf_rb_root: [16, 8],
  bpf_rb_node: [32, 8],
  bpf_refcount: [4, 4],
} as const satisfies Record<string, readonly [sizeBytes: number, align: number]>;

const POINTER_TAGS = {
  kptr_untrusted: "kptr_unref",
  kptr: "kptr_ref",
  percpu_kptr: "kptr_percpu",
  uptr: "uptr",
} as const;

type StructKind = keyof typeof BTF_SPECIAL_STRUCTS;
type PointerKind = (typeof POINTER_TAGS)[keyof typeof POINTER_TAGS];

/** Kind of a special field: the name of its struct, or what the tag of a pointer makes it. */
export type BtfSpecialKind = StructKind | PointerKind;

/** A field that BTF marks as special. */
export interface BtfSpecialField {
  readonly kind: BtfSpecialKind;
  readonly offset: number;
  readonly sizeBytes: number;
  /** Struct that a pointer leads to, or that a list or tree holds. */
  readonly target?: BtfStruct;
  /** Of lists and trees: offset of the node within the struct they hold. */
  readonly nodeOffset?: number;
}

/** Where fields lie: Linux looks for others in the values of maps than in objects that programs allocate. */
export type BtfFieldHolder = "map" | "object";

const MAP_ONLY: ReadonlySet<string> = new Set(["bpf_timer", "bpf_wq", "bpf_task_work", "uptr"]);
const OBJECT_ONLY: ReadonlySet<string> = new Set(["bpf_list_node", "bpf_rb_node"]);
const UNIQUE: ReadonlySet<string> = new Set([
  "bpf_spin_lock",
  "bpf_res_spin_lock",
  "bpf_timer",
  "bpf_wq",
  "bpf_task_work",
]);
const REPEATED: ReadonlySet<string> = new Set([
  "kptr_unref",
  "kptr_ref",
  "kptr_percpu",
  "uptr",
  "bpf_list_head",
  "bpf_rb_root",
]);
/** Node that a root's elements hold. */
const NODES = { bpf_list_head: "bpf_list_node", bpf_rb_root: "bpf_rb_node" } as const;

/** Most fields that Linux tracks in one value. @source linux include/linux/bpf.h BTF_FIELDS_MAX */
const FIELDS_MAX = 11;
const LEVELS_MAX = 32;
const CONTAINS = "contains:";

/** Thrown where Linux gives up: then it knows no field of the type at all. */
class GivesUp extends Error {}

const giveUp = (): never => {
  throw new GivesUp();
};

/** Where a member comes from, which its declaration tags name. */
interface Owner {
  readonly id: number;
  /** Index of the member, -1 for a variable. */
  readonly component: number;
}

class Finder {
  private readonly btf: Btf;
  private readonly holder: BtfFieldHolder;
  private readonly known = new Map<number, readonly BtfSpecialField[]>();
  private tags: ReadonlyMap<string, readonly string[]> | undefined;

  constructor(btf: Btf, holder: BtfFieldHolder) {
    this.btf = btf;
    this.holder = holder;
  }

  /** Returns the fields of a struct or section, relative to its start. */
  fieldsOf(type: BtfType, level: number): readonly BtfSpecialField[] {
    const known = this.known.get(type.id);
    if (known !== undefined) return known;
    if (level >= LEVELS_MAX) giveUp();
    const fields: BtfSpecialField[] = [];
    const seen = new Set<string>();
    if (type.kind === "datasec") {
      for (const { type: id, offset, sizeBytes } of type.vars) {
        const variable = this.btf.type(id);
        if (variable.kind !== "var") continue;
        const found = this.fieldsAt(variable.type, offset, { id, component: -1 }, { level, seen, sizeBytes });
        push(fields, found);
      }
    } else if (type.kind === "struct") {
      type.members.forEach((member, component) => {
        if (member.offsetBits % 8 !== 0) return;
        const owner = { id: type.id, component };
        push(fields, this.fieldsAt(member.type, member.offsetBits / 8, owner, { level, seen }));
      });
    }
    this.known.set(type.id, fields);
    return fields;
  }

  private fieldsAt(
    typeId: number,
    offset: number,
    owner: Owner,
    at: { readonly level: number; readonly seen: Set<string>; readonly sizeBytes?: number },
  ): readonly BtfSpecialField[] {
    let type = this.btf.type(typeId);
    let count = 1;
    for (let i = 0; type.kind === "array"; i++) {
      if (i >= LEVELS_MAX) giveUp();
      count *= type.count;
      type = this.btf.type(type.elem);
    }
    if (count === 0) return [];
    const isWhole = (bytes: number): boolean => at.sizeBytes === undefined || at.sizeBytes === bytes * count;
    const shape = this.shapeOf(type);
    if (shape === undefined && type.kind === "struct") {
      if (!isWhole(type.sizeBytes)) return [];
      return repeat(this.fieldsOf(type, at.level + 1), offset, count, type.sizeBytes);
    }
    if (shape !== undefined && UNIQUE.has(shape)) {
      if (at.seen.has(shape)) giveUp();
      at.seen.add(shape);
    }
    const [bytes, align] = shape === undefined ? ([8, 8] as const) : BTF_SPECIAL_STRUCTS[shape];
    if (!isWhole(bytes) || offset % align !== 0) return [];
    const field = shape === undefined ? this.pointer(type) : this.struct(shape, type, owner);
    return field === undefined ? [] : repeat([field], offset, count, bytes);
  }

  /** The special struct of a type's name, if it is one here. */
  private shapeOf(type: BtfType): StructKind | undefined {
    if (!Object.hasOwn(BTF_SPECIAL_STRUCTS, type.name)) return undefined;
    return (this.holder === "map" ? OBJECT_ONLY : MAP_ONLY).has(type.name)
      ? undefined
      : (type.name as StructKind);
  }

  private struct(kind: StructKind, type: BtfType, owner: Owner): BtfSpecialField | undefined {
    const [sizeBytes] = BTF_SPECIAL_STRUCTS[kind];
    if (type.kind !== "struct" || type.sizeBytes !== sizeBytes) return undefined;
    const plain = { kind, offset: 0, sizeBytes };
    if (kind !== "bpf_list_head" && kind !== "bpf_rb_root") return plain;
    const [tag, ...others] = this.containsTags(owner);
    const [name, node] = (tag ?? giveUp()).split(/:(.*)/s);
    if (others.length > 0 || name === undefined || node === undefined || node === "") return giveUp();
    const id = this.btf.idsOf(name, "struct")[0] ?? giveUp();
    const target = this.btf.typeOfKind(id, "struct");
    const member = target.members.find((one) => one.name === node) ?? giveUp();
    if (this.btf.type(member.type).name !== NODES[kind] || member.offsetBits % 64 !== 0) giveUp();
    return { ...plain, target, nodeOffset: member.offsetBits / 8 };
  }

  private containsTags({ id, component }: Owner): readonly string[] {
    this.tags ??= indexContains(this.btf);
    return this.tags.get(`${id} ${component}`) ?? [];
  }

  /** A pointer whose tag makes it a kernel pointer or one of user space. */
  private pointer(given: BtfType): BtfSpecialField | undefined {
    let type = given;
    if (type.kind === "volatile") type = this.btf.type(type.type);
    if (type.kind !== "ptr") return undefined;
    const tag = this.btf.type(type.type);
    if (tag.kind !== "type_tag") return undefined;
    if (this.btf.type(tag.type).kind === "type_tag" || !Object.hasOwn(POINTER_TAGS, tag.name)) giveUp();
    const kind = POINTER_TAGS[tag.name as keyof typeof POINTER_TAGS];
    if (this.holder === "object" && MAP_ONLY.has(kind)) return undefined;
    const target = resolveType(this.btf, tag.type);
    if (target.kind !== "struct") return giveUp();
    return { kind, offset: 0, sizeBytes: 8, target };
  }
}

/** The `contains:` tags of a table, without that word, by what they stand at. */
function indexContains(btf: Btf): ReadonlyMap<string, readonly string[]> {
  const found = new Map<string, string[]>();
  for (const type of btf.types()) {
    if (type.kind !== "decl_tag" || !type.name.startsWith(CONTAINS)) continue;
    const key = `${type.type} ${type.component}`;
    const list = found.get(key) ?? [];
    list.push(type.name.slice(CONTAINS.length));
    found.set(key, list);
  }
  return found;
}

function push(into: BtfSpecialField[], more: readonly BtfSpecialField[]): void {
  if (into.length + more.length > FIELDS_MAX) giveUp();
  into.push(...more);
}

/** Repeats the fields of one element for each element of an array. */
function repeat(
  fields: readonly BtfSpecialField[],
  offset: number,
  count: number,
  step: number,
): readonly BtfSpecialField[] {
  if (fields.length === 0) return [];
  if (count > 1 && !fields.every(({ kind }) => REPEATED.has(kind))) giveUp();
  if (fields.length * count > FIELDS_MAX) giveUp();
  return Array.from({ length: count }, (_, i) =>
    fields.map((field) => ({ ...field, offset: field.offset + offset + i * step })),
  ).flat();
}

/** Checks fields against each other. @source linux kernel/bpf/btf.c btf_parse_fields */
function checkTogether(fields: readonly BtfSpecialField[], sizeBytes: number): void {
  const has = (kind: BtfSpecialKind): boolean => fields.some((field) => field.kind === kind);
  const hasLock = has("bpf_spin_lock");
  const hasOther = has("bpf_res_spin_lock");
  if (hasLock && hasOther) giveUp();
  if (!hasLock && !hasOther && (has("bpf_list_head") || has("bpf_rb_root"))) giveUp();
  if (has("bpf_list_node") && has("bpf_rb_node") && !has("bpf_refcount")) giveUp();
  let end = 0;
  for (const field of fields) {
    if (field.offset < end || field.offset + field.sizeBytes > sizeBytes) giveUp();
    end = field.offset + field.sizeBytes;
  }
}

const finders = {
  map: new WeakMap<Btf, Map<number, readonly BtfSpecialField[]>>(),
  object: new WeakMap<Btf, Map<number, readonly BtfSpecialField[]>>(),
} as const;

function findFields(btf: Btf, typeId: number, holder: BtfFieldHolder): readonly BtfSpecialField[] {
  const type = resolveType(btf, typeId);
  if (type.kind !== "struct" && type.kind !== "datasec") return [];
  try {
    const found = new Finder(btf, holder).fieldsOf(type, 0);
    const fields = [...found].sort((a, b) => a.offset - b.offset);
    checkTogether(fields, type.kind === "datasec" ? type.sizeBytes : sizeOf(btf, type.id));
    return fields;
  } catch (thrown) {
    if (thrown instanceof GivesUp) return [];
    throw thrown;
  }
}

/**
 * Finds the special fields of a type, in order of offset: locks, timers, lists, trees, tagged pointers.
 *
 * @returns none for ids outside the table, and where Linux gives up: too many fields, a lock twice, a root without
 *   lock or without saying what it holds.
 * @source linux kernel/bpf/btf.c btf_parse_fields
 */
export function specialFieldsOf(
  btf: Btf,
  typeId: number,
  holder: BtfFieldHolder,
): readonly BtfSpecialField[] {
  if (typeId <= 0 || typeId >= btf.endId) return [];
  let known = finders[holder].get(btf);
  if (known === undefined) {
    known = new Map();
    finders[holder].set(btf, known);
  }
  const found = known.get(typeId) ?? findFields(btf, typeId, holder);
  known.set(typeId, found);
  return found;
}
