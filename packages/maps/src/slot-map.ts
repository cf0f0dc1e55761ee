import { MAP_HEADER, type MapSpec } from "@tsbpf/abi";
import type { MapHost, Status } from "@tsbpf/plugin";
import { advanceIndex } from "./array-map.ts";
import { MapBase } from "./map-base.ts";
import { ObjectIds } from "./object-ids.ts";
import { E2BIG, EBADF, EINVAL, ENOENT, EPERM, OK } from "./status.ts";

/** Bytes of a slot: what it refers to as a u32, 0 when empty, and a u32 of the map type's own. */
export const SLOT_BYTES = 8;

/** Error numbers of a kind of slots, and what user space reads from a full one. */
export interface SlotRules {
  /** Answer to a lookup by user space; undefined when it gets the id of the object. */
  readonly readStatus: Status | undefined;
  readonly eraseEmpty: Status;
  readonly eraseOutOfRange: Status;
  /** Largest flags of an update: 0, or 2 where NOEXIST and EXIST mean something. */
  readonly flagsMax: number;
}

/**
 * Arrays whose slots refer to objects: programs, maps, events, cgroups, sockets. Slot i lies at `data + 8 * i`.
 *
 * bpf(2) takes file descriptors as values. There are none here, so `set` with bytes ends in EBADF once index and
 * flags are good; the typed slots of the contract (`progSlots`, `mapSlots`, `hostSlots`) are how they are filled.
 */
export abstract class SlotMap extends MapBase {
  protected readonly data: number;
  private readonly rules: SlotRules;
  private readonly objects = new Map<number, unknown>();
  private readonly ids = new ObjectIds();

  constructor(spec: MapSpec, host: MapHost, rules: SlotRules, data: number) {
    super(spec, host);
    this.rules = rules;
    this.data = data;
    this.putHeader(MAP_HEADER.data, data);
    this.putHeader(MAP_HEADER.stride, SLOT_BYTES);
  }

  lookup(_keyAddress: number): number {
    return 0;
  }
  /** Programs may not write such maps; the verifier refuses it before. */
  update(): Status {
    return EINVAL;
  }
  delete(): Status {
    return EINVAL;
  }

  protected get flagsMax(): number {
    return this.rules.flagsMax;
  }

  /** Returns what a slot refers to, or undefined. */
  protected objectOf(index: number): unknown {
    return this.objects.get(index);
  }

  /** Fills a slot, or empties it with undefined. */
  protected fill(index: number, object: unknown, id = this.ids.idOf(object)): Status {
    if (this.isReadOnly) return EPERM;
    if (!(index >= 0 && index < this.spec.maxEntries)) return E2BIG;
    if (object === undefined) return this.eraseAt(index);
    this.objects.set(index, object);
    this.putSlot(index, id);
    this.putHeader(MAP_HEADER.count, this.objects.size);
    return OK;
  }

  /** Checks index and flags of an update, in the kernel's order. */
  protected checkUpdate(index: number, flags: number): Status {
    if (flags > this.rules.flagsMax) return EINVAL;
    return index < this.spec.maxEntries ? OK : E2BIG;
  }

  protected slotOf(index: number): number {
    return this.memory.view.getUint32(this.data + index * SLOT_BYTES, true);
  }

  protected putSlot(index: number, value: number): void {
    this.memory.view.setUint32(this.data + index * SLOT_BYTES, value, true);
  }

  protected indexAt(keyAddress: number): number {
    return this.memory.view.getUint32(keyAddress, true);
  }

  protected read(keyAddress: number): Uint8Array | Status {
    if (this.rules.readStatus !== undefined) return this.rules.readStatus;
    const index = this.indexAt(keyAddress);
    if (index >= this.spec.maxEntries || this.slotOf(index) === 0) return ENOENT;
    const value = new Uint8Array(this.spec.valueBytes);
    new DataView(value.buffer).setUint32(0, this.slotOf(index), true);
    return value;
  }

  protected write(keyAddress: number, _value: Uint8Array, flags: number): Status {
    const status = this.checkUpdate(this.indexAt(keyAddress), flags);
    return status < 0 ? status : EBADF;
  }

  protected override erase(keyAddress: number): Status {
    return this.eraseAt(this.indexAt(keyAddress));
  }

  protected advance(keyAddress: number): Status {
    return advanceIndex(this.memory.view, keyAddress, this.keyScratch, this.spec.maxEntries);
  }

  private eraseAt(index: number): Status {
    if (index >= this.spec.maxEntries) return this.rules.eraseOutOfRange;
    if (!this.objects.delete(index)) return this.rules.eraseEmpty;
    this.putSlot(index, 0);
    this.putHeader(MAP_HEADER.count, this.objects.size);
    return OK;
  }
}

/** Takes the memory of a slot map that programs never look into. */
export const allocSlots = (spec: MapSpec, host: MapHost): number =>
  host.memory.allocRaw(SLOT_BYTES * spec.maxEntries);
