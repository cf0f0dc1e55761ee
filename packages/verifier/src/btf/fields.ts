import type { MapSpec } from "@tsbpf/abi";
import type { BtfView } from "../btf-view.ts";
import type { SpecialField } from "../maps.ts";

/** Finds the special fields of a map's value type. */
export function specialFieldsOf(
  _map: MapSpec,
  _own: Uint8Array | undefined,
  _btf: BtfView | undefined,
): readonly SpecialField[] {
  return [];
}
