import { ERRNO, type MapSpec, type MapTypeName } from "@tsbpf/abi";
import { describe, expect, it } from "vitest";
import { createHost, createMap, NO_KEY, u32, u64 } from "./support.ts";

/** The error number matrix of Linux 6.18, maps.md §19; values are negative error numbers or 0. */
const [EPERM, ENOENT, E2BIG, EBADF, EEXIST, EINVAL, ENOSPC, EOPNOTSUPP, ENOTSUPP] = [
  ERRNO.EPERM,
  ERRNO.ENOENT,
  ERRNO.E2BIG,
  ERRNO.EBADF,
  ERRNO.EEXIST,
  ERRNO.EINVAL,
  ERRNO.ENOSPC,
  ERRNO.EOPNOTSUPP,
  ERRNO.ENOTSUPP,
].map((errno) => -errno);

interface Row {
  readonly type: MapTypeName;
  readonly more?: Partial<MapSpec>;
  readonly key: Uint8Array;
  /** A key out of range, where there is such a thing. */
  readonly outside?: Uint8Array;
  readonly value: Uint8Array;
  /** Whether the update with `value` succeeds where there are no descriptors. */
  readonly lookupMiss?: number | undefined;
  readonly lookupOutside?: number | undefined;
  readonly update: readonly [any: number | undefined, noExist: number | undefined, exist: number | undefined];
  readonly updateOutside?: number | undefined;
  readonly deleteHit?: number | undefined;
  readonly deleteMiss: number | undefined;
  readonly deleteOutside?: number | undefined;
  /** An error number, or the first key of an empty map. */
  readonly next: number | Uint8Array | undefined;
}

const BY_KEY = {
  key: u32(1),
  value: u64(7),
  lookupMiss: ENOENT,
  update: [0, EEXIST, 0],
  deleteHit: 0,
  deleteMiss: ENOENT,
  next: ENOENT,
} as const;

const BY_INDEX = { key: u32(1), outside: u32(4), next: u32(0) } as const;
const FD_SLOTS = {
  ...BY_INDEX,
  more: { valueBytes: 4 },
  value: u32(99),
  update: [EBADF, EINVAL, EINVAL],
  updateOutside: E2BIG,
  deleteMiss: ENOENT,
  deleteOutside: E2BIG,
} as const;

const LPM_KEY = new Uint8Array([8, 0, 0, 0, 10, 0, 0, 0]);
const LPM_TOO_LONG = new Uint8Array([33, 0, 0, 0, 10, 0, 0, 0]);
const RING = { more: { keyBytes: 0, valueBytes: 0, maxEntries: 4096 }, key: NO_KEY, value: NO_KEY } as const;

