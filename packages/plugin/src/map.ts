import type { MapSpec, MapTypeName } from "@tsbpf/abi";
import type { LinearMemory } from "@tsbpf/memory";

/** 0 or a negative error number. */
export type Status = number;

/**
 * A live map. Program-side calls take addresses in linear memory and never allocate; host-side calls copy.
 *
 * @source linux Documentation/bpf/maps.rst
 */
export interface BpfMap {
  readonly spec: MapSpec;
  /** Address of the map's header: the value of a map pointer in a register. Unique, never 0. */
  readonly address: number;

  /** Returns the address of the value, or 0. */
  lookup(keyAddress: number, cpu: number): number;
  update(keyAddress: number, valueAddress: number, flags: bigint, cpu: number): Status;
  delete(keyAddress: number, cpu: number): Status;
  /** Lookup in another CPU's slot; per-CPU maps only. */
  lookupPercpu?(keyAddress: number, cpu: number): number;
  push?(valueAddress: number, flags: bigint): Status;
  /** Copies out and removes; zeroes the value when empty. */
  pop?(valueAddress: number): Status;
  peek?(valueAddress: number): Status;
  /**
   * Calls `visit` for each element with the addresses of key and value until it returns false.
   *
   * @returns how many elements were visited, or a negative error number.
   */
  forEach?(visit: (keyAddress: number, valueAddress: number) => boolean, cpu: number): number;

  /** Returns a copy of the value; per-CPU maps give all CPUs' slots, each rounded up to 8 bytes. */
  get(key: Uint8Array): Uint8Array | Status;
  set(key: Uint8Array, value: Uint8Array, flags?: bigint): Status;
  remove(key: Uint8Array): Status;
  /** Returns the key after `key`, or the first. */
  nextKey(key: Uint8Array | null): Uint8Array | Status;
  /** Iterates over copies, in the order of `nextKey`. */
  entries(): IterableIterator<readonly [key: Uint8Array, value: Uint8Array]>;
  freeze(): Status;
}

/** A map whose slots hold programs. */
export interface ProgSlots {
  /** Returns what the host stored for the index, or undefined. */
  progAt(index: number): unknown;
  setProg(index: number, prog: unknown): Status;
}

/** A map whose slots hold maps. */
export interface MapSlots {
  setMap(key: Uint8Array, map: BpfMap | null, flags?: bigint): Status;
}

/** What a map may use of the VM. */
export interface MapHost {
  readonly memory: LinearMemory;
  readonly cpuCount: number;
  /** Random seed of hash functions; 0 when the VM is deterministic. */
  readonly hashSeed: number;
  /** Finds a live map by the address of its header. */
  mapAt(address: number): BpfMap | undefined;
}

/** A refusal to create a map, as bpf(2) would answer. */
export interface MapRefusal {
  /** Positive error number. */
  readonly errno: number;
  readonly text: string;
}

export interface MapTypePlugin {
  readonly type: MapTypeName;
  readonly summary: string;
  readonly source: string;
  /** Says why Linux would refuse such a map; undefined when it would not. */
  check(spec: MapSpec): MapRefusal | undefined;
  /** Makes a live map of a spec that `check` accepted. */
  create(spec: MapSpec, host: MapHost): BpfMap;
}

/** Defines a map type; the built-in types use nothing else. */
export const defineMapType = (plugin: MapTypePlugin): MapTypePlugin => plugin;
