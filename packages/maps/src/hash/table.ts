import { MAP_ELEMENT, MAP_HEADER, type MapSpec } from "@tsbpf/abi";
import { alignUp } from "@tsbpf/base";
import { type LinearMemory, PERM } from "@tsbpf/memory";
import type { MapHost } from "@tsbpf/plugin";
import { valuePerm } from "../header.ts";
import { Pool } from "../pool.ts";
import { hashKey, hashWords, sameKey, sameWords } from "./key.ts";
import { OrderTable } from "./order-table.ts";

export interface TableOptions {
  readonly spec: MapSpec;
  readonly host: MapHost;
  /** Address of the map's header. */
  readonly header: number;
  /** Bytes of an element before its key. */
  readonly keyOffset: number;
  /** Bytes of one value slot as stored; the specification's, rounded up to 8, when omitted. */
  readonly slotBytes?: number;
  /** Slots of each value: CPUs for per-CPU maps, else 1. */
  readonly slots: number;
  /** Elements that may be in use or held back at once. */
  readonly capacity: number;
  readonly isPrealloc: boolean;
  readonly seed: number;
}

const HASH_WORD = MAP_ELEMENT.hash >>> 2;
/** Bucket heads are not worth more memory than this; chains grow instead. */
const BUCKETS_MAX = 1 << 24;

/**
 * Chained hash table in linear memory: bucket heads, elements from a pool, and a table of the elements in order of
 * insertion. `LAYOUT.md` describes the bytes. All addresses that leave it are unsigned.
 */
export class HashTable {
  readonly memory: LinearMemory;
  readonly pool: Pool;
  readonly valueOffset: number;
  readonly keyOffset: number;
  /** Bytes of one slot of a value. */
  readonly slotBytes: number;
  /** After a successful `find`: address of the word that points to the element. */
  foundLink = 0;
  /** After every `find`: the hash of the key. */
  foundHash = 0;
  private readonly header: number;
  private readonly keyBytes: number;
  private readonly buckets: number;
  private readonly mask: number;
  private readonly seed: number;
  private readonly order: OrderTable;

  constructor(options: TableOptions) {
    const { spec, host, header, keyOffset, slots } = options;
    this.memory = host.memory;
    this.header = header;
    this.keyBytes = spec.keyBytes;
    this.seed = options.seed;
    this.keyOffset = keyOffset;
    this.valueOffset = keyOffset + alignUp(spec.keyBytes, 8);
    this.slotBytes = options.slotBytes ?? alignUp(spec.valueBytes, 8);
    const stride = this.valueOffset + this.slotBytes * slots;
    const bucketCount = bucketCountFor(spec.maxEntries);
    this.mask = bucketCount - 1;
    this.buckets = host.memory.allocRaw(bucketCount * 4, 64);
    // The pool may take all that is left, so it comes last.
    this.order = new OrderTable(host.memory, header, spec.maxEntries, options.isPrealloc);
    this.pool = new Pool(host.memory, {
      header,
      stride,
      capacity: options.capacity,
      isPrealloc: options.isPrealloc,
      region: this.describeRegion(spec, stride, slots),
    });
    const put = (offset: number, value: number) => host.memory.view.setUint32(header + offset, value, true);
    put(MAP_HEADER.stride, stride);
    put(MAP_HEADER.buckets, this.buckets);
    put(MAP_HEADER.mask, this.mask);
    put(MAP_HEADER.seed, options.seed);
    put(MAP_HEADER.keyOffset, keyOffset);
    put(MAP_HEADER.valueOffset, this.valueOffset);
    put(MAP_HEADER.cpuStride, slots > 1 || isPercpu(spec) ? this.slotBytes : 0);
  }

  get count(): number {
    return this.memory.view.getUint32(this.header + MAP_HEADER.count, true);
  }

  /** Finds the element with the key at an address, or returns 0. */
  find(keyAddress: number): number {
    const { keyBytes } = this;
    // Keys of whole words are compared as words where they lie aligned, as nearly all do.
    if ((keyBytes & 3) === 0 && (keyAddress & 3) === 0) {
      const hash = hashWords(this.memory.i32, keyAddress >>> 2, keyBytes >>> 2, this.seed);
      return this.findWords(keyAddress >>> 2, hash);
    }
    return this.findBytes(keyAddress, hashKey(this.memory.view, keyAddress, keyBytes, this.seed));
  }