const ROWS: readonly Row[] = [
  { type: "hash", ...BY_KEY },
  { type: "lru_hash", ...BY_KEY },
  { type: "percpu_hash", ...BY_KEY, value: new Uint8Array(16) },
  { type: "lru_percpu_hash", ...BY_KEY, value: new Uint8Array(16) },
  {
    type: "array",
    ...BY_INDEX,
    value: u64(7),
    lookupOutside: ENOENT,
    update: [0, EEXIST, 0],
    updateOutside: E2BIG,
    deleteHit: EINVAL,
    deleteMiss: EINVAL,
    deleteOutside: EINVAL,
  },
  {
    type: "percpu_array",
    ...BY_INDEX,
    value: new Uint8Array(16),
    lookupOutside: ENOENT,
    update: [0, EEXIST, 0],
    updateOutside: E2BIG,
    deleteHit: EINVAL,
    deleteMiss: EINVAL,
    deleteOutside: EINVAL,
  },
  { type: "prog_array", ...FD_SLOTS, lookupMiss: ENOENT, lookupOutside: ENOENT },
  { type: "perf_event_array", ...FD_SLOTS, lookupMiss: ENOTSUPP, lookupOutside: ENOTSUPP },
  { type: "cgroup_array", ...FD_SLOTS, lookupMiss: ENOTSUPP, lookupOutside: ENOTSUPP },
  {
    type: "array_of_maps",
    ...FD_SLOTS,
    more: {
      valueBytes: 4,
      inner: { name: "i", type: "hash", keyBytes: 4, valueBytes: 8, maxEntries: 1, flags: 0 },
    },
    lookupMiss: ENOENT,
    lookupOutside: ENOENT,
  },
  {
    type: "hash_of_maps",
    more: {
      valueBytes: 4,
      inner: { name: "i", type: "hash", keyBytes: 4, valueBytes: 8, maxEntries: 1, flags: 0 },
    },
    key: u32(1),
    value: u32(99),
    lookupMiss: ENOENT,
    update: [EBADF, EBADF, EBADF],
    deleteMiss: ENOENT,
    next: ENOENT,
  },
  {
    type: "stack_trace",
    ...BY_INDEX,
    value: u64(7),
    lookupMiss: ENOENT,
    lookupOutside: ENOENT,
    update: [EINVAL, EINVAL, EINVAL],
    updateOutside: EINVAL,
    deleteMiss: ENOENT,
    deleteOutside: E2BIG,
    next: ENOENT,
  },
  {
    type: "lpm_trie",
    more: { keyBytes: 8, flags: 1 },
    key: LPM_KEY,
    outside: LPM_TOO_LONG,
    value: u64(7),
    lookupMiss: ENOENT,
    lookupOutside: ENOENT,
    update: [0, EEXIST, 0],
    updateOutside: EINVAL,
    deleteHit: 0,
    deleteMiss: ENOENT,
    deleteOutside: EINVAL,
    next: ENOENT,
  },
  {
    type: "devmap",
    ...BY_INDEX,
    value: u64(2),
    lookupMiss: ENOENT,
    lookupOutside: ENOENT,
    update: [0, EEXIST, 0],
    updateOutside: E2BIG,
    deleteHit: 0,
    deleteMiss: 0,
    deleteOutside: EINVAL,
  },
  {
    type: "devmap_hash",
    key: u32(1),
    value: u64(2),
    lookupMiss: ENOENT,
    update: [0, EEXIST, 0],
    deleteHit: 0,
    deleteMiss: ENOENT,
    next: ENOENT,
  },
  {
    type: "cpumap",
    ...BY_INDEX,
    value: u64(64),
    lookupMiss: ENOENT,
    lookupOutside: ENOENT,
    update: [0, EEXIST, 0],
    updateOutside: E2BIG,
    deleteHit: 0,
    deleteMiss: 0,
    deleteOutside: EINVAL,
  },
  {
    type: "xskmap",
    ...BY_INDEX,
    more: { valueBytes: 4 },
    value: u32(99),
    lookupMiss: EOPNOTSUPP,
    lookupOutside: EOPNOTSUPP,
    update: [EBADF, EBADF, EBADF],
    updateOutside: E2BIG,
    deleteMiss: 0,
    deleteOutside: EINVAL,
  },
  {
    type: "sockmap",
    ...BY_INDEX,
    more: { valueBytes: 4 },
    value: u32(99),
    lookupMiss: ENOSPC,
    lookupOutside: ENOSPC,
    update: [EBADF, EBADF, EBADF],
    deleteMiss: EINVAL,
    deleteOutside: EINVAL,
  },
  {
    type: "reuseport_sockarray",
    ...BY_INDEX,
    value: u64(99),
    lookupMiss: ENOENT,
    lookupOutside: ENOENT,
    update: [EBADF, EBADF, EBADF],
    updateOutside: E2BIG,
    deleteMiss: ENOENT,
    deleteOutside: E2BIG,
  },
  {
    type: "queue",
    more: { keyBytes: 0 },
    key: NO_KEY,
    outside: u32(0),
    value: u64(7),
    lookupMiss: ENOENT,
    lookupOutside: EINVAL,
    update: [0, EINVAL, 0],
    deleteMiss: EINVAL,
    deleteOutside: EINVAL,
    next: EINVAL,
  },
  {
    type: "stack",
    more: { keyBytes: 0 },
    key: NO_KEY,
    outside: u32(0),
    value: u64(7),
    lookupMiss: ENOENT,
    lookupOutside: EINVAL,
    update: [0, EINVAL, 0],
    deleteMiss: EINVAL,
    deleteOutside: EINVAL,
    next: EINVAL,
  },
  {
    type: "ringbuf",
    ...RING,
    outside: u32(0),
    lookupMiss: ENOTSUPP,
    update: [ENOTSUPP, ENOTSUPP, ENOTSUPP],
    deleteMiss: ENOTSUPP,
    deleteOutside: EINVAL,
    next: ENOTSUPP,
  },
  {
    type: "user_ringbuf",
    ...RING,
    outside: u32(0),
    lookupMiss: ENOTSUPP,
    update: [ENOTSUPP, ENOTSUPP, ENOTSUPP],
    deleteMiss: ENOTSUPP,
    deleteOutside: EINVAL,
    next: ENOTSUPP,
  },
  {
    type: "bloom_filter",
    more: { keyBytes: 0 },
    key: NO_KEY,
    outside: u32(0),
    value: u64(7),
    update: [0, EINVAL, EINVAL],
    deleteMiss: EOPNOTSUPP,
    deleteOutside: EINVAL,
    next: EOPNOTSUPP,
  },
  {
    type: "cgroup_storage",
    more: { keyBytes: 8, maxEntries: 0 },
    key: u64(5),
    value: u64(7),
    lookupMiss: ENOENT,
    update: [ENOENT, EINVAL, ENOENT],
    deleteMiss: EINVAL,
    next: ENOENT,
  },
];

