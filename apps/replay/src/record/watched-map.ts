import type { LinearMemory } from "@tsbpf/memory";
import type { BpfMap } from "@tsbpf/plugin";
import type { MapChangeEntry } from "@tsbpf/trace";
import { holdsPlainValues } from "../trace/maps.ts";

/** A value that a helper was given in place. */
interface Lent {
  readonly map: BpfMap;
  readonly key: Uint8Array;
  readonly address: number;
  readonly before: Uint8Array;
}

/**
 * Finds out how a helper changes maps while it runs: what it does through a map's own methods, and what it writes into
 * values that it looked up.
 */
export class MapWatcher {
  private readonly memory: LinearMemory;
  /** Number of a map in the trace. */
  private readonly idxOf: (map: BpfMap) => number | undefined;
  private readonly lent: Lent[] = [];
  private readonly entries: MapChangeEntry[] = [];
  private readonly watched = new Map<BpfMap, BpfMap>();

  constructor(memory: LinearMemory, idxOf: (map: BpfMap) => number | undefined) {
    this.memory = memory;
    this.idxOf = idxOf;
  }

  /** Returns a map that tells of its changes. */
  watch(map: BpfMap): BpfMap {
    const known = this.watched.get(map);
    if (known !== undefined) return known;
    const made = new Proxy(map, {
      get: (target, name) => this.memberOf(target, name),
    });
    this.watched.set(map, made);
    return made;
  }

  /** Notes that a helper got the value of a key in place. */
  lend(map: BpfMap, key: Uint8Array, address: number): void {
    if (address === 0 || !holdsPlainValues(map.spec)) return;
    const before = this.bytesAt(address, map.spec.valueBytes);
    this.lent.push({ map, key: key.slice(), address, before });
  }

  /** Lists the changes since the helper was entered. */
  changes(): MapChangeEntry[] {
    for (const { map, key, address, before } of this.lent.splice(0)) {
      const after = this.bytesAt(address, before.length);
      if (after.every((byte, idx) => byte === before[idx])) continue;
      this.add(map, "write", key, after, 0);
    }
    return this.entries;
  }

  private memberOf(map: BpfMap, name: string | symbol): unknown {
    const member: unknown = Reflect.get(map, name, map);
    if (typeof member !== "function") return member;
    const call = member.bind(map) as (...args: unknown[]) => unknown;
    switch (name) {
      case "lookup":
        return (keyAddress: number, cpu: number) => {
          const address = call(keyAddress, cpu) as number;
          this.lend(map, this.bytesAt(keyAddress, map.spec.keyBytes), address);
          return address;
        };
      case "update":
        return (keyAddress: number, valueAddress: number, flags: number, cpu: number) => {
          const key = this.bytesAt(keyAddress, map.spec.keyBytes);
          const value = this.bytesAt(valueAddress, map.spec.valueBytes);
          const status = call(keyAddress, valueAddress, flags, cpu) as number;
          if (status >= 0) this.add(map, "update", key, value, flags);
          return status;
        };
      case "delete":
        return (keyAddress: number, cpu: number) => {
          const key = this.bytesAt(keyAddress, map.spec.keyBytes);
          const status = call(keyAddress, cpu) as number;
          if (status >= 0) this.add(map, "delete", key, undefined, 0);
          return status;
        };
      case "push":
        return (valueAddress: number, flags: number) => {
          const value = this.bytesAt(valueAddress, map.spec.valueBytes);
          const status = call(valueAddress, flags) as number;
          if (status >= 0) this.add(map, "push", undefined, value, flags);
          return status;
        };
      case "pop":
        return (valueAddress: number) => {
          const status = call(valueAddress) as number;
          if (status >= 0) this.add(map, "pop", undefined, undefined, 0);
          return status;
        };
      case "set":
        return (key: Uint8Array, value: Uint8Array, flags = 0) => {
          const status = call(key, value, flags) as number;
          if (status >= 0) this.add(map, "update", key.slice(), value.slice(0, map.spec.valueBytes), flags);
          return status;
        };
      case "remove":
        return (key: Uint8Array) => {
          const status = call(key) as number;
          if (status >= 0) this.add(map, "delete", key.slice(), undefined, 0);
          return status;
        };
      default:
        return call;
    }
  }

  private add(
    map: BpfMap,
    change: MapChangeEntry["change"],
    key: Uint8Array | undefined,
    value: Uint8Array | undefined,
    flags: number,
  ): void {
    const mapIdx = this.idxOf(map);
    if (mapIdx === undefined || !holdsPlainValues(map.spec)) return;
    this.entries.push({
      mapIdx,
      change,
      ...(key === undefined ? {} : { key }),
      ...(value === undefined ? {} : { value }),
      flags: BigInt(flags),
    });
  }

  private bytesAt(address: number, bytes: number): Uint8Array {
    return this.memory.u8.slice(address, address + bytes);
  }
}
