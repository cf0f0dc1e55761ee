import { MAP_HEADER, type MapSpec, UPDATE_FLAGS } from "@tsbpf/abi";
import { alignUp } from "@tsbpf/base";
import { PERM } from "@tsbpf/memory";
import { defineMapType, type MapHost, type Status } from "@tsbpf/plugin";
import { checkMapSpec } from "./checks.ts";
import { valuePerm } from "./header.ts";
import { MapBase } from "./map-base.ts";
import { E2BIG, EEXIST, EINVAL, ENOENT, OK } from "./status.ts";
import { ValueShape } from "./value-shape.ts";

/** Each CPU's slots start at a cache line of their own. */
const CPU_SLAB_ALIGN = 64;
/** Walks inside walks that a program's eight frames allow. */
const CALLBACK_DEPTH = 8;
const CALLBACK_KEY_STRIDE = 8;
/** An index that no array has: stepping from it leads to the first element. */
const NO_INDEX = 0xffff_ffff;

/**
 * `array` and `percpu_array`: value i of CPU c lies at `data + i * stride + c * cpuStride`.
 *
 * All elements exist from the start, zeroed (M-50).
 */
class ArrayMap extends MapBase {
  private readonly data: number;
  private readonly stride: number;
  private readonly cpuStride: number;
  private readonly cpuCount: number;
  private readonly maxEntries: number;
  private readonly shape: ValueShape;
  /** Keys that walks hand to callbacks, one for each walk inside another on each CPU. */
  private readonly callbackKeys: number;
  private walkDepth = 0;

  constructor(spec: MapSpec, host: MapHost) {
    super(spec, host);
    const isPercpu = spec.type === "percpu_array";
    this.maxEntries = spec.maxEntries;
    this.shape = new ValueShape(spec.valueBytes, spec.valueFields);
    this.stride = alignUp(spec.valueBytes, 8);
    this.cpuCount = isPercpu ? host.cpuCount : 1;
    this.cpuStride = isPercpu ? alignUp(this.stride * spec.maxEntries, CPU_SLAB_ALIGN) : 0;
    this.data = this.allocSlabs(isPercpu ? this.cpuStride : this.stride * spec.maxEntries);
    this.callbackKeys = host.memory.alloc(host.cpuCount * CALLBACK_DEPTH * CALLBACK_KEY_STRIDE, {
      kind: "map",
      name: `map ${spec.name} key`,
      perm: PERM.read,
    });
    this.putHeader(MAP_HEADER.data, this.data);
    this.putHeader(MAP_HEADER.stride, this.stride);
    this.putHeader(MAP_HEADER.cpuStride, this.cpuStride);
    this.putHeader(MAP_HEADER.count, spec.maxEntries);
  }

  lookup(keyAddress: number, cpu: number): number {
    const index = this.memory.view.getUint32(keyAddress, true);
    return index < this.maxEntries ? this.data + index * this.stride + cpu * this.cpuStride : 0;
  }

  lookupPercpu(keyAddress: number, cpu: number): number {
    return cpu < this.cpuCount && cpu >= 0 ? this.lookup(keyAddress, cpu) : 0;
  }

  update(keyAddress: number, valueAddress: number, flags: number, cpu: number): Status {
    const index = this.memory.view.getUint32(keyAddress, true);
    const status = this.checkUpdate(index, flags);
    if (status === OK) {
      const to = this.data + index * this.stride + cpu * this.cpuStride;
      this.shape.update(this.memory, to, valueAddress, flags);
      this.shape.clearFields(this.memory, to);
    }
    return status;
  }

  delete(): Status {
    return EINVAL;
  }

  forEach(visit: (keyAddress: number, valueAddress: number) => boolean, cpu: number): number {
    const { maxEntries } = this;
    const slot = cpu * CALLBACK_DEPTH + (this.walkDepth % CALLBACK_DEPTH);
    const key = this.callbackKeys + slot * CALLBACK_KEY_STRIDE;
    this.walkDepth++;
    try {
      for (let index = 0; index < maxEntries; index++) {
        this.memory.view.setUint32(key, index, true);
        const value = this.data + index * this.stride + cpu * this.cpuStride;
        if (!visit(key, value)) return index + 1;
      }
      return maxEntries;
    } finally {
      this.walkDepth--;
    }
  }

