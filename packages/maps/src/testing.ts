import type { MapSpec } from "@tsbpf/abi";
import { canAccess, LinearMemory, PERM, WASM_PAGE_BYTES } from "@tsbpf/memory";
import type { BpfMap, MapHost, MapTypePlugin } from "@tsbpf/plugin";
import { EEXIST, ENOENT, EPERM, OK } from "./status.ts";

/** How a map type behaves where types differ by design. */
export interface MapTraits {
  /** Elements exist from the start and cannot be removed, as in arrays. */
  readonly isFixed?: boolean;
  /** A full map gives up elements instead of refusing, as LRU maps do. */
  readonly mayEvict?: boolean;
  /** Programs may not write; the host does. */
  readonly isHostWritten?: boolean;
  /** The host's value has a slot for every CPU. */
  readonly isPercpu?: boolean;
}

export interface MapTestOptions {
  /** A specification that the plugin accepts, with at least 4 elements. */
  readonly spec: MapSpec;
  readonly traits?: MapTraits;
  /** Gives the i-th of `maxEntries` distinct keys; by default i as a little-endian number. */
  readonly makeKey?: (index: number, spec: MapSpec) => Uint8Array;
  /** Gives a valid value for the host's `set`; by default bytes that depend on `seed`. */
  readonly makeValue?: (seed: number, bytes: number) => Uint8Array;
}

/** One test of the contract; `run` throws when the map type breaks it. */
export interface MapTestCase {
  readonly name: string;
  readonly run: () => void;
}

/** Registers a test with a runner: vitest's and node:test's `it` both fit. */
export type RegisterTest = (name: string, run: () => void) => unknown;

/**
 * Tests a map type against the contract that all map types keep, whoever wrote them: one storage behind both sides,
 * statuses instead of exceptions, iteration, freezing, and no growth of the memory by a program.
 *
 * @example testMapType(myMapType, { spec }, it);
 */
export function testMapType(plugin: MapTypePlugin, options: MapTestOptions, register: RegisterTest): void {
  for (const { name, run } of mapTypeCases(plugin, options)) register(`${plugin.type}: ${name}`, run);
}

/** Returns the tests of {@link testMapType} without registering them. */
export function mapTypeCases(plugin: MapTypePlugin, options: MapTestOptions): readonly MapTestCase[] {
  const subject = () => new Subject(plugin, options);
  return [
    {
      name: "accepts the specification",
      run: () => expectEqual(plugin.check(options.spec), undefined, "check"),
    },
    { name: "gives each map an address of its own", run: () => subject().checkAddresses() },
    { name: "shows the host and programs one storage", run: () => subject().checkBothSides() },
    {
      name: "keeps values inside a region, aligned, and nothing beyond them",
      run: () => subject().checkRegions(),
    },
    { name: "copies what the host gets", run: () => subject().checkCopies() },
    { name: "removes, or says that it cannot", run: () => subject().checkRemoval() },
    { name: "tells NOEXIST from EXIST", run: () => subject().checkPresenceFlags() },
    { name: "lists every key once", run: () => subject().checkIteration() },
    { name: "walks for a program, which may stop and remove", run: () => subject().checkWalk() },
    { name: "answers when it is full", run: () => subject().checkCapacity() },
    { name: "never grows the memory for a program", run: () => subject().checkGrowth() },
    { name: "refuses the host once frozen, and still reads", run: () => subject().checkFreeze() },
    { name: "behaves as a plain map over random accesses", run: () => subject().checkModel() },
  ];
}

/** The contract was broken; the text says where. */
export class MapContractError extends Error {}

class Subject {
  readonly map: BpfMap;
  private readonly host: MapHost;
  private readonly plugin: MapTypePlugin;
  private readonly options: MapTestOptions;
  private readonly traits: MapTraits;
  private readonly key: number;
  private readonly value: number;
  private seed = 1;

