import type { MapSpec } from "@tsbpf/abi";
import { type Btf, specialFieldsOf } from "@tsbpf/btf";

/** What a map's spec says of the special fields of its value type, for who copies values without types. */
export function valueFieldsOf(btf: Btf, typeId: number): Pick<MapSpec, "valueFields"> {
  const fields = specialFieldsOf(btf, typeId, "map");
  if (fields.length === 0) return {};
  return { valueFields: fields.map(({ kind, offset, sizeBytes }) => ({ kind, offset, sizeBytes })) };
}
