import { MAP_HEADER } from "@tsbpf/abi";
import { canAccess, PERM } from "@tsbpf/memory";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { createHost, createMap, NO_KEY, u32, u64 } from "./support.ts";

describe("array", () => {
  it("puts value i at data + i * stride, c * cpuStride further for CPU c (M-51, M-71)", () => {
    for (const [type, valueBytes] of [
      ["array", 13],
      ["array", 8],
      ["percpu_array", 12],
    ] as const) {
      const host = createHost({ cpuCount: 3 });
      const map = createMap(type, { valueBytes, maxEntries: 5 }, host);
      const at = host.memory.allocRaw(4);
      const header = (offset: number) => host.memory.view.getUint32(map.address + offset, true);
      for (let cpu = 0; cpu < (type === "array" ? 1 : 3); cpu++) {
        for (let i = 0; i < 5; i++) {
          host.memory.view.setUint32(at, i, true);
          const value = map.lookup(at, cpu);
          const expected =
            header(MAP_HEADER.data) + i * header(MAP_HEADER.stride) + cpu * header(MAP_HEADER.cpuStride);
          expect(value).toBe(expected);
          expect(value % 8).toBe(0);
          expect(canAccess(host.memory, value, valueBytes, PERM.readWrite)).toBe(true);
          expect(canAccess(host.memory, value, valueBytes + 1, PERM.read)).toBe(false);
        }
      }
      host.memory.view.setUint32(at, 5, true);
      expect(map.lookup(at, 0)).toBe(0);
    }
  });

  it("gives the host all CPUs' slots and each CPU its own (M-70, M-71)", () => {
    const host = createHost({ cpuCount: 2 });
    const map = createMap("percpu_array", { valueBytes: 4 }, host);
    const all = new Uint8Array(16).map((_, i) => i + 1);
    expect(map.set(u32(2), all)).toBe(0);
    expect(map.get(u32(2))).toEqual(all);
    const at = host.memory.allocRaw(8);
    host.memory.view.setUint32(at, 2, true);
    host.memory.view.setUint32(at + 4, 0xffff_ffff, true);
    expect(map.update(at, at + 4, 0, 1)).toBe(0);
    expect(map.get(u32(2))).toEqual(all.slice().fill(255, 8, 12));
    expect(map.lookupPercpu!(at, 1)).toBe(map.lookup(at, 1));
    expect([map.lookupPercpu!(at, 2), map.lookupPercpu!(at, -1)]).toEqual([0, 0]);
  });

  it("walks every element with a key that nested walks keep", () => {
    const host = createHost();
    const map = createMap("array", { maxEntries: 3 }, host);
    const walk = map.forEach!.bind(map);
    const pairs: string[] = [];
    const numberAt = (address: number) => host.memory.view.getUint32(address, true);
    const visited = walk((outer) => {
      walk(() => true, 0);
      expect(canAccess(host.memory, outer, 4, PERM.read)).toBe(true);
      pairs.push(String(numberAt(outer)));
      return pairs.length < 2;
    }, 0);
    expect([visited, pairs.join()]).toEqual([2, "0,1"]);
  });

  it("clears timers and keeps locks when a value is written (M-180)", () => {
    const host = createHost();
    const map = createMap(
      "array",
      {
        valueBytes: 32,
        valueFields: [
          { kind: "bpf_spin_lock", offset: 0, sizeBytes: 4 },
          { kind: "bpf_timer", offset: 8, sizeBytes: 16 },
        ],
      },
      host,
    );
    const at = host.memory.allocRaw(40);
    const value = map.lookup(at, 0);
    host.memory.u8.fill(7, value, value + 32);
    host.memory.u8.fill(9, at + 8, at + 40);
    expect(map.update(at, at + 8, 0, 0)).toBe(0);
    const bytes = [...host.memory.bytesAt(value, 32)];
    expect(bytes).toEqual([7, 7, 7, 7, 9, 9, 9, 9, ...new Array(16).fill(0), ...new Array(8).fill(9)]);
  });
});

