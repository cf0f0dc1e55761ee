import { MAP_FLAGS, MAP_HEADER, type MapSpec, UPDATE_FLAGS } from "@tsbpf/abi";
import { defineMapType, type MapHost, type Status } from "@tsbpf/plugin";
import { checkMapSpec } from "../checks.ts";
import type { WatchedMap } from "../shared/watched.ts";
import { E2BIG, EEXIST, EINVAL, ENOENT, ENOMEM, OK } from "../status.ts";
import type { HashTable } from "./table.ts";
import { PLAIN_KEY_OFFSET, TableMap, takeElement } from "./table-map.ts";

const isPrealloc = (spec: MapSpec): boolean => (spec.flags & MAP_FLAGS.noPrealloc) === 0;

/**
 * Says whether flags and the presence of an element allow an update.
 *
 * @source linux kernel's order: unknown flags, then NOEXIST, then EXIST (M-41)
 */
export function checkPresence(isPresent: boolean, flags: number): Status {
  const wish = flags & ~UPDATE_FLAGS.lock;
  if (isPresent) return wish === UPDATE_FLAGS.noExist ? EEXIST : OK;
  return wish === UPDATE_FLAGS.exist ? ENOENT : OK;
}

/**
 * `hash` and what is built on it. An update of a present key fills another element and puts it in the old one's place, as Linux does: a
 * pointer from an earlier lookup keeps the old bytes until that element is used again (M-41, M-43).
 *
 * Preallocated maps keep one spare element a CPU for this, addresses at `extra` in the header; others use the free
 * list.
 */
export class HashMap extends TableMap {
  private readonly isPrealloc: boolean;

  constructor(spec: MapSpec, host: MapHost) {
    const spareCount = isPrealloc(spec) ? host.cpuCount : 1;
    super(spec, host, {
      keyOffset: PLAIN_KEY_OFFSET,
      isPercpu: false,
      spareCount,
      isPrealloc: isPrealloc(spec),
      extraBytes: 4 * host.cpuCount,
    });
    this.isPrealloc = isPrealloc(spec);
    for (let cpu = 0; cpu < host.cpuCount && this.isPrealloc; cpu++) {
      this.putHeader(MAP_HEADER.extra + 4 * cpu, this.table.pool.take());
    }
  }

  protected place(keyAddress: number, flags: number, cpu: number): number {
    if (flags !== 0) {
      if (flags > (UPDATE_FLAGS.exist | UPDATE_FLAGS.lock) || flags === 3) return EINVAL;
      if ((flags & UPDATE_FLAGS.lock) !== 0 && !this.shape.hasLock) return EINVAL;
    }
    const { table } = this;
    const old = table.find(keyAddress);
    const status = checkPresence(old !== 0, flags);
    if (status < 0) return status;
    if (old !== 0 && (flags & UPDATE_FLAGS.lock) !== 0) return old;
    const element = old === 0 ? this.takeNew() : this.takeSpare(old, cpu);
    if (element < 0) return element;
    if (old === 0) return this.insertNew(element, keyAddress);
    table.putKey(element, keyAddress);
    table.replaceFound(old, element);
    this.shape.clearFields(this.memory, old + this.valueOffset);
    if (!this.isPrealloc) table.pool.give(old);
    return element;
  }

  protected free(element: number): void {
    this.table.pool.give(element);
  }

  /** Takes the element that will replace `old`. */
  private takeSpare(old: number, cpu: number): number {
    if (!this.isPrealloc) {
      const element = this.table.pool.take();
      return element === 0 ? ENOMEM : element;
    }
    const { i32 } = this.memory;
    const at = (this.address + MAP_HEADER.extra + 4 * cpu) >>> 2;
    const spare = i32[at] as number;
    i32[at] = old;
    return spare >>> 0;
  }
}

class TakeableHashMap extends HashMap implements WatchedMap {
  take(key: Uint8Array): Uint8Array | Status {
    return takeElement(this, key);
  }

  refusal(keyAddress: number, flags: number): Status {
    return refusalOf(this.table, this.spec.maxEntries, keyAddress, flags);
  }
}

/** Says why an update would be refused by what the table holds, 0 when it would not be or has flags of other kinds. */
function refusalOf(table: HashTable, maxEntries: number, keyAddress: number, flags: number): Status {
  if (flags > UPDATE_FLAGS.exist) return OK;
  const isFull = table.count >= maxEntries;
  if (flags === 0 && !isFull) return OK;
  const isPresent = table.find(keyAddress) !== 0;
  const status = checkPresence(isPresent, flags);
  return status === OK && isFull && !isPresent ? E2BIG : status;
}

/** `percpu_hash`: values are updated in place, a program's update touches its own CPU's slot. */
class PercpuHashMap extends TableMap implements WatchedMap {
  constructor(spec: MapSpec, host: MapHost) {
    super(spec, host, {
      keyOffset: PLAIN_KEY_OFFSET,
      isPercpu: true,
      spareCount: 0,
      isPrealloc: isPrealloc(spec),
      extraBytes: 0,
    });
  }

  lookupPercpu(keyAddress: number, cpu: number): number {
    return cpu >= 0 && cpu < this.cpuCount ? this.lookup(keyAddress, cpu) : 0;
  }

  take(key: Uint8Array): Uint8Array | Status {
    return takeElement(this, key);
  }

  refusal(keyAddress: number, flags: number): Status {
    return refusalOf(this.table, this.spec.maxEntries, keyAddress, flags);
  }

  protected place(keyAddress: number, flags: number): number {
    if (flags > UPDATE_FLAGS.exist) return EINVAL;
    const old = this.table.find(keyAddress);
    const status = checkPresence(old !== 0, flags);
    if (status < 0) return status;
    if (old !== 0) return old;
    const element = this.takeNew();
    if (element < 0) return element;
    this.clearSlots(element);
    return this.insertNew(element, keyAddress);
  }

  protected free(element: number): void {
    this.table.pool.give(element);
  }
}

const SOURCE = "linux Documentation/bpf/map_hash.rst";

export const hashMapTypes = [
  defineMapType({
    type: "hash",
    summary: "Values by key.",
    source: SOURCE,
    sharing: "locked",
    check: checkMapSpec,
    create: (spec, host) => new TakeableHashMap(spec, host),
  }),
  defineMapType({
    type: "percpu_hash",
    summary: "Values by key, one of each for every CPU.",
    source: SOURCE,
    sharing: "locked",
    check: checkMapSpec,
    create: (spec, host) => new PercpuHashMap(spec, host),
  }),
];
