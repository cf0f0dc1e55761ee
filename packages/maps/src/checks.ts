import {
  ERRNO,
  MAP_FLAGS,
  MAP_RULES,
  type MapSpec,
  type MapTypeName,
  PERCPU_VALUE_BYTES_MAX,
  type SizeRule,
} from "@tsbpf/abi";
import { alignUp } from "@tsbpf/base";
import type { MapRefusal } from "@tsbpf/plugin";
import { checkValueFields } from "./field-checks.ts";

/**
 * Computes: whether Linux would create a map, and the error number if not. Sizes and flags come from abi's
 * `MAP_RULES`; what is here is which error number each broken rule has, and what a table cannot say. Rules are tried
 * in the kernel's order, because a map that breaks two of them gets the first one's number (M-1..M-10).
 *
 * @source linux BPF_MAP_CREATE, measured on 6.18
 */

type Rule = (spec: MapSpec) => MapRefusal | undefined;

/** Largest kernel allocation in one piece. @source linux KMALLOC_MAX_SIZE with 4 KiB pages */
const KMALLOC_BYTES_MAX = 4 * 1024 * 1024;
/** Bytes that Linux 6.18 keeps with each element; measured through the largest sizes it accepts. */
const HASH_ELEMENT_BYTES = 48;
const LPM_NODE_BYTES = 24;
const LPM_DATA_BYTES_MAX = 256;
/** Above this the bucket table exceeds 4 GiB; measured. */
const HASH_ENTRIES_MAX = 2 ** 27;
const ADDRESS_SPACE_BYTES = 2 ** 32;
const INT_MAX = 0x7fff_ffff;
const STACK_FRAMES_MAX = 127;
const BUILD_ID_BYTES = 32;
const MEMORY_PAGE_BYTES = 4096n;

const { noPrealloc, noCommonLru, numaNode, readOnly, writeOnly, readOnlyProg, writeOnlyProg } = MAP_FLAGS;

const refuse = (errno: keyof typeof ERRNO, text: string): MapRefusal => ({ errno: ERRNO[errno], text });

const atMost =
  (what: "valueBytes" | "keyBytes" | "maxEntries", max: number, errno: keyof typeof ERRNO = "E2BIG"): Rule =>
  (spec) =>
    spec[what] <= max ? undefined : refuse(errno, `${LABELS[what]} is ${spec[what]}, at most ${max} allowed`);

const LABELS = { keyBytes: "key_size", valueBytes: "value_size", maxEntries: "max_entries" } as const;

/** Flags of the type's rule, and `more` that only later rules refuse. */
const flags =
  (more = 0): Rule =>
  (spec) => {
    const rule = MAP_RULES[spec.type];
    const unknown = spec.flags & ~(rule.flags | more);
    if (unknown !== 0) {
      return refuse("EINVAL", `map_flags ${hex(unknown)} set, ${spec.type} allows ${hex(rule.flags)}`);
    }
    const missing = rule.requiredFlags & ~spec.flags;
    if (missing !== 0) return refuse("EINVAL", `map_flags ${hex(missing)} missing, ${spec.type} requires it`);
    const both = readOnlyProg | writeOnlyProg;
    return (spec.flags & both) === both
      ? refuse("EINVAL", "map_flags make it read-only and write-only for programs")
      : undefined;
  };

/** Sizes of the type's rule, all answered with EINVAL; maxima that have another number are left to later rules. */
const sizes =
  (...laterMaxima: readonly (keyof typeof LABELS)[]): Rule =>
  (spec) => {
    const rule = MAP_RULES[spec.type];
    for (const what of ["keyBytes", "valueBytes", "maxEntries"] as const) {
      const problem = sizeProblem(spec[what], rule[what]);
      const isLater = laterMaxima.includes(what) && spec[what] > rule[what].max;
      if (problem === undefined || isLater) continue;
      return refuse("EINVAL", `${LABELS[what]} is ${spec[what]}, ${problem} allowed`);
    }
    return undefined;
  };

function sizeProblem(size: number, rule: SizeRule): string | undefined {
  if (rule.oneOf !== undefined && !rule.oneOf.includes(size)) return rule.oneOf.join(" or ");
  if (size < rule.min || size > rule.max) {
    return rule.min === rule.max ? `only ${rule.min}` : `${rule.min}..${rule.max}`;
  }
  if (rule.multipleOf !== undefined && size % rule.multipleOf !== 0) return `multiples of ${rule.multipleOf}`;
  if (rule.isPowerOfTwo === true && !Number.isInteger(Math.log2(size))) return "powers of two";
  return undefined;
}

const hashElementFits: Rule = (spec) =>
  spec.keyBytes + spec.valueBytes < KMALLOC_BYTES_MAX - HASH_ELEMENT_BYTES
    ? undefined
    : refuse("E2BIG", `key and value have ${spec.keyBytes + spec.valueBytes} bytes, less than 4 MiB allowed`);

const percpuValueFits: Rule = (spec) =>
  alignUp(spec.valueBytes, 8) <= PERCPU_VALUE_BYTES_MAX
    ? undefined
    : refuse(
        "E2BIG",
        `value_size is ${spec.valueBytes}, per-CPU values have at most ${PERCPU_VALUE_BYTES_MAX}`,
      );

