import { MAP_HEADER, type MapSpec, UPDATE_FLAGS } from "@tsbpf/abi";
import { PERM } from "@tsbpf/memory";
import { defineMapType, type MapHost, type ProgSlots, type Status } from "@tsbpf/plugin";
import { advanceIndex } from "./array-map.ts";
import { checkMapSpec } from "./checks.ts";
import { HashMap } from "./hash/hash-map.ts";
import { MapBase } from "./map-base.ts";
import { ObjectIds } from "./object-ids.ts";
import { E2BIG, EEXIST, EINVAL, ENODEV, ENOENT, EOVERFLOW, OK } from "./status.ts";

/** struct bpf_devmap_val and bpf_cpumap_val: a u32 (ifindex, queue size; 0 when empty), then a program's id. */
const ENTRY_BYTES = 8;
const PROG = 4;
const QUEUE_PACKETS_MAX = 16_384;

/** A value from the host, with 0 for a program it does not mention. */
function parseEntry(value: Uint8Array): { readonly target: number; readonly progFd: number } {
  const view = new DataView(value.buffer, value.byteOffset, value.byteLength);
  return { target: view.getUint32(0, true), progFd: value.length > PROG ? view.getInt32(PROG, true) : 0 };
}

const hasDevice = (host: MapHost, ifindex: number): boolean => host.hasDevice?.(ifindex) ?? true;

/** Programs that run on the entries of a map: each entry holds the id of its own. */
class EntryProgs implements ProgSlots {
  private readonly progs = new Map<number, unknown>();
  private readonly ids = new ObjectIds();
  private readonly spec: MapSpec;
  private readonly host: MapHost;
  private readonly entryAt: (index: number) => number;

  constructor(spec: MapSpec, host: MapHost, entryAt: (index: number) => number) {
    this.spec = spec;
    this.host = host;
    this.entryAt = entryAt;
  }

  progAt(index: number): unknown {
    return this.progs.get(index);
  }

  /** @returns -ENOENT without an entry to run on, -EINVAL for a map whose values have no program. */
  setProg(index: number, prog: unknown): Status {
    if (this.spec.valueBytes < ENTRY_BYTES) return EINVAL;
    const entry = this.entryAt(index);
    if (entry === 0) return ENOENT;
    if (prog === undefined) this.progs.delete(index);
    else this.progs.set(index, prog);
    this.host.memory.view.setUint32(entry + PROG, prog === undefined ? 0 : this.ids.idOf(prog), true);
    return OK;
  }

  /** Forgets the program of an entry that is replaced or gone. */
  drop(index: number): void {
    this.progs.delete(index);
  }
}

/**
 * What `devmap` and `cpumap` share: entry i lies at `data + 8 * i`. Programs that run on entries are attached with
 * `progSlots`; there are no descriptors to name them in a value (M-140, M-142).
 */
abstract class TargetArray extends MapBase {
  private readonly data: number;
  private readonly progs: EntryProgs;
  /** Keys that walks hand to callbacks, one a CPU. */
  private readonly callbackKeys: number;

  constructor(spec: MapSpec, host: MapHost) {
    super(spec, host);
    this.progs = new EntryProgs(spec, host, (index) => this.lookupIndex(index));
    this.callbackKeys = host.memory.allocRaw(4 * host.cpuCount, 4);
    this.data = host.memory.alloc(ENTRY_BYTES * spec.maxEntries, {
      kind: "map",
      name: `map ${spec.name}`,
      perm: PERM.read,
      cells: {
        stride: ENTRY_BYTES,
        windows: [{ name: "value", offset: 0, bytes: spec.valueBytes, perm: PERM.read }],
      },
    });
    this.putHeader(MAP_HEADER.data, this.data);
    this.putHeader(MAP_HEADER.stride, ENTRY_BYTES);
  }

  /** Checks a target that is not 0 and its program, after index and flags. */
  protected abstract checkEntry(index: number, target: number, progFd: number): Status;

  get progSlots(): ProgSlots {
    return this.progs;
  }

  lookup(keyAddress: number): number {
    return this.lookupIndex(this.memory.view.getUint32(keyAddress, true));
  }

  lookupIndex(index: number): number {
    if (index >= this.spec.maxEntries) return 0;
    const entry = this.data + index * ENTRY_BYTES;
    return this.memory.view.getUint32(entry, true) === 0 ? 0 : entry;
  }

  /** Programs may not write such maps; the verifier refuses it before. */
  update(): Status {
    return EINVAL;
  }
  delete(): Status {
    return EINVAL;
  }

  /** Visits the entries that are there. */
  forEach(visit: (keyAddress: number, valueAddress: number) => boolean, cpu: number): number {
    const key = this.callbackKeys + 4 * cpu;
    let visited = 0;
    for (let index = 0; index < this.spec.maxEntries; index++) {
      const entry = this.lookupIndex(index);
      if (entry === 0) continue;
      visited++;
      this.memory.view.setUint32(key, index, true);
      if (!visit(key, entry)) break;
    }
    return visited;
  }

