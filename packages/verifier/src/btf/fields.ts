import type { MapSpec } from "@tsbpf/abi";
import { type Btf, type BtfSpecialField, type BtfStruct, parseBtf, specialFieldsOf } from "@tsbpf/btf";
import type { BtfView } from "../btf-view.ts";
import type { SpecialField } from "../maps.ts";
import type { BtfTarget } from "../state/reg.ts";
import { essentialName, isKernelStruct } from "./type-names.ts";

/** Returns the target of a type of the program: the kernel's when it has one of that name. */
function targetOf({ name: given, id }: BtfStruct): BtfTarget {
  const name = essentialName(given);
  const isKernel = isKernelStruct(name);
  return { name: isKernel ? name : given, isKernel, typeId: isKernel ? 0 : id };
}

/** Types that programs define themselves, whatever the kernel calls its own. */
const isOwn = ({ kind }: BtfSpecialField): boolean =>
  kind === "uptr" || kind === "bpf_list_head" || kind === "bpf_rb_root";

function toField(field: BtfSpecialField): SpecialField {
  const { kind, offset, sizeBytes, target, nodeOffset } = field;
  return {
    kind,
    offset,
    sizeBytes,
    ...(target === undefined
      ? {}
      : {
          target: isOwn(field) ? { name: target.name, isKernel: false, typeId: target.id } : targetOf(target),
          targetBytes: target.sizeBytes,
        }),
    ...(nodeOffset === undefined ? {} : { nodeOffset }),
  };
}

/** Finds the special fields of an object that a program allocates. */
export const fieldsOfObject = (btf: Btf, typeId: number): readonly SpecialField[] =>
  specialFieldsOf(btf, typeId, "object").map(toField);

/** Finds the special fields of a map's value. */
export function fieldsOfMap(
  map: MapSpec,
  own: Uint8Array | undefined,
  btf: BtfView | undefined,
): readonly SpecialField[] {
  const typeId = map.btfValueTypeId ?? 0;
  const table = typeId === 0 ? undefined : own === undefined || own.length === 0 ? btf?.btf : parseBtf(own);
  return table === undefined ? (map.valueFields ?? []) : specialFieldsOf(table, typeId, "map").map(toField);
}
