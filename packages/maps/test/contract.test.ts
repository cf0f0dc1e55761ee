import type { MapSpec, MapTypeName } from "@tsbpf/abi";
import { describe, expect, it } from "vitest";
import { mapTypePlugin } from "../src/index.ts";
import { type MapTestOptions, mapTypeCases, testMapType } from "../src/testing.ts";
import { spec, u32 } from "./support.ts";

const lpmKey = (index: number): Uint8Array => new Uint8Array([16, 0, 0, 0, index, index >> 8, 0, 0]);
const target = (seed: number, bytes: number): Uint8Array => {
  const value = new Uint8Array(bytes);
  value.set(u32((seed % 1000) + 1));
  return value;
};

const CASES: Partial<
  Record<MapTypeName, readonly (Omit<MapTestOptions, "spec"> & { spec: Partial<MapSpec> })[]>
> = {
  array: [
    { spec: { maxEntries: 7 }, traits: { isFixed: true } },
    { spec: { maxEntries: 4, valueBytes: 13 }, traits: { isFixed: true } },
  ],
  percpu_array: [{ spec: { maxEntries: 5, valueBytes: 12 }, traits: { isFixed: true, isPercpu: true } }],
  hash: [
    { spec: { maxEntries: 16 } },
    { spec: { maxEntries: 9, keyBytes: 7, valueBytes: 5 } },
    { spec: { maxEntries: 9, keyBytes: 20, valueBytes: 100, flags: 1 } },
  ],
  percpu_hash: [
    { spec: { maxEntries: 16 }, traits: { isPercpu: true } },
    { spec: { maxEntries: 8, keyBytes: 3, valueBytes: 12, flags: 1 }, traits: { isPercpu: true } },
  ],
  lru_hash: [
    { spec: { maxEntries: 32 }, traits: { mayEvict: true } },
    { spec: { maxEntries: 32, keyBytes: 5, flags: 2 }, traits: { mayEvict: true } },
  ],
  lru_percpu_hash: [{ spec: { maxEntries: 32 }, traits: { mayEvict: true, isPercpu: true } }],
  lpm_trie: [{ spec: { keyBytes: 8, maxEntries: 12, flags: 1 }, makeKey: lpmKey }],
  devmap_hash: [{ spec: { maxEntries: 9 }, traits: { isHostWritten: true }, makeValue: target }],
};

for (const [type, variants] of Object.entries(CASES)) {
  describe(`${type} keeps the contract of maps`, () => {
    for (const [i, variant] of variants.entries()) {
      const options = { ...variant, spec: spec(type as MapTypeName, variant.spec) };
      testMapType(mapTypePlugin(type as MapTypeName)!, options, (name, run) =>
        it(`${name} (${i + 1})`, () => {
          expect(run).not.toThrow();
        }),
      );
    }
  });
}

describe("the contract's own tests", () => {
  const hash = mapTypePlugin("hash")!;
  const broken = (change: (map: ReturnType<typeof hash.create>) => object) => ({
    ...hash,
    create: (asked: MapSpec, host: Parameters<typeof hash.create>[1]) => {
      const map = hash.create(asked, host);
      return Object.setPrototypeOf(change(map), map);
    },
  });
  const failures = (plugin: typeof hash) =>
    mapTypeCases(plugin, { spec: spec("hash", { maxEntries: 8 }) })
      .filter((one) => {
        try {
          one.run();
          return false;
        } catch {
          return true;
        }
      })
      .map((one) => one.name);

  it("find a map whose removal does nothing", () => {
    expect(failures(broken(() => ({ remove: () => 0 })))).toContain("removes, or says that it cannot");
  });
  it("find a map that ignores NOEXIST", () => {
    const plugin = broken((map) => ({ set: (key: Uint8Array, value: Uint8Array) => map.set(key, value, 0) }));
    expect(failures(plugin)).toContain("tells NOEXIST from EXIST");
  });
  it("find a map that does not freeze, and a wrong lookup", () => {
    expect(failures(broken(() => ({ freeze: () => 0 })))).toContain(
      "refuses the host once frozen, and still reads",
    );
    const plugin = broken((map) => ({ lookup: (key: number, cpu: number) => map.lookup(key, cpu) + 4 }));
    expect(failures(plugin).length).toBeGreaterThan(1);
  });
  it("pass a map that is right", () => {
    expect(failures(broken(() => ({})))).toEqual([]);
  });
});
