import { MAP_FLAGS, type MapSpec } from "@tsbpf/abi";
import type { MapHost, Status } from "@tsbpf/plugin";
import { MapBase } from "../map-base.ts";
import { E2BIG, ENOENT, ENOMEM, OK } from "../status.ts";
import { ValueShape } from "../value-shape.ts";
import { HashTable } from "./table.ts";

export interface TableMapOptions {
  /** Bytes of an element before its key. */
  readonly keyOffset: number;
  readonly isPercpu: boolean;
  /** Elements beyond `maxEntries` that the map holds back for updates. */
  readonly spareCount: number;
  readonly isPrealloc: boolean;
  /** Bytes that the map type keeps in the header. */
  readonly extraBytes: number;
}

/** Plain elements: chain, hash and order words and one that LRU maps use, then the key. */
export const PLAIN_KEY_OFFSET = 16;

/**
 * What all hash maps share. A subclass says how an element for a key is found or made (`place`) and how a removed one
 * is given back (`free`).
 *
 * Order of `nextKey`, `entries` and `forEach`: insertion, kept by updates (M-30; Linux has bucket order, which its
 * random seed makes unpredictable).
 */
export abstract class TableMap extends MapBase {
  protected readonly table: HashTable;
  protected readonly shape: ValueShape;
  protected readonly cpuCount: number;
  /** Bytes from one CPU's slot to the next; 0 where CPUs share the value. */
  protected readonly cpuStride: number;
  protected readonly valueOffset: number;
  private readonly keyBytes: number;

  constructor(spec: MapSpec, host: MapHost, options: TableMapOptions) {
    super(spec, host, options.extraBytes);
    this.keyBytes = spec.keyBytes;
    this.cpuCount = options.isPercpu ? host.cpuCount : 1;
    this.table = new HashTable({
      spec,
      host,
      header: this.address,
      keyOffset: options.keyOffset,
      slots: this.cpuCount,
      capacity: spec.maxEntries + options.spareCount,
      isPrealloc: options.isPrealloc,
      seed: (spec.flags & MAP_FLAGS.zeroSeed) !== 0 ? 0 : host.hashSeed | 0,
    });
    this.shape = new ValueShape(spec.valueBytes, spec.valueFields);
    this.cpuStride = options.isPercpu ? this.table.slotBytes : 0;
    this.valueOffset = this.table.valueOffset;
  }

  /**
   * Finds or makes the element for a key, linked and ready to take its value.
   *
   * @returns its address, or a negative error number.
   */
  protected abstract place(keyAddress: number, flags: number, cpu: number): number;
  /** Takes back an element that left the table. */
  protected abstract free(element: number): void;

  lookup(keyAddress: number, cpu: number): number {
    const element = this.table.find(keyAddress);
    return element === 0 ? 0 : element + this.valueOffset + cpu * this.cpuStride;
  }

  update(keyAddress: number, valueAddress: number, flags: number, cpu: number): Status {
    const element = this.place(keyAddress, flags, cpu);
    if (element < 0) return element;
    const to = element + this.valueOffset + cpu * this.cpuStride;
    this.shape.update(this.memory, to, valueAddress, flags);
    return OK;
  }

  delete(keyAddress: number, _cpu: number): Status {
    const element = this.table.find(keyAddress);
    if (element === 0) return ENOENT;
    this.table.removeFound(element);
    this.release(element);
    return OK;
  }

  forEach(visit: (keyAddress: number, valueAddress: number) => boolean, cpu: number): number {
    const { keyOffset, valueOffset } = this.table;
    const toSlot = valueOffset + cpu * this.cpuStride;
    return this.table.walk((element) => visit(element + keyOffset, element + toSlot));
  }

  /** Takes an element for a new key; -E2BIG when the map is full, -ENOMEM when the memory is. */
  protected takeNew(): number {
    if (this.table.count >= this.spec.maxEntries) return E2BIG;
    const element = this.table.pool.take();
    return element === 0 ? ENOMEM : element;
  }

  /** Puts the key that was looked for last into an element that was taken for it, and links it; gives it back when there is no room to. */
  protected insertNew(element: number, keyAddress: number): number {
    this.table.putKey(element, keyAddress);
    if (this.table.insert(element)) return element;
    this.free(element);
    return ENOMEM;
  }

  /** Ends the value of an element and gives it back. */
  protected release(element: number): void {
    for (let slot = 0; slot < this.cpuCount; slot++) {
      this.shape.clearFields(this.memory, element + this.valueOffset + slot * this.cpuStride);
    }
    this.free(element);
  }

  protected override get hostValueBytes(): number {
    return this.cpuStride === 0 ? this.spec.valueBytes : this.cpuStride * this.cpuCount;
  }

  protected read(keyAddress: number): Uint8Array | Status {
    const element = this.table.find(keyAddress);
    if (element === 0) return ENOENT;
    return this.cpuStride === 0
      ? this.shape.read(this.memory, element + this.valueOffset)
      : this.copyOut(element + this.valueOffset, this.hostValueBytes);
  }

  protected write(keyAddress: number, value: Uint8Array, flags: number): Status {
    const element = this.place(keyAddress, flags, 0);
    if (element < 0) return element;
    if (this.cpuStride === 0) this.shape.write(this.memory, element + this.valueOffset, value, flags);
    else this.memory.u8.set(value, element + this.valueOffset);
    return OK;
  }

  protected advance(keyAddress: number): Status {
    const { table } = this;
    const current = keyAddress === 0 ? 0 : table.find(keyAddress);
    const next = table.after(current);
    if (next === 0) return ENOENT;
    this.memory.copy(this.keyScratch, next + table.keyOffset, this.keyBytes);
    return OK;
  }

  /** Zeroes all CPUs' slots of a new element: a program sets only its own (M-44). */
  protected clearSlots(element: number): void {
    const start = element + this.valueOffset;
    this.memory.u8.fill(0, start, start + this.cpuStride * this.cpuCount);
  }
}

/** Looks an element up and removes it, for the host. */
export function takeElement(map: TableMap, key: Uint8Array): Uint8Array | Status {
  const value = map.get(key);
  if (typeof value === "number") return value;
  const status = map.remove(key);
  return status < 0 ? status : value;
}
