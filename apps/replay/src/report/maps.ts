import { InputError, printHexBytes } from "@tsbpf/base";
import { type Btf, formatValue, parseBtf } from "@tsbpf/btf";
import type { BpfMap } from "@tsbpf/plugin";
import type { LiveObject } from "@tsbpf/vm";
import { toPlain } from "./effects.ts";

interface MapPrinting {
  readonly json: boolean;
  readonly pretty: boolean;
}

/** Finds a map by the name that a person gave. @throws MAP_CHOICE (InputError) for a name that no map has. */
export function chooseMap({ maps }: LiveObject, name: string): BpfMap {
  const map = maps.get(name);
  if (map !== undefined) return map;
  const known = [...maps.keys()].join(", ");
  throw new InputError("MAP_CHOICE", `no map ${name} in the object, it has: ${known || "none"}`);
}

/**
 * Prints maps, keys and values as BTF describes them.
 *
 * @param names - maps to print; all when empty.
 * @throws MAP_CHOICE (InputError) for a name that no map has.
 */
export function printMaps(object: LiveObject, names: readonly string[], options: MapPrinting): string {
  const btf = btfOf(object);
  const chosen =
    names.length === 0 ? [...object.maps.values()] : names.map((name) => chooseMap(object, name));
  return chosen
    .map((map) => (options.json ? printMapJson(map, btf, options.pretty) : printMapText(map, btf)))
    .join("");
}

const btfs = new WeakMap<LiveObject, Btf | undefined>();

/** Returns the types of an object, read once. */
export function btfOf(object: LiveObject): Btf | undefined {
  if (!btfs.has(object))
    btfs.set(object, object.spec.btf === undefined ? undefined : parseBtf(object.spec.btf));
  return btfs.get(object);
}

export const isPercpu = (map: BpfMap): boolean => map.spec.type.includes("percpu");

/** Splits the value of a per-CPU map into its slots. */
export function slotsOf(map: BpfMap, value: Uint8Array): Uint8Array[] {
  if (!isPercpu(map)) return [value];
  const stride = Math.ceil(map.spec.valueBytes / 8) * 8;
  const slots: Uint8Array[] = [];
  for (let at = 0; at + map.spec.valueBytes <= value.length; at += stride) {
    slots.push(value.subarray(at, at + map.spec.valueBytes));
  }
  return slots;
}

/** Elements worth printing: array elements of zeros say nothing. */
function* shownEntries(map: BpfMap): Generator<readonly [Uint8Array, Uint8Array]> {
  const skipsZeros = map.spec.type === "array" || map.spec.type === "percpu_array";
  for (const entry of map.entries()) {
    if (skipsZeros && map.spec.maxEntries > 1 && entry[1].every((byte) => byte === 0)) continue;
    yield entry;
  }
}

function printMapText(map: BpfMap, btf: Btf | undefined): string {
  const { name, type, maxEntries, btfKeyTypeId, btfValueTypeId, dataSection } = map.spec;
  const lines: string[] = [];
  for (const [key, value] of shownEntries(map)) {
    const slots = slotsOf(map, value).map((slot) => printBytes(btf, btfValueTypeId, slot));
    const shown =
      slots.length === 1 ? (slots[0] ?? "") : slots.map((slot, cpu) => `cpu ${cpu}: ${slot}`).join(", ");
    lines.push(
      dataSection === undefined ? `  ${printBytes(btf, btfKeyTypeId, key)} => ${shown}` : `  ${shown}`,
    );
  }
  const head = `map ${name} (${type}), ${lines.length} of ${maxEntries} entries`;
  return `${[head, ...lines].join("\n")}\n`;
}

/** Prints bytes as BTF describes them, on one line; hex without a type. */
export const printBytes = (btf: Btf | undefined, typeId: number | undefined, bytes: Uint8Array): string =>
  btf === undefined || typeId === undefined || typeId === 0
    ? printHexBytes(bytes)
    : printCompact(formatValue(btf, typeId, bytes).json);

/** Prints a value on one line, names without quotes. */
export function printCompact(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(printCompact).join(", ")}]`;
  if (typeof value !== "object" || value === null) return String(value);
  const members = Object.entries(value).map(([name, member]) => `${name}: ${printCompact(member)}`);
  return `{${members.join(", ")}}`;
}

const hexList = (bytes: Uint8Array): string[] =>
  Array.from(bytes, (byte) => `0x${byte.toString(16).padStart(2, "0")}`);

function printMapJson(map: BpfMap, btf: Btf | undefined, pretty: boolean): string {
  const { name, type, btfKeyTypeId, btfValueTypeId } = map.spec;
  const format = (typeId: number | undefined, bytes: Uint8Array): unknown =>
    btf === undefined || typeId === undefined || typeId === 0
      ? undefined
      : formatValue(btf, typeId, bytes).json;
  const entries = [...map.entries()].map(([key, value]) => {
    const slots = slotsOf(map, value);
    const formattedKey = format(btfKeyTypeId, key);
    const formattedSlots = slots.map((slot) => format(btfValueTypeId, slot));
    const [first] = slots;
    return isPercpu(map)
      ? {
          key: hexList(key),
          values: slots.map((slot, cpu) => ({ cpu, value: hexList(slot) })),
          formatted: { key: formattedKey, values: formattedSlots.map((one, cpu) => ({ cpu, value: one })) },
        }
      : {
          key: hexList(key),
          value: hexList(first ?? value),
          formatted: { key: formattedKey, value: formattedSlots[0] },
        };
  });
  return `${JSON.stringify(toPlain({ map: name, type, entries }), null, pretty ? 2 : undefined)}\n`;
}