describe.each(ROWS)("$type (maps.md §19)", (row) => {
  const create = () => createMap(row.type, row.more);

  it("answers lookups", () => {
    const map = create();
    if (row.lookupMiss !== undefined) expect(map.get(row.key)).toBe(row.lookupMiss);
    if (row.lookupOutside !== undefined) expect(map.get(row.outside!)).toBe(row.lookupOutside);
    expect(map.nextKey(null)).toEqual(row.next);
  });

  it("answers updates with ANY, then NOEXIST and EXIST", () => {
    const map = create();
    expect(row.update.map((_, flags) => map.set(row.key, row.value, flags))).toEqual(row.update);
    expect(map.set(row.key, row.value, 8)).toBeLessThan(0);
    if (row.updateOutside !== undefined) expect(map.set(row.outside!, row.value)).toBe(row.updateOutside);
  });

  it("answers deletes", () => {
    const map = create();
    expect(map.remove(row.key)).toBe(row.deleteMiss);
    if (row.deleteOutside !== undefined) expect(map.remove(row.outside!)).toBe(row.deleteOutside);
    if (row.deleteHit === undefined) return;
    map.set(row.key, row.value);
    expect(map.remove(row.key)).toBe(row.deleteHit);
  });

  it("lets user space write no more once it is frozen (M-25)", () => {
    const map = create();
    expect(map.freeze()).toBe(0);
    expect(map.freeze()).toBe(EPERM);
    expect(map.set(row.key, row.value)).toBe(EPERM);
    expect(map.remove(row.key)).toBe(EPERM);
  });
});

describe("permissions of user space (M-20, M-22)", () => {
  it("RDONLY lets it read, WRONLY write", () => {
    const host = createHost();
    const readOnly = createMap("hash", { flags: 8 }, host);
    expect(readOnly.set(u32(1), u64(1))).toBe(EPERM);
    expect(readOnly.remove(u32(1))).toBe(EPERM);
    expect(readOnly.get(u32(1))).toBe(ENOENT);
    const writeOnly = createMap("hash", { flags: 16 }, host);
    expect(writeOnly.set(u32(1), u64(1))).toBe(0);
    expect(writeOnly.get(u32(1))).toBe(EPERM);
    expect(writeOnly.nextKey(null)).toBe(EPERM);
    expect(writeOnly.take?.(u32(1))).toBe(EPERM);
    expect([...writeOnly.entries()]).toHaveLength(1);
  });

  it("says which sizes it takes", () => {
    const map = createMap("hash");
    const sizeError = expect.objectContaining({ code: "MAP_SIZE" });
    expect(() => map.get(new Uint8Array(3))).toThrow(sizeError);
    expect(() => map.set(u32(1), new Uint8Array(9))).toThrow("value of 9 bytes given, map m takes 8");
    expect(() => createMap("percpu_array").set(u32(1), u64(1))).toThrow(sizeError);
  });
});

describe("lookup and delete (M-24)", () => {
  it.each(["hash", "percpu_hash", "lru_hash", "lru_percpu_hash", "queue", "stack", "stack_trace"] as const)(
    "%s has it",
    (type) => {
      const isQueue = type === "queue" || type === "stack";
      const map = createMap(type, isQueue ? { keyBytes: 0 } : {});
      expect(map.take?.(isQueue ? NO_KEY : u32(1))).toBe(ENOENT);
    },
  );
  it.each(["array", "percpu_array", "lpm_trie", "devmap_hash", "prog_array", "ringbuf"] as const)(
    "%s has not",
    (type) => {
      const more = {
        lpm_trie: { keyBytes: 8, flags: 1 },
        ringbuf: { keyBytes: 0, valueBytes: 0, maxEntries: 4096 },
        prog_array: { valueBytes: 4 },
      };
      expect(createMap(type, type in more ? more[type as keyof typeof more] : {}).take).toBeUndefined();
    },
  );
});
