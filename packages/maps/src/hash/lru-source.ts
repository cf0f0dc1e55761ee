import { LRU_HEAD_BYTES, LRU_PLACE, LRU_SET_BYTES, type LruNodes, LruSet } from "./lru-set.ts";

/** Where an LRU map gets its elements from: free ones, or evicted ones. Nodes are addresses of list nodes. */
export interface LruSource {
  /** Returns a node, or 0 when every element is held by something else. */
  take(cpu: number): number;
  /** Takes back a node that left the table, or was taken and not used. */
  give(node: number): void;
}

export interface LruSourceOptions {
  readonly nodes: LruNodes;
  /** Address of the source's state. */
  readonly base: number;
  readonly cpuCount: number;
  /** All nodes, in order of address. */
  readonly all: Iterable<number>;
  readonly nodeCount: number;
  /** Takes a node's element out of the table. */
  readonly evict: (node: number) => void;
}

/** Most free nodes that a CPU keeps for itself, and most nodes that a scan looks at. */
const LOCAL_FREE_MAX = 128;
/** The same for a list per CPU. */
const PERCPU_FREE_MAX = 4;

/** Offsets in a CPU's own state: the heads of its free and its pending list, then the CPU to steal from next. */
const LOCAL_PENDING = LRU_HEAD_BYTES;
const LOCAL_NEXT_STEAL = 2 * LRU_HEAD_BYTES;
const LOCAL_BYTES = LOCAL_NEXT_STEAL + 8;

/** Bytes of state that a source needs. */
export const lruStateBytes = (cpuCount: number, isPercpu: boolean): number =>
  isPercpu ? LRU_SET_BYTES * cpuCount : LRU_SET_BYTES + LOCAL_BYTES * cpuCount;

/**
 * One set for all CPUs. Each CPU draws free nodes from it in batches and keeps those it filled pending until the next
 * batch, so a CPU may reserve up to 128 elements: maps of some hundred elements hold less than they promise (M-61).
 */
export class CommonLruSource implements LruSource {
  private readonly nodes: LruNodes;
  private readonly set: LruSet;
  private readonly locals: number;
  private readonly cpuCount: number;
  private readonly batch: number;
  private readonly evict: (node: number) => void;

  constructor(options: LruSourceOptions) {
    const { nodes, base, cpuCount, nodeCount } = options;
    this.nodes = nodes;
    this.cpuCount = cpuCount;
    this.evict = options.evict;
    this.set = new LruSet(nodes, base, LOCAL_FREE_MAX, options.evict);
    this.locals = base + LRU_SET_BYTES;
    const share = Math.floor(Math.floor(nodeCount / cpuCount) / 2);
    this.batch = Math.min(Math.max(share, 1), LOCAL_FREE_MAX);
    for (const node of options.all) this.set.addFree(node);
    for (let cpu = 0; cpu < cpuCount; cpu++) {
      nodes.clear(this.freeOf(cpu));
      nodes.clear(this.pendingOf(cpu));
      this.setNextSteal(cpu, cpu);
    }
  }

  take(cpu: number): number {
    let node = this.takeLocal(cpu);
    if (node === 0) {
      this.refill(cpu);
      node = this.takeLocal(cpu);
    }
    if (node === 0) node = this.steal(cpu);
    if (node !== 0) this.addPending(cpu, node);
    return node;
  }

  give(node: number): void {
    const { nodes } = this;
    if (nodes.placeOf(node) !== LRU_PLACE.pending) {
      this.set.move(node, LRU_PLACE.free);
      return;
    }
    nodes.setPlace(node, LRU_PLACE.localFree);
    nodes.setMark(node, 0);
    nodes.moveFirst(this.freeOf(nodes.cpuOf(node)), node);
  }

  private takeLocal(cpu: number): number {
    const free = this.freeOf(cpu);
    if (this.nodes.isEmpty(free)) return 0;
    const node = this.nodes.next(free);
    this.nodes.unlink(node);
    return node;
  }

