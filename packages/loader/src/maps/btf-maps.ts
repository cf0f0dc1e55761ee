import { MAP_TYPES, type MapEntry, type MapSpec, mapTypeName } from "@tsbpf/abi";
import {
  type Btf,
  type BtfMember,
  type BtfStruct,
  type BtfType,
  resolveType,
  type SectionVariable,
  sizeOf,
  skipModifiers,
} from "@tsbpf/btf";
import { elfError, unsupported } from "../elf/errors.ts";
import { valueFieldsOf } from "./value-fields.ts";

/** Where a map is defined. */
export interface MapPlace {
  readonly map: string;
  /** Byte offset within `.maps`. */
  readonly offset: number;
}

/** What the members of a definition say, before defaults. */
interface Definition {
  type?: number;
  keyBytes?: number;
  valueBytes?: number;
  keyTypeId?: number;
  valueTypeId?: number;
  maxEntries?: number;
  flags?: number;
  mapExtra?: bigint;
  numaNode?: number;
  pinning?: number;
  inner?: MapSpec;
  /** Bytes from the definition's start to its `values`. */
  valuesOffset?: number;
}

/** A map of `.maps`, with where its static values start. */
export interface BtfMap {
  readonly spec: MapSpec;
  /** Bytes from the start of `.maps`. */
  readonly offset: number;
  readonly sizeBytes: number;
  /** Bytes from the definition's start to its static values; undefined without them. */
  readonly valuesOffset: number | undefined;
}

const SECTION = ".maps";

const refuse = (place: MapPlace, text: string) =>
  elfError(
    "ELF_MAP_DEF",
    `map ${place.map}: ${text}`,
    { section: SECTION, offset: place.offset },
    { map: place.map },
  );

/** Reads `__uint(name, n)`: a pointer to an array of n elements. */
function uintOf(btf: Btf, member: BtfMember, place: MapPlace): number {
  const pointer = resolveType(btf, member.type);
  if (pointer.kind !== "ptr")
    throw refuse(place, `attribute ${member.name}: ptr expected, ${pointer.kind} found`);
  const array = btf.type(pointer.type);
  if (array.kind !== "array")
    throw refuse(place, `attribute ${member.name}: array expected, ${array.kind} found`);
  return array.count;
}

/** Reads `__ulong(name, n)`: an enumeration with one value; `__uint` is taken too. */
function ulongOf(btf: Btf, member: BtfMember, place: MapPlace): bigint {
  const type = resolveType(btf, member.type);
  if (type.kind === "ptr") return BigInt(uintOf(btf, member, place));
  if (type.kind !== "enum" && type.kind !== "enum64") {
    throw refuse(place, `attribute ${member.name}: enum or enum64 expected, ${type.kind} found`);
  }
  const [first] = type.values;
  if (first === undefined || type.values.length !== 1) {
    throw refuse(place, `attribute ${member.name}: one enumerator expected, ${type.values.length} found`);
  }
  return BigInt.asUintN(64, first.value);
}

/** Reads `__type(name, T)`: a pointer to T. */
function typeOf(
  btf: Btf,
  member: BtfMember,
  place: MapPlace,
): { readonly id: number; readonly bytes: number } {
  const pointer = resolveType(btf, member.type);
  if (pointer.kind !== "ptr") throw refuse(place, `${member.name}: ptr expected, ${pointer.kind} found`);
  return { id: pointer.type, bytes: sizeOf(btf, pointer.type) };
}

function agree(known: number | undefined, found: number, what: string, place: MapPlace): number {
  if (known !== undefined && known !== found)
    throw refuse(place, `conflicting ${what} ${known} and ${found}`);
  return found;
}

const isMapInMap = (type: number | undefined): boolean =>
  type === MAP_TYPES.array_of_maps || type === MAP_TYPES.hash_of_maps;