const lruIsPrealloc: Rule = (spec) =>
  (spec.flags & noPrealloc) === 0
    ? undefined
    : refuse("ENOTSUPP", "LRU maps are preallocated, map_flags ask for no preallocation");

const noNodeWithOwnLists: Rule = (spec) =>
  (spec.flags & noCommonLru) !== 0 && (spec.flags & numaNode) !== 0
    ? refuse("EINVAL", "map_flags ask for a memory node and for lists per CPU")
    : undefined;

const storageFits =
  (bytesOf: (spec: MapSpec) => number): Rule =>
  (spec) =>
    bytesOf(spec) <= ADDRESS_SPACE_BYTES
      ? undefined
      : refuse("ENOMEM", `${bytesOf(spec)} bytes needed for ${spec.maxEntries} elements`);

const arrayFits = storageFits((spec) => alignUp(spec.valueBytes, 8) * spec.maxEntries);
const queueFits = storageFits((spec) => spec.valueBytes * (spec.maxEntries + 1));
const hashFits: Rule = (spec) =>
  (spec.flags & noPrealloc) !== 0
    ? undefined
    : storageFits(
        (one) =>
          (HASH_ELEMENT_BYTES + alignUp(one.keyBytes, 8) + alignUp(one.valueBytes, 8)) * one.maxEntries,
      )(spec);

const stackDepth: Rule = (spec) => {
  const hasBuildId = (spec.flags & MAP_FLAGS.stackBuildId) !== 0;
  const frameBytes = hasBuildId ? BUILD_ID_BYTES : 8;
  const max = frameBytes * STACK_FRAMES_MAX;
  return spec.valueBytes % frameBytes === 0 && spec.valueBytes <= max
    ? undefined
    : refuse("EINVAL", `value_size is ${spec.valueBytes}, multiples of ${frameBytes} up to ${max} allowed`);
};

const bloomHashes: Rule = (spec) =>
  (spec.mapExtra ?? 0n) <= 15n
    ? undefined
    : refuse("EINVAL", `map_extra is ${spec.mapExtra}, 0..15 hash functions allowed`);

const storageHasBtf: Rule = (spec) =>
  (spec.btfKeyTypeId ?? 0) !== 0 && (spec.btfValueTypeId ?? 0) !== 0
    ? undefined
    : refuse("EINVAL", "local storage needs BTF types of key and value");

const arenaRange: Rule = (spec) => {
  const start = spec.mapExtra ?? 0n;
  if (start % MEMORY_PAGE_BYTES !== 0n) return refuse("EINVAL", `map_extra ${start} is not at a page`);
  if (spec.maxEntries > MAP_RULES.arena.maxEntries.max) {
    return refuse("E2BIG", `max_entries is ${spec.maxEntries} pages, 4 GiB allowed`);
  }
  const last = start + BigInt(spec.maxEntries) * MEMORY_PAGE_BYTES - 1n;
  return start === 0n || start >> 32n === last >> 32n
    ? undefined
    : refuse("ERANGE", "the arena crosses a 4 GiB boundary");
};

/** Types that Linux takes no inner map of: what they hold is bound to programs or objects at run time. */
const NO_INNER: ReadonlySet<MapTypeName> = new Set<MapTypeName>([
  "prog_array",
  "cgroup_storage",
  "percpu_cgroup_storage",
  "struct_ops",
  "arena",
]);

/** The template of a map of maps (M-130). */
const innerMap: Rule = (spec) => {
  const { inner } = spec;
  if (inner === undefined) return refuse("EBADF", "a map of maps needs an inner map as template");
  const refusal = checkMapSpec(inner);
  if (refusal !== undefined) return { ...refusal, text: `inner map ${inner.name}: ${refusal.text}` };
  if (MAP_RULES[inner.type].needsInner) return refuse("EINVAL", "the inner map is a map of maps itself");
  return NO_INNER.has(inner.type)
    ? refuse("ENOTSUPP", `the inner map is a ${inner.type}, which Linux does not nest`)
    : undefined;
};

const HASH_SIZES = sizes("keyBytes", "valueBytes", "maxEntries");
const HASH_TAIL = [hashElementFits, atMost("maxEntries", HASH_ENTRIES_MAX), hashFits];
const FD_ARRAY = [sizes(), flags(), arrayFits];
const RING = [flags(), sizes()];
const LOCAL_STORAGE = [
  flags(),
  sizes("valueBytes"),
  storageHasBtf,
  atMost("valueBytes", MAP_RULES.sk_storage.valueBytes.max),
];
const CGROUP_STORAGE = (...valueFits: readonly Rule[]): readonly Rule[] => [
  sizes("valueBytes", "maxEntries"),
  ...valueFits,
  flags(),
  sizes("valueBytes"),
];
const QUEUE = [flags(), sizes("valueBytes"), atMost("valueBytes", KMALLOC_BYTES_MAX), queueFits];
const NEVER: Rule = (spec) => refuse("EINVAL", `Linux 6.18 has no map type ${spec.type}`);