  constructor(plugin: MapTypePlugin, options: MapTestOptions) {
    const maps = new Map<number, BpfMap>();
    this.plugin = plugin;
    this.options = options;
    this.traits = options.traits ?? {};
    this.host = {
      memory: new LinearMemory({ initialBytes: 4 * 1024 * 1024 }),
      cpuCount: 2,
      hashSeed: 0,
      mapAt: (address) => maps.get(address),
    };
    this.map = plugin.create(options.spec, this.host);
    maps.set(this.map.address, this.map);
    this.key = this.host.memory.allocRaw(Math.max(8, options.spec.keyBytes));
    this.value = this.host.memory.allocRaw(Math.max(8, options.spec.valueBytes));
  }

  checkAddresses(): void {
    const second = this.plugin.create(this.options.spec, this.host);
    for (const map of [this.map, second]) {
      expectThat(map.address >= WASM_PAGE_BYTES, `address ${map.address} lies in page 0`);
      expectEqual(map.address >>> 0, map.address, "address");
    }
    expectThat(second.address !== this.map.address, "two maps have the same address");
  }

  checkBothSides(): void {
    const value = this.hostValue(1);
    expectEqual(this.map.set(this.keyOf(0), value), OK, "set");
    const address = this.map.lookup(this.place(0), 0);
    expectThat(address !== 0, "a program does not find what the host set");
    expectBytes(this.bytesAt(address), this.slot(value), "value seen by a program");
    if (this.traits.isHostWritten === true) return;
    const other = this.hostValue(2);
    expectEqual(this.programUpdate(0, other, 0), OK, "update");
    expectBytes(this.slot(this.expectValue(0)), this.slot(other), "value seen by the host");
  }

  checkRegions(): void {
    this.map.set(this.keyOf(1), this.hostValue(1));
    const address = this.map.lookup(this.place(1), 0);
    const { valueBytes } = this.options.spec;
    expectEqual(address % Math.min(8, alignmentOf(valueBytes)), 0, "alignment of a value");
    expectThat(canAccess(this.host.memory, address, valueBytes, PERM.read), "a program may not read a value");
    const beyond = canAccess(this.host.memory, address, valueBytes + 1, PERM.read);
    expectThat(!beyond, "a program may read past a value");
  }

  checkCopies(): void {
    const value = this.hostValue(1);
    this.map.set(this.keyOf(0), value);
    const copy = this.expectValue(0);
    copy.fill(0xee);
    expectBytes(this.expectValue(0), value, "value after its copy was changed");
    value.fill(0xdd);
    expectThat(this.expectValue(0)[0] !== 0xdd, "the map keeps the host's array instead of a copy");
  }

  checkRemoval(): void {
    if (this.traits.isFixed === true) {
      expectThat(this.map.remove(this.keyOf(0)) < 0, "an element of a fixed map was removed");
      return;
    }
    expectThat(this.map.remove(this.keyOf(0)) <= 0, "remove gives a positive number");
    this.map.set(this.keyOf(0), this.hostValue(1));
    expectEqual(this.map.remove(this.keyOf(0)), OK, "remove");
    expectEqual(this.map.get(this.keyOf(0)), ENOENT, "get of a removed key");
    expectEqual(this.map.lookup(this.place(0), 0), 0, "lookup of a removed key");
    if (this.traits.isHostWritten === true) return;
    expectEqual(this.programUpdate(0, this.hostValue(2), 0), OK, "update");
    expectEqual(this.map.delete(this.place(0), 0), OK, "delete");
    expectEqual(this.map.lookup(this.place(0), 0), 0, "lookup of a deleted key");
  }

  checkPresenceFlags(): void {
    if (this.traits.isFixed !== true)
      expectThat(this.map.get(this.keyOf(0)) === ENOENT, "a new map is not empty");
    this.map.set(this.keyOf(0), this.hostValue(1));
    expectEqual(
      this.map.set(this.keyOf(0), this.hostValue(2), 1),
      EEXIST,
      "set with NOEXIST of a present key",
    );
    expectBytes(this.slot(this.expectValue(0)), this.slot(this.hostValue(1)), "value after a refused set");
    expectEqual(this.map.set(this.keyOf(0), this.hostValue(2), 2), OK, "set with EXIST of a present key");
    expectThat(this.map.set(this.keyOf(0), this.hostValue(2), 2 ** 40) < 0, "an unknown flag was taken");
  }

