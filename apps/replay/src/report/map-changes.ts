import { printHexBytes } from "@tsbpf/base";
import { type Btf, formatValue, type JsonValue } from "@tsbpf/btf";
import type { LiveObject } from "@tsbpf/vm";
import { toPlain } from "./effects.ts";
import type { MapChange, MapWatch } from "./map-watch.ts";
import { btfOf, isPercpu, printBytes, printCompact, slotsOf } from "./maps.ts";

const MEMBERS_SHOWN = 12;

/** Prints what a run changed in maps, a line an element. */
export function printMapChanges(watch: MapWatch, object: LiveObject): string[] {
  const btf = btfOf(object);
  return [
    ...watch.changes().map((change) => printChange(change, btf)),
    ...[...watch.skipped].map(
      ({ spec }) => `map ${spec.name}: walked, its ${spec.maxEntries} entries were not compared`,
    ),
  ];
}

function printChange({ map, key, before, after }: MapChange, btf: Btf | undefined): string {
  const { spec } = map;
  const isSingle = spec.dataSection !== undefined || key.length === 0;
  const keyText = isSingle ? "" : `[${printBytes(btf, spec.btfKeyTypeId, key)}]`;
  const head = `map ${spec.name}${keyText}`;
  const whole = (value: Uint8Array): string => {
    const slots = slotsOf(map, value).map((slot) => printBytes(btf, spec.btfValueTypeId, slot));
    return slots.length === 1 ? (slots[0] ?? "") : slots.map((slot, cpu) => `cpu ${cpu}: ${slot}`).join(", ");
  };
  if (before === undefined)
    return `${head}${key.length === 0 ? " pushed" : " added"}: ${whole(after ?? key)}`;
  if (after === undefined) return `${head}${key.length === 0 ? " popped" : " deleted"}: ${whole(before)}`;
  const was = slotsOf(map, before);
  const members = slotsOf(map, after).flatMap((slot, cpu) => {
    const lines = diffValues(was[cpu] ?? slot, slot, spec.btfValueTypeId, btf);
    return isPercpu(map) ? lines.map((line) => `cpu ${cpu} ${line}`) : lines;
  });
  const shown = members.slice(0, MEMBERS_SHOWN).join(", ");
  const left = members.length - MEMBERS_SHOWN;
  return `${head}: ${shown}${left > 0 ? `, and ${left} more` : ""}`;
}

/** Lists the members that differ: `packets 1 -> 2`. */
function diffValues(
  before: Uint8Array,
  after: Uint8Array,
  typeId: number | undefined,
  btf: Btf | undefined,
): string[] {
  if (btf === undefined || typeId === undefined || typeId === 0) {
    const [was, is] = [printHexBytes(before), printHexBytes(after)];
    return was === is ? [] : [`${was} -> ${is}`];
  }
  const lines: string[] = [];
  diffJson(formatValue(btf, typeId, before).json, formatValue(btf, typeId, after).json, "", lines);
  return lines;
}

const isComposite = (
  value: JsonValue,
): value is readonly JsonValue[] | { readonly [name: string]: JsonValue } =>
  typeof value === "object" && value !== null;

function diffJson(before: JsonValue, after: JsonValue, path: string, lines: string[]): void {
  if (isComposite(before) && isComposite(after) && Array.isArray(before) === Array.isArray(after)) {
    const old = new Map(Object.entries(before));
    for (const [name, value] of Object.entries(after)) {
      const inner = Array.isArray(after) ? `${path}[${name}]` : path === "" ? name : `${path}.${name}`;
      const was = old.get(name);
      if (was !== undefined) diffJson(was, value, inner, lines);
    }
    return;
  }
  const [was, is] = [printMember(before), printMember(after)];
  if (was !== is) lines.push(`${path === "" ? "" : `${memberPath(path)} `}${was} -> ${is}`);
}

/** Variables of a section come as a list under the section's name, which says nothing about them. */
const memberPath = (path: string): string => path.replace(/^\.[^[]*\[\d+\]\./, "");

/** Counters are 64 bits wide, for which JSON has hex; small ones read better in decimal. */
function printMember(value: JsonValue): string {
  const text = printCompact(value);
  return /^0x[0-9a-f]{1,8}$/.test(text) ? `${Number(text)}` : text;
}

/** What a run changed in maps as plain JSON: bytes as hex, and formatted where there are types. */
export function mapChangesToJson(watch: MapWatch, object: LiveObject): unknown[] {
  const btf = btfOf(object);
  return watch.changes().map(({ map, key, before, after }) => {
    const { spec } = map;
    const format = (typeId: number | undefined, bytes: Uint8Array | undefined): JsonValue | undefined =>
      btf === undefined || typeId === undefined || typeId === 0 || bytes === undefined || isPercpu(map)
        ? undefined
        : formatValue(btf, typeId, bytes).json;
    const formatted = {
      ...(spec.keyBytes === 0 ? {} : { key: format(spec.btfKeyTypeId, key) }),
      before: format(spec.btfValueTypeId, before),
      after: format(spec.btfValueTypeId, after),
    };
    return toPlain({ map: spec.name, key, before, after, formatted });
  });
}
