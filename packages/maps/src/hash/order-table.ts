import { MAP_ELEMENT, MAP_HEADER } from "@tsbpf/abi";
import type { LinearMemory } from "@tsbpf/memory";

/** Elements that the first table of a map without preallocation has room for, twice over. */
const FIRST_ENTRIES_MAX = 1 << 18;
const ENTRIES_MIN = 8;

/**
 * The elements of a hash map in order of insertion: a table of addresses, where removed elements leave holes. When it
 * is full it is compacted, or doubled when more than half of it is in use.
 *
 * Cost: a write to insert, replace and remove; compaction takes a share of each insertion that does not grow with the
 * map. A linked list through the elements would touch two more of them at random for each.
 */
export class OrderTable {
  private readonly memory: LinearMemory;
  private readonly header: number;
  /** Indices where walks under way in this thread go on. */
  private readonly cursors: number[] = [];
  /** For each cursor the number of compactions after which it is right. */
  private readonly epochs: number[] = [];

  /** @param isPrealloc - whether it is so large from the start that it never has to grow. */
  constructor(memory: LinearMemory, header: number, maxEntries: number, isPrealloc: boolean) {
    this.memory = memory;
    this.header = header;
    // A table in memory that threads share never grows: its old bytes could not be given back to who took them.
    const isWhole = isPrealloc || memory.isShared;
    const expected = isWhole ? maxEntries : Math.min(maxEntries, FIRST_ENTRIES_MAX);
    const entries = Math.max(ENTRIES_MIN, 2 * expected);
    this.put(MAP_HEADER.order, memory.allocRaw(entries * 4, 4));
    this.put(MAP_HEADER.orderMax, entries);
  }

  /** @returns false when the table is full and the memory has no room for a larger one. */
  append(element: number): boolean {
    let end = this.get(MAP_HEADER.orderEnd);
    if (end === this.get(MAP_HEADER.orderMax)) {
      if (!this.makeRoom()) return false;
      end = this.get(MAP_HEADER.orderEnd);
    }
    const { i32 } = this.memory;
    i32[(this.get(MAP_HEADER.order) + 4 * end) >>> 2] = element;
    i32[(element + MAP_ELEMENT.order) >>> 2] = end;
    this.put(MAP_HEADER.orderEnd, end + 1);
    return true;
  }

  replace(old: number, next: number): void {
    const { i32 } = this.memory;
    const index = i32[(old + MAP_ELEMENT.order) >>> 2] as number;
    i32[(next + MAP_ELEMENT.order) >>> 2] = index;
    i32[(this.get(MAP_HEADER.order) + 4 * index) >>> 2] = next;
  }

  remove(element: number): void {
    const { i32 } = this.memory;
    const index = i32[(element + MAP_ELEMENT.order) >>> 2] as number;
    i32[(this.get(MAP_HEADER.order) + 4 * index) >>> 2] = 0;
  }

  /** Returns the element after one, the first for 0; 0 when there is none. */
  after(element: number): number {
    if (element === 0) {
      const first = this.skipHoles(this.get(MAP_HEADER.orderStart));
      this.put(MAP_HEADER.orderStart, first);
      return this.at(first);
    }
    const index = this.memory.view.getUint32(element + MAP_ELEMENT.order, true);
    return this.at(this.skipHoles(index + 1));
  }

  /**
   * Visits elements until `visit` returns false. It may insert, replace and remove elements: those removed are not
   * visited, and at most `most` are, so that a callback which inserts an element for each ends. What other threads do
   * meanwhile may make it miss elements, as in Linux.
   *
   * @returns how many elements were visited.
   */
  walk(most: number, visit: (element: number) => boolean): number {
    const depth = this.cursors.push(this.get(MAP_HEADER.orderStart)) - 1;
    this.epochs[depth] = this.get(MAP_HEADER.orderEpoch);
    try {
      for (let visited = 0; visited < most; visited++) {
        const index = this.skipHoles(this.cursors[depth] as number);
        const element = this.at(index);
        if (element === 0) return visited;
        this.cursors[depth] = index + 1;
        if (!visit(element)) return visited + 1;
        if (this.epochs[depth] !== this.get(MAP_HEADER.orderEpoch)) this.recover(depth, element);
      }
      return most;
    } finally {
      this.cursors.length = depth;
      this.epochs.length = depth;
    }
  }

  /** Finds a cursor's place again after another thread compacted the table. */
  private recover(depth: number, element: number): void {
    const index = this.memory.view.getUint32(element + MAP_ELEMENT.order, true);
    if (this.at(index) === element) this.cursors[depth] = index + 1;
    this.epochs[depth] = this.get(MAP_HEADER.orderEpoch);
  }

  /** Returns the first index from one on that holds an element, or the end. */
  private skipHoles(from: number): number {
    const { i32 } = this.memory;
    const table = this.get(MAP_HEADER.order) >>> 2;
    const end = this.get(MAP_HEADER.orderEnd);
    let index = from;
    while (index < end && i32[table + index] === 0) index++;
    return index;
  }

  private at(index: number): number {
    if (index >= this.get(MAP_HEADER.orderEnd)) return 0;
    return this.memory.view.getUint32(this.get(MAP_HEADER.order) + 4 * index, true);
  }

  /** Compacts the table, into a table of twice the size when more than half is in use. */
  private makeRoom(): boolean {
    const entries = this.get(MAP_HEADER.orderMax);
    const from = this.get(MAP_HEADER.order);
    let to = from;
    if (this.get(MAP_HEADER.count) * 2 > entries) {
      to = this.memory.tryAllocRaw(entries * 8, 4);
      if (to === 0) return this.get(MAP_HEADER.count) < entries && this.compact(from, from);
      this.put(MAP_HEADER.order, to);
      this.put(MAP_HEADER.orderMax, entries * 2);
    }
    this.compact(from, to);
    if (to !== from) this.memory.release(from, entries * 4);
    return true;
  }

  private compact(from: number, to: number): true {
    const { i32 } = this.memory;
    const end = this.get(MAP_HEADER.orderEnd);
    const moved = this.cursors.slice();
    const epoch = this.get(MAP_HEADER.orderEpoch);
    let live = 0;
    for (let index = 0; index < end; index++) {
      for (let i = 0; i < moved.length; i++) if (this.cursors[i] === index) moved[i] = live;
      const element = i32[(from >>> 2) + index] as number;
      if (element === 0) continue;
      i32[(to >>> 2) + live] = element;
      i32[(element + MAP_ELEMENT.order) >>> 2] = live;
      live++;
    }
    for (let i = 0; i < moved.length; i++) {
      if (this.epochs[i] !== epoch) continue;
      this.cursors[i] = Math.min(moved[i] as number, live);
      this.epochs[i] = epoch + 1;
    }
    this.put(MAP_HEADER.orderEpoch, epoch + 1);
    this.put(MAP_HEADER.orderStart, 0);
    this.put(MAP_HEADER.orderEnd, live);
    return true;
  }

  private get(offset: number): number {
    return (this.memory.i32[(this.header + offset) >>> 2] as number) >>> 0;
  }

  private put(offset: number, value: number): void {
    this.memory.i32[(this.header + offset) >>> 2] = value;
  }
}
