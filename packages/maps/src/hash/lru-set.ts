import type { LinearMemory } from "@tsbpf/memory";

/**
 * Elements of an LRU map that wait to be used again or to be evicted: circular lists in linear memory.
 *
 * Computes: which elements an LRU map gives up, as Linux's approximation of LRU does. Assumes: one set a map, or one
 * a CPU. Guarantees: an element is in one list at a time. Cost: a bounded scan for each eviction.
 *
 * An element enters the inactive list; a lookup by a program sets its reference mark; a scan moves marked elements
 * to the active list or to its front, and unmarked ones from the active list to the inactive one; eviction takes
 * unmarked elements from the end of the inactive list.
 *
 * @source linux Documentation/bpf/map_hash.rst "Map Internals", M-60..M-65
 */

/** Offset in an element of its list node. */
export const LRU_NODE = 16;
/** Bytes of an element before its key. */
export const LRU_KEY_OFFSET = 24;
/** Offsets from a list node; a list's head has the first two. */
const PREV = 0;
const NEXT = 4;
/** What a node's element holds before it: a u16 and two u8. */
const CPU = -4;
const PLACE = -2;
const REF = -1;

/** Which list a node is in. */
export const LRU_PLACE = { active: 0, inactive: 1, free: 2, localFree: 3, pending: 4 } as const;

/** Bytes of a list head. */
export const LRU_HEAD_BYTES = 8;
/** Offsets in a set, after the heads of the active, inactive and free list. */
const COUNTS = 3 * LRU_HEAD_BYTES;
const ROTATION = COUNTS + 8;
/** Bytes of a set. */
export const LRU_SET_BYTES = ROTATION + 8;

/** Doubly linked list operations on nodes at addresses. */
export class LruNodes {
  readonly memory: LinearMemory;

  constructor(memory: LinearMemory) {
    this.memory = memory;
  }

  prev(node: number): number {
    return (this.memory.i32[(node + PREV) >>> 2] as number) >>> 0;
  }
  next(node: number): number {
    return (this.memory.i32[(node + NEXT) >>> 2] as number) >>> 0;
  }
  isEmpty(head: number): boolean {
    return this.next(head) === head;
  }

  /** Makes a head an empty list. */
  clear(head: number): void {
    this.join(head, head);
  }

  pushFirst(head: number, node: number): void {
    const second = this.next(head);
    this.join(head, node);
    this.join(node, second);
  }

  unlink(node: number): void {
    this.join(this.prev(node), this.next(node));
  }

  moveFirst(head: number, node: number): void {
    this.unlink(node);
    this.pushFirst(head, node);
  }

  moveLast(head: number, node: number): void {
    this.unlink(node);
    this.pushFirst(this.prev(head), node);
  }

  cpuOf(node: number): number {
    return this.memory.view.getUint16(node + CPU, true);
  }
  setCpu(node: number, cpu: number): void {
    this.memory.view.setUint16(node + CPU, cpu, true);
  }
  placeOf(node: number): number {
    return this.memory.u8[node + PLACE] as number;
  }
  setPlace(node: number, place: number): void {
    this.memory.u8[node + PLACE] = place;
  }
  isMarked(node: number): boolean {
    return this.memory.u8[node + REF] !== 0;
  }
  setMark(node: number, mark: number): void {
    this.memory.u8[node + REF] = mark;
  }

  private join(before: number, after: number): void {
    this.memory.i32[(before + NEXT) >>> 2] = after;
    this.memory.i32[(after + PREV) >>> 2] = before;
  }
}

/** The active, inactive and free list of a map, or of one CPU of it. */
export class LruSet {
  readonly free: number;
  private readonly nodes: LruNodes;
  private readonly base: number;
  /** Most nodes that one scan looks at. */
  private readonly scanCount: number;
  /** Takes a node's element out of the table. */
  private readonly evict: (node: number) => void;

  constructor(nodes: LruNodes, base: number, scanCount: number, evict: (node: number) => void) {
    this.nodes = nodes;
    this.base = base;
    this.scanCount = scanCount;
    this.evict = evict;
    this.free = this.head(LRU_PLACE.free);
    for (const place of [LRU_PLACE.active, LRU_PLACE.inactive, LRU_PLACE.free]) nodes.clear(this.head(place));
    this.rotation = this.head(LRU_PLACE.inactive);
  }

  /** Puts a node that never was in a list to the front of the free list. */
  addFree(node: number): void {
    this.nodes.setPlace(node, LRU_PLACE.free);
    this.nodes.pushFirst(this.free, node);
  }

