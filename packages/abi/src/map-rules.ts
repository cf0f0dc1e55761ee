import { MAP_FLAGS, type MapTypeName } from "./map-types.ts";

/** Inclusive bounds of a size or count. */
export interface SizeRule {
  readonly min: number;
  readonly max: number;
  /** The only sizes accepted within the bounds. */
  readonly oneOf?: readonly number[];
  readonly multipleOf?: number;
  readonly isPowerOfTwo?: boolean;
}

/** What Linux accepts when a map of a type is created. */
export interface MapRule {
  readonly keyBytes: SizeRule;
  readonly valueBytes: SizeRule;
  readonly maxEntries: SizeRule;
  /** `map_flags` bits that may be set. */
  readonly flags: number;
  /** `map_flags` bits that must be set. */
  readonly requiredFlags: number;
  /** Whether an inner map is needed as a template. */
  readonly needsInner: boolean;
  /** Whether `map_extra` has a meaning; it must be 0 otherwise. */
  readonly usesExtra: boolean;
  /** Whether BTF types of key and value are needed. */
  readonly needsBtf: boolean;
}

/** Largest per-CPU value, rounded up to 8. @source linux include/linux/percpu.h PCPU_MIN_UNIT_SIZE */
export const PERCPU_VALUE_BYTES_MAX = 32_768;
const INT_MAX = 0x7fff_ffff;
const U32_MAX = 0xffff_ffff;
/** Entries of tables whose bucket count is rounded up to a power of two. */
const BUCKETS_MAX = 0x8000_0000;
const MEMORY_PAGE_BYTES = 4096;
const LPM_KEY_BYTES_MIN = 5;
const LPM_KEY_BYTES_MAX = 260;
const SOCKHASH_KEY_BYTES_MAX = 512;
/** Largest value of a local storage map; measured on 6.18. @source linux include/linux/bpf_local_storage.h */
const STORAGE_VALUE_BYTES_MAX = 65_407;
const STACK_FRAMES_MAX = 127;
const ARENA_PAGES_MAX = 0x10_0000;
/** CPUs that a kernel may be built for. @source linux x86-64 NR_CPUS */
const CPUS_MAX = 8192;
const CGROUP_STORAGE_KEY_BYTES = [8, 16] as const;

const exactly = (bytes: number): SizeRule => ({ min: bytes, max: bytes });
const between = (min: number, max: number): SizeRule => ({ min, max });
const oneOf = (...sizes: readonly number[]): SizeRule => ({
  min: Math.min(...sizes),
  max: Math.max(...sizes),
  oneOf: sizes,
});

const { noPrealloc, noCommonLru, numaNode, readOnly, writeOnly, stackBuildId, zeroSeed } = MAP_FLAGS;
const { readOnlyProg, writeOnlyProg, clone, mmapable, preserveElems, innerMap, link } = MAP_FLAGS;
const { vtypeBtfObjFd, segvOnFault, noUserConv } = MAP_FLAGS;
const USER = readOnly | writeOnly;
const ACCESS = USER | readOnlyProg | writeOnlyProg;
const HASH = noPrealloc | numaNode | zeroSeed | ACCESS;

const rule = (
  keyBytes: SizeRule,
  valueBytes: SizeRule,
  maxEntries: SizeRule,
  flags: number,
  more: Partial<Omit<MapRule, "keyBytes" | "valueBytes" | "maxEntries" | "flags">> = {},
): MapRule => ({
  keyBytes,
  valueBytes,
  maxEntries,
  flags,
  requiredFlags: 0,
  needsInner: false,
  usesExtra: false,
  needsBtf: false,
  ...more,
});

const ANY_SIZE = between(1, INT_MAX);
const PERCPU_VALUE = between(1, PERCPU_VALUE_BYTES_MAX);
const SOME_ENTRIES = between(1, U32_MAX);
const BUCKETS = between(1, BUCKETS_MAX);
const U32_SLOT = exactly(4);
const HANDLE = oneOf(4, 8);
const NOTHING = exactly(0);
const RING = { min: MEMORY_PAGE_BYTES, max: BUCKETS_MAX, isPowerOfTwo: true, multipleOf: MEMORY_PAGE_BYTES };
const storage = (flags: number): MapRule =>
  rule(U32_SLOT, between(1, STORAGE_VALUE_BYTES_MAX), NOTHING, flags, {
    requiredFlags: noPrealloc,
    needsBtf: true,
  });

/**
 * What each map type accepts at creation.
 *
 * @source linux 6.18, measured; Documentation/bpf/map_*.rst
 */
