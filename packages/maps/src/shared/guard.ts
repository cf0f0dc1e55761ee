import { UnsupportedError } from "@tsbpf/base";
import type { LinearMemory } from "@tsbpf/memory";
import type { BpfMap, HostSlots, MapSharing, MapSlots, ProgSlots, RingBuffer, UserRing } from "@tsbpf/plugin";
import { MapLock } from "./lock.ts";
import { ChangeCount } from "./sequence.ts";
import { isWatched, type WatchedMap } from "./watched.ts";

export interface GuardOptions {
  readonly memory: LinearMemory;
  readonly sharing: MapSharing;
  /** Says whether other threads use the map already, so that `fixed` slots may not change. */
  readonly isRunning: () => boolean;
}

/**
 * Makes a map one that several threads may use at once: the same map behind its lock, as its type's `sharing` says.
 *
 * Cost: two atomic operations a call that takes the lock, four where it changes a watched map; lookups of those take
 * none and write nothing that other threads read.
 */
export function guardMap(map: BpfMap, options: GuardOptions): BpfMap {
  const lock = new MapLock(options.memory, map.address);
  if (options.sharing !== "locked") return new OpenMap(map, lock, options);
  return isWatched(map)
    ? new ReadableMap(map, lock, new ChangeCount(options.memory, map.address))
    : new LockedMap(map, lock);
}

/** What both kinds share: all calls of the host take the lock. */
abstract class GuardedMap implements BpfMap {
  readonly spec: BpfMap["spec"];
  readonly address: number;
  take?: (key: Uint8Array) => Uint8Array | number;
  protected readonly inner: BpfMap;
  protected readonly lock: MapLock;

  constructor(inner: BpfMap, lock: MapLock) {
    this.spec = inner.spec;
    this.address = inner.address;
    this.inner = inner;
    this.lock = lock;
    if (inner.take !== undefined) this.take = (key) => this.changing(() => inner.take?.(key) as number);
  }

  abstract lookup(keyAddress: number, cpu: number): number;
  abstract update(keyAddress: number, valueAddress: number, flags: number, cpu: number): number;
  abstract delete(keyAddress: number, cpu: number): number;

  get(key: Uint8Array): Uint8Array | number {
    return this.holding(() => this.inner.get(key));
  }
  set(key: Uint8Array, value: Uint8Array, flags?: number): number {
    return this.changing(() => this.inner.set(key, value, flags));
  }
  remove(key: Uint8Array): number {
    return this.changing(() => this.inner.remove(key));
  }
  nextKey(key: Uint8Array | null): Uint8Array | number {
    return this.holding(() => this.inner.nextKey(key));
  }
  entries(): IterableIterator<readonly [key: Uint8Array, value: Uint8Array]> {
    return this.holding(() => [...this.inner.entries()]).values();
  }
  freeze(): number {
    return this.holding(() => this.inner.freeze());
  }

  protected holding<T>(act: () => T): T {
    this.lock.take();
    try {
      return act();
    } finally {
      this.lock.give();
    }
  }

  /** Runs what the host changes. */
  protected changing<T>(act: () => T): T {
    return this.holding(act);
  }
}

type Visit = (keyAddress: number, valueAddress: number) => boolean;

/** A map whose every call takes the lock. The calls of programs are written out: they make no closures. */
class LockedMap extends GuardedMap {
  lookupIndex?: (index: number) => number;
  lookupPercpu?: (keyAddress: number, cpu: number) => number;
  push?: (valueAddress: number, flags: number) => number;
  pop?: (valueAddress: number) => number;
  peek?: (valueAddress: number) => number;
  forEach?: (visit: Visit, cpu: number) => number;
  readonly hostSlots?: HostSlots;
  readonly ring?: RingBuffer;
  readonly userRing?: UserRing;
  readonly storage?: NonNullable<BpfMap["storage"]>;