  protected override get hostValueBytes(): number {
    return this.cpuStride === 0 ? this.spec.valueBytes : this.stride * this.cpuCount;
  }

  protected read(keyAddress: number): Uint8Array | Status {
    const first = this.lookup(keyAddress, 0);
    if (first === 0) return ENOENT;
    if (this.cpuStride === 0) return this.shape.read(this.memory, first);
    const all = new Uint8Array(this.hostValueBytes);
    for (let cpu = 0; cpu < this.cpuCount; cpu++) {
      all.set(this.copyOut(first + cpu * this.cpuStride, this.stride), cpu * this.stride);
    }
    return all;
  }

  protected write(keyAddress: number, value: Uint8Array, flags: number): Status {
    const index = this.memory.view.getUint32(keyAddress, true);
    const status = this.checkUpdate(index, flags);
    if (status < 0) return status;
    const first = this.data + index * this.stride;
    if (this.cpuStride === 0) this.shape.write(this.memory, first, value, flags);
    for (let cpu = 0; cpu < this.cpuCount && this.cpuStride !== 0; cpu++) {
      const slot = value.subarray(cpu * this.stride, (cpu + 1) * this.stride);
      this.memory.u8.set(slot, first + cpu * this.cpuStride);
    }
    return OK;
  }

  protected advance(keyAddress: number): Status {
    return advanceIndex(this.memory.view, keyAddress, this.keyScratch, this.maxEntries);
  }

  /** Takes one slab a CPU, each a region of its own because their distance is no multiple of the stride. */
  private allocSlabs(slabBytes: number): number {
    const { spec, memory } = this;
    const perm = valuePerm(spec);
    const data = memory.allocRaw(slabBytes * this.cpuCount, CPU_SLAB_ALIGN);
    const window = { name: "value", offset: 0, bytes: spec.valueBytes, perm };
    for (let cpu = 0; cpu < this.cpuCount; cpu++) {
      const start = data + cpu * slabBytes;
      memory.regions.add({
        start,
        end: start + this.stride * spec.maxEntries,
        perm,
        kind: "map",
        name: this.cpuStride === 0 ? `map ${spec.name}` : `map ${spec.name} of cpu ${cpu}`,
        cells: { stride: this.stride, windows: [window] },
      });
    }
    return data;
  }

  private checkUpdate(index: number, flags: number): Status {
    const { lock, exist, noExist } = UPDATE_FLAGS;
    if (flags > (exist | lock) || (flags & ~lock) > exist) return EINVAL;
    if (index >= this.maxEntries) return E2BIG;
    if ((flags & noExist) !== 0) return EEXIST;
    return (flags & lock) !== 0 && !this.shape.hasLock ? EINVAL : OK;
  }
}

/** Puts the index after the one at `from` (the first for address 0 and for indices out of range) at `to`. */
export function advanceIndex(view: DataView, from: number, to: number, maxEntries: number): Status {
  const index = from === 0 ? NO_INDEX : view.getUint32(from, true);
  if (index < maxEntries && index === maxEntries - 1) return ENOENT;
  view.setUint32(to, index >= maxEntries ? 0 : index + 1, true);
  return OK;
}

const SOURCE = "linux Documentation/bpf/map_array.rst";

export const arrayMapTypes = [
  defineMapType({
    type: "array",
    summary: "Values by index, all present from the start.",
    source: SOURCE,
    sharing: "values",
    check: checkMapSpec,
    create: (spec, host) => new ArrayMap(spec, host),
  }),
  defineMapType({
    type: "percpu_array",
    summary: "Values by index, one of each for every CPU.",
    source: SOURCE,
    sharing: "values",
    check: checkMapSpec,
    create: (spec, host) => new ArrayMap(spec, host),
  }),
];
