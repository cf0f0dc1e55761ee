import { type MapSpec, mapTypeName } from "@tsbpf/abi";
import { parseHexBytes, printHexBytes } from "@tsbpf/base";
import { LinearMemory } from "@tsbpf/memory";
import type { BpfMap, MapHost } from "@tsbpf/plugin";
import { guardMap, mapTypePlugin } from "../src/index.ts";

/** A host with a memory of its own that knows the maps made through it. */
export interface TestHost extends MapHost {
  readonly maps: Map<number, BpfMap>;
}

export function createHost(options: Partial<Omit<MapHost, "mapAt">> = {}): TestHost {
  const maps = new Map<number, BpfMap>();
  return {
    memory: new LinearMemory({ initialBytes: 1024 * 1024, maxBytes: 256 * 1024 * 1024 }),
    cpuCount: 2,
    hashSeed: 0,
    mapAt: (address) => maps.get(address),
    ...options,
    maps,
  };
}

export const spec = (type: MapSpec["type"], more: Partial<MapSpec> = {}): MapSpec => ({
  name: "m",
  type,
  keyBytes: 4,
  valueBytes: 8,
  maxEntries: 4,
  flags: 0,
  ...more,
});

/** A host whose maps are made for several threads. */
export const createSharedHost = (): TestHost =>
  createHost({ memory: new LinearMemory({ initialBytes: 1 << 20, maxBytes: 1 << 28, isShared: true }) });

/** Makes a map that its type's check accepts, guarded where the memory is shared. */
export function createMap(type: MapSpec["type"], more: Partial<MapSpec> = {}, host = createHost()): BpfMap {
  const plugin = mapTypePlugin(type)!;
  const wanted = spec(type, more);
  const refusal = plugin.check(wanted);
  if (refusal !== undefined) throw new Error(refusal.text);
  const { memory } = host;
  const made = plugin.create(wanted, host);
  const map = memory.isShared
    ? guardMap(made, { memory, sharing: plugin.sharing!, isRunning: () => false })
    : made;
  host.maps.set(map.address, map);
  return map;
}

export const u32 = (value: number): Uint8Array => new Uint8Array(new Uint32Array([value]).buffer);
export const u64 = (value: bigint | number): Uint8Array =>
  new Uint8Array(new BigUint64Array([BigInt(value)]).buffer);
export const NO_KEY = new Uint8Array(0);

/** What a program does in one step of a recorded script; see `recorded/README.md`. */
export interface ProgStep {
  readonly op: number;
  readonly key?: number;
  readonly value?: number;
  readonly flags?: number;
  readonly key2?: number;
  readonly value2?: number;
}

export type Step =
  | readonly ["get", string, string?]
  | readonly ["set", string, string, number]
  | readonly ["remove", string]
  | readonly ["take", string]
  | readonly ["next", string | null]
  | readonly ["keys"]
  | readonly ["freeze"]
  | readonly ["prog", ProgStep];

/** A sequence of accesses to one map, by user space and by a program on CPU 0. */
export interface Script {
  readonly name?: string;
  readonly map: {
    readonly type: number;
    readonly key: number;
    readonly value: number;
    readonly max: number;
    readonly flags?: number;
    readonly extra?: number;
  };
  /** Which helpers the program calls: k lookup, update, delete; q push, pop, peek; b push, peek. */
  readonly prog?: "k" | "q" | "b";
  readonly ops: readonly Step[];
}

/** Runs a script on a map of ours; the answers have the form of those recorded from Linux. */
export function runScript(script: Script, host = createHost()): unknown[] {
  const { map: asked } = script;
  const map = createMap(
    mapTypeName(asked.type)!,
    {
      keyBytes: asked.key,
      valueBytes: asked.value,
      maxEntries: asked.max,
      flags: asked.flags ?? 0,
      mapExtra: BigInt(asked.extra ?? 0),
    },
    host,
  );
  const program = createProgram(map, host, script.prog ?? "k");
  return script.ops.map((step) => runStep(map, step, program));
}

function runStep(map: BpfMap, step: Step, program: (step: ProgStep) => [number, number]): unknown {
  switch (step[0]) {
    case "get":
      return answer(map.get(parseHexBytes(step[2] ?? step[1])));
    case "set":
      return map.set(parseHexBytes(step[1]), parseHexBytes(step[2]), step[3]);
    case "remove":
      return map.remove(parseHexBytes(step[1]));
    case "take":
      return map.take === undefined ? -524 : answer(map.take(parseHexBytes(step[1])));
    case "next":
      return answer(map.nextKey(step[1] === null ? null : parseHexBytes(step[1])));
    case "keys":
      return [...map.entries()].map(([key]) => printHexBytes(key));
    case "freeze":
      return map.freeze();
    case "prog":
      return program(step[1]);
  }
}

const answer = (value: Uint8Array | number): string | number =>
  typeof value === "number" ? value : printHexBytes(value);

/** Does what the recording program does, by the program's side of the contract, on CPU 0. */
function createProgram(map: BpfMap, host: MapHost, kind: "k" | "q" | "b") {
  const { view } = host.memory;
  const stack = host.memory.allocRaw(64);
  const [key, key2, value, value2] = [stack, stack + 8, stack + 16, stack + 24];
  return (step: ProgStep): [number, number] => {
    view.setUint32(key, step.key ?? 0, true);
    view.setUint32(key2, step.key2 ?? 0, true);
    view.setBigUint64(value, BigInt(step.value ?? 0), true);
    view.setBigUint64(value2, BigInt(step.value2 ?? 0), true);
    const at = (address: number) => (address === 0 ? 0 : Number(view.getBigUint64(address, true)));
    if (kind !== "k") {
      const status =
        step.op === 1
          ? map.push!(value, step.flags ?? 0)
          : step.op === 2 && kind === "q"
            ? map.pop!(value)
            : map.peek!(value);
      return [status, at(value)];
    }
    if (step.op === 2) return [map.update(key, value, step.flags ?? 0, 0), 0];
    if (step.op === 3) return [map.delete(key, 0), 0];
    const found = map.lookup(key, 0);
    if (step.op === 1) return [found === 0 ? 0 : 1, at(found)];
    const removes = step.op === 5 || step.op === 7;
    const status = removes ? map.delete(key, 0) : map.update(key, value, 0, 0);
    if (step.op >= 6) map.update(key2, value2, 0, 0);
    return [status, at(found)];
  };
}
