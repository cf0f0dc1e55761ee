import { MAP_ELEMENT, MAP_FLAGS, MAP_HEADER, type MapSpec, UPDATE_FLAGS } from "@tsbpf/abi";
import { defineMapType, type MapHost, type Status } from "@tsbpf/plugin";
import { checkMapSpec } from "../checks.ts";
import { EINVAL, ENOMEM } from "../status.ts";
import { checkPresence } from "./hash-map.ts";
import { LRU_KEY_OFFSET, LRU_NODE, LruNodes } from "./lru-set.ts";
import { CommonLruSource, type LruSource, lruStateBytes, PercpuLruSource } from "./lru-source.ts";
import { TableMap, takeElement } from "./table-map.ts";

const hasOwnLists = (spec: MapSpec): boolean => (spec.flags & MAP_FLAGS.noCommonLru) !== 0;

/** With a list per CPU, the number of elements is rounded up so that each list has the same share (M-62). */
function roundEntries(spec: MapSpec, cpuCount: number): MapSpec {
  if (!hasOwnLists(spec)) return spec;
  return { ...spec, maxEntries: Math.ceil(spec.maxEntries / cpuCount) * cpuCount };
}

/**
 * `lru_hash` and `lru_percpu_hash`. They never are full: an update that needs an element evicts one, chosen as Linux
 * chooses (see {@link CommonLruSource}), even when it turns out that the key was present (M-64).
 */
class LruMap extends TableMap {
  private readonly source: LruSource;
  private readonly isPercpu: boolean;

  constructor(spec: MapSpec, host: MapHost) {
    const isPercpu = spec.type === "lru_percpu_hash";
    const rounded = roundEntries(spec, host.cpuCount);
    super(rounded, host, {
      keyOffset: LRU_KEY_OFFSET,
      isPercpu,
      spareCount: 0,
      isPrealloc: true,
      extraBytes: lruStateBytes(host.cpuCount, hasOwnLists(spec)),
    });
    this.isPercpu = isPercpu;
    const Source = hasOwnLists(spec) ? PercpuLruSource : CommonLruSource;
    this.source = new Source({
      nodes: new LruNodes(host.memory),
      base: this.address + MAP_HEADER.extra,
      cpuCount: host.cpuCount,
      all: this.allNodes(),
      nodeCount: rounded.maxEntries,
      evict: (node) => this.evict(node - LRU_NODE),
    });
  }

  override lookup(keyAddress: number, cpu: number): number {
    const element = this.table.find(keyAddress);
    if (element === 0) return 0;
    this.mark(element);
    return element + this.valueOffset + cpu * this.cpuStride;
  }

  lookupPercpu(keyAddress: number, cpu: number): number {
    return this.isPercpu && cpu >= 0 && cpu < this.cpuCount ? this.lookup(keyAddress, cpu) : 0;
  }

  take(key: Uint8Array): Uint8Array | Status {
    return takeElement(this, key);
  }

  protected place(keyAddress: number, flags: number, cpu: number): number {
    if (flags > UPDATE_FLAGS.exist) return EINVAL;
    return this.isPercpu ? this.placePercpu(keyAddress, flags, cpu) : this.placePlain(keyAddress, flags, cpu);
  }

  protected free(element: number): void {
    this.source.give(element + LRU_NODE);
  }

  /** Linux takes the new element before it looks for the old one, so an update at capacity may evict a third key. */
  private placePlain(keyAddress: number, flags: number, cpu: number): number {
    const { table, source } = this;
    const node = source.take(cpu);
    if (node === 0) return ENOMEM;
    const element = node - LRU_NODE;
    const old = table.find(keyAddress);
    const status = checkPresence(old !== 0, flags);
    if (status < 0) {
      source.give(node);
      return status;
    }
    if (old === 0) return this.insertNew(element, keyAddress);
    table.putKey(element, keyAddress);
    this.mark(element);
    table.replaceFound(old, element);
    this.release(old);
    return element;
  }

  private placePercpu(keyAddress: number, flags: number, cpu: number): number {
    const { table, source } = this;
    const node = flags === UPDATE_FLAGS.exist ? 0 : source.take(cpu);
    if (node === 0 && flags !== UPDATE_FLAGS.exist) return ENOMEM;
    const old = table.find(keyAddress);
    const status = checkPresence(old !== 0, flags);
    if (status < 0 || old !== 0) {
      if (node !== 0) source.give(node);
      if (status < 0) return status;
      this.mark(old);
      return old;
    }
    this.clearSlots(node - LRU_NODE);
    return this.insertNew(node - LRU_NODE, keyAddress);
  }

  private evict(element: number): void {
    this.table.remove(element);
    for (let slot = 0; slot < this.cpuCount; slot++) {
      this.shape.clearFields(this.memory, element + this.valueOffset + slot * this.cpuStride);
    }
  }

  private mark(element: number): void {
    const { u8 } = this.memory;
    if (u8[element + MAP_ELEMENT.lruRef] === 0) u8[element + MAP_ELEMENT.lruRef] = 1;
  }

  /** The nodes of all elements; they are all allocated, and none is in use yet. */
  private *allNodes(): IterableIterator<number> {
    for (let element = this.table.pool.take(); element !== 0; element = this.table.pool.take()) {
      yield element + LRU_NODE;
    }
  }
}

const SOURCE = "linux Documentation/bpf/map_hash.rst";

export const lruMapTypes = [
  defineMapType({
    type: "lru_hash",
    summary: "Values by key; a full map gives up the least recently used.",
    source: SOURCE,
    sharing: "locked",
    check: checkMapSpec,
    create: (spec, host) => new LruMap(spec, host),
  }),
  defineMapType({
    type: "lru_percpu_hash",
    summary: "Values by key, one of each for every CPU; a full map gives up the least recently used.",
    source: SOURCE,
    sharing: "locked",
    check: checkMapSpec,
    create: (spec, host) => new LruMap(spec, host),
  }),
];