/** Reads `__array(values, T)`: the template of inner maps, or the prototype of programs. */
function readValues(
  btf: Btf,
  member: BtfMember,
  definition: Definition,
  place: MapPlace,
  isInner: boolean,
): void {
  if (isInner) throw refuse(place, "multi-level inner maps are not supported");
  const array = skipModifiers(btf, member.type);
  if (array.kind !== "array" || array.count !== 0) {
    throw refuse(place, `values: array without length expected, ${array.kind} found`);
  }
  const pointer = resolveType(btf, array.elem);
  if (pointer.kind !== "ptr") throw refuse(place, `values: array of ptr expected, of ${pointer.kind} found`);
  const target = resolveType(btf, pointer.type);
  definition.valueBytes = agree(definition.valueBytes, 4, "value size", place);
  definition.valuesOffset = member.offsetBits / 8;
  if (definition.type === MAP_TYPES.prog_array) {
    if (target.kind !== "func_proto")
      throw refuse(place, `values: func_proto expected, ${target.kind} found`);
    return;
  }
  if (!isMapInMap(definition.type)) throw refuse(place, "only maps of maps and of programs have values");
  definition.inner = specOf(btf, structOf(target, place), { ...place, map: `${place.map}.inner` }, true).spec;
}

function structOf(type: BtfType, place: MapPlace): BtfStruct {
  if (type.kind === "struct") return type;
  throw refuse(place, `a struct defines a map, ${type.kind} found`);
}

type Attribute = (btf: Btf, member: BtfMember, definition: Definition, place: MapPlace) => void;

const ATTRIBUTES: Readonly<Record<string, Attribute>> = {
  type: (btf, member, definition, place) => {
    definition.type = uintOf(btf, member, place);
  },
  max_entries: (btf, member, definition, place) => {
    definition.maxEntries = uintOf(btf, member, place);
  },
  map_flags: (btf, member, definition, place) => {
    definition.flags = uintOf(btf, member, place);
  },
  numa_node: (btf, member, definition, place) => {
    definition.numaNode = uintOf(btf, member, place);
  },
  key_size: (btf, member, definition, place) => {
    definition.keyBytes = agree(definition.keyBytes, uintOf(btf, member, place), "key size", place);
  },
  value_size: (btf, member, definition, place) => {
    definition.valueBytes = agree(definition.valueBytes, uintOf(btf, member, place), "value size", place);
  },
  map_extra: (btf, member, definition, place) => {
    definition.mapExtra = ulongOf(btf, member, place);
  },
  pinning: (btf, member, definition, place) => {
    definition.pinning = uintOf(btf, member, place);
  },
  key: (btf, member, definition, place) => {
    const { id, bytes } = typeOf(btf, member, place);
    definition.keyBytes = agree(definition.keyBytes, bytes, "key size", place);
    definition.keyTypeId = id;
  },
  value: (btf, member, definition, place) => {
    const { id, bytes } = typeOf(btf, member, place);
    definition.valueBytes = agree(definition.valueBytes, bytes, "value size", place);
    definition.valueTypeId = id;
  },
};

/** Map types that Linux creates without type ids (L-53). */
const WITHOUT_TYPES: ReadonlySet<number> = new Set([
  MAP_TYPES.perf_event_array,
  MAP_TYPES.cgroup_array,
  MAP_TYPES.stack_trace,
  MAP_TYPES.array_of_maps,
  MAP_TYPES.hash_of_maps,
  MAP_TYPES.devmap,
  MAP_TYPES.devmap_hash,
  MAP_TYPES.cpumap,
  MAP_TYPES.xskmap,
  MAP_TYPES.sockmap,
  MAP_TYPES.sockhash,
  MAP_TYPES.queue,
  MAP_TYPES.stack,
  MAP_TYPES.arena,
]);

const PAGE_BYTES = 4096;
/** More members than there are attributes; many maps may share one definition, so its length counts often. */
const MEMBERS_LAST = 64;

/** Rounds a ring buffer up to a power of two of pages, as libbpf does before creating it (L-50). */
function ringEntries(entries: number): number {
  if (entries === 0) return 0;
  let bytes = PAGE_BYTES;
  while (bytes < entries && bytes < 2 ** 31) bytes *= 2;
  return bytes < entries ? entries : bytes;
}

