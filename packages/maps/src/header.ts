import { MAP_FLAGS, MAP_HEADER, MAP_TYPES, type MapSpec } from "@tsbpf/abi";
import { encodeUtf8 } from "@tsbpf/base";
import { type LinearMemory, PERM } from "@tsbpf/memory";

/** Bytes of a map's name with its NUL, as Linux keeps it. */
const NAME_BYTES = 16;

/**
 * Allocates a map's header and fills in what the specification says.
 *
 * @param extraBytes - what the map type keeps beyond the common fields, from `MAP_HEADER.extra` on.
 */
export function createHeader(spec: MapSpec, memory: LinearMemory, extraBytes: number): number {
  const address = memory.alloc(MAP_HEADER.extra + extraBytes, {
    kind: "map",
    name: `map ${spec.name} header`,
    perm: PERM.read,
    align: 64,
  });
  const { view } = memory;
  const put = (offset: number, value: number) => view.setUint32(address + offset, value, true);
  put(MAP_HEADER.type, MAP_TYPES[spec.type]);
  put(MAP_HEADER.keyBytes, spec.keyBytes);
  put(MAP_HEADER.valueBytes, spec.valueBytes);
  put(MAP_HEADER.maxEntries, spec.maxEntries);
  put(MAP_HEADER.flags, liveFlags(spec));
  put(MAP_HEADER.id, address);
  view.setBigUint64(address + MAP_HEADER.mapExtra, spec.mapExtra ?? 0n, true);
  const name = encodeUtf8(spec.name).subarray(0, NAME_BYTES - 1);
  memory.u8.set(name, address + MAP_HEADER.name);
  return address;
}

/** Flags that a live map has: Linux makes device maps read-only for programs without being asked (M-140). */
export const liveFlags = (spec: MapSpec): number =>
  spec.type === "devmap" || spec.type === "devmap_hash" ? spec.flags | MAP_FLAGS.readOnlyProg : spec.flags;

/** Rights of programs on the values of a map. */
export function valuePerm(spec: MapSpec): number {
  const flags = liveFlags(spec);
  if ((flags & MAP_FLAGS.readOnlyProg) !== 0) return PERM.read;
  return (flags & MAP_FLAGS.writeOnlyProg) !== 0 ? PERM.write : PERM.readWrite;
}