  constructor(inner: BpfMap, lock: MapLock) {
    super(inner, lock);
    const { lookupIndex, lookupPercpu, push, pop, peek, forEach, hostSlots, ring, userRing, storage } = inner;
    if (lookupIndex !== undefined)
      this.lookupIndex = (index) => this.holding(() => lookupIndex.call(inner, index));
    if (lookupPercpu !== undefined)
      this.lookupPercpu = (key, cpu) => this.holding(() => lookupPercpu.call(inner, key, cpu));
    if (push !== undefined) this.push = (value, flags) => this.holding(() => push.call(inner, value, flags));
    if (pop !== undefined) this.pop = (value) => this.holding(() => pop.call(inner, value));
    if (peek !== undefined) this.peek = (value) => this.holding(() => peek.call(inner, value));
    if (forEach !== undefined)
      this.forEach = (visit, cpu) => this.holding(() => forEach.call(inner, this.outside(visit), cpu));
    if (hostSlots !== undefined) this.hostSlots = this.lockSlots(hostSlots);
    if (ring !== undefined) this.ring = this.lockRing(ring);
    if (userRing !== undefined) this.userRing = this.lockUserRing(userRing);
    if (storage !== undefined) this.storage = this.lockStorage(storage);
  }

  /** In the order of keys where the map's own is that of insertion, which is up to the threads. */
  override entries(): IterableIterator<readonly [key: Uint8Array, value: Uint8Array]> {
    const { type } = this.spec;
    const entries = [...super.entries()];
    if (type.endsWith("hash") || type.endsWith("storage")) entries.sort(([a], [b]) => compareBytes(a, b));
    return entries.values();
  }

  lookup(keyAddress: number, cpu: number): number {
    const { lock } = this;
    lock.take();
    try {
      return this.inner.lookup(keyAddress, cpu);
    } finally {
      lock.give();
    }
  }

  update(keyAddress: number, valueAddress: number, flags: number, cpu: number): number {
    const { lock } = this;
    lock.take();
    try {
      return this.inner.update(keyAddress, valueAddress, flags, cpu);
    } finally {
      lock.give();
    }
  }

  delete(keyAddress: number, cpu: number): number {
    const { lock } = this;
    lock.take();
    try {
      return this.inner.delete(keyAddress, cpu);
    } finally {
      lock.give();
    }
  }

  /** Gives the lock back while a visitor runs, which may use this map and wait for others. */
  private outside(visit: Visit): Visit {
    return (keyAddress, valueAddress) => {
      this.lock.give();
      try {
        return visit(keyAddress, valueAddress);
      } finally {
        this.lock.take();
      }
    };
  }

  private lockSlots(slots: HostSlots): HostSlots {
    return {
      objectAt: (index) => this.holding(() => slots.objectAt(index)),
      setObject: (index, object) => this.holding(() => slots.setObject(index, object)),
    };
  }

  private lockRing(ring: RingBuffer): RingBuffer {
    return {
      reserve: (bytes, flags) => this.holding(() => ring.reserve(bytes, flags)),
      submit: (record, flags) => this.holding(() => ring.submit(record, flags)),
      discard: (record, flags) => this.holding(() => ring.discard(record, flags)),
      output: (data, bytes, flags) => this.holding(() => ring.output(data, bytes, flags)),
      query: (what) => this.holding(() => ring.query(what)),
      consume: (visit) => this.holding(() => ring.consume(visit)),
    };
  }

  private lockUserRing(ring: UserRing): UserRing {
    return {
      produce: (record) => this.holding(() => ring.produce(record)),
      drain: (visit) => this.holding(() => ring.drain(this.outside(visit))),
    };
  }

  private lockStorage(storage: NonNullable<BpfMap["storage"]>): NonNullable<BpfMap["storage"]> {
    return {
      valueFor: (objectId, create, cpu) => this.holding(() => storage.valueFor(objectId, create, cpu)),
      removeValue: (objectId) => this.holding(() => storage.removeValue(objectId)),
    };
  }
}

/**
 * A locked map whose lookups take the lock only where a change is under way beside them, and whose updates do not
 * where they would be refused.
 */
class ReadableMap extends LockedMap {
  private readonly watched: WatchedMap;
  private readonly changes: ChangeCount;

  constructor(inner: WatchedMap, lock: MapLock, changes: ChangeCount) {
    super(inner, lock);
    this.watched = inner;
    this.changes = changes;
    const { lookupPercpu } = inner;
    if (lookupPercpu !== undefined)
      this.lookupPercpu = (key, cpu) => this.reading(() => lookupPercpu.call(inner, key, cpu));
  }

