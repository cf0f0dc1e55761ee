import { LinearMemory } from "@tsbpf/memory";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { createHost, createMap, u64 } from "./support.ts";

const key = (bits: number, ...data: readonly number[]): Uint8Array =>
  new Uint8Array([bits, 0, 0, 0, ...data]);
const bitsOf = (data: Uint8Array | readonly number[]): string =>
  [...data].map((byte) => byte.toString(2).padStart(8, "0")).join("");

describe("lpm_trie", () => {
  it("lists more specific prefixes first (M-84)", () => {
    const map = createMap("lpm_trie", { keyBytes: 8, maxEntries: 10, flags: 1 });
    const prefixes = [
      key(24, 10, 1, 2, 0),
      key(16, 10, 1, 0, 0),
      key(8, 10, 0, 0, 0),
      key(8, 11, 0, 0, 0),
      key(32, 192, 168, 1, 1),
      key(16, 192, 168, 0, 0),
      key(0, 0, 0, 0, 0),
    ];
    for (const prefix of prefixes.toReversed()) expect(map.set(prefix, u64(1))).toBe(0);
    expect([...map.entries()].map(([one]) => one)).toEqual(prefixes);
    expect(map.nextKey(key(9, 10, 0, 0, 0))).toEqual(prefixes[0]);
  });

  it("does not find what is more specific than the key (M-82), ignores host bits (M-81)", () => {
    const map = createMap("lpm_trie", { keyBytes: 8, flags: 1 });
    map.set(key(16, 10, 1, 9, 9), u64(16));
    map.set(key(24, 10, 1, 2, 0), u64(24));
    expect(map.get(key(16, 10, 1, 2, 3))).toEqual(u64(16));
    expect(map.get(key(32, 10, 1, 2, 3))).toEqual(u64(24));
    expect(map.get(key(33, 10, 1, 2, 3))).toBe(-2);
    expect(map.set(key(16, 10, 1, 0, 0), u64(17), 1)).toBe(-17);
    expect(map.set(key(16, 10, 1, 0, 0), u64(17))).toBe(0);
    expect([...map.entries()].map(([one]) => [...one.slice(4)])).toContainEqual([10, 1, 0, 0]);
  });

  it("takes keys of every size", () => {
    for (const dataBytes of [1, 2, 3, 5, 16, 256]) {
      const map = createMap("lpm_trie", { keyBytes: 4 + dataBytes, flags: 1 });
      const full = new Uint8Array(4 + dataBytes).fill(0xa5, 4);
      new DataView(full.buffer).setUint32(0, dataBytes * 8, true);
      expect(map.set(full, u64(1))).toBe(0);
      expect(map.get(full)).toEqual(u64(1));
      expect(map.remove(full)).toBe(0);
      expect(map.nextKey(null)).toBe(-2);
    }
  });

  it("agrees with a list of prefixes (M-80..M-84)", () => {
    const data = fc.array(fc.constantFrom(0, 1, 0x80, 0xff, 0xa0), { minLength: 2, maxLength: 2 });
    const step = fc.record({
      kind: fc.constantFrom("set", "set", "set", "remove", "update", "delete"),
      bits: fc.integer({ min: 0, max: 17 }),
      data,
      value: fc.nat(1e6),
      flags: fc.constantFrom(0, 0, 0, 1, 2),
    });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
        const host = createHost();
        const map = createMap("lpm_trie", { keyBytes: 6, maxEntries: 8, flags: 1 }, host);
        const model = new Map<string, { bits: number; data: number[]; value: bigint }>();
        const at = host.memory.allocRaw(24);
        for (const one of steps) {
          const bytes = key(one.bits, ...one.data);
          host.memory.u8.set(bytes, at);
          host.memory.view.setBigUint64(at + 8, BigInt(one.value), true);
          const name = `${one.bits}:${bitsOf(one.data).slice(0, one.bits)}`;
          const isLong = one.bits > 16;
          const isHere = model.has(name);
          if (one.kind === "remove" || one.kind === "delete") {
            const status = one.kind === "remove" ? map.remove(bytes) : map.delete(at, 0);
            expect(status).toBe(isLong ? -22 : isHere ? 0 : -2);
            model.delete(name);
          } else {
            const refused = isHere
              ? one.flags === 1
                ? -17
                : 0
              : one.flags === 2
                ? -2
                : model.size === 8
                  ? -28
                  : 0;
            const status =
              one.kind === "set"
                ? map.set(bytes, u64(one.value), one.flags)
                : map.update(at, at + 8, one.flags, 0);
            expect(status).toBe(isLong ? -22 : refused);
            if (status === 0) model.set(name, { bits: one.bits, data: one.data, value: BigInt(one.value) });
          }
          const matching = [...model.values()]
            .filter(
              ({ bits, data: of }) =>
                bits <= one.bits && bitsOf(one.data).startsWith(bitsOf(of).slice(0, bits)),
            )
            .sort((a, b) => b.bits - a.bits)[0];
          expect(map.get(bytes)).toEqual(matching === undefined || isLong ? -2 : u64(matching.value));
        }
        // Post-order of the trie: a prefix after all that extend it, else by bits.
        const order = (a: string, b: string) => (a.startsWith(b) ? -1 : b.startsWith(a) ? 1 : a < b ? -1 : 1);
        const expected = [...model.keys()].map((name) => name.split(":")[1] as string).sort(order);
        const listed = [...map.entries()].map(([one]) => bitsOf(one.slice(4)).slice(0, one[0]));
        expect(listed).toEqual(expected);
      }),
      { numRuns: 150 },
    );
  });

  it("uses nodes again, so that it never runs out of them", () => {
    const host = createHost();
    const map = createMap("lpm_trie", { keyBytes: 8, maxEntries: 4, flags: 1 }, host);
    for (let i = 0; i < 2000; i++) {
      const prefix = key(32, 10, i & 1, (i >> 1) & 3, i & 7);
      if (map.set(prefix, u64(i)) !== 0) expect(map.remove([...map.entries()][i % 4]![0])).toBe(0);
      else if (i % 3 === 0) expect(map.remove(prefix)).toBe(0);
    }
    expect([...map.entries()].length).toBeLessThanOrEqual(4);
  });

  it("answers -ENOMEM without room for nodes, and goes on with those it has", () => {
    const memory = new LinearMemory({ initialBytes: 65536, maxBytes: 1024 * 1024 });
    const host = createHost({ memory });
    const map = createMap("lpm_trie", { keyBytes: 8, valueBytes: 4096, maxEntries: 1000, flags: 1 }, host);
    const value = new Uint8Array(4096);
    const at = memory.allocRaw(8);
    let stored = 0;
    let status = 0;
    for (; status === 0; stored++) {
      memory.u8.set(key(32, 10, 0, stored >> 8, stored & 255), at);
      status = map.update(at, at, 0, 0);
    }
    expect(status).toBe(-12);
    expect(stored).toBeGreaterThan(20);
    expect([...map.entries()]).toHaveLength(stored - 1);
    const [first] = [...map.entries()][0]!;
    expect(map.remove(first)).toBe(0);
    expect(map.set(first, value)).toBe(0);
    expect([...map.entries()]).toHaveLength(stored - 1);
  });
});
