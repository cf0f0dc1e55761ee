import { MAP_FLAGS, type MapSpec } from "@tsbpf/abi";
import { type Btf, findDatasec, sectionVariables } from "@tsbpf/btf";
import type { DataSection } from "../object/parts.ts";
import { valueFieldsOf } from "./value-fields.ts";

const NAME_BYTES = 15;
const SUFFIX_BYTES_MIN = 7;

/** Returns an object's name: that of its file, up to the first dot, at most 15 characters. */
export function objectName(fileName: string): string {
  const base = fileName.slice(Math.max(fileName.lastIndexOf("/"), fileName.lastIndexOf("\\")) + 1);
  const [stem = ""] = base.split(".");
  return stem.slice(0, NAME_BYTES);
}

/**
 * Returns the name of the map of a data section: as much of the object's name as fits before the section's,
 * none before names with a second dot (L-11).
 */
export function dataMapName(object: string, section: string): string {
  const suffixBytes = Math.min(NAME_BYTES, Math.max(SUFFIX_BYTES_MIN, section.length));
  const prefixBytes = section.indexOf(".", 1) > 0 ? 0 : NAME_BYTES - suffixBytes;
  const name = object.slice(0, prefixBytes) + section.slice(0, suffixBytes);
  return name.replace(/[^A-Za-z0-9_.]/g, "_");
}

/** Says whether user space may map a section's variables: only when one of them is not static. */
function hasGlobals(btf: Btf, section: string): boolean {
  const datasec = findDatasec(btf, section);
  if (datasec === undefined) return false;
  return sectionVariables(btf, datasec).some(({ variable }) => variable.linkage !== "static");
}

/** Makes the spec of an array map with one value, the bytes of a section. */
export function dataMap(
  object: string,
  section: string,
  btf: Btf | undefined,
  contents: { readonly valueBytes: number; readonly bytes?: Uint8Array; readonly isReadOnly: boolean },
): MapSpec {
  const datasec = btf === undefined ? undefined : findDatasec(btf, section);
  const { bytes, isReadOnly } = contents;
  const isMappable = btf !== undefined && hasGlobals(btf, section);
  return {
    name: dataMapName(object, section),
    type: "array",
    keyBytes: 4,
    valueBytes: contents.valueBytes,
    maxEntries: 1,
    flags: (isReadOnly ? MAP_FLAGS.readOnlyProg : 0) | (isMappable ? MAP_FLAGS.mmapable : 0),
    ...(bytes === undefined ? {} : { contents: [{ key: new Uint8Array(4), value: bytes }] }),
    ...(isReadOnly ? { isFrozen: true } : {}),
    ...(btf === undefined || datasec === undefined
      ? {}
      : { btfValueTypeId: datasec.id, ...valueFieldsOf(btf, datasec.id) }),
    dataSection: section,
  };
}

/** Makes the map of a section of variables (L-60). */
export const dataSectionMap = (object: string, data: DataSection, btf: Btf | undefined): MapSpec =>
  dataMap(object, data.section.name, btf, {
    valueBytes: data.section.sizeBytes,
    isReadOnly: data.kind === "rodata",
    // A copy, so that cloning the spec does not clone the whole file with it.
    ...(data.kind === "bss" ? {} : { bytes: data.section.bytes.slice() }),
  });
