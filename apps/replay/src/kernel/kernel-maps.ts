import { MAP_FLAGS, type MapSpec } from "@tsbpf/abi";
import { InputError, parseHexBytes, printHexBytes } from "@tsbpf/base";
import type { SideMap } from "../compare/side.ts";
import type { Bpf } from "./bpf.ts";

/** Types whose elements the kernel lets user space walk. */
const READABLE: ReadonlySet<string> = new Set([
  "hash",
  "array",
  "percpu_hash",
  "percpu_array",
  "lru_hash",
  "lru_percpu_hash",
  "lpm_trie",
]);
/** Types an update of which would put a hook or a thread in place: that is never done here. */
const HOOKING: ReadonlySet<string> = new Set(["sockmap", "sockhash", "cpumap", "xskmap", "struct_ops"]);
/** Bytes that the maps of one side may take in the kernel. */
const BYTES_MAX = 256 * 1024 * 1024;

const isPercpu = (type: string): boolean => type.includes("percpu");
const strideOf = (bytes: number): number => Math.ceil(bytes / 8) * 8;

/** The CPU that programs run on, and how many there can be. */
export interface KernelCpus {
  readonly cpu: number;
  readonly count: number;
}

/** The maps of one object in the kernel. */
export class KernelMaps {
  readonly fds = new Map<string, number>();
  private readonly bpf: Bpf;
  private readonly cpus: KernelCpus;
  private readonly specs: readonly MapSpec[];

  /**
   * @param specs - as they are live here, sizes settled.
   * @throws KERNEL_MAP, KERNEL_CALL (InputError) for maps that cannot be made.
   */
  constructor(bpf: Bpf, specs: readonly MapSpec[], cpus: KernelCpus, btfFd: number | undefined) {
    this.bpf = bpf;
    this.specs = specs;
    this.cpus = cpus;
    let bytes = 0;
    for (const spec of specs) {
      const slots = isPercpu(spec.type) ? cpus.count : 1;
      bytes += (spec.keyBytes + strideOf(spec.valueBytes) * slots) * spec.maxEntries;
      if (bytes > BYTES_MAX) {
        throw new InputError(
          "KERNEL_MAP",
          `the object's maps take more than ${BYTES_MAX} bytes in the kernel, map ${spec.name} among them`,
        );
      }
      this.fds.set(spec.name, this.create(spec, btfFd));
    }
  }

  /**
   * Puts in what the object says its maps begin with.
   *
   * @param progFd - loads a program that a program array names.
   */
  fill(progFd: (name: string) => number): void {
    for (const spec of this.specs) {
      const fd = this.fds.get(spec.name) ?? -1;
      for (const { key, value } of spec.contents ?? []) {
        if (HOOKING.has(spec.type))
          throw refused(spec, "filling it would hook something in, which is not done here");
        if (value instanceof Uint8Array) this.put(spec, fd, key, value);
        else {
          const word = Buffer.alloc(4);
          word.writeUInt32LE("map" in value ? (this.fds.get(value.map) ?? 0) : progFd(value.prog));
          this.check(spec, this.bpf.updateMap(fd, key, word, 0n));
        }
      }
      if (spec.isFrozen === true) this.bpf.freeze(fd);
    }
  }

  /** Makes the maps that can be read readable. */
  readable(): ReadonlyMap<string, SideMap> {
    return new Map(
      this.specs.flatMap((spec) =>
        READABLE.has(spec.type) && spec.isFrozen !== true
          ? [[spec.name, this.sideMap(spec, this.fds.get(spec.name) ?? -1)] as const]
          : [],
      ),
    );
  }

  /** Makes a change of the host's; the value has a slot for every CPU of a per-CPU map, or one for all. */
  put(spec: MapSpec, fd: number, key: Uint8Array, value: Uint8Array, flags = 0n): void {
    this.check(spec, this.bpf.updateMap(fd, key, this.spread(spec, value), flags));
  }

  private spread(spec: MapSpec, value: Uint8Array): Uint8Array {
    if (!isPercpu(spec.type)) return value;
    const stride = strideOf(spec.valueBytes);
    const all = new Uint8Array(stride * this.cpus.count);
    const slots = Math.floor(value.length / spec.valueBytes);
    for (let cpu = 0; cpu < this.cpus.count; cpu++) {
      const slot = Math.min(cpu, slots - 1);
      all.set(value.subarray(slot * spec.valueBytes, (slot + 1) * spec.valueBytes), cpu * stride);
    }
    return all;
  }

  private check(spec: MapSpec, status: number): void {
    if (status < 0) throw refused(spec, `the kernel refuses its contents with error ${-status}`);
  }

  private create(spec: MapSpec, btfFd: number | undefined): number {
    // The kernel sets this one itself.
    const isDevice = spec.type === "devmap" || spec.type === "devmap_hash";
    const flags = isDevice ? spec.flags & ~MAP_FLAGS.readOnlyProg : spec.flags;
    const needsTypes = (spec.valueFields?.length ?? 0) > 0;
    return this.bpf.createMap(spec, {
      flags,
      innerFd: spec.inner === undefined ? undefined : this.create(spec.inner, btfFd),
      btfFd: needsTypes ? btfFd : undefined,
    });
  }

  private sideMap(spec: MapSpec, fd: number): SideMap {
    const { bpf, cpus } = this;
    const { name, type, keyBytes, valueBytes } = spec;
    const stride = strideOf(valueBytes);
    const slots = isPercpu(type) ? cpus.count : 1;
    const buffer = Buffer.alloc(stride * slots);
    // A program runs on one CPU here; what other CPUs have is nothing to compare.
    const at = slots === 1 ? 0 : cpus.cpu * stride;
    const elementOf = (key: Buffer): Uint8Array | undefined =>
      bpf.lookUp(fd, key, buffer) ? new Uint8Array(buffer.subarray(at, at + valueBytes)) : undefined;
    return {
      name,
      type,
      keyBytes,
      valueBytes,
      get: (key) => elementOf(Buffer.from(parseHexBytes(key))),
      read() {
        const entries = new Map<string, Uint8Array>();
        let key: Buffer | undefined;
        for (let left = spec.maxEntries; left >= 0; left--) {
          const next = Buffer.alloc(keyBytes);
          if (!bpf.nextKey(fd, key, next)) break;
          key = next;
          const value = elementOf(next);
          if (value !== undefined) entries.set(printHexBytes(next), value);
        }
        return entries;
      },
    };
  }
}

const refused = (spec: MapSpec, why: string): InputError =>
  new InputError("KERNEL_MAP", `map ${spec.name} in the kernel: ${why}`, { details: { map: spec.name } });
