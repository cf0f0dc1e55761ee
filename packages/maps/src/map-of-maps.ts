import { MAP_FLAGS, type MapSpec, type ValueField } from "@tsbpf/abi";
import { type BpfMap, defineMapType, type MapHost, type MapSlots, type Status } from "@tsbpf/plugin";
import { checkMapSpec } from "./checks.ts";
import { HashMap } from "./hash/hash-map.ts";
import { liveFlags } from "./header.ts";
import { allocSlots, SlotMap } from "./slot-map.ts";
import { E2BIG, EBADF, EINVAL, ENOENT } from "./status.ts";

/** Says whether a map may take the place of the template (M-131). */
function fitsTemplate(template: MapSpec | undefined, map: MapSpec): boolean {
  if (template === undefined || template.type !== map.type || liveFlags(template) !== liveFlags(map))
    return false;
  if (template.keyBytes !== map.keyBytes || template.valueBytes !== map.valueBytes) return false;
  // Code that was inlined for the template's size would be wrong for another.
  const hasFixedSize =
    map.type === "xskmap" || (map.type === "array" && (map.flags & MAP_FLAGS.innerMap) === 0);
  if (hasFixedSize && template.maxEntries !== map.maxEntries) return false;
  return sameFields(template.valueFields ?? [], map.valueFields ?? []);
}

const sameFields = (a: readonly ValueField[], b: readonly ValueField[]): boolean =>
  a.length === b.length && a.every((field, i) => field.kind === b[i]?.kind && field.offset === b[i].offset);

/** Finds the map that the host's bytes name: by its `address`, which stands for descriptor and id here. */
const mapNamedBy = (value: Uint8Array, host: MapHost): BpfMap | undefined =>
  host.mapAt(new DataView(value.buffer, value.byteOffset, value.byteLength).getUint32(0, true));

/** `array_of_maps`: slot i holds the address of a map's header, 0 when empty. */
class ArrayOfMaps extends SlotMap implements MapSlots {
  constructor(spec: MapSpec, host: MapHost) {
    const rules = { readStatus: undefined, eraseEmpty: ENOENT, eraseOutOfRange: E2BIG, flagsMax: 0 };
    super(spec, host, rules, allocSlots(spec, host));
  }

  get mapSlots(): MapSlots {
    return this;
  }

  override lookup(keyAddress: number): number {
    const index = this.indexAt(keyAddress);
    return index < this.spec.maxEntries ? this.slotOf(index) : 0;
  }

  setMap(key: Uint8Array, map: BpfMap | null, flags = 0): Status {
    const index = new DataView(key.buffer, key.byteOffset, key.byteLength).getUint32(0, true);
    const status = this.checkUpdate(index, flags);
    if (status < 0) return status;
    if (map === null) return this.fill(index, undefined);
    return fitsTemplate(this.spec.inner, map.spec) ? this.fill(index, map, map.address) : EINVAL;
  }

  protected override write(keyAddress: number, value: Uint8Array, flags: number): Status {
    const status = this.checkUpdate(this.indexAt(keyAddress), flags);
    if (status < 0) return status;
    const map = mapNamedBy(value, this.host);
    return map === undefined ? EBADF : this.setMap(this.copyOut(keyAddress, this.spec.keyBytes), map, flags);
  }
}

/** `hash_of_maps`: each value holds the address of a map's header. */
class HashOfMaps extends HashMap implements MapSlots {
  get mapSlots(): MapSlots {
    return this;
  }

  override lookup(keyAddress: number, cpu: number): number {
    const value = super.lookup(keyAddress, cpu);
    return value === 0 ? 0 : this.memory.view.getUint32(value, true);
  }

  /** Programs may not write such maps; the verifier refuses it before. */
  override update(): Status {
    return EINVAL;
  }
  override delete(): Status {
    return EINVAL;
  }

  setMap(key: Uint8Array, map: BpfMap | null, flags = 0): Status {
    if (map === null) return this.remove(key);
    const value = new Uint8Array(4);
    new DataView(value.buffer).setUint32(0, map.address, true);
    return fitsTemplate(this.spec.inner, map.spec) ? this.set(key, value, flags) : EINVAL;
  }

  protected override write(keyAddress: number, value: Uint8Array, flags: number): Status {
    const map = mapNamedBy(value, this.host);
    if (map === undefined) return EBADF;
    return fitsTemplate(this.spec.inner, map.spec) ? super.write(keyAddress, value, flags) : EINVAL;
  }

  protected override erase(keyAddress: number): Status {
    return super.delete(keyAddress, 0);
  }
}

export const mapOfMapsTypes = [
  defineMapType({
    type: "array_of_maps",
    summary: "Maps by index.",
    source: "linux Documentation/bpf/map_of_maps.rst",
    sharing: "fixed",
    check: checkMapSpec,
    create: (spec, host) => new ArrayOfMaps(spec, host),
  }),
  defineMapType({
    type: "hash_of_maps",
    summary: "Maps by key.",
    source: "linux Documentation/bpf/map_of_maps.rst",
    sharing: "fixed",
    check: checkMapSpec,
    create: (spec, host) => new HashOfMaps(spec, host),
  }),
];