  /** Moves a node between or within this set's lists, to the front, unmarked. */
  move(node: number, place: number): void {
    this.count(this.nodes.placeOf(node), -1);
    this.skipRotation(node);
    this.arrive(node, place);
  }

  /** Moves a node in from a CPU's own list, to the front, unmarked. */
  moveIn(node: number, place: number): void {
    this.arrive(node, place);
  }

  /** Moves a node to the end of a free list, which may be a CPU's own. */
  moveToFree(node: number, head: number, place: number): void {
    this.skipRotation(node);
    this.count(this.nodes.placeOf(node), -1);
    this.nodes.setPlace(node, place);
    this.nodes.moveLast(head, node);
  }

  /** Gives marked nodes their second chance, before nodes are needed. */
  rotate(): void {
    if (this.countOf(LRU_PLACE.inactive) < this.countOf(LRU_PLACE.active)) this.rotateActive();
    this.rotateInactive();
  }

  /**
   * Evicts up to `most` unmarked nodes to a free list, or one node, marked or not, when a scan found none.
   */
  shrink(most: number, head: number, place: number): void {
    if (this.shrinkInactive(most, head, place) > 0) return;
    const inactive = this.head(LRU_PLACE.inactive);
    const from = this.nodes.isEmpty(inactive) ? this.head(LRU_PLACE.active) : inactive;
    if (this.nodes.isEmpty(from)) return;
    const node = this.nodes.prev(from);
    this.evict(node);
    this.moveToFree(node, head, place);
  }

  private rotateActive(): void {
    const { nodes } = this;
    const active = this.head(LRU_PLACE.active);
    const firstAtStart = nodes.next(active);
    let node = nodes.prev(active);
    for (let scanned = 0; scanned < this.scanCount && node !== active; scanned++) {
      const before = nodes.prev(node);
      this.move(node, nodes.isMarked(node) ? LRU_PLACE.active : LRU_PLACE.inactive);
      if (node === firstAtStart) return;
      node = before;
    }
  }

  /** Scans on from where the last scan ended, towards the front, once round at most. */
  private rotateInactive(): void {
    const { nodes } = this;
    const inactive = this.head(LRU_PLACE.inactive);
    if (nodes.isEmpty(inactive)) return;
    let last = nodes.next(this.rotation);
    if (last === inactive) last = nodes.next(last);
    let node = this.rotation;
    let next = inactive;
    for (let scanned = 0; scanned < this.scanCount; ) {
      if (node === inactive) {
        node = nodes.prev(node);
        continue;
      }
      next = nodes.prev(node);
      const isLast = node === last;
      if (nodes.isMarked(node)) this.move(node, LRU_PLACE.active);
      if (isLast) break;
      node = next;
      scanned++;
    }
    this.rotation = next;
  }

  private shrinkInactive(most: number, head: number, place: number): number {
    const { nodes } = this;
    const inactive = this.head(LRU_PLACE.inactive);
    let evicted = 0;
    let node = nodes.prev(inactive);
    for (let scanned = 0; scanned < this.scanCount && node !== inactive; scanned++) {
      const before = nodes.prev(node);
      if (nodes.isMarked(node)) this.move(node, LRU_PLACE.active);
      else {
        this.evict(node);
        this.moveToFree(node, head, place);
        evicted++;
        if (evicted === most) break;
      }
      node = before;
    }
    return evicted;
  }

  private arrive(node: number, place: number): void {
    this.count(place, 1);
    this.nodes.setPlace(node, place);
    this.nodes.setMark(node, 0);
    this.nodes.moveFirst(this.head(place), node);
  }

  private head(place: number): number {
    return this.base + place * LRU_HEAD_BYTES;
  }

  /** Node where the next scan of the inactive list starts. */
  private get rotation(): number {
    return this.nodes.memory.view.getUint32(this.base + ROTATION, true);
  }
  private set rotation(node: number) {
    this.nodes.memory.view.setUint32(this.base + ROTATION, node, true);
  }

  /** Keeps the start of the next scan valid when its node leaves its place. */
  private skipRotation(node: number): void {
    if (node === this.rotation) this.rotation = this.nodes.prev(node);
  }

  private countOf(place: number): number {
    return this.nodes.memory.view.getUint32(this.base + COUNTS + 4 * place, true);
  }

  private count(place: number, by: number): void {
    if (place > LRU_PLACE.inactive) return;
    const { view } = this.nodes.memory;
    const at = this.base + COUNTS + 4 * place;
    view.setUint32(at, view.getUint32(at, true) + by, true);
  }
}