  checkIteration(): void {
    const count = this.fill(this.options.spec.maxEntries);
    const keys: string[] = [];
    for (let key = this.map.nextKey(null); typeof key !== "number"; key = this.map.nextKey(key)) {
      keys.push(key.join());
      if (keys.length > count) break;
    }
    expectEqual(keys.length, count, "keys listed");
    expectEqual(new Set(keys).size, count, "distinct keys listed");
    const entries = [...this.map.entries()].map(([key]) => key.join());
    expectEqual(entries.join(";"), keys.join(";"), "keys of entries()");
  }

  checkWalk(): void {
    const walk = this.map.forEach?.bind(this.map);
    if (walk === undefined) return;
    const count = this.fill(4);
    const all = this.traits.isFixed === true ? this.options.spec.maxEntries : count;
    const seen = new Set<string>();
    const visited = walk((key, value) => {
      expectThat(value !== 0, "a walk gives no value");
      seen.add(this.host.memory.bytesAt(key, this.options.spec.keyBytes).join());
      return true;
    }, 0);
    expectEqual(visited, all, "elements visited");
    expectEqual(seen.size, all, "distinct elements visited");
    const visitedFirst = walk(() => false, 0);
    expectEqual(visitedFirst, 1, "elements visited by a walk that stops");
    if (this.traits.isFixed === true || this.traits.isHostWritten === true) return;
    walk((key) => this.map.delete(key, 0) === OK, 0);
    expectEqual(this.map.nextKey(null), ENOENT, "first key after a walk that removes all");
  }

  checkCapacity(): void {
    const { maxEntries } = this.options.spec;
    const count = this.fill(maxEntries);
    if (this.traits.isFixed === true || this.traits.mayEvict === true) {
      expectThat(count <= maxEntries, "more elements than max_entries");
      return;
    }
    expectEqual(count, maxEntries, "elements of a full map");
    const status = this.map.set(this.keyOf(maxEntries), this.hostValue(9));
    expectThat(status < 0, `a full map takes one more, status ${status}`);
    expectEqual(this.map.set(this.keyOf(0), this.hostValue(3), 0), OK, "set of a present key in a full map");
  }

  checkGrowth(): void {
    if (this.traits.isHostWritten === true) return;
    const { u8 } = this.host.memory;
    for (let i = 0; i < this.options.spec.maxEntries + 2; i++) {
      const status = this.programUpdate(i, this.hostValue(i), 0);
      expectThat(status <= 0 && Number.isInteger(status), `update gives ${status}`);
      this.map.lookup(this.place(i), 0);
      this.map.delete(this.place(i >> 1), 0);
    }
    expectThat(this.host.memory.u8 === u8, "the memory grew");
  }

  checkFreeze(): void {
    this.map.set(this.keyOf(0), this.hostValue(1));
    expectEqual(this.map.freeze(), OK, "freeze");
    expectEqual(this.map.set(this.keyOf(0), this.hostValue(2)), EPERM, "set after freeze");
    expectEqual(this.map.remove(this.keyOf(0)), EPERM, "remove after freeze");
    expectBytes(this.slot(this.expectValue(0)), this.slot(this.hostValue(1)), "value after freeze");
  }

  /** Compares with a Map over a few hundred accesses from both sides. */
  checkModel(): void {
    const model = new Map<number, Uint8Array>();
    for (let step = 0; step < 400; step++) {
      const index = this.random(Math.min(this.options.spec.maxEntries + 2, 24));
      const value = this.hostValue(step);
      const byProgram = this.traits.isHostWritten !== true && this.random(2) === 0;
      const removes = this.traits.isFixed !== true && this.random(3) === 0;
      const status = removes ? this.removeBy(byProgram, index) : this.updateBy(byProgram, index, value);
      const isExpected = removes ? model.has(index) : this.hasRoom(model, index);
      if (this.traits.mayEvict !== true) {
        expectEqual(
          status === OK,
          isExpected,
          `step ${step}: whether ${removes ? "removal" : "update"} succeeds`,
        );
      }
      if (status === OK && removes) model.delete(index);
      else if (status === OK) model.set(index, value);
      this.compareWithModel(model.get(index), index, step);
    }
  }