  /** Hands the CPU's pending nodes to the set and draws a batch of free ones, evicting as many as are missing. */
  private refill(cpu: number): void {
    const { nodes, set } = this;
    const pending = this.pendingOf(cpu);
    while (!nodes.isEmpty(pending)) {
      const node = nodes.prev(pending);
      set.moveIn(node, nodes.isMarked(node) ? LRU_PLACE.active : LRU_PLACE.inactive);
    }
    set.rotate();
    let drawn = 0;
    for (; drawn < this.batch && !nodes.isEmpty(set.free); drawn++) {
      set.moveToFree(nodes.next(set.free), this.freeOf(cpu), LRU_PLACE.localFree);
    }
    if (drawn < this.batch) set.shrink(this.batch - drawn, this.freeOf(cpu), LRU_PLACE.localFree);
  }

  /** Takes a free or pending node of any CPU, beginning where the last theft ended. */
  private steal(cpu: number): number {
    const first = this.nextSteal(cpu);
    let victim = first;
    let node = 0;
    do {
      node = this.takeLocal(victim);
      if (node === 0) node = this.takePending(victim);
      victim = (victim + 1) % this.cpuCount;
    } while (node === 0 && victim !== first);
    this.setNextSteal(cpu, victim);
    return node;
  }

  /** Evicts the oldest unmarked pending node of a CPU, or its oldest when all are marked. */
  private takePending(cpu: number): number {
    const { nodes } = this;
    const pending = this.pendingOf(cpu);
    let node = nodes.prev(pending);
    while (node !== pending && nodes.isMarked(node)) node = nodes.prev(node);
    if (node === pending) node = nodes.prev(pending);
    if (node === pending) return 0;
    this.evict(node);
    nodes.unlink(node);
    return node;
  }

  private addPending(cpu: number, node: number): void {
    const { nodes } = this;
    nodes.setCpu(node, cpu);
    nodes.setPlace(node, LRU_PLACE.pending);
    nodes.setMark(node, 0);
    nodes.pushFirst(this.pendingOf(cpu), node);
  }

  private freeOf(cpu: number): number {
    return this.locals + LOCAL_BYTES * cpu;
  }
  private pendingOf(cpu: number): number {
    return this.freeOf(cpu) + LOCAL_PENDING;
  }
  private nextSteal(cpu: number): number {
    return this.nodes.memory.view.getUint32(this.freeOf(cpu) + LOCAL_NEXT_STEAL, true);
  }
  private setNextSteal(cpu: number, victim: number): void {
    this.nodes.memory.view.setUint32(this.freeOf(cpu) + LOCAL_NEXT_STEAL, victim, true);
  }
}

/** `BPF_F_NO_COMMON_LRU`: each CPU has a set of its own with its share of the elements (M-62). */
export class PercpuLruSource implements LruSource {
  private readonly nodes: LruNodes;
  private readonly sets: readonly LruSet[];

  constructor(options: LruSourceOptions) {
    const { nodes, base, cpuCount, nodeCount, evict } = options;
    this.nodes = nodes;
    this.sets = Array.from(
      { length: cpuCount },
      (_, cpu) => new LruSet(nodes, base + LRU_SET_BYTES * cpu, PERCPU_FREE_MAX, evict),
    );
    const share = Math.floor(nodeCount / cpuCount);
    let idx = 0;
    for (const node of options.all) {
      const cpu = Math.floor(idx++ / share);
      nodes.setCpu(node, cpu);
      this.sets[cpu]?.addFree(node);
    }
  }

  take(cpu: number): number {
    const set = this.sets[cpu];
    if (set === undefined) return 0;
    set.rotate();
    if (this.nodes.isEmpty(set.free)) set.shrink(PERCPU_FREE_MAX, set.free, LRU_PLACE.free);
    if (this.nodes.isEmpty(set.free)) return 0;
    const node = this.nodes.next(set.free);
    set.move(node, LRU_PLACE.inactive);
    return node;
  }

  give(node: number): void {
    this.sets[this.nodes.cpuOf(node)]?.move(node, LRU_PLACE.free);
  }
}
