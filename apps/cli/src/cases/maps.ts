import { errnoName, type MapTypeName } from "@tsbpf/abi";
import { InputError, printHexBytes } from "@tsbpf/base";
import type { BpfMap } from "@tsbpf/plugin";
import type { Prog, Vm } from "@tsbpf/vm";
import type { Case, CaseMap, CaseValue } from "./case.ts";

const PERCPU: ReadonlySet<MapTypeName> = new Set(["percpu_hash", "percpu_array", "lru_percpu_hash"]);
const HASHES: ReadonlySet<MapTypeName> = new Set(["hash", "percpu_hash", "lru_hash", "lru_percpu_hash"]);
/** Types whose elements mean nothing as bytes. */
const NOT_DUMPED: ReadonlySet<MapTypeName> = new Set([
  "prog_array",
  "perf_event_array",
  "cgroup_array",
  "array_of_maps",
  "hash_of_maps",
  "devmap",
  "devmap_hash",
  "cpumap",
  "xskmap",
  "sockmap",
  "sockhash",
  "queue",
  "stack",
  "bloom_filter",
  "user_ringbuf",
  "stack_trace",
  "struct_ops",
  "sk_storage",
  "task_storage",
  "inode_storage",
  "cgrp_storage",
  "reuseport_sockarray",
  "arena",
]);
const DUMP_ENTRIES_MAX = 4096;

/** Puts a case's initial elements into a live map. */
export function fillMap(
  vm: Vm,
  given: CaseMap,
  map: BpfMap,
  all: readonly BpfMap[],
  prepare: (sub: Case) => Prog,
): void {
  for (const [idx, [key, value]] of given.init.entries()) {
    expectOk(given, putValue(vm, { given, map, all, prepare, idx }, key, value));
  }
  if (given.isFrozen) expectOk(given, map.freeze());
}

interface Filling {
  readonly given: CaseMap;
  readonly map: BpfMap;
  readonly all: readonly BpfMap[];
  readonly prepare: (sub: Case) => Prog;
  readonly idx: number;
}

const EINVAL = -22;

function putValue(
  vm: Vm,
  { given, map, all, prepare, idx }: Filling,
  key: Uint8Array,
  value: CaseValue,
): number {
  switch (value.kind) {
    case "bytes":
      return map.set(key, widen(given, value.bytes, vm.cpuCount));
    case "map":
      return map.mapSlots?.setMap(key, all[value.mapIdx] ?? null) ?? EINVAL;
    case "inner": {
      const { inner, name } = given.spec;
      if (inner === undefined) throw new InputError("CASE_FIELD", "init inner needs the map's inner");
      return map.mapSlots?.setMap(key, vm.createMap(`${name}_inner_${idx}`, inner)) ?? EINVAL;
    }
    case "prog": {
      const index = new DataView(key.buffer, key.byteOffset, key.byteLength).getUint32(0, true);
      return map.progSlots?.setProg(index, prepare(value.case)) ?? EINVAL;
    }
  }
}

/** A value for one CPU of a per-CPU map stands for all of them. */
function widen(given: CaseMap, bytes: Uint8Array, cpuCount: number): Uint8Array {
  const { type, valueBytes } = given.spec;
  if (!PERCPU.has(type) || bytes.length !== valueBytes) return bytes;
  const stride = Math.ceil(valueBytes / 8) * 8;
  const all = new Uint8Array(stride * cpuCount);
  for (let cpu = 0; cpu < cpuCount; cpu++) all.set(bytes, cpu * stride);
  return all;
}

function expectOk(given: CaseMap, status: number): void {
  if (status >= 0) return;
  throw new InputError(
    "CASE_INIT",
    `map ${given.spec.name} refuses its initial elements: ${errnoName(-status)}`,
    {
      details: { errno: -status },
    },
  );
}

/** Lists a map's elements as hex pairs; null where the protocol has none. */
export function dumpMap(given: CaseMap, map: BpfMap | undefined, cpu: number): string[][] | null {
  const { type, keyBytes, valueBytes } = given.spec;
  if (!given.isDumped || map === undefined || NOT_DUMPED.has(type)) return null;
  if (type === "ringbuf") {
    const records: string[][] = [];
    map.ring?.consume((record) => records.push(["", printHexBytes(record)]));
    return records;
  }
  if (keyBytes === 0 || valueBytes === 0) return null;
  const stride = Math.ceil(valueBytes / 8) * 8;
  const pairs: string[][] = [];
  for (const [key, value] of map.entries()) {
    if (pairs.length >= DUMP_ENTRIES_MAX) break;
    const own = PERCPU.has(type) ? value.subarray(cpu * stride, cpu * stride + valueBytes) : value;
    pairs.push([printHexBytes(key), printHexBytes(own)]);
  }
  return HASHES.has(type) ? pairs.sort(([a = ""], [b = ""]) => (a < b ? -1 : a > b ? 1 : 0)) : pairs;
}
