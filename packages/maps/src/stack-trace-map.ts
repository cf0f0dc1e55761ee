import { MAP_HEADER, type MapSpec } from "@tsbpf/abi";
import { defineMapType, type HostSlots, type MapHost, type Status } from "@tsbpf/plugin";
import { checkMapSpec } from "./checks.ts";
import { MapBase } from "./map-base.ts";
import { E2BIG, EINVAL, ENOENT, EPERM, OK } from "./status.ts";

/**
 * `stack_trace`: stacks by id. The host, or a helper that knows what a stack is, stores them with `setObject` as
 * arrays of addresses, the innermost first; what does not fit is cut off, the rest of a value is zero (M-123).
 */
class StackTraceMap extends MapBase implements HostSlots {
  private readonly data: number;
  private readonly idCount: number;
  /** Address of a u32 for each id: frames of its stack, 0 where there is none. */
  private readonly depths: number;

  constructor(spec: MapSpec, host: MapHost) {
    super(spec, host);
    this.idCount = 2 ** Math.ceil(Math.log2(spec.maxEntries));
    this.data = host.memory.allocRaw(this.idCount * spec.valueBytes);
    this.depths = host.memory.allocRaw(this.idCount * 4);
    this.putHeader(MAP_HEADER.buckets, this.depths);
    this.putHeader(MAP_HEADER.data, this.data);
    this.putHeader(MAP_HEADER.stride, spec.valueBytes);
    this.putHeader(MAP_HEADER.mask, this.idCount - 1);
  }

  get hostSlots(): HostSlots {
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

  objectAt(id: number): unknown {
    const depth = this.depthOf(id);
    if (depth === 0) return undefined;
    return Array.from({ length: depth }, (_, i) =>
      this.memory.view.getBigUint64(this.slot(id) + 8 * i, true),
    );
  }

  /** @returns -EINVAL for anything but an array of addresses with at least one. */
  setObject(id: number, object: unknown): Status {
    if (this.isReadOnly) return EPERM;
    if (!(id >= 0 && id < this.idCount)) return E2BIG;
    if (object === undefined) return this.eraseAt(id);
    if (!isStack(object) || object.length === 0) return EINVAL;
    const depth = Math.min(object.length, this.spec.valueBytes / 8);
    const slot = this.slot(id);
    this.memory.u8.fill(0, slot, slot + this.spec.valueBytes);
    for (let i = 0; i < depth; i++) this.memory.view.setBigUint64(slot + 8 * i, object[i] as bigint, true);
    this.memory.view.setUint32(this.depths + 4 * id, depth, true);
    return OK;
  }

  take(key: Uint8Array): Uint8Array | Status {
    const value = this.get(key);
    if (typeof value === "number") return value;
    const status = this.remove(key);
    return status < 0 ? status : value;
  }

  protected read(keyAddress: number): Uint8Array | Status {
    const id = this.memory.view.getUint32(keyAddress, true);
    return this.depthOf(id) === 0 ? ENOENT : this.copyOut(this.slot(id), this.spec.valueBytes);
  }

  protected write(): Status {
    return EINVAL;
  }

  protected override erase(keyAddress: number): Status {
    return this.eraseAt(this.memory.view.getUint32(keyAddress, true));
  }

  protected advance(keyAddress: number): Status {
    const id = keyAddress === 0 ? this.idCount : this.memory.view.getUint32(keyAddress, true);
    let next = this.depthOf(id) === 0 ? 0 : id + 1;
    while (next < this.idCount && this.depthOf(next) === 0) next++;
    if (next === this.idCount) return ENOENT;
    this.memory.view.setUint32(this.keyScratch, next, true);
    return OK;
  }

  private eraseAt(id: number): Status {
    if (id >= this.idCount) return E2BIG;
    if (this.depthOf(id) === 0) return ENOENT;
    this.memory.view.setUint32(this.depths + 4 * id, 0, true);
    return OK;
  }

  private depthOf(id: number): number {
    return id >= 0 && id < this.idCount ? this.memory.view.getUint32(this.depths + 4 * id, true) : 0;
  }

  private slot(id: number): number {
    return this.data + id * this.spec.valueBytes;
  }
}

const isStack = (object: unknown): object is readonly bigint[] =>
  Array.isArray(object) && object.every((one) => typeof one === "bigint");

export const stackTraceMapTypes = [
  defineMapType({
    type: "stack_trace",
    summary: "Call stacks by id.",
    source: "linux uapi/linux/bpf.h bpf_get_stackid",
    sharing: "locked",
    check: checkMapSpec,
    create: (spec, host) => new StackTraceMap(spec, host),
  }),
];
