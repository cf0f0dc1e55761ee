import { MAP_HEADER, type MapSpec, type MapTypeName, UPDATE_FLAGS } from "@tsbpf/abi";
import { alignUp } from "@tsbpf/base";
import { defineMapType, type MapHost, type ObjectStorage, type Status } from "@tsbpf/plugin";
import { checkMapSpec } from "./checks.ts";
import { checkPresence } from "./hash/hash-map.ts";
import { valuePerm } from "./header.ts";
import { MapBase } from "./map-base.ts";
import { Pool } from "./pool.ts";
import { EINVAL, ENOENT, ENOMEM, ENOTSUPP, OK } from "./status.ts";
import { ValueShape } from "./value-shape.ts";

/** Objects that may have a value at once; Linux has no limit but memory. */
const OBJECTS_MAX = 2 ** 20;

/**
 * Local storage of sockets, tasks, inodes and cgroups, and the older cgroup storages: a zeroed value for each object
 * of the host, named by a number of its choice.
 *
 * bpf(2) names the object by a descriptor of its own; here the key holds the number, as a u32, or for cgroup storages
 * as their u64 cgroup id (M-160..M-162).
 */
class StorageMap extends MapBase implements ObjectStorage {
  private readonly pool: Pool;
  private readonly shape: ValueShape;
  private readonly slotBytes: number;
  private readonly slots: number;
  private readonly isCgroup: boolean;
  private readonly values = new Map<bigint, number>();

  constructor(spec: MapSpec, host: MapHost) {
    super(spec, host);
    this.isCgroup = spec.type === "cgroup_storage" || spec.type === "percpu_cgroup_storage";
    this.shape = new ValueShape(spec.valueBytes, spec.valueFields);
    this.slotBytes = alignUp(spec.valueBytes, 8);
    this.slots = spec.type === "percpu_cgroup_storage" ? host.cpuCount : 1;
    const stride = this.slotBytes * this.slots;
    const perm = valuePerm(spec);
    const window = {
      name: "value",
      offset: 0,
      bytes: spec.valueBytes,
      count: this.slots,
      stride: this.slotBytes,
    };
    this.pool = new Pool(host.memory, {
      header: this.address,
      stride,
      capacity: OBJECTS_MAX,
      isPrealloc: false,
      region: {
        kind: "map",
        name: `map ${spec.name}`,
        perm,
        cells: { stride, windows: [{ ...window, perm }] },
      },
    });
    this.putHeader(MAP_HEADER.stride, stride);
    this.putHeader(MAP_HEADER.cpuStride, this.slots === 1 ? 0 : this.slotBytes);
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
    const value = this.values.get(objectId) ?? (create ? this.createValue(objectId) : 0);
    return value === 0 ? 0 : value + (cpu % this.slots) * this.slotBytes;
  }

  removeValue(objectId: bigint): Status {
    const value = this.values.get(objectId);
    if (value === undefined) return ENOENT;
    this.values.delete(objectId);
    this.putHeader(MAP_HEADER.count, this.values.size);
    this.pool.give(value);
    return OK;
  }

  override *entries(): IterableIterator<readonly [key: Uint8Array, value: Uint8Array]> {
    for (const [objectId, value] of [...this.values]) {
      const key = new Uint8Array(this.spec.keyBytes);
      const view = new DataView(key.buffer);
      if (this.isCgroup) view.setBigUint64(0, objectId, true);
      else view.setUint32(0, Number(BigInt.asUintN(32, objectId)), true);
      yield [key, this.readValue(value)];
    }
  }

  protected override get hostValueBytes(): number {
    return this.slots === 1 ? this.spec.valueBytes : this.slotBytes * this.slots;
  }

  protected read(keyAddress: number): Uint8Array | Status {
    const value = this.values.get(this.idAt(keyAddress));
    return value === undefined ? ENOENT : this.readValue(value);
  }

  protected write(keyAddress: number, value: Uint8Array, flags: number): Status {
    const objectId = this.idAt(keyAddress);
    const refusal = this.checkWrite(this.values.has(objectId), flags);
    if (refusal < 0) return refusal;
    const address = this.valueFor(objectId, true, 0);
    if (address === 0) return ENOMEM;
    if (this.slots === 1) this.shape.write(this.memory, address, value);
    else this.memory.u8.set(value, address);
    return OK;
  }

  protected override erase(keyAddress: number): Status {
    return this.isCgroup ? EINVAL : this.removeValue(this.idAt(keyAddress));
  }

  /** Cgroup storages can be listed, the others cannot. */
  protected advance(keyAddress: number): Status {
    if (!this.isCgroup) return ENOTSUPP;
    const ids = [...this.values.keys()];
    const next = ids[keyAddress === 0 ? 0 : ids.indexOf(this.idAt(keyAddress)) + 1];
    if (next === undefined) return ENOENT;
    this.memory.u8.fill(0, this.keyScratch, this.keyScratch + this.spec.keyBytes);
    this.memory.view.setBigUint64(this.keyScratch, next, true);
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

  private createValue(objectId: bigint): number {
    const value = this.pool.take();
    if (value === 0) return 0;
    this.memory.u8.fill(0, value, value + this.slotBytes * this.slots);
    this.values.set(objectId, value);
    this.putHeader(MAP_HEADER.count, this.values.size);
    return value;
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