  override lookup(keyAddress: number, cpu: number): number {
    const { changes } = this;
    const count = changes.settled;
    if (count >= 0) {
      const found = this.watched.lookup(keyAddress, cpu);
      if (changes.isStill(count)) return found;
    }
    return super.lookup(keyAddress, cpu);
  }

  override update(keyAddress: number, valueAddress: number, flags: number, cpu: number): number {
    const { changes } = this;
    const count = changes.settled;
    if (count >= 0) {
      const refusal = this.watched.refusal(keyAddress, flags);
      if (refusal !== 0 && changes.isStill(count)) return refusal;
    }
    return this.changing(() => this.watched.update(keyAddress, valueAddress, flags, cpu));
  }

  override delete(keyAddress: number, cpu: number): number {
    return this.changing(() => this.watched.delete(keyAddress, cpu));
  }

  protected override changing<T>(act: () => T): T {
    return this.holding(() => {
      this.changes.begin();
      try {
        return act();
      } finally {
        this.changes.end();
      }
    });
  }

  private reading(find: () => number): number {
    const count = this.changes.settled;
    if (count >= 0) {
      const found = find();
      if (this.changes.isStill(count)) return found;
    }
    return this.holding(find);
  }
}

function compareBytes(a: Uint8Array, b: Uint8Array): number {
  for (let i = 0; i < a.length; i++) {
    const difference = (a[i] as number) - (b[i] ?? 0);
    if (difference !== 0) return difference;
  }
  return a.length - b.length;
}

/** A map whose calls of programs need no lock. */
class OpenMap extends GuardedMap {
  lookupIndex?: (index: number) => number;
  lookupPercpu?: (keyAddress: number, cpu: number) => number;
  forEach?: (visit: Visit, cpu: number) => number;
  readonly progSlots?: ProgSlots;
  readonly mapSlots?: MapSlots;
  readonly hostSlots?: HostSlots;
  private readonly options: GuardOptions;

  constructor(inner: BpfMap, lock: MapLock, options: GuardOptions) {
    super(inner, lock);
    this.options = options;
    const { lookupIndex, lookupPercpu, forEach, progSlots, mapSlots, hostSlots } = inner;
    if (lookupIndex !== undefined) this.lookupIndex = lookupIndex.bind(inner);
    if (lookupPercpu !== undefined) this.lookupPercpu = lookupPercpu.bind(inner);
    if (forEach !== undefined) this.forEach = forEach.bind(inner);
    if (progSlots !== undefined) {
      this.progSlots = {
        progAt: (index) => progSlots.progAt(index),
        setProg: (index, prog) => this.fixed(() => progSlots.setProg(index, prog)),
      };
    }
    if (mapSlots !== undefined)
      this.mapSlots = { setMap: (key, map, flags) => this.fixed(() => mapSlots.setMap(key, map, flags)) };
    if (hostSlots !== undefined) {
      this.hostSlots = {
        objectAt: (index) => hostSlots.objectAt(index),
        setObject: (index, object) => this.fixed(() => hostSlots.setObject(index, object)),
      };
    }
  }

  lookup(keyAddress: number, cpu: number): number {
    return this.inner.lookup(keyAddress, cpu);
  }
  update(keyAddress: number, valueAddress: number, flags: number, cpu: number): number {
    return this.inner.update(keyAddress, valueAddress, flags, cpu);
  }
  delete(keyAddress: number, cpu: number): number {
    return this.inner.delete(keyAddress, cpu);
  }

  protected override changing<T>(act: () => T): T {
    return this.options.sharing === "fixed" ? this.fixed(act) : super.changing(act);
  }

  /** Changes slots that refer to objects of this thread, which others would not see. */
  private fixed<T>(act: () => T): T {
    if (!this.options.isRunning()) return this.holding(act);
    const { name, type } = this.spec;
    throw new UnsupportedError(
      "UNSUPPORTED_SHARED_SLOTS",
      `map ${name}: the slots of a ${type} cannot change while several threads run, each has objects of its own`,
      { details: { map: name, type } },
    );
  }
}
