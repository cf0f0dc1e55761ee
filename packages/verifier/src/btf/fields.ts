import type { MapSpec } from "@tsbpf/abi";
import { type Btf, type BtfType, isModifier, parseBtf, resolveType, sizeOf } from "@tsbpf/btf";
import type { BtfView } from "../btf-view.ts";
import type { SpecialField, SpecialKind } from "../maps.ts";
import type { BtfTarget } from "../state/reg.ts";
import { essentialName, isKernelStruct } from "./type-names.ts";

interface Shape {
  readonly kind: SpecialKind;
  readonly sizeBytes: number;
  readonly align: number;
}

/** Structs whose bytes only particular helpers may touch. */
const SHAPES: ReadonlyMap<string, Shape> = new Map(
  (
    [
      ["bpf_spin_lock", 4, 4],
      ["bpf_res_spin_lock", 4, 4],
      ["bpf_timer", 16, 8],
      ["bpf_wq", 16, 8],
      ["bpf_task_work", 8, 8],
      ["bpf_list_head", 16, 8],
      ["bpf_list_node", 24, 8],
      ["bpf_rb_root", 16, 8],
      ["bpf_rb_node", 32, 8],
      ["bpf_refcount", 4, 4],
    ] as const
  ).map(([kind, sizeBytes, align]) => [kind, { kind, sizeBytes, align }]),
);

const POINTER_TAGS: Readonly<Record<string, SpecialKind>> = {
  kptr_untrusted: "kptr_unref",
  kptr: "kptr_ref",
  percpu_kptr: "kptr_percpu",
  uptr: "uptr",
};

const MAX_DEPTH = 4;
/** Most fields that Linux tracks in one value. */
const MAX_FIELDS = 11;

/** Returns the target of a type of the program: the kernel's when it has one of that name. */
export function targetOf(type: BtfType): BtfTarget {
  const name = essentialName(type.name);
  const isKernel = isKernelStruct(name);
  return { name: isKernel ? name : type.name, isKernel, typeId: isKernel ? 0 : type.id };
}

/** A pointer member with a kptr tag. */
function pointerField(btf: Btf, typeId: number, offset: number): SpecialField | undefined {
  let type = btf.type(typeId);
  while (isModifier(type) || type.kind === "typedef") type = btf.type(type.type);
  if (type.kind !== "ptr") return undefined;
  const tag = btf.type(type.type);
  if (tag.kind !== "type_tag") return undefined;
  const kind = POINTER_TAGS[tag.name];
  if (kind === undefined || offset % 8 !== 0) return undefined;
  const target = resolveType(btf, tag.type);
  if (target.kind !== "struct") return undefined;
  return {
    kind,
    offset,
    sizeBytes: 8,
    target: kind === "uptr" ? { name: target.name, isKernel: false, typeId: target.id } : targetOf(target),
    targetBytes: target.sizeBytes,
  };
}

/** Type and node that a list head or tree root says it holds. */
function containsTag(btf: Btf, ownerId: number, member: number): Partial<SpecialField> {
  for (const type of btf.types()) {
    if (type.kind !== "decl_tag" || type.type !== ownerId || type.component !== member) continue;
    const [word, name, node] = type.name.split(":");
    if (word !== "contains" || name === undefined || node === undefined) continue;
    const id = btf.idsOf(name, "struct")[0];
    const struct = id === undefined ? undefined : btf.type(id);
    if (struct === undefined || struct.kind !== "struct") continue;
    const found = struct.members.find((one) => one.name === node);
    if (found === undefined) continue;
    return {
      target: { name, isKernel: false, typeId: struct.id },
      nodeOffset: found.offsetBits / 8,
    };
  }
  return {};
}

function collect(btf: Btf, type: BtfType, base: number, depth: number, into: SpecialField[]): void {
  if (depth > MAX_DEPTH || into.length > MAX_FIELDS) return;
  if (type.kind === "datasec") {
    for (const item of type.vars) {
      const variable = btf.type(item.type);
      if (variable.kind === "var")
        member(btf, variable.type, base + item.offset, depth, into, [variable.id, -1]);
    }
    return;
  }
  if (type.kind !== "struct" && type.kind !== "union") return;
  type.members.forEach((one, i) => {
    if (one.offsetBits % 8 !== 0 || one.bitfieldBits !== 0) return;
    member(btf, one.type, base + one.offsetBits / 8, depth, into, [type.id, i]);
  });
}

function member(
  btf: Btf,
  typeId: number,
  offset: number,
  depth: number,
  into: SpecialField[],
  owner: readonly [number, number],
): void {
  const type = resolveType(btf, typeId);
  if (type.kind === "array") {
    const elem = resolveType(btf, type.elem);
    if (elem.kind !== "struct" && elem.kind !== "ptr" && elem.kind !== "array") return;
    const bytes = sizeOf(btf, type.elem);
    for (let i = 0; i < type.count && into.length <= MAX_FIELDS; i++) {
      const before = into.length;
      member(btf, type.elem, offset + i * bytes, depth + 1, into, owner);
      if (into.length === before) return;
    }
    return;
  }
  if (type.kind === "ptr") {
    const field = pointerField(btf, typeId, offset);
    if (field !== undefined) into.push(field);
    return;
  }
  if (type.kind !== "struct" && type.kind !== "union") return;
  const shape = SHAPES.get(type.name);
  if (shape === undefined || type.sizeBytes !== shape.sizeBytes) {
    collect(btf, type, offset, depth + 1, into);
    return;
  }
  if (offset % shape.align !== 0) return;
  const isRoot = shape.kind === "bpf_list_head" || shape.kind === "bpf_rb_root";
  into.push({
    kind: shape.kind,
    offset,
    sizeBytes: shape.sizeBytes,
    ...(isRoot ? containsTag(btf, owner[0], owner[1]) : {}),
  });
}

/** Finds the special fields of a type, by offset. */
export function fieldsOfType(btf: Btf, typeId: number): readonly SpecialField[] {
  if (typeId <= 0 || typeId >= btf.endId) return [];
  const fields: SpecialField[] = [];
  collect(btf, resolveType(btf, typeId), 0, 0, fields);
  // Linux gives up on a value with more of them, and knows none.
  if (fields.length > MAX_FIELDS) return [];
  return fields.sort((a, b) => a.offset - b.offset);
}

/** Finds the special fields of a map's value type. */
export function specialFieldsOf(
  map: MapSpec,
  own: Uint8Array | undefined,
  btf: BtfView | undefined,
): readonly SpecialField[] {
  const typeId = map.btfValueTypeId ?? 0;
  if (typeId === 0) return map.valueFields ?? [];
  const table = own === undefined || own.length === 0 ? btf?.btf : parseBtf(own);
  return table === undefined ? (map.valueFields ?? []) : fieldsOfType(table, typeId);
}
