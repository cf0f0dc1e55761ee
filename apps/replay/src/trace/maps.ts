import { errnoName, type MapSpec } from "@tsbpf/abi";
import { InputError, joinBytes } from "@tsbpf/base";
import type { BpfMap } from "@tsbpf/plugin";
import type { MapChangeEntry, MapContents, TraceMap } from "@tsbpf/trace";

/** Types whose values are objects of this machine, which the object itself names: programs, maps, sockets. */
const REFERENCES =
  /^(prog_array|array_of_maps|hash_of_maps|perf_event_array|cgroup_array|sockmap|sockhash|xskmap|reuseport_sockarray|struct_ops|arena)$/;
/** Types that the host does not read or write element by element. */
const NO_ENTRIES = /^(ringbuf|user_ringbuf|bloom_filter|stack_trace|.*_storage.*)$/;

/** Says whether a trace can hold what is in a map. */
export const holdsPlainValues = (spec: MapSpec): boolean =>
  !REFERENCES.test(spec.type) && !NO_ENTRIES.test(spec.type);

const isPercpu = (type: string): boolean => type.includes("percpu");
const strideOf = (valueBytes: number): number => Math.ceil(valueBytes / 8) * 8;

/** Describes a map. */
export function toTraceMap(spec: MapSpec, cpuCount: number): TraceMap {
  return {
    name: spec.name,
    type: spec.type,
    keyBytes: spec.keyBytes,
    valueBytes: spec.valueBytes,
    maxEntries: spec.maxEntries,
    ...(spec.flags === 0 ? {} : { flags: spec.flags }),
    ...(isPercpu(spec.type) && cpuCount > 1 ? { slotCount: cpuCount } : {}),
  };
}

/**
 * Copies what is in a map.
 *
 * @returns undefined when there is nothing that a fresh map would not have: no elements, or an array of zeros.
 */
export function readContents(map: BpfMap, mapIdx: number, cpuCount: number): MapContents | undefined {
  const { spec } = map;
  const slots = isPercpu(spec.type) ? cpuCount : 1;
  const keys: Uint8Array[] = [];
  const values: Uint8Array[] = [];
  let isFresh = true;
  for (const [key, value] of map.entries()) {
    if (!spec.type.endsWith("array") || value.some((byte) => byte !== 0)) isFresh = false;
    keys.push(key);
    values.push(
      slots === 1 ? value.subarray(0, spec.valueBytes) : withoutPadding(value, spec.valueBytes, slots),
    );
  }
  if (isFresh) return undefined;
  // A stack gives its newest element first; putting elements back begins with the oldest.
  if (spec.type === "stack") values.reverse();
  return { mapIdx, entryCount: keys.length, keys: joinBytes(keys), values: joinBytes(values) };
}

function withoutPadding(value: Uint8Array, valueBytes: number, slots: number): Uint8Array {
  const packed = new Uint8Array(slots * valueBytes);
  const stride = strideOf(valueBytes);
  for (let slot = 0; slot < slots; slot++)
    packed.set(value.subarray(slot * stride, slot * stride + valueBytes), slot * valueBytes);
  return packed;
}

/** Lays the slots of a value out as the host gives them to a map. */
function toHostValue(map: BpfMap, packed: Uint8Array, slots: number): Uint8Array {
  const { type, valueBytes } = map.spec;
  if (!isPercpu(type)) return packed;
  const stride = strideOf(valueBytes);
  const value = new Uint8Array(slots * stride);
  for (let slot = 0; slot < slots; slot++)
    value.set(packed.subarray(slot * valueBytes, (slot + 1) * valueBytes), slot * stride);
  return value;
}

/**
 * Says why a map of the object cannot take what a trace says of its own.
 *
 * @returns undefined when it can.
 */
export function whyOther(map: BpfMap, recorded: TraceMap, cpuCount: number): string | undefined {
  const { spec } = map;
  const slots = isPercpu(spec.type) ? cpuCount : 1;
  if (spec.keyBytes !== recorded.keyBytes)
    return `keys of ${recorded.keyBytes} bytes in the trace, of ${spec.keyBytes} in the object`;
  if (spec.valueBytes !== recorded.valueBytes)
    return `values of ${recorded.valueBytes} bytes in the trace, of ${spec.valueBytes} in the object`;
  if (slots !== (recorded.slotCount ?? 1))
    return `values for ${recorded.slotCount ?? 1} CPUs in the trace, the replay has ${slots}: --cpus ${recorded.slotCount ?? 1}`;
  return undefined;
}

/** Makes the error of a map that is not what a trace says. */
export const otherMap = (name: string, why: string): InputError =>
  new InputError("TRACE_MAP", `map ${name}: ${why}`, { details: { map: name } });

/** Removes every element that can be removed; elements of arrays become zeros. */
export function clearMap(map: BpfMap): void {
  const { spec } = map;
  if (spec.keyBytes === 0) {
    const none = new Uint8Array(0);
    for (let left = spec.maxEntries; left > 0 && typeof map.take?.(none) === "object"; left--);
    return;
  }
  const zeros = new Map<number, Uint8Array>();
  for (const [key, value] of [...map.entries()]) {
    if (map.remove(key) >= 0) continue;
    if (!value.some((byte) => byte !== 0)) continue;
    const zero = zeros.get(value.length) ?? new Uint8Array(value.length);
    zeros.set(value.length, zero);
    map.set(key, zero);
  }
}

/** Puts a part of a map's contents in. */
export function addContents(map: BpfMap, contents: MapContents, slots: number): void {
  const { keyBytes, valueBytes } = map.spec;
  const step = valueBytes * slots;
  for (let i = 0; i < contents.entryCount; i++) {
    const key = contents.keys.slice(i * keyBytes, (i + 1) * keyBytes);
    const value = toHostValue(map, contents.values.slice(i * step, (i + 1) * step), slots);
    expectDone(map, map.set(key, value));
  }
}

function expectDone(map: BpfMap, status: number): void {
  if (status >= 0) return;
  throw otherMap(map.spec.name, `it refuses what the trace has put in (${errnoName(-status)})`);
}

/**
 * Makes a change of the host's. As on Linux, what is refused changes nothing.
 *
 * @returns 0 or more, or a negative error number.
 * @throws TRACE_MAP (InputError) when key or value have another size than the map's.
 */
export function applyChange(map: BpfMap, change: Omit<MapChangeEntry, "mapIdx">, slots: number): number {
  const { spec } = map;
  const key = change.key ?? new Uint8Array(0);
  if (key.length !== spec.keyBytes) {
    throw otherMap(spec.name, `a change has a key of ${key.length} bytes, ${spec.keyBytes} needed`);
  }
  const needsValue = change.change !== "delete" && change.change !== "pop";
  const value = change.value ?? new Uint8Array(0);
  if (needsValue && value.length !== spec.valueBytes * slots) {
    throw otherMap(
      spec.name,
      `a change has a value of ${value.length} bytes, ${spec.valueBytes * slots} needed`,
    );
  }
  switch (change.change) {
    case "delete":
      return map.remove(key);
    case "pop": {
      const taken = map.take?.(key);
      return typeof taken === "number" ? taken : 0;
    }
    case "update":
    case "push":
    case "write":
      return map.set(key, toHostValue(map, value, slots), Number(change.flags));
  }
}

/** Slots that values of a map have in a trace made with so many CPUs. */
export const slotsOf = (map: BpfMap, cpuCount: number): number => (isPercpu(map.spec.type) ? cpuCount : 1);