  protected read(keyAddress: number): Uint8Array | Status {
    const entry = this.lookup(keyAddress);
    return entry === 0 ? ENOENT : this.copyOut(entry, this.spec.valueBytes);
  }

  protected write(keyAddress: number, value: Uint8Array, flags: number): Status {
    const index = this.memory.view.getUint32(keyAddress, true);
    if (flags > UPDATE_FLAGS.exist) return EINVAL;
    if (index >= this.spec.maxEntries) return E2BIG;
    if (flags === UPDATE_FLAGS.noExist) return EEXIST;
    const { target, progFd } = parseEntry(value);
    const status = this.checkEntry(index, target, progFd);
    if (status < 0) return status;
    this.put(index, target);
    return OK;
  }

  protected override erase(keyAddress: number): Status {
    const index = this.memory.view.getUint32(keyAddress, true);
    if (index >= this.spec.maxEntries) return EINVAL;
    this.put(index, 0);
    return OK;
  }

  protected advance(keyAddress: number): Status {
    return advanceIndex(this.memory.view, keyAddress, this.keyScratch, this.spec.maxEntries);
  }

  private put(index: number, target: number): void {
    this.progs.drop(index);
    const entry = this.data + index * ENTRY_BYTES;
    this.memory.view.setUint32(entry, target, true);
    this.memory.view.setUint32(entry + PROG, 0, true);
  }
}

/** `devmap`: network devices by index; ifindex 0 empties a slot. */
class DevMap extends TargetArray {
  protected checkEntry(_index: number, ifindex: number, progFd: number): Status {
    if (progFd > 0) return EINVAL;
    return ifindex === 0 || hasDevice(this.host, ifindex) ? OK : EINVAL;
  }
}

/** `cpumap`: queues of CPUs; size 0 empties a slot. */
class CpuMap extends TargetArray {
  protected checkEntry(cpu: number, queuePackets: number, progFd: number): Status {
    if (queuePackets > QUEUE_PACKETS_MAX) return EOVERFLOW;
    if (cpu >= this.host.cpuCount) return ENODEV;
    return queuePackets !== 0 && progFd > 0 ? EINVAL : OK;
  }
}

/** `devmap_hash`: network devices by any u32; an element's value is a struct bpf_devmap_val. */
class DevMapHash extends HashMap {
  private readonly progs: EntryProgs;
  private readonly indexScratch: number;

  constructor(spec: MapSpec, host: MapHost) {
    super(spec, host);
    this.progs = new EntryProgs(spec, host, (index) => this.lookupIndex(index));
    this.indexScratch = host.memory.allocRaw(4);
  }

  get progSlots(): ProgSlots {
    return this.progs;
  }

  lookupIndex(index: number): number {
    this.memory.view.setUint32(this.indexScratch, index, true);
    return this.lookup(this.indexScratch, 0);
  }

  /** Programs may not write such maps; the verifier refuses it before. */
  override update(): Status {
    return EINVAL;
  }
  override delete(): Status {
    return EINVAL;
  }

  /** EXIST on a missing key inserts, unlike in other hash maps. */
  protected override write(keyAddress: number, value: Uint8Array, flags: number): Status {
    const { target, progFd } = parseEntry(value);
    if (flags > UPDATE_FLAGS.exist || target === 0) return EINVAL;
    const index = this.memory.view.getUint32(keyAddress, true);
    if (flags === UPDATE_FLAGS.noExist && this.lookupIndex(index) !== 0) return EEXIST;
    if (progFd > 0 || !hasDevice(this.host, target)) return EINVAL;
    const entry = value.slice();
    entry.fill(0, PROG);
    const status = super.write(keyAddress, entry, UPDATE_FLAGS.any);
    if (status === OK) this.progs.drop(index);
    return status;
  }

  protected override erase(keyAddress: number): Status {
    const status = super.delete(keyAddress, 0);
    if (status === OK) this.progs.drop(this.memory.view.getUint32(keyAddress, true));
    return status;
  }
}

export const redirectMapTypes = [
  defineMapType({
    type: "devmap",
    summary: "Network devices by index as redirect targets.",
    source: "linux Documentation/bpf/map_devmap.rst",
    sharing: "fixed",
    check: checkMapSpec,
    create: (spec, host) => new DevMap(spec, host),
  }),
  defineMapType({
    type: "devmap_hash",
    summary: "Network devices by key as redirect targets.",
    source: "linux Documentation/bpf/map_devmap.rst",
    sharing: "fixed",
    check: checkMapSpec,
    create: (spec, host) => new DevMapHash(spec, host),
  }),
  defineMapType({
    type: "cpumap",
    summary: "CPUs as redirect targets.",
    source: "linux Documentation/bpf/map_cpumap.rst",
    sharing: "fixed",
    check: checkMapSpec,
    create: (spec, host) => new CpuMap(spec, host),
  }),
];
