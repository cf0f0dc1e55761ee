import { MAP_ELEMENT, MAP_HEADER } from "@tsbpf/abi";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { createHost, createMap, u32, u64 } from "./support.ts";

const NO_COMMON_LRU = 2;

/** Keys of a map after 0..count-1 were inserted on one CPU. */
function keysAfter(maxEntries: number, count: number, flags = 0, cpuCount = 2): number[] {
  const map = createMap("lru_hash", { maxEntries, flags }, createHost({ cpuCount }));
  for (let i = 0; i < count; i++) expect(map.set(u32(i), u64(i))).toBe(0);
  return [...map.entries()].map(([key]) => new DataView(key.buffer).getUint32(0, true)).sort((a, b) => a - b);
}

const last = (count: number, kept: number) => Array.from({ length: kept }, (_, i) => count - kept + i);

describe("lru_hash", () => {
  it.each([1, 2, 4, 8, 16, 64])("of %i elements keeps the last ones (M-61)", (n) => {
    expect(keysAfter(n, 3 * n)).toEqual(last(3 * n, n));
  });

  it("of 1000 elements keeps the last 928: a CPU holds a batch of free ones (M-61)", () => {
    expect(keysAfter(1000, 3000)).toEqual(last(3000, 928));
  });

  it.each([
    [4, 2],
    [3, 2],
    [1000, 500],
  ])("of %i elements with lists per CPU keeps %i (M-62)", (n, kept) => {
    const keys = keysAfter(n, 3 * n, NO_COMMON_LRU);
    expect(keys.at(-1)).toBe(3 * n - 1);
    expect(keys.length).toBeLessThanOrEqual(kept);
  });

  it("evicts up to four at once with lists per CPU (M-62)", () => {
    expect(keysAfter(4, 3, NO_COMMON_LRU)).toEqual([2]);
  });

  it("rounds max_entries up to a multiple of CPUs with lists per CPU (M-62)", () => {
    const map = createMap("lru_hash", { maxEntries: 5, flags: NO_COMMON_LRU }, createHost({ cpuCount: 4 }));
    expect(map.spec.maxEntries).toBe(8);
  });

  it("spares what a program looked up, not what the host looked up (M-63)", () => {
    const host = createHost({ cpuCount: 1 });
    const map = createMap("lru_hash", { maxEntries: 4 }, host);
    const at = host.memory.allocRaw(8);
    for (let i = 0; i < 4; i++) map.set(u32(i), u64(i));
    host.memory.view.setUint32(at, 0, true);
    const value = map.lookup(at, 0);
    const element = value - host.memory.view.getUint32(map.address + MAP_HEADER.valueOffset, true);
    expect(host.memory.u8[element + MAP_ELEMENT.lruRef]).toBe(1);
    map.get(u32(1));
    for (let i = 10; i < 12; i++) map.set(u32(i), u64(i));
    expect(map.get(u32(0))).toEqual(u64(0));
    expect(map.get(u32(1))).toBe(-2);
  });

  it("is never full, and finds what it kept unchanged, on any CPU (M-60)", () => {
    const step = fc.record({
      kind: fc.constantFrom("update", "update", "lookup", "delete", "set"),
      key: fc.nat(40),
      value: fc.nat(1e6),
      cpu: fc.nat(2),
    });
    fc.assert(
      fc.property(
        fc.constantFrom("lru_hash", "lru_percpu_hash"),
        fc.constantFrom(0, NO_COMMON_LRU),
        fc.integer({ min: 1, max: 30 }),
        fc.array(step, { maxLength: 150 }),
        (type, flags, maxEntries, steps) => {
          const host = createHost({ cpuCount: 3 });
          const map = createMap(type, { maxEntries, flags }, host);
          const at = host.memory.allocRaw(16);
          const { view } = host.memory;
          const model = new Map<number, bigint>();
          const stride = type === "lru_hash" ? 0 : 8;
          for (const one of steps) {
            view.setUint32(at, one.key, true);
            view.setBigUint64(at + 8, BigInt(one.value), true);
            if (one.kind === "update") {
              expect(map.update(at, at + 8, 0, one.cpu)).toBe(0);
              const slot = map.lookup(at, one.cpu);
              expect(view.getBigUint64(slot, true)).toBe(BigInt(one.value));
              if (one.cpu === 0 || stride === 0) model.set(one.key, BigInt(one.value));
              else model.delete(one.key);
            } else if (one.kind === "delete") {
              expect([0, -2]).toContain(map.delete(at, one.cpu));
              model.delete(one.key);
              expect(map.lookup(at, 0)).toBe(0);
            } else if (one.kind === "set") {
              const all = new BigUint64Array(stride === 0 ? 1 : 3).fill(BigInt(one.value));
              expect(map.set(u32(one.key), new Uint8Array(all.buffer))).toBe(0);
              model.set(one.key, BigInt(one.value));
            }
            const found = map.lookup(at, 0);
            const expected = model.get(one.key);
            if (found !== 0 && expected !== undefined) expect(view.getBigUint64(found, true)).toBe(expected);
          }
          const count = [...map.entries()].length;
          expect(count).toBeLessThanOrEqual(map.spec.maxEntries);
          expect(view.getUint32(map.address + MAP_HEADER.count, true)).toBe(count);
        },
      ),
      { numRuns: 120 },
    );
  });

  it("steals from other CPUs when all elements are theirs", () => {
    const host = createHost({ cpuCount: 4 });
    const map = createMap("lru_hash", { maxEntries: 4 }, host);
    const at = host.memory.allocRaw(16);
    for (let i = 0; i < 40; i++) {
      host.memory.view.setUint32(at, i, true);
      expect(map.update(at, at + 8, 0, i % 4)).toBe(0);
      expect(map.lookup(at, 0)).not.toBe(0);
    }
  });

  it("may give up a third key, and even the key's own element, for an update that fails (M-64)", () => {
    const map = createMap("lru_hash", { maxEntries: 2 }, createHost({ cpuCount: 1 }));
    map.set(u32(1), u64(1));
    map.set(u32(2), u64(2));
    expect(map.set(u32(2), u64(3), 1)).toBe(-17);
    expect([...map.entries()]).toHaveLength(1);
  });
});
