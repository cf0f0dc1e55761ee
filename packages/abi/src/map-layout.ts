/**
 * Offsets in the header of a live map, which lies in linear memory at `BpfMap.address`. Generated code and the map
 * types read and write the same words; `packages/maps/LAYOUT.md` says what they mean for each type.
 *
 * From `type` on, the fields that programs can reach through `struct bpf_map` lie where Linux 6.18 has them.
 */
export const MAP_HEADER = {
  /** Address of the first value (arrays), element (hashes) or record byte (rings). */
  data: 0,
  /** Bytes from one value or element to the next. */
  stride: 4,
  /** Address of the bucket heads: u32 element addresses, 0 ends a chain. */
  buckets: 8,
  /** Bucket count less one. */
  mask: 12,
  /** Seed of the hash function. */
  seed: 16,
  /** Offset of the value within an element. */
  valueOffset: 20,
  /** Bytes from one CPU's slot of a value to the next CPU's. */
  cpuStride: 24,
  /** Address of the first free element, 0 when none waits for reuse. */
  freeHead: 28,
  /** Elements in use. */
  count: 32,
  /** Address of the order table of a hash map: element addresses in order of insertion, 0 for those removed. */
  order: 36,
  /** Index in the order table below which all elements are removed. */
  orderStart: 40,
  /** Address of the next element that was never used. */
  fresh: 44,
  /** One past the elements that were never used. */
  freshEnd: 48,
  /** Index in the order table of the next element inserted. */
  orderEnd: 52,
  /** Entries of the order table; when it is full, elements must be inserted through `BpfMap.update`. */
  orderMax: 56,
  /** Offset of the key within an element. */
  keyOffset: 60,
  type: 64,
  keyBytes: 68,
  valueBytes: 72,
  maxEntries: 76,
  /** 64 bits. */
  mapExtra: 80,
  flags: 88,
  id: 92,
  /** Not 0 once user space may not write. */
  isFrozen: 96,
  /** Elements that the map has memory for. */
  allocated: 100,
  /** 0, or not 0 while a thread works on the map; maps that threads share only. */
  lock: 104,
  /** Counts the changes of a map that threads share: odd while one is under way. */
  changes: 108,
  /** Counts how often the order table was compacted. */
  orderEpoch: 112,
  /** 16 bytes, NUL-terminated. */
  name: 136,
  /** First byte of what a map type keeps beyond these. */
  extra: 160,
} as const;

/** Offsets in an element of a hash map; key and value lie at the header's `keyOffset` and `valueOffset`. */
export const MAP_ELEMENT = {
  /** Address of the next element of the bucket or of the free list, 0 at the end. */
  next: 0,
  hash: 4,
  /** Index in the order table. */
  order: 8,
  /** u8, LRU types only: a program's lookup sets it to 1. */
  lruRef: 15,
} as const;

/** Offsets from the address of a ring buffer record to its header. */
export const RING_RECORD = {
  /** u32: payload bytes, with {@link RING_BUSY} and {@link RING_DISCARD}. */
  length: -8,
  /** u32: address of the map that the record belongs to; Linux keeps a page distance here. */
  owner: -4,
} as const;

/** Bit of a record's length: still being written. */
export const RING_BUSY = 0x8000_0000;
/** Bit of a record's length: to be skipped. */
export const RING_DISCARD = 0x4000_0000;
