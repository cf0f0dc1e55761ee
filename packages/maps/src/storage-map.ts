import { type MapSpec, type MapTypeName, UPDATE_FLAGS } from "@tsbpf/abi";
import { alignUp } from "@tsbpf/base";
import { defineMapType, type MapHost, type ObjectStorage, type Status } from "@tsbpf/plugin";
import { checkMapSpec } from "./checks.ts";
import { checkPresence } from "./hash/hash-map.ts";
import { HashTable } from "./hash/table.ts";
import { PLAIN_KEY_OFFSET } from "./hash/table-map.ts";
import { MapBase } from "./map-base.ts";
import { EINVAL, ENOENT, ENOMEM, ENOTSUPP, OK } from "./status.ts";
import { ValueShape } from "./value-shape.ts";

/** Objects that may have a value at once; Linux has no limit but memory. */
const OBJECTS_MAX = 2 ** 20;
const ID_BYTES = 8;

/**
 * Local storage of sockets, tasks, inodes and cgroups, and the older cgroup storages: a zeroed value for each object
 * of the host, named by a number of its choice.
 *
 * bpf(2) names the object by a descriptor of its own; here the key holds the number, as a u32, or for cgroup storages
 * as their u64 cgroup id (M-160..M-162).
 */
class StorageMap extends MapBase implements ObjectStorage {
  /** Values by the u64 number of their object. */
  private readonly table: HashTable;
  private readonly shape: ValueShape;
  private readonly slotBytes: number;
  private readonly slots: number;
  private readonly isCgroup: boolean;
  private readonly idScratch: number;

  constructor(spec: MapSpec, host: MapHost) {
    super(spec, host);
    this.isCgroup = spec.type === "cgroup_storage" || spec.type === "percpu_cgroup_storage";
    this.shape = new ValueShape(spec.valueBytes, spec.valueFields);
    this.slotBytes = alignUp(spec.valueBytes, 8);
    this.slots = spec.type === "percpu_cgroup_storage" ? host.cpuCount : 1;
    this.idScratch = host.memory.allocRaw(ID_BYTES);
    this.table = new HashTable({
      spec: { ...spec, keyBytes: ID_BYTES, maxEntries: OBJECTS_MAX },
      host,
      header: this.address,
      keyOffset: PLAIN_KEY_OFFSET,
      slots: this.slots,
      capacity: OBJECTS_MAX,
      isPrealloc: false,
      seed: host.hashSeed | 0,
    });
  }

  get storage(): ObjectStorage {
    return this;
  }

  lookup(): number {
    return 0;
  }
  update(): Status {
    return EINVAL;
  }
  delete(): Status {
    return EINVAL;
  }

  valueFor(objectId: bigint, create: boolean, cpu: number): number {
    const element = this.find(objectId);
    const value = element === 0 ? (create ? this.createValue() : 0) : element + this.table.valueOffset;
    return value === 0 ? 0 : value + (cpu % this.slots) * this.slotBytes;
  }

  removeValue(objectId: bigint): Status {
    const element = this.find(objectId);
    if (element === 0) return ENOENT;
    this.table.removeFound(element);
    this.table.pool.give(element);
    return OK;
  }

  /** In order of creation, whether bpf(2) can list them or not. */
  override *entries(): IterableIterator<readonly [key: Uint8Array, value: Uint8Array]> {
    for (let element = this.table.after(0); element !== 0; element = this.table.after(element)) {
      const key = new Uint8Array(this.spec.keyBytes);
      key.set(this.copyOut(element + PLAIN_KEY_OFFSET, Math.min(ID_BYTES, key.length)));
      yield [key, this.readValue(element + this.table.valueOffset)];
    }
  }

  protected override get hostValueBytes(): number {
    return this.slots === 1 ? this.spec.valueBytes : this.slotBytes * this.slots;
  }

  protected read(keyAddress: number): Uint8Array | Status {
    const value = this.valueFor(this.idAt(keyAddress), false, 0);
    return value === 0 ? ENOENT : this.readValue(value);
  }

  protected write(keyAddress: number, value: Uint8Array, flags: number): Status {
    const objectId = this.idAt(keyAddress);
    const refusal = this.checkWrite(this.find(objectId) !== 0, flags);
    if (refusal < 0) return refusal;
    const address = this.valueFor(objectId, true, 0);
    if (address === 0) return ENOMEM;
    if (this.slots === 1) this.shape.write(this.memory, address, value, flags);
    else this.memory.u8.set(value, address);
    return OK;
  }

  protected override erase(keyAddress: number): Status {
    return this.isCgroup ? EINVAL : this.removeValue(this.idAt(keyAddress));
  }

  /** Cgroup storages can be listed, the others cannot. */
  protected advance(keyAddress: number): Status {
    if (!this.isCgroup) return ENOTSUPP;
    const next = this.table.after(keyAddress === 0 ? 0 : this.find(this.idAt(keyAddress)));
    if (next === 0) return ENOENT;
    this.memory.u8.fill(0, this.keyScratch, this.keyScratch + this.spec.keyBytes);
    this.memory.copy(this.keyScratch, next + PLAIN_KEY_OFFSET, ID_BYTES);
    return OK;
  }

  private checkWrite(isPresent: boolean, flags: number): Status {
    const { exist, noExist, lock } = UPDATE_FLAGS;
    if (flags > (exist | lock) || (flags & ~lock) > exist) return EINVAL;
    if ((flags & lock) !== 0 && !this.shape.hasLock) return EINVAL;
    if (!this.isCgroup) return checkPresence(isPresent, flags);
    // A cgroup's value comes into being when a program is attached, never by an update.
    if ((flags & noExist) !== 0) return EINVAL;
    return isPresent ? OK : ENOENT;
  }

  private find(objectId: bigint): number {
    this.memory.view.setBigUint64(this.idScratch, objectId, true);
    return this.table.find(this.idScratch);
  }

  /** Makes a zeroed value for the object that was looked for last. */
  private createValue(): number {
    const element = this.table.pool.take();
    if (element === 0) return 0;
    this.table.putKey(element, this.idScratch);
    const value = element + this.table.valueOffset;
    this.memory.u8.fill(0, value, value + this.slotBytes * this.slots);
    if (this.table.insert(element)) return value;
    this.table.pool.give(element);
    return 0;
  }

  private readValue(value: number): Uint8Array {
    return this.slots === 1 ? this.shape.read(this.memory, value) : this.copyOut(value, this.hostValueBytes);
  }

  private idAt(keyAddress: number): bigint {
    const { view } = this.memory;
    return this.isCgroup ? view.getBigUint64(keyAddress, true) : BigInt(view.getUint32(keyAddress, true));
  }
}

const defineStorage = (type: MapTypeName, owner: string) =>
  defineMapType({
    type,
    summary: `A value for each ${owner}.`,
    source: "linux Documentation/bpf/map_sk_storage.rst, map_cgroup_storage.rst, map_cgrp_storage.rst",
    sharing: "locked",
    check: checkMapSpec,
    create: (spec, host) => new StorageMap(spec, host),
  });

export const storageMapTypes = [
  defineStorage("sk_storage", "socket"),
  defineStorage("task_storage", "task"),
  defineStorage("inode_storage", "inode"),
  defineStorage("cgrp_storage", "cgroup"),
  defineStorage("cgroup_storage", "cgroup that a program is attached to"),
  defineStorage("percpu_cgroup_storage", "cgroup that a program is attached to, one for every CPU"),
];