  private findWords(keyWord: number, hash: number): number {
    const { i32 } = this.memory;
    const words = this.keyBytes >>> 2;
    const toKey = this.keyOffset >>> 2;
    this.foundHash = hash;
    let link = (this.buckets >>> 2) + (hash & this.mask);
    for (let element = i32[link] as number; element !== 0; element = i32[link] as number) {
      const at = element >>> 2;
      if (i32[at + HASH_WORD] === hash && sameWords(i32, at + toKey, keyWord, words)) {
        this.foundLink = link << 2;
        return element >>> 0;
      }
      link = at;
    }
    return 0;
  }

  private findBytes(keyAddress: number, hash: number): number {
    const { i32, view } = this.memory;
    this.foundHash = hash;
    let link = (this.buckets >>> 2) + (hash & this.mask);
    for (let element = i32[link] as number; element !== 0; element = i32[link] as number) {
      const at = element >>> 2;
      if (
        i32[at + HASH_WORD] === hash &&
        sameKey(view, (element + this.keyOffset) >>> 0, keyAddress, this.keyBytes)
      ) {
        this.foundLink = link << 2;
        return element >>> 0;
      }
      link = at;
    }
    return 0;
  }

  /** Puts the key that `find` looked for last, and its hash, into an element that is not linked. */
  putKey(element: number, keyAddress: number): void {
    this.memory.i32[(element + MAP_ELEMENT.hash) >>> 2] = this.foundHash;
    this.memory.copy(element + this.keyOffset, keyAddress, this.keyBytes);
  }

  /**
   * Links an element as the newest.
   *
   * @returns false when the order table is full and the memory has no room for a larger one.
   */
  insert(element: number): boolean {
    if (!this.order.append(element)) return false;
    const { i32 } = this.memory;
    const hash = i32[(element + MAP_ELEMENT.hash) >>> 2] as number;
    const bucket = (this.buckets + ((hash & this.mask) << 2)) >>> 2;
    i32[element >>> 2] = i32[bucket] as number;
    i32[bucket] = element;
    this.addCount(1);
    return true;
  }

  /** Links an element in place of the one found last, in its chain and in the order. */
  replaceFound(old: number, next: number): void {
    const { i32 } = this.memory;
    i32[next >>> 2] = i32[old >>> 2] as number;
    i32[this.foundLink >>> 2] = next;
    this.order.replace(old, next);
  }

  /** Unlinks the element found last. */
  removeFound(element: number): void {
    const { i32 } = this.memory;
    i32[this.foundLink >>> 2] = i32[element >>> 2] as number;
    this.order.remove(element);
    this.addCount(-1);
  }

  /** Unlinks an element that is in the table. */
  remove(element: number): void {
    const { i32 } = this.memory;
    const hash = i32[(element + MAP_ELEMENT.hash) >>> 2] as number;
    let link = this.buckets + ((hash & this.mask) << 2);
    while ((i32[link >>> 2] as number) >>> 0 !== element) link = i32[link >>> 2] as number;
    this.foundLink = link;
    this.removeFound(element);
  }

  /** Returns the element inserted after this one, the oldest for 0; 0 when there is none. */
  after(element: number): number {
    return this.order.after(element);
  }

  /** Walks the elements in order of insertion; see {@link OrderTable.walk}. */
  walk(visit: (element: number) => boolean): number {
    return this.order.walk(this.count, visit);
  }

  private addCount(by: number): void {
    const at = (this.header + MAP_HEADER.count) >>> 2;
    this.memory.i32[at] = (this.memory.i32[at] as number) + by;
  }

  private describeRegion(spec: MapSpec, stride: number, slots: number) {
    const perm = valuePerm(spec);
    return {
      kind: "map",
      name: `map ${spec.name}`,
      perm,
      align: 8,
      cells: {
        stride,
        windows: [
          { name: "key", offset: this.keyOffset, bytes: spec.keyBytes, perm: PERM.read },
          {
            name: "value",
            offset: this.valueOffset,
            bytes: spec.valueBytes,
            count: slots,
            stride: this.slotBytes,
            perm,
          },
        ],
      },
    } as const;
  }
}

const isPercpu = (spec: MapSpec): boolean => spec.type === "percpu_hash" || spec.type === "lru_percpu_hash";

/** Two buckets an element: measured, a lookup then takes four fifths of the time that it takes with one. */
function bucketCountFor(maxEntries: number): number {
  let count = 1;
  while (count < maxEntries * 2 && count < BUCKETS_MAX) count *= 2;
  return count;
}
