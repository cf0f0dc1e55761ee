/** Map types by name, as bpftool spells them. @source linux uapi/linux/bpf.h enum bpf_map_type */
export const MAP_TYPES = {
  unspec: 0,
  hash: 1,
  array: 2,
  prog_array: 3,
  perf_event_array: 4,
  percpu_hash: 5,
  percpu_array: 6,
  stack_trace: 7,
  cgroup_array: 8,
  lru_hash: 9,
  lru_percpu_hash: 10,
  lpm_trie: 11,
  array_of_maps: 12,
  hash_of_maps: 13,
  devmap: 14,
  sockmap: 15,
  cpumap: 16,
  xskmap: 17,
  sockhash: 18,
  cgroup_storage: 19,
  reuseport_sockarray: 20,
  percpu_cgroup_storage: 21,
  queue: 22,
  stack: 23,
  sk_storage: 24,
  devmap_hash: 25,
  struct_ops: 26,
  ringbuf: 27,
  inode_storage: 28,
  task_storage: 29,
  bloom_filter: 30,
  user_ringbuf: 31,
  cgrp_storage: 32,
  arena: 33,
  insn_array: 34,
} as const;

export type MapTypeName = keyof typeof MAP_TYPES;

/** Bits of `map_flags`. @source linux uapi/linux/bpf.h BPF_F_* of BPF_MAP_CREATE */
export const MAP_FLAGS = {
  noPrealloc: 1 << 0,
  noCommonLru: 1 << 1,
  numaNode: 1 << 2,
  readOnly: 1 << 3,
  writeOnly: 1 << 4,
  stackBuildId: 1 << 5,
  zeroSeed: 1 << 6,
  readOnlyProg: 1 << 7,
  writeOnlyProg: 1 << 8,
  clone: 1 << 9,
  mmapable: 1 << 10,
  preserveElems: 1 << 11,
  innerMap: 1 << 12,
  link: 1 << 13,
  pathFd: 1 << 14,
  vtypeBtfObjFd: 1 << 15,
  tokenFd: 1 << 16,
  segvOnFault: 1 << 17,
  noUserConv: 1 << 18,
} as const;

/** Flags of an element update. @source linux uapi/linux/bpf.h BPF_ANY */
export const UPDATE_FLAGS = { any: 0, noExist: 1, exist: 2, lock: 4 } as const;

const MAP_TYPE_NAMES: ReadonlyMap<number, MapTypeName> = new Map(
  Object.entries(MAP_TYPES).map(([name, value]) => [value, name as MapTypeName]),
);

/** Returns the name of a map type number. */
export const mapTypeName = (value: number): MapTypeName | undefined => MAP_TYPE_NAMES.get(value);