function readDefinition(btf: Btf, struct: BtfStruct, place: MapPlace, isInner: boolean): Definition {
  const definition: Definition = {};
  if (struct.members.length > MEMBERS_LAST) {
    throw refuse(place, `${struct.members.length} members, at most ${MEMBERS_LAST} allowed`);
  }
  struct.members.forEach((member, i) => {
    if (member.name === "values") {
      if (i !== struct.members.length - 1) throw refuse(place, "values should be the last member");
      readValues(btf, member, definition, place, isInner);
      return;
    }
    const attribute = Object.hasOwn(ATTRIBUTES, member.name) ? ATTRIBUTES[member.name] : undefined;
    if (attribute === undefined) throw refuse(place, `unknown field ${JSON.stringify(member.name)}`);
    attribute(btf, member, definition, place);
  });
  return definition;
}

function specOf(
  btf: Btf,
  struct: BtfStruct,
  place: MapPlace,
  isInner: boolean,
): { readonly spec: MapSpec; readonly definition: Definition } {
  const definition = readDefinition(btf, struct, place, isInner);
  const { type: number, maxEntries = 0 } = definition;
  if (number === undefined || number === 0) throw refuse(place, "map type isn't specified");
  const type = mapTypeName(number);
  if (type === undefined) {
    throw unsupported("ELF_MAP_TYPE", `map ${place.map} of unknown type ${number}`, {
      section: SECTION,
      offset: place.offset,
    });
  }
  const { pinning = 0 } = definition;
  if (pinning > 1) throw refuse(place, `invalid pinning value ${pinning}, 0 or 1 allowed`);
  const isRing = number === MAP_TYPES.ringbuf || number === MAP_TYPES.user_ringbuf;
  const hasTypes = !WITHOUT_TYPES.has(number);
  const { keyTypeId, valueTypeId, mapExtra, numaNode, inner } = definition;
  const spec: MapSpec = {
    name: place.map,
    type,
    keyBytes: definition.keyBytes ?? 0,
    valueBytes: definition.valueBytes ?? 0,
    maxEntries: isRing ? ringEntries(maxEntries) : maxEntries,
    flags: definition.flags ?? 0,
    ...(mapExtra === undefined ? {} : { mapExtra }),
    ...(numaNode === undefined ? {} : { numaNode }),
    ...(inner === undefined ? {} : { inner }),
    ...(keyTypeId === undefined || !hasTypes ? {} : { btfKeyTypeId: keyTypeId }),
    ...(valueTypeId === undefined || !hasTypes
      ? {}
      : { btfValueTypeId: valueTypeId, ...valueFieldsOf(btf, valueTypeId) }),
    ...(pinning === 0 ? {} : { pinning: "by_name" as const }),
  };
  return { spec, definition };
}

/**
 * Reads the definition that one variable of `.maps` gives (L-50..L-54).
 *
 * @param variable - its offset already that of the symbol.
 * @throws ELF_MAP_DEF; ELF_MAP_TYPE (UnsupportedError); BTF_…
 */
export function readBtfMap(btf: Btf, variable: SectionVariable, sectionBytes: number): BtfMap {
  const { name, linkage, type } = variable.variable;
  const { offset } = variable;
  const place = { map: name, offset };
  if (name === "") throw refuse(place, "it has no name");
  if (linkage !== "global") throw refuse(place, `unsupported map linkage ${linkage}, global needed`);
  const struct = structOf(resolveType(btf, type), place);
  if (struct.sizeBytes > variable.sizeBytes || offset + variable.sizeBytes > sectionBytes) {
    const text = `definition of ${struct.sizeBytes} bytes in a variable of ${variable.sizeBytes}, the section has ${sectionBytes}`;
    throw refuse(place, text);
  }
  const { spec, definition } = specOf(btf, struct, place, false);
  return { spec, offset, sizeBytes: variable.sizeBytes, valuesOffset: definition.valuesOffset };
}

/** Puts the static initialisers of a map of maps or programs into its spec. */
export const withContents = (map: BtfMap, contents: readonly MapEntry[]): MapSpec =>
  contents.length === 0 ? map.spec : { ...map.spec, contents };
