import type { MapEntry, MapSpec } from "@tsbpf/abi";
import { type Btf, findDatasec, sectionVariables } from "@tsbpf/btf";
import { ELF } from "../elf/constants.ts";
import type { ElfFile } from "../elf/elf.ts";
import { elfError } from "../elf/errors.ts";
import type { ElfRelocation } from "../elf/relocations.ts";
import type { ElfSection } from "../elf/sections.ts";
import { type Externs, kconfigMap } from "../object/externs.ts";
import type { ObjectParts } from "../object/parts.ts";
import { type BtfMap, readBtfMap, withContents } from "./btf-maps.ts";
import { dataSectionMap } from "./data-maps.ts";
import { readLegacyMaps } from "./legacy-maps.ts";

/** All maps of an object, and where relocations find them. */
export interface MapTable {
  /** In the order of libbpf: defined ones, sections of variables, the configuration (L-142). */
  readonly maps: readonly MapSpec[];
  /** Finds the map that is defined at an offset of a section. */
  definedAt(section: number, offset: number): MapSpec | undefined;
  /** Maps of variables by section index. */
  readonly dataBySection: ReadonlyMap<number, MapSpec>;
  readonly kconfig: MapSpec | undefined;
}

const SLOT_POINTER_BYTES = 8;

function readBtfMaps(parts: ObjectParts, btf: Btf | undefined): BtfMap[] {
  const section = parts.btfMaps;
  if (section === undefined) return [];
  const datasec = btf === undefined ? undefined : findDatasec(btf, section.name);
  if (btf === undefined || datasec === undefined) {
    throw elfError("ELF_MAPS_BTF", "BTF is needed for maps, and is missing", { section: section.name });
  }
  return sectionVariables(btf, datasec).map((variable) => readBtfMap(btf, variable, section.sizeBytes));
}

/** Finds the map that covers an offset, by bisection over maps sorted by offset. */
function mapCovering<T extends { readonly offset: number; readonly sizeBytes: number }>(
  sorted: readonly T[],
  offset: number,
): T | undefined {
  let low = 0;
  let high = sorted.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((sorted[middle]?.offset ?? 0) <= offset) low = middle + 1;
    else high = middle;
  }
  const found = sorted[low - 1];
  return found !== undefined && offset < found.offset + found.sizeBytes ? found : undefined;
}

/** Reads one static initialiser: the slot of a map that a relocation fills (L-51). */
function readValue(
  elf: ElfFile,
  section: ElfSection,
  relocation: ElfRelocation,
  map: BtfMap | undefined,
): { readonly map: BtfMap; readonly entry: MapEntry } {
  const place = { section: section.name, offset: relocation.offset };
  const { symbol } = relocation;
  const valuesOffset = map?.valuesOffset;
  if (map === undefined || valuesOffset === undefined) {
    throw elfError("ELF_MAP_VALUES", `relocation against ${symbol.name} outside the values of a map`, place);
  }
  const at = relocation.offset - map.offset - valuesOffset;
  if (at < 0 || at % SLOT_POINTER_BYTES !== 0) {
    throw elfError(
      "ELF_MAP_VALUES",
      `value ${symbol.name} of map ${map.spec.name} at byte ${at} of its values`,
      place,
    );
  }
  const key = new Uint8Array(4);
  new DataView(key.buffer).setUint32(0, at / SLOT_POINTER_BYTES, elf.endian === "little");
  return { map, entry: { key, value: readTarget(elf, section, relocation, map) } };
}

function readTarget(
  elf: ElfFile,
  section: ElfSection,
  { symbol, offset }: ElfRelocation,
  map: BtfMap,
): MapEntry["value"] {
  const place = { section: section.name, offset };
  if (map.spec.inner !== undefined) {
    if (symbol.section === section.index) return { map: symbol.name };
    throw elfError(
      "ELF_MAP_VALUES",
      `value ${symbol.name} of map ${map.spec.name} is no map of ${section.name}`,
      place,
    );
  }
  const target = symbol.section === undefined ? undefined : elf.sections[symbol.section];
  if (symbol.type === "func" && target !== undefined && (target.flags & ELF.flagExec) !== 0) {
    return { prog: symbol.name };
  }
  throw elfError("ELF_MAP_VALUES", `value ${symbol.name} of map ${map.spec.name} is no program`, place);
}

function fillValues(parts: ObjectParts, maps: readonly BtfMap[], sorted: readonly BtfMap[]): MapSpec[] {
  const section = parts.btfMaps;
  if (section === undefined) return [];
  const contents = new Map<BtfMap, MapEntry[]>();
  for (const relocation of parts.elf.relocationsOf(section)) {
    const value = readValue(parts.elf, section, relocation, mapCovering(sorted, relocation.offset));
    const list = contents.get(value.map);
    if (list === undefined) contents.set(value.map, [value.entry]);
    else list.push(value.entry);
  }
  return maps.map((map) => withContents(map, contents.get(map) ?? []));
}

/**
 * Builds the specs of all maps of an object.
 *
 * @param btf - the completed types, with offsets of variables.
 * @throws ELF_MAPS_BTF ELF_MAP_DEF ELF_MAP_VALUES ELF_MAP_NAME; ELF_MAP_TYPE (UnsupportedError); BTF_…
 */
export function buildMaps(
  object: string,
  parts: ObjectParts,
  btf: Btf | undefined,
  externs: Externs,
): MapTable {
  const btfMaps = readBtfMaps(parts, btf);
  const sorted = [...btfMaps].sort((a, b) => a.offset - b.offset);
  const specs = fillValues(parts, btfMaps, sorted);
  const specOf = new Map(btfMaps.map((map, i) => [map, specs[i] ?? map.spec]));
  const legacy = parts.legacyMaps.flatMap((section) => readLegacyMaps(parts.elf, section, parts.warnings));
  const dataBySection = new Map(
    parts.data.map((data) => [data.section.index, dataSectionMap(object, data, btf)]),
  );
  warnOfPointers(parts);
  const kconfig = kconfigMap(object, externs, btf);
  const maps = [...specs, ...legacy.map(({ spec }) => spec), ...dataBySection.values()];
  if (kconfig !== undefined) maps.push(kconfig);
  checkNames(maps);
  const legacyAt = new Map(legacy.map((map) => [`${map.section}:${map.offset}`, map.spec]));
  return {
    maps,
    dataBySection,
    kconfig,
    definedAt(section, offset) {
      if (section !== parts.btfMaps?.index) {
        return legacyAt.get(`${section}:${offset}`);
      }
      const map = mapCovering(sorted, offset);
      return map?.offset === offset ? specOf.get(map) : undefined;
    },
  };
}

/** Variables that hold addresses would need them before the maps exist; libbpf leaves them as they are too. */
function warnOfPointers(parts: ObjectParts): void {
  for (const { section } of parts.data) {
    const count = parts.elf.relocationsOf(section).length;
    if (count === 0) continue;
    const what = count === 1 ? "1 initial address is" : `${count} initial addresses are`;
    parts.warnings.push(`section ${section.name}: ${what} not filled in`);
  }
}

/** Programs and initialisers name maps, so two defined ones may not share a name. */
function checkNames(maps: readonly MapSpec[]): void {
  const names = new Set<string>();
  for (const { name, dataSection } of maps) {
    if (dataSection !== undefined) continue;
    if (names.has(name)) throw elfError("ELF_MAP_NAME", `two maps named ${name}`, { section: ".maps" });
    names.add(name);
  }
}
