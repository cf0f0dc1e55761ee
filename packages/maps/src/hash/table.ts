import { MAP_ELEMENT, MAP_HEADER, type MapSpec } from "@tsbpf/abi";
import { alignUp } from "@tsbpf/base";
import { type LinearMemory, PERM } from "@tsbpf/memory";
import type { MapHost } from "@tsbpf/plugin";
import { valuePerm } from "../header.ts";
import { Pool } from "../pool.ts";
import { sameKey } from "./key.ts";

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

/** Bucket heads are not worth more memory than this; chains grow instead. */
const BUCKETS_MAX = 1 << 20;

/**
 * Chained hash table in linear memory: bucket heads, elements from a pool, and a list of the elements in order of
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
  private readonly header: number;
  private readonly keyBytes: number;
  private readonly buckets: number;
  private readonly mask: number;
  /** Where walks under way go next: elements, 0 at the end. */
  private readonly cursors: number[] = [];

  constructor(options: TableOptions) {
    const { spec, host, header, keyOffset, slots } = options;
    this.memory = host.memory;
    this.header = header;
    this.keyBytes = spec.keyBytes;
    this.keyOffset = keyOffset;
    this.valueOffset = keyOffset + alignUp(spec.keyBytes, 8);
    this.slotBytes = options.slotBytes ?? alignUp(spec.valueBytes, 8);
    const stride = this.valueOffset + this.slotBytes * slots;
    const bucketCount = bucketCountFor(spec.maxEntries);
    this.mask = bucketCount - 1;
    this.buckets = host.memory.allocRaw(bucketCount * 4, 64);
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
  find(keyAddress: number, hash: number): number {
    const { i32, view } = this.memory;
    const { keyOffset, keyBytes } = this;
    let link = this.buckets + ((hash & this.mask) << 2);
    let element = i32[link >>> 2] as number;
    while (element !== 0) {
      if (
        i32[(element + MAP_ELEMENT.hash) >>> 2] === hash &&
        sameKey(view, (element + keyOffset) >>> 0, keyAddress, keyBytes)
      ) {
        this.foundLink = link;
        return element >>> 0;
      }
      link = element;
      element = i32[element >>> 2] as number;
    }
    return 0;
  }

  /** Puts a key and its hash into an element that is not linked. */
  putKey(element: number, keyAddress: number, hash: number): void {
    this.memory.i32[(element + MAP_ELEMENT.hash) >>> 2] = hash;
    this.memory.copy(element + this.keyOffset, keyAddress, this.keyBytes);
  }

  /** Links an element as the newest. */
  insert(element: number): void {
    const { i32 } = this.memory;
    const bucket =
      (this.buckets + (((i32[(element + MAP_ELEMENT.hash) >>> 2] as number) & this.mask) << 2)) >>> 2;
    i32[element >>> 2] = i32[bucket] as number;
    i32[bucket] = element;
    const last = i32[(this.header + MAP_HEADER.orderLast) >>> 2] as number;
    i32[(element + MAP_ELEMENT.orderPrev) >>> 2] = last;
    i32[(element + MAP_ELEMENT.orderNext) >>> 2] = 0;
    i32[(last === 0 ? this.header + MAP_HEADER.orderFirst : last + MAP_ELEMENT.orderNext) >>> 2] = element;
    i32[(this.header + MAP_HEADER.orderLast) >>> 2] = element;
    this.addCount(1);
  }

  /** Links an element in place of the one found last, in its chain and in the order. */
  replaceFound(old: number, next: number): void {
    const { i32 } = this.memory;
    i32[next >>> 2] = i32[old >>> 2] as number;
    i32[this.foundLink >>> 2] = next;
    const before = i32[(old + MAP_ELEMENT.orderPrev) >>> 2] as number;
    const after = i32[(old + MAP_ELEMENT.orderNext) >>> 2] as number;
    i32[(next + MAP_ELEMENT.orderPrev) >>> 2] = before;
    i32[(next + MAP_ELEMENT.orderNext) >>> 2] = after;
    this.setOrderLinks(before, after, next, next);
    if (this.cursors.length > 0) this.moveCursors(old, next);
  }

  /** Unlinks the element found last. */
  removeFound(element: number): void {
    const { i32 } = this.memory;
    i32[this.foundLink >>> 2] = i32[element >>> 2] as number;
    const before = i32[(element + MAP_ELEMENT.orderPrev) >>> 2] as number;
    const after = i32[(element + MAP_ELEMENT.orderNext) >>> 2] as number;
    this.setOrderLinks(before, after, after, before);
    this.addCount(-1);
    if (this.cursors.length > 0) this.moveCursors(element, after >>> 0);
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

  /** Returns the oldest element, or 0. */
  first(): number {
    return this.memory.view.getUint32(this.header + MAP_HEADER.orderFirst, true);
  }

  /** Returns the element inserted after this one, or 0. */
  after(element: number): number {
    return this.memory.view.getUint32(element + MAP_ELEMENT.orderNext, true);
  }

  /**
   * Walks the elements in order of insertion until `visit` returns false. It may insert and remove elements: those
   * removed are not visited, and at most as many are visited as there were at the start, so that a callback which
   * inserts for each element ends.
   *
   * @returns how many elements were visited.
   */
  walk(visit: (element: number) => boolean): number {
    const most = this.count;
    const depth = this.cursors.push(this.first()) - 1;
    this.setWalkCount();
    try {
      for (let visited = 0; visited < most; visited++) {
        const element = this.cursors[depth] as number;
        if (element === 0) return visited;
        this.cursors[depth] = this.after(element);
        if (!visit(element)) return visited + 1;
      }
      return most;
    } finally {
      this.cursors.length = depth;
      this.setWalkCount();
    }
  }

  private addCount(by: number): void {
    const at = (this.header + MAP_HEADER.count) >>> 2;
    this.memory.i32[at] = (this.memory.i32[at] as number) + by;
  }

  private setWalkCount(): void {
    this.memory.view.setUint32(this.header + MAP_HEADER.walkCount, this.cursors.length, true);
  }

  private moveCursors(from: number, to: number): void {
    for (let i = 0; i < this.cursors.length; i++) if (this.cursors[i] === from) this.cursors[i] = to;
  }

  /** Makes what lies before and after a place of the order point to `forward` and `backward`. */
  private setOrderLinks(before: number, after: number, forward: number, backward: number): void {
    const { i32 } = this.memory;
    i32[(before === 0 ? this.header + MAP_HEADER.orderFirst : before + MAP_ELEMENT.orderNext) >>> 2] =
      forward;
    i32[(after === 0 ? this.header + MAP_HEADER.orderLast : after + MAP_ELEMENT.orderPrev) >>> 2] = backward;
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

function bucketCountFor(maxEntries: number): number {
  let count = 1;
  while (count < maxEntries && count < BUCKETS_MAX) count *= 2;
  return count;
}