export const MAP_RULES = {
  unspec: rule(NOTHING, NOTHING, NOTHING, 0),
  hash: rule(ANY_SIZE, ANY_SIZE, BUCKETS, HASH),
  array: rule(U32_SLOT, ANY_SIZE, SOME_ENTRIES, numaNode | ACCESS | mmapable | innerMap),
  prog_array: rule(U32_SLOT, U32_SLOT, SOME_ENTRIES, numaNode | USER),
  perf_event_array: rule(U32_SLOT, U32_SLOT, SOME_ENTRIES, numaNode | USER | preserveElems),
  percpu_hash: rule(ANY_SIZE, PERCPU_VALUE, BUCKETS, HASH & ~numaNode),
  percpu_array: rule(U32_SLOT, PERCPU_VALUE, SOME_ENTRIES, ACCESS),
  stack_trace: rule(
    U32_SLOT,
    { min: 8, max: 32 * STACK_FRAMES_MAX, multipleOf: 8 },
    BUCKETS,
    numaNode | USER | stackBuildId,
  ),
  cgroup_array: rule(U32_SLOT, U32_SLOT, SOME_ENTRIES, numaNode | USER),
  lru_hash: rule(ANY_SIZE, ANY_SIZE, BUCKETS, (HASH & ~noPrealloc) | noCommonLru),
  lru_percpu_hash: rule(ANY_SIZE, PERCPU_VALUE, BUCKETS, (HASH & ~noPrealloc & ~numaNode) | noCommonLru),
  lpm_trie: rule(
    between(LPM_KEY_BYTES_MIN, LPM_KEY_BYTES_MAX),
    ANY_SIZE,
    SOME_ENTRIES,
    noPrealloc | numaNode | ACCESS,
    { requiredFlags: noPrealloc },
  ),
  array_of_maps: rule(U32_SLOT, U32_SLOT, SOME_ENTRIES, numaNode | USER, { needsInner: true }),
  hash_of_maps: rule(ANY_SIZE, U32_SLOT, BUCKETS, HASH, { needsInner: true }),
  devmap: rule(U32_SLOT, HANDLE, SOME_ENTRIES, numaNode | USER),
  sockmap: rule(U32_SLOT, HANDLE, between(1, INT_MAX), numaNode | USER),
  cpumap: rule(U32_SLOT, HANDLE, between(1, CPUS_MAX), numaNode),
  xskmap: rule(U32_SLOT, U32_SLOT, SOME_ENTRIES, numaNode | USER),
  sockhash: rule(between(1, SOCKHASH_KEY_BYTES_MAX), HANDLE, SOME_ENTRIES, numaNode | USER),
  cgroup_storage: rule(
    oneOf(...CGROUP_STORAGE_KEY_BYTES),
    between(1, STORAGE_VALUE_BYTES_MAX),
    NOTHING,
    numaNode | ACCESS,
  ),
  reuseport_sockarray: rule(U32_SLOT, HANDLE, SOME_ENTRIES, numaNode | ACCESS),
  percpu_cgroup_storage: rule(oneOf(...CGROUP_STORAGE_KEY_BYTES), PERCPU_VALUE, NOTHING, numaNode | ACCESS),
  queue: rule(NOTHING, ANY_SIZE, SOME_ENTRIES, numaNode | ACCESS),
  stack: rule(NOTHING, ANY_SIZE, SOME_ENTRIES, numaNode | ACCESS),
  sk_storage: storage(noPrealloc | clone),
  devmap_hash: rule(U32_SLOT, HANDLE, BUCKETS, numaNode | USER),
  struct_ops: rule(U32_SLOT, ANY_SIZE, exactly(1), link | vtypeBtfObjFd, { needsBtf: true }),
  ringbuf: rule(NOTHING, NOTHING, RING, numaNode),
  inode_storage: storage(noPrealloc),
  task_storage: storage(noPrealloc),
  bloom_filter: rule(NOTHING, ANY_SIZE, SOME_ENTRIES, numaNode | zeroSeed | ACCESS, { usesExtra: true }),
  user_ringbuf: rule(NOTHING, NOTHING, RING, numaNode),
  cgrp_storage: storage(noPrealloc),
  arena: rule(NOTHING, NOTHING, between(1, ARENA_PAGES_MAX), mmapable | segvOnFault | noUserConv, {
    requiredFlags: mmapable,
    usesExtra: true,
  }),
  insn_array: rule(U32_SLOT, exactly(16), SOME_ENTRIES, 0),
} as const satisfies Record<MapTypeName, MapRule>;