  private compareWithModel(expected: Uint8Array | undefined, index: number, step: number): void {
    const found = this.map.get(this.keyOf(index));
    if (typeof found === "number") {
      const mayBeGone = expected === undefined || this.traits.mayEvict === true;
      expectThat(mayBeGone, `step ${step}: a key that was set is gone, status ${found}`);
    } else if (expected !== undefined) {
      expectBytes(this.slot(found), this.slot(expected), `step ${step}: value`);
    } else expectThat(this.traits.isFixed === true, `step ${step}: a key that was not set is there`);
  }

  private hasRoom(model: ReadonlyMap<number, unknown>, index: number): boolean {
    const { maxEntries } = this.options.spec;
    return this.traits.isFixed === true ? index < maxEntries : model.has(index) || model.size < maxEntries;
  }

  private removeBy(program: boolean, index: number): number {
    return program ? this.map.delete(this.place(index), 0) : this.map.remove(this.keyOf(index));
  }

  private updateBy(program: boolean, index: number, value: Uint8Array): number {
    return program ? this.programUpdate(index, value, 0) : this.map.set(this.keyOf(index), value);
  }

  private fill(count: number): number {
    for (let i = 0; i < count; i++) this.map.set(this.keyOf(i), this.hostValue(i));
    return [...this.map.entries()].length;
  }

  private programUpdate(index: number, value: Uint8Array, flags: number): number {
    this.host.memory.u8.set(this.slot(value), this.value);
    return this.map.update(this.place(index), this.value, flags, 0);
  }

  private place(index: number): number {
    this.host.memory.u8.set(this.keyOf(index), this.key);
    return this.key;
  }

  private keyOf(index: number): Uint8Array {
    const { spec, makeKey } = this.options;
    if (makeKey !== undefined) return makeKey(index, spec);
    const key = new Uint8Array(spec.keyBytes);
    for (let i = 0; i < Math.min(4, key.length); i++) key[i] = index >>> (8 * i);
    return key;
  }

  private hostValue(seed: number): Uint8Array {
    const { valueBytes } = this.options.spec;
    const bytes = this.traits.isPercpu === true ? ((valueBytes + 7) & ~7) * this.host.cpuCount : valueBytes;
    if (this.options.makeValue !== undefined) return this.options.makeValue(seed, bytes);
    return Uint8Array.from({ length: bytes }, (_, i) => (seed * 31 + i * 7 + 1) & 0xff);
  }

  /** CPU 0's part of a host's value. */
  private slot(value: Uint8Array): Uint8Array {
    return value.slice(0, this.options.spec.valueBytes);
  }

  private bytesAt(address: number): Uint8Array {
    return this.host.memory.bytesAt(address, this.options.spec.valueBytes).slice();
  }

  private expectValue(index: number): Uint8Array {
    const value = this.map.get(this.keyOf(index));
    if (typeof value === "number") throw new MapContractError(`get of a key that was set gives ${value}`);
    return value;
  }

  /** Numbers 0..count-1 of a fixed sequence. */
  private random(count: number): number {
    this.seed = (Math.imul(this.seed, 1_664_525) + 1_013_904_223) >>> 0;
    return (this.seed >>> 8) % count;
  }
}

const alignmentOf = (bytes: number): number => (bytes % 8 === 0 ? 8 : bytes % 4 === 0 ? 4 : 1);

function expectThat(isTrue: boolean, text: string): asserts isTrue {
  if (!isTrue) throw new MapContractError(text);
}

function expectEqual(found: unknown, expected: unknown, what: string): void {
  if (!Object.is(found, expected)) {
    throw new MapContractError(`${what} is ${String(found)}, ${String(expected)} expected`);
  }
}

function expectBytes(found: Uint8Array, expected: Uint8Array, what: string): void {
  expectEqual(found.join(), expected.join(), what);
}