describe.each(["queue", "stack"] as const)("%s (M-90, M-91)", (type) => {
  it("behaves as an array that drops its oldest when told", () => {
    const step = fc.record({
      kind: fc.constantFrom("push", "force", "pop", "peek", "set", "take"),
      value: fc.nat(1e6),
    });
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 5 }), fc.array(step, { maxLength: 60 }), (maxEntries, steps) => {
        const host = createHost();
        const map = createMap(type, { keyBytes: 0, maxEntries }, host);
        const at = host.memory.allocRaw(8);
        const { view } = host.memory;
        const model: bigint[] = [];
        const next = () => (type === "queue" ? model[0] : model.at(-1));
        for (const { kind, value } of steps) {
          const expected = next();
          view.setBigUint64(at, BigInt(value), true);
          if (kind === "push" || kind === "force" || kind === "set") {
            const isFull = model.length === maxEntries;
            const status =
              kind === "set" ? map.set(NO_KEY, u64(value)) : map.push!(at, kind === "force" ? 2 : 0);
            expect(status).toBe(isFull && kind !== "force" ? -7 : 0);
            if (status === 0 && isFull) model.shift();
            if (status === 0) model.push(BigInt(value));
          } else if (kind === "take") {
            expect(map.take!(NO_KEY)).toEqual(expected === undefined ? -2 : u64(expected));
          } else {
            expect(kind === "pop" ? map.pop!(at) : map.peek!(at)).toBe(expected === undefined ? -2 : 0);
            expect(view.getBigUint64(at, true)).toBe(expected ?? 0n);
          }
          if ((kind === "take" || kind === "pop") && expected !== undefined) {
            if (type === "queue") model.shift();
            else model.pop();
          }
        }
        const listed = [...map.entries()].map(([, value]) =>
          new DataView(value.buffer).getBigUint64(0, true),
        );
        expect(listed).toEqual(type === "queue" ? model : model.toReversed());
      }),
      { numRuns: 60 },
    );
  });

  it("answers the calls of maps with keys", () => {
    const map = createMap(type, { keyBytes: 0 });
    expect([map.lookup(0, 0), map.update(0, 0, 0, 0), map.delete(0, 0)]).toEqual([0, -22, -22]);
    map.set(NO_KEY, u64(1));
    map.freeze();
    expect(map.take!(NO_KEY)).toBe(-1);
    expect(map.get(NO_KEY)).toEqual(u64(1));
  });
});

describe("bloom_filter (M-92)", () => {
  it("says yes to all that was pushed, and no to most that was not", () => {
    const host = createHost({ hashSeed: 5 });
    const map = createMap("bloom_filter", { keyBytes: 0, maxEntries: 200 }, host);
    for (let i = 0; i < 200; i++) expect(map.set(NO_KEY, u64(i))).toBe(0);
    for (let i = 0; i < 200; i++) expect(map.get(u64(i))).toEqual(u64(i));
    let wrong = 0;
    for (let i = 1000; i < 3000; i++) if (map.get(u64(i)) !== -2) wrong++;
    expect(wrong).toBeLessThan(2000 * 0.06);
    const at = host.memory.allocRaw(8);
    host.memory.view.setBigUint64(at, 5n, true);
    expect([map.peek!(at), map.push!(at, 1), map.pop!(at)]).toEqual([0, -22, -95]);
    expect([...map.entries()]).toEqual([]);
  });

  it("has at least 64 bits, and map_extra hash functions", () => {
    const host = createHost();
    const map = createMap("bloom_filter", { keyBytes: 0, maxEntries: 1, mapExtra: 3n }, host);
    expect(host.memory.view.getUint32(map.address + MAP_HEADER.mask, true)).toBe(63);
    map.set(NO_KEY, u64(9));
    const data = host.memory.view.getUint32(map.address + MAP_HEADER.data, true);
    const bits = [...host.memory.bytesAt(data, 8)].reduce(
      (sum, byte) => sum + byte.toString(2).replaceAll("0", "").length,
      0,
    );
    expect(bits).toBeGreaterThan(0);
    expect(bits).toBeLessThanOrEqual(3);
  });
});

describe("stack_trace (M-123)", () => {
  const map = createMap("stack_trace", { valueBytes: 24, maxEntries: 3 });
  const slots = map.hostSlots!;

  it("keeps stacks by id, padded with zeros and cut to size", () => {
    expect(slots.setObject(2, [1n, 2n])).toBe(0);
    expect(slots.setObject(3, [1n, 2n, 3n, 4n])).toBe(0);
    expect(slots.objectAt(2)).toEqual([1n, 2n]);
    expect(slots.objectAt(3)).toEqual([1n, 2n, 3n]);
    expect(map.get(u32(2))).toEqual(new Uint8Array(new BigUint64Array([1n, 2n, 0n]).buffer));
    expect(map.nextKey(null)).toEqual(u32(2));
    expect(map.nextKey(u32(2))).toEqual(u32(3));
    expect(map.nextKey(u32(3))).toBe(-2);
    expect(map.nextKey(u32(1))).toEqual(u32(2));
    expect(map.take!(u32(3))).toBeInstanceOf(Uint8Array);
    expect(slots.objectAt(3)).toBeUndefined();
  });

  it("has a power of two of ids, and refuses what is no stack", () => {
    expect(slots.setObject(4, [1n])).toBe(-7);
    for (const wrong of [[], [1], "1", { 0: 1n }]) expect(slots.setObject(0, wrong)).toBe(-22);
    expect(slots.setObject(2, undefined)).toBe(0);
    expect(slots.setObject(2, undefined)).toBe(-2);
  });
});
