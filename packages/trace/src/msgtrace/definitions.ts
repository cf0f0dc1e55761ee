import { InputError } from "@tsbpf/base";
import { Fields } from "./fields.ts";
import { isMap, type MsgpackMap } from "./msgpack.ts";
import { compact, decodeInterface, encodeInterface } from "./packet-notes.ts";
import type {
  MapContents,
  TraceDefinitions,
  TraceHelper,
  TraceInfo,
  TraceInterface,
  TraceMap,
  TraceProgram,
} from "./types.ts";
import { toPlainMap } from "./values.ts";

/** What one definitions block adds. */
export type DefinitionsPart = Partial<TraceDefinitions>;

export function encodeDefinitions(part: DefinitionsPart): MsgpackMap {
  const someOf = <T>(
    list: readonly T[] | undefined,
    encode: (value: T) => MsgpackMap,
  ): MsgpackMap[] | undefined => (list === undefined || list.length === 0 ? undefined : list.map(encode));
  return compact({
    info: part.info === undefined ? undefined : compact(part.info),
    programs: someOf(part.programs, encodeProgram),
    maps: someOf(part.maps, encodeMap),
    interfaces: someOf(part.interfaces, encodeInterface),
    helpers: someOf(part.helpers, encodeHelper),
  });
}

const encodeProgram = ({ name, progType, section, tag }: TraceProgram): MsgpackMap =>
  compact({ name, type: progType, section, tag });

const encodeMap = (map: TraceMap): MsgpackMap =>
  compact({
    name: map.name,
    type: map.type,
    key: map.keyBytes,
    value: map.valueBytes,
    max: map.maxEntries,
    flags: map.flags,
    slots: map.slotCount,
  });

const encodeHelper = ({ id, name, args, returns, traits, progTypes }: TraceHelper): MsgpackMap =>
  compact({ id, name, args, returns, traits, types: progTypes });

/** Decodes a definitions block; throws TRACE_FIELD (InputError). */
export function decodeDefinitions(
  fields: Fields,
  what: string,
  offset: number,
): Required<Omit<DefinitionsPart, "info">> & {
  readonly info: TraceInfo | undefined;
} {
  return {
    info: fields.has("info") ? decodeInfo(fields, what, offset) : undefined,
    programs: fields.maps("programs").map(decodeProgram),
    maps: fields.maps("maps").map(decodeMap),
    interfaces: fields.maps("interfaces").map(decodeInterface) as TraceInterface[],
    helpers: fields.maps("helpers").map(decodeHelper),
  };
}

function decodeInfo(fields: Fields, what: string, offset: number): TraceInfo {
  const map = fields.raw("info");
  if (!isMap(map)) throw fields.wrong("info", "a map");
  const info = new Fields(map, `info of ${what}`, offset);
  return compact({
    application: info.optional("application", "text"),
    comments: info.optional("comments", "texts"),
    settings: info.has("settings") ? decodeSettings(info) : undefined,
  }) as TraceInfo;
}

function decodeSettings(info: Fields): NonNullable<TraceInfo["settings"]> {
  const settings = info.raw("settings");
  const isPlain = (value: unknown): boolean =>
    ["string", "number", "bigint", "boolean"].includes(typeof value);
  if (!isMap(settings) || !Object.values(settings).every(isPlain)) {
    throw info.wrong("settings", "a map of texts, numbers and booleans");
  }
  return settings as NonNullable<TraceInfo["settings"]>;
}

const decodeProgram = (fields: Fields): TraceProgram =>
  compact({
    name: fields.text("name"),
    progType: fields.text("type"),
    section: fields.optional("section", "text"),
    tag: fields.optional("tag", "text"),
  }) as unknown as TraceProgram;

const decodeMap = (fields: Fields): TraceMap =>
  compact({
    name: fields.text("name"),
    type: fields.text("type"),
    keyBytes: fields.uint("key"),
    valueBytes: fields.uint("value"),
    maxEntries: fields.uint("max"),
    flags: fields.optionalUint("flags"),
    slotCount: fields.optionalUint("slots"),
  }) as unknown as TraceMap;

/** Arguments of a helper, r1 to r5. */
const ARGS_MAX = 5;

function decodeHelper(fields: Fields): TraceHelper {
  const args = fields.list("args").map((value) => {
    const arg = toPlainMap(value);
    if (arg === undefined) throw fields.wrong("args", "a list of maps");
    return arg;
  });
  if (args.length > ARGS_MAX) throw fields.wrong("args", `at most ${ARGS_MAX} maps`);
  const returns = toPlainMap(fields.raw("returns"));
  if (returns === undefined) throw fields.wrong("returns", "a map");
  return {
    id: fields.uint("id"),
    name: fields.text("name"),
    args,
    returns,
    ...compact({ traits: fields.optional("traits", "texts"), progTypes: fields.optional("types", "texts") }),
  };
}

export const encodeContents = ({ mapIdx, entryCount, keys, values }: MapContents): MsgpackMap => ({
  map: mapIdx,
  count: entryCount,
  keys,
  values,
});

/** Decodes a part of a map's contents; the bytes are copies. Throws TRACE_FIELD (InputError). */
export function decodeContents(fields: Fields, maps: readonly TraceMap[]): MapContents {
  const mapIdx = fields.uint("map");
  const map = maps[mapIdx];
  if (map === undefined) throw fields.wrong("map", `an index below ${maps.length}`);
  const entryCount = fields.uint("count");
  const keys = fields.bytes("keys");
  const values = fields.bytes("values");
  const keysBytes = entryCount * map.keyBytes;
  const valuesBytes = entryCount * map.valueBytes * (map.slotCount ?? 1);
  if (keys.byteLength !== keysBytes) throw fields.wrong("keys", `${keysBytes} bytes`);
  if (values.byteLength !== valuesBytes) throw fields.wrong("values", `${valuesBytes} bytes`);
  return { mapIdx, entryCount, keys, values };
}

/** Makes the error of a run or event that refers to what is not defined. */
export function undefinedIdx(name: string, idx: number, end: number, offset: number): InputError {
  return new InputError(
    "TRACE_UNDEFINED_INDEX",
    `a run or event refers to ${name} ${idx}, ${end} are defined, at offset ${offset}`,
    { details: { name, idx, end, offset } },
  );
}
