import { MAP_FLAGS, MAP_TYPES, type MapSpec, type ValueFieldKind } from "@tsbpf/abi";
import type { BtfTarget } from "./state/reg.ts";

/** A field of a map value or allocated object that programs may not touch as plain bytes. */
export interface SpecialField {
  readonly kind: SpecialKind;
  readonly offset: number;
  readonly sizeBytes: number;
  /** Struct a kptr leads to, or the node type a list or tree holds. */
  readonly target?: BtfTarget;
  /** Bytes of a uptr's or percpu kptr's struct. */
  readonly targetBytes?: number;
  /** For list heads and rb roots: offset of the node in the struct they hold. */
  readonly nodeOffset?: number;
}
export type SpecialKind = ValueFieldKind;

/** A map as the walk sees it; compared by identity. */
export interface MapInfo {
  readonly spec: MapSpec;
  readonly name: string;
  readonly type: number;
  readonly idx: number;
  readonly keyBytes: number;
  readonly valueBytes: number;
  readonly maxEntries: number;
  readonly flags: number;
  readonly isFrozen: boolean;
  readonly hasBtf: boolean;
  readonly fields: readonly SpecialField[];
  readonly inner: MapInfo | undefined;
}

/** Builds the walk's view of a map. */
export function makeMapInfo(
  spec: MapSpec,
  idx: number,
  fieldsOf: (map: MapSpec) => readonly SpecialField[] = () => [],
): MapInfo {
  return {
    spec,
    name: spec.name,
    type: MAP_TYPES[spec.type],
    idx,
    keyBytes: spec.keyBytes,
    valueBytes: spec.valueBytes,
    maxEntries: spec.maxEntries,
    flags: spec.flags,
    isFrozen: spec.isFrozen ?? false,
    hasBtf: (spec.btfValueTypeId ?? 0) !== 0,
    fields: fieldsOf(spec),
    inner: spec.inner === undefined ? undefined : makeMapInfo({ ...spec.inner, name: "" }, idx, fieldsOf),
  };
}

export const isReadOnlyToProg = (map: MapInfo): boolean => (map.flags & MAP_FLAGS.readOnlyProg) !== 0;
export const isWriteOnlyToProg = (map: MapInfo): boolean => (map.flags & MAP_FLAGS.writeOnlyProg) !== 0;
export const fieldOf = (map: MapInfo, kind: SpecialKind): SpecialField | undefined =>
  map.fields.find((field) => field.kind === kind);
/** Whether the value holds a lock, so that each lookup has an identity (S-160). */
export const hasLock = (map: MapInfo): boolean =>
  map.fields.some((field) => field.kind === "bpf_spin_lock" || field.kind === "bpf_res_spin_lock");
/** Whether inner maps carry the identity of the lookup that gave them (S-24). */
export const needsMapUid = (map: MapInfo): boolean =>
  map.fields.some(
    (field) => field.kind === "bpf_timer" || field.kind === "bpf_wq" || field.kind === "bpf_task_work",
  );