const RULES = {
  unspec: [NEVER],
  hash: [flags(), HASH_SIZES, ...HASH_TAIL],
  array: [flags(), sizes("valueBytes"), atMost("valueBytes", INT_MAX), arrayFits],
  prog_array: FD_ARRAY,
  perf_event_array: FD_ARRAY,
  percpu_hash: [flags(), HASH_SIZES, hashElementFits, percpuValueFits, ...HASH_TAIL],
  percpu_array: [flags(), sizes("valueBytes"), atMost("valueBytes", INT_MAX), percpuValueFits, arrayFits],
  stack_trace: [flags(), sizes("maxEntries", "valueBytes"), stackDepth, atMost("maxEntries", 2 ** 31)],
  cgroup_array: FD_ARRAY,
  lru_hash: [flags(noPrealloc), lruIsPrealloc, noNodeWithOwnLists, HASH_SIZES, ...HASH_TAIL],
  lru_percpu_hash: [
    flags(noPrealloc | numaNode),
    lruIsPrealloc,
    flags(),
    HASH_SIZES,
    hashElementFits,
    percpuValueFits,
    ...HASH_TAIL,
  ],
  lpm_trie: [
    flags(),
    sizes("valueBytes"),
    atMost("valueBytes", KMALLOC_BYTES_MAX - LPM_DATA_BYTES_MAX - LPM_NODE_BYTES, "EINVAL"),
  ],
  array_of_maps: [...FD_ARRAY, innerMap],
  hash_of_maps: [flags(), sizes("keyBytes", "maxEntries"), hashElementFits, innerMap, ...HASH_TAIL],
  devmap: [sizes(), flags(), arrayFits],
  sockmap: [sizes(), flags(), arrayFits],
  cpumap: [sizes("maxEntries"), flags(), atMost("maxEntries", MAP_RULES.cpumap.maxEntries.max)],
  xskmap: [sizes(), flags(), arrayFits],
  sockhash: [
    sizes("keyBytes"),
    flags(),
    atMost("keyBytes", MAP_RULES.sockhash.keyBytes.max),
    atMost("maxEntries", HASH_ENTRIES_MAX),
  ],
  cgroup_storage: CGROUP_STORAGE(atMost("valueBytes", MAP_RULES.cgroup_storage.valueBytes.max)),
  reuseport_sockarray: [sizes(), flags(), arrayFits],
  percpu_cgroup_storage: CGROUP_STORAGE(atMost("valueBytes", PERCPU_VALUE_BYTES_MAX)),
  queue: QUEUE,
  stack: QUEUE,
  sk_storage: LOCAL_STORAGE,
  devmap_hash: [sizes(), flags()],
  struct_ops: [flags(), sizes()],
  ringbuf: RING,
  inode_storage: LOCAL_STORAGE,
  task_storage: LOCAL_STORAGE,
  bloom_filter: [atMost("valueBytes", KMALLOC_BYTES_MAX), flags(), sizes(), bloomHashes],
  user_ringbuf: RING,
  cgrp_storage: LOCAL_STORAGE,
  arena: [sizes("maxEntries"), flags(), arenaRange],
  insn_array: [NEVER],
} as const satisfies Record<MapTypeName, readonly Rule[]>;

/** What is checked before the type's own rules. */
const COMMON: readonly Rule[] = [
  (spec) =>
    (spec.btfKeyTypeId ?? 0) !== 0 && (spec.btfValueTypeId ?? 0) === 0
      ? refuse("EINVAL", "a BTF type of the key is given and none of the value")
      : undefined,
  (spec) =>
    (spec.mapExtra ?? 0n) !== 0n && !MAP_RULES[spec.type].usesExtra
      ? refuse("EINVAL", `map_extra is ${spec.mapExtra}, ${spec.type} has no use for it`)
      : undefined,
  (spec) =>
    (spec.flags & readOnly) !== 0 && (spec.flags & writeOnly) !== 0
      ? refuse("EINVAL", "map_flags make it read-only and write-only for user space")
      : undefined,
  (spec) =>
    (spec.flags & numaNode) !== 0 && (spec.numaNode ?? 0) !== 0
      ? refuse("EINVAL", `memory node ${spec.numaNode} is not online, only node 0 is`)
      : undefined,
];

/** Letters that a map's name may have; longer names are cut to 15, as loaders do. */
const checkName: Rule = (spec) =>
  /^[A-Za-z0-9_.]*$/.test(spec.name)
    ? undefined
    : refuse("EINVAL", `map name ${JSON.stringify(spec.name)} found, letters, digits, _ and . allowed`);

/** Says why Linux 6.18 would refuse to create a map; undefined when it would not. */
export function checkMapSpec(spec: MapSpec): MapRefusal | undefined {
  const own: readonly Rule[] = RULES[spec.type];
  for (const rule of [...COMMON, ...own, checkName, checkValueFields]) {
    const refusal = rule(spec);
    if (refusal !== undefined) return refusal;
  }
  return undefined;
}

const hex = (value: number): string => `0x${(value >>> 0).toString(16)}`;
