import type { MapSpec, MapTypeName } from "@tsbpf/abi";
import type { LinearMemory } from "@tsbpf/memory";

/** 0 or a negative error number. */
export type Status = number;

/**
 * A live map. Program-side calls take addresses in linear memory and never grow it; host-side calls copy, and may grow
 * it: they are not for helpers, which run while engines hold views of the memory.
 *
 * Update flags are one number: the low half of the register plus 2^32 times the high half. No flag lies above 2^32,
 * so it does not matter that a number above 2^53 is rounded: it is refused either way. See {@link updateFlags}.
 *
 * @source linux Documentation/bpf/maps.rst
 */
export interface BpfMap {
  readonly spec: MapSpec;
  /** Address of the map's header: the value of a map pointer in a register. Unique, never 0. */
  readonly address: number;

  /** Returns the address of the value, or 0; maps of maps give the inner map's `address`. */
  lookup(keyAddress: number, cpu: number): number;
  update(keyAddress: number, valueAddress: number, flags: number, cpu: number): Status;
  delete(keyAddress: number, cpu: number): Status;
  /** Lookup by the u32 key itself; maps of redirect targets only. */
  lookupIndex?(index: number): number;
  /** Lookup in another CPU's slot; per-CPU maps only. */
  lookupPercpu?(keyAddress: number, cpu: number): number;
  push?(valueAddress: number, flags: number): Status;
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
  set(key: Uint8Array, value: Uint8Array, flags?: number): Status;
  remove(key: Uint8Array): Status;
  /** Returns a copy of the value and removes the element; absent where BPF_MAP_LOOKUP_AND_DELETE_ELEM is refused. */
  take?(key: Uint8Array): Uint8Array | Status;
  /** Returns the key after `key`, or the first. */
  nextKey(key: Uint8Array | null): Uint8Array | Status;
  /** Iterates over copies, in the order of `nextKey`. */
  entries(): IterableIterator<readonly [key: Uint8Array, value: Uint8Array]>;
  freeze(): Status;

  /** Present where slots hold programs. */
  readonly progSlots?: ProgSlots;
  /** Present where slots hold maps. */
  readonly mapSlots?: MapSlots;
  /** Present where slots hold objects of the host: perf events, cgroups, sockets. */
  readonly hostSlots?: HostSlots;
  /** Present on ring buffers that programs write. */
  readonly ring?: RingBuffer;
  /** Present on ring buffers that the host writes. */
  readonly userRing?: UserRing;
  /** Present on maps whose values belong to an object of the host: a socket, task, inode or cgroup. */
  readonly storage?: ObjectStorage;
}

/** Makes the flags of an update from the halves of a register. */
export const updateFlags = (lo: number, hi: number): number =>
  hi === 0 ? lo >>> 0 : (hi >>> 0) * 2 ** 32 + (lo >>> 0);

/** A map whose slots hold programs. */
export interface ProgSlots {
  /** Returns what the host stored for the index, or undefined. */
  progAt(index: number): unknown;
  setProg(index: number, prog: unknown): Status;
}

/** A map whose slots hold maps. */
export interface MapSlots {
  setMap(key: Uint8Array, map: BpfMap | null, flags?: number): Status;
}

/** A map whose slots hold objects of the host. */
export interface HostSlots {
  /** Returns what the host stored for the index, or undefined. */
  objectAt(index: number): unknown;
  /** Stores an object; undefined empties the slot. */
  setObject(index: number, object: unknown): Status;
}

/**
 * A ring buffer of records, as programs and its consumer see it.
 *
 * Submitting names no map: the u32 at `RING_RECORD.owner` of the record is the `address` of its ring.
 */
export interface RingBuffer {
  /** Returns the address of `bytes` writable bytes, or 0 when they do not fit; flags must be 0. */
  reserve(bytes: number, flags: number): number;
  /**
   * Makes a reserved record visible.
   *
   * @returns -EINVAL when the address is no reserved record of this ring, which a verified program never passes.
   */
  submit(recordAddress: number, flags: number): Status;
  /** Gives a reserved record up, as `submit` does; the consumer skips it. */
  discard(recordAddress: number, flags: number): Status;
  /** Copies a record in. */
  output(dataAddress: number, bytes: number, flags: number): Status;
  /** Answers BPF_RB_AVAIL_DATA 0, RING_SIZE 1, CONS_POS 2, PROD_POS 3; 0 for anything else. */
  query(what: number): number;
  /**
   * Hands copies of the submitted records to `visit` and frees them, up to the first that is still being written.
   *
   * @returns how many records were handed over.
   */
  consume(visit: (record: Uint8Array) => void): number;
}

/** A ring buffer that the host fills and programs drain. */
export interface UserRing {
  /** Copies a record in; -EAGAIN when it does not fit. */
  produce(record: Uint8Array): Status;
  /**
   * Hands records to `visit` until it returns false or none is left.
   *
   * @returns how many records were handed over, or a negative error number.
   */
  drain(visit: (recordAddress: number, bytes: number) => boolean): number;
}

/** Values that belong to objects of the host, named by a number of its choice. */
export interface ObjectStorage {
  /** Returns the address of the object's value, or 0; makes a zeroed one when `create` says so and memory allows it. */
  valueFor(objectId: bigint, create: boolean, cpu: number): number;
  /** Forgets the object's value; -ENOENT when there is none. */
  removeValue(objectId: bigint): Status;
}

/** What a map may use of the VM. */
export interface MapHost {
  readonly memory: LinearMemory;
  readonly cpuCount: number;
  /** Random seed of hash functions; 0 when the VM is deterministic. */
  readonly hashSeed: number;
  /** Says whether a network device exists; every index but 0 does when omitted. */
  readonly hasDevice?: (ifindex: number) => boolean;
  /** Finds a live map by the address of its header. */
  mapAt(address: number): BpfMap | undefined;
}

/** A refusal to create a map, as bpf(2) would answer. */
export interface MapRefusal {
  /** Positive error number. */
  readonly errno: number;
  readonly text: string;
}

/**
 * How several threads, each standing for a CPU, may use one map. In all cases maps that are made of equal specs in the
 * same order must come out alike, allocations included: every thread makes them, and one's memory is kept.
 *
 * - `locked`: what changes lies in linear memory; calls are let through one at a time. A `forEach` holds the map
 *   between visits only, so it must bear what others do during one.
 * - `values`: as `locked`, but calls of programs change nothing beside values, so these need no lock.
 * - `fixed`: as `values`, and slots refer to objects of the thread: they cannot be changed once threads run.
 */
export type MapSharing = "locked" | "values" | "fixed";

export interface MapTypePlugin {
  readonly type: MapTypeName;
  readonly summary: string;
  readonly source: string;
  /** Omitted when threads cannot share such a map; they are then refused by name. */
  readonly sharing?: MapSharing;
  /** Says why Linux would refuse such a map; undefined when it would not. */
  check(spec: MapSpec): MapRefusal | undefined;
  /** Makes a live map of a spec that `check` accepted. */
  create(spec: MapSpec, host: MapHost): BpfMap;
}

/** Defines a map type; the built-in types use nothing else. */
export const defineMapType = (plugin: MapTypePlugin): MapTypePlugin => plugin;
