import { errnoName, type MapSpec } from "@tsbpf/abi";
import { InputError, UnsupportedError } from "@tsbpf/base";
import { guardMap } from "@tsbpf/maps";
import type { LinearMemory } from "@tsbpf/memory";
import type { BpfMap, MapHost, MapTypePlugin } from "@tsbpf/plugin";
import type { Registry } from "./registry.ts";

const RUN_HEADROOM_BYTES = 1 << 20;

/** The live maps of a VM. */
export class LiveMaps implements MapHost {
  readonly memory: LinearMemory;
  readonly cpuCount: number;
  readonly hashSeed = 0;
  /** Whether other threads use the maps, so that none can be made any more. */
  isRunning = false;
  private readonly registry: Registry;
  private readonly byAddress = new Map<number, BpfMap>();

  constructor(memory: LinearMemory, cpuCount: number, registry: Registry) {
    this.memory = memory;
    this.cpuCount = cpuCount;
    this.registry = registry;
  }

  mapAt(address: number): BpfMap | undefined {
    return this.byAddress.get(address);
  }

  /**
   * Makes a live map, without its initial contents.
   *
   * @throws MAP_REFUSED (InputError) when Linux would refuse to create it; `details.errno` is its error number.
   *   UNSUPPORTED_SHARED_MAP (UnsupportedError) when threads share the VM and cannot share such a map.
   */
  create(spec: MapSpec): BpfMap {
    const plugin = this.registry.mapType(spec.type);
    const refusal = plugin.check(spec);
    if (refusal !== undefined) {
      throw new InputError("MAP_REFUSED", `map ${spec.name}: ${refusal.text} (${errnoName(refusal.errno)})`, {
        details: { map: spec.name, errno: refusal.errno },
      });
    }
    const map = this.memory.isShared ? this.createShared(plugin, spec) : plugin.create(spec, this);
    this.byAddress.set(map.address, map);
    // Maps may take elements while programs run, when the memory cannot grow.
    this.memory.ensureHeadroom(RUN_HEADROOM_BYTES);
    return map;
  }

  private createShared(plugin: MapTypePlugin, spec: MapSpec): BpfMap {
    const { sharing } = plugin;
    const { type } = spec;
    if (sharing === undefined) {
      throw unshared(spec, `a ${type} keeps what several threads cannot share, it runs on one CPU only`);
    }
    if (this.isRunning) throw unshared(spec, "it cannot be made once several threads run");
    const map = plugin.create(spec, this);
    if (sharing === "locked" && (map.progSlots ?? map.mapSlots) !== undefined) {
      throw unshared(
        spec,
        `the slots of a ${type} refer to objects of a thread, so its sharing must be "fixed"`,
      );
    }
    return guardMap(map, { memory: this.memory, sharing, isRunning: () => this.isRunning });
  }

  /** Puts the initial contents of a spec in; programs and maps that it names are found by the callbacks. */
  fill(map: BpfMap, find: { map(name: string): BpfMap | undefined; prog(name: string): unknown }): void {
    for (const { key, value } of map.spec.contents ?? []) {
      if (value instanceof Uint8Array) this.expectOk(map, map.set(key, value));
      else if ("map" in value)
        this.expectOk(map, map.mapSlots?.setMap(key, find.map(value.map) ?? null) ?? 0);
      else this.expectOk(map, map.progSlots?.setProg(indexOf(key), find.prog(value.prog)) ?? 0);
    }
    if (map.spec.isFrozen === true) map.freeze();
  }

  private expectOk(map: BpfMap, status: number): void {
    if (status >= 0) return;
    throw new InputError(
      "MAP_CONTENTS",
      `map ${map.spec.name} refuses its initial contents: ${errnoName(-status)}`,
      {
        details: { map: map.spec.name, errno: -status },
      },
    );
  }
}

const indexOf = (key: Uint8Array): number =>
  new DataView(key.buffer, key.byteOffset, key.byteLength).getUint32(0, true);

const unshared = ({ name, type }: MapSpec, reason: string): UnsupportedError =>
  new UnsupportedError("UNSUPPORTED_SHARED_MAP", `map ${name}: ${reason}`, { details: { map: name, type } });
