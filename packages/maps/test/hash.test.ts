import { MAP_ELEMENT, MAP_HEADER } from "@tsbpf/abi";
import { canAccess, LinearMemory, PERM } from "@tsbpf/memory";
import type { BpfMap } from "@tsbpf/plugin";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { hashWords } from "../src/hash/key.ts";
import { hashKey } from "../src/index.ts";
import { createHost, createMap, u32, u64 } from "./support.ts";

const key = (bytes: number, value: number): Uint8Array => {
  const out = new Uint8Array(bytes);
  for (let i = 0; i < Math.min(4, bytes); i++) out[i] = value >>> (8 * i);
  // Bytes at the end tell keys apart too, as padding does (M-45).
  if (bytes > 4) out[bytes - 1] = value;
  return out;
};

const numbersOf = (map: BpfMap): number[] =>
  [...map.entries()].map(([one]) => new DataView(one.buffer).getUint32(0, true));

describe("hash function", () => {
  it("gives words and bytes the same hash, at every alignment", () => {
    const memory = new LinearMemory({ initialBytes: 1 });
    const base = memory.allocRaw(128);
    fc.assert(
      fc.property(
        fc.uint8Array({ minLength: 1, maxLength: 40 }),
        fc.integer(),
        fc.nat(3),
        (bytes, seed, shift) => {
          memory.u8.set(bytes, base);
          const hash = hashKey(memory.view, base, bytes.length, seed | 0);
          memory.u8.set(bytes, base + 64 + shift);
          expect(hashKey(memory.view, base + 64 + shift, bytes.length, seed | 0)).toBe(hash);
          if (bytes.length % 4 === 0)
            expect(hashWords(memory.i32, base >>> 2, bytes.length / 4, seed | 0)).toBe(hash);
        },
      ),
      { numRuns: 300 },
    );
  });

  it("is the one that LAYOUT.md states", () => {
    const view = new DataView(new ArrayBuffer(16));
    view.setUint32(0, 1, true);
    expect(hashKey(view, 0, 4, 0) >>> 0).toBe(0xd5f9_7d6e);
    expect(hashKey(view, 0, 4, 7) >>> 0).toBe(0x7edb_f7c2);
    expect(hashKey(view, 0, 3, 0) >>> 0).toBe(0x7edb_f7c2);
    expect(hashKey(view, 0, 8, 0) >>> 0).toBe(0x6373_0fe0);
  });

  it.each([
    ["counting", (i: number) => i],
    ["big-endian addresses", (i: number) => ((i & 255) << 24) | ((i >> 8) << 16) | 0x0a],
    ["page addresses", (i: number) => i * 4096],
    ["high bits", (i: number) => i << 20],
  ])("spreads %s keys", (_, keyOf) => {
    const view = new DataView(new ArrayBuffer(4));
    const buckets = new Uint32Array(4096);
    for (let i = 0; i < 4096; i++) {
      view.setUint32(0, keyOf(i), true);
      const bucket = hashKey(view, 0, 4, 0) & 4095;
      buckets[bucket] = (buckets[bucket] as number) + 1;
    }
    expect(Math.max(...buckets)).toBeLessThan(10);
    expect(buckets.filter((count) => count === 0).length).toBeLessThan(4096 * 0.45);
  });
});

describe.each([
  ["hash", 0],
  ["hash", 1],
  ["percpu_hash", 0],
  ["percpu_hash", 1],
] as const)("%s with flags %i", (type, flags) => {
  it("behaves as a Map, in order of insertion (M-30, M-41..M-45)", () => {
    const step = fc.record({
      kind: fc.constantFrom("set", "remove", "update", "delete"),
      key: fc.nat(11),
      value: fc.nat(1e6),
      flags: fc.constantFrom(0, 0, 0, 1, 2),
      cpu: fc.nat(1),
    });
    fc.assert(
      fc.property(
        fc.constantFrom(1, 3, 4, 8, 13, 16),
        fc.array(step, { maxLength: 80 }),
        (keyBytes, steps) => {
          const host = createHost();
          const isPercpu = type === "percpu_hash";
          const map = createMap(type, { keyBytes, maxEntries: 6, flags }, host);
          const model = new Map<number, bigint[]>();
          const at = host.memory.allocRaw(64);
          for (const one of steps) {
            const bytes = key(keyBytes, one.key);
            // Odd addresses, as packets have them, take another way through the table than even ones.
            const address = at + (one.value & 1);
            host.memory.u8.set(bytes, address);
            const old = model.get(one.key);
            const isRemoval = one.kind === "remove" || one.kind === "delete";
            if (isRemoval) {
              const status = one.kind === "remove" ? map.remove(bytes) : map.delete(address, one.cpu);
              expect(status).toBe(old === undefined ? -2 : 0);
              model.delete(one.key);
            } else {
              const expected =
                old !== undefined && one.flags === 1
                  ? -17
                  : old === undefined && one.flags === 2
                    ? -2
                    : old === undefined && model.size === 6
                      ? -7
                      : 0;
              const value = BigInt(one.value);
              const all = isPercpu ? [value, value + 1n] : [value];
              host.memory.view.setBigUint64(at + 48, value, true);
              const status =
                one.kind === "set"
                  ? map.set(bytes, new Uint8Array(new BigUint64Array(all).buffer), one.flags)
                  : map.update(address, at + 48, one.flags, isPercpu ? one.cpu : 0);
              expect(status).toBe(expected);
              if (status === 0) {
                const slots = one.kind === "set" ? all : (old ?? all.map(() => 0n)).slice();
                if (one.kind === "update") slots[isPercpu ? one.cpu : 0] = value;
                model.set(one.key, slots);
              }
            }
          }
          const entries = [...map.entries()].map(([bytes, value]) => [
            bytes.join(),
            [...new BigUint64Array(value.buffer)],
          ]);
          expect(entries).toEqual([...model].map(([one, value]) => [key(keyBytes, one).join(), value]));
          expect(host.memory.view.getUint32(map.address + MAP_HEADER.count, true)).toBe(model.size);
        },
      ),
      { numRuns: 40 },
    );
  });
});

describe("hash", () => {
  it("keeps a pointer's bytes until its element is used again (M-41, M-43)", () => {
    const host = createHost();
    const map = createMap("hash", {}, host);
    const { view } = host.memory;
    const [k, v] = [host.memory.allocRaw(8), host.memory.allocRaw(8)];
    const put = (index: number, value: bigint) => {
      view.setUint32(k, index, true);
      view.setBigUint64(v, value, true);
      return map.update(k, v, 0, 0);
    };
    put(1, 10n);
    const old = map.lookup(k, 0);
    put(1, 11n);
    expect(view.getBigUint64(old, true)).toBe(10n);
    const current = map.lookup(k, 0);
    expect(current).not.toBe(old);
    view.setBigUint64(old, 99n, true);
    expect(map.get(u32(1))).toEqual(u64(11));
    map.delete(k, 0);
    expect(view.getBigUint64(current, true)).toBe(11n);
    put(2, 12n);
    expect(map.lookup(k, 0)).toBe(current);
    expect(view.getBigUint64(current, true)).toBe(12n);
  });

  it("updates from a value that lies in the map itself", () => {
    const host = createHost();
    const map = createMap("hash", { maxEntries: 8 }, host);
    for (let i = 0; i < 4; i++) map.set(u32(i), u64(100 + i));
    const k = host.memory.allocRaw(8);
    for (let round = 0; round < 20; round++) {
      host.memory.view.setUint32(k, round % 4, true);
      const from = map.lookup(k, 0);
      host.memory.view.setUint32(k, (round + 1) % 5, true);
      expect(map.update(k, from, 0, 0)).toBe(0);
      expect(map.get(u32((round + 1) % 5))).toEqual(map.get(u32(round % 4)));
    }
  });

  it("counts to max_entries, and updates what is there when full (M-42)", () => {
    for (const flags of [0, 1]) {
      const map = createMap("hash", { maxEntries: 3, flags });
      expect([0, 1, 2, 3].map((i) => map.set(u32(i), u64(i)))).toEqual([0, 0, 0, -7]);
      expect(map.set(u32(1), u64(9))).toBe(0);
      expect(map.remove(u32(0))).toBe(0);
      expect(map.set(u32(3), u64(3))).toBe(0);
      expect(numbersOf(map)).toEqual([1, 2, 3]);
    }
  });

  it("gives addresses and a walk in the layout of MAP_HEADER and MAP_ELEMENT", () => {
    const host = createHost({ hashSeed: 0x1234 });
    const map = createMap("hash", { keyBytes: 12, maxEntries: 50 }, host);
    const { view } = host.memory;
    const header = (offset: number) => view.getUint32(map.address + offset, true);
    for (let i = 0; i < 50; i++) map.set(key(12, i), u64(i));
    for (let i = 0; i < 50; i++) {
      host.memory.u8.set(key(12, i), map.address + 256);
      const scratch = host.memory.allocRaw(12);
      host.memory.u8.set(key(12, i), scratch);
      const hash = hashKey(view, scratch, 12, header(MAP_HEADER.seed) | 0);
      let element = view.getUint32(header(MAP_HEADER.buckets) + 4 * (hash & header(MAP_HEADER.mask)), true);
      const isIt = (at: number) =>
        host.memory.bytesAt(at + header(MAP_HEADER.keyOffset), 12).join() === key(12, i).join();
      while (element !== 0 && !isIt(element)) element = view.getUint32(element + MAP_ELEMENT.next, true);
      expect(element + header(MAP_HEADER.valueOffset)).toBe(map.lookup(scratch, 0));
      expect(view.getInt32(element + MAP_ELEMENT.hash, true)).toBe(hash);
    }
    expect(header(MAP_HEADER.type)).toBe(1);
    expect(header(MAP_HEADER.keyBytes)).toBe(12);
    expect(header(MAP_HEADER.maxEntries)).toBe(50);
  });

  it("lets programs read keys and values and nothing between them", () => {
    const host = createHost();
    const map = createMap("hash", { keyBytes: 5, valueBytes: 12 }, host);
    map.set(key(5, 1), new Uint8Array(12));
    const walk = map.forEach!.bind(map);
    const visited = walk((keyAddress, value) => {
      const can = (address: number, bytes: number, perm: number) =>
        canAccess(host.memory, address, bytes, perm);
      expect(can(keyAddress, 5, PERM.read)).toBe(true);
      expect(can(keyAddress, 6, PERM.read)).toBe(false);
      expect(can(keyAddress, 1, PERM.write)).toBe(false);
      expect(can(keyAddress - 4, 4, PERM.read)).toBe(false);
      expect(can(value, 12, PERM.readWrite)).toBe(true);
      expect(can(value, 13, PERM.read)).toBe(false);
      return true;
    }, 0);
    expect(visited).toBe(1);
  });

  it("honours the rights of programs (RDONLY_PROG, WRONLY_PROG)", () => {
    for (const [flags, read, write] of [
      [128, true, false],
      [256, false, true],
    ] as const) {
      const host = createHost();
      const map = createMap("hash", { flags }, host);
      map.set(u32(1), u64(1));
      const at = host.memory.allocRaw(8);
      host.memory.view.setUint32(at, 1, true);
      const value = map.lookup(at, 0);
      expect(canAccess(host.memory, value, 8, PERM.read)).toBe(read);
      expect(canAccess(host.memory, value, 8, PERM.write)).toBe(write);
    }
  });

  it("leaves special fields alone (M-180, M-183)", () => {
    const host = createHost();
    const map = createMap(
      "hash",
      { valueBytes: 16, valueFields: [{ kind: "bpf_spin_lock", offset: 4, sizeBytes: 4 }] },
      host,
    );
    expect(map.set(u32(1), new Uint8Array(16).fill(0xff))).toBe(0);
    const expected = new Uint8Array(16).fill(0xff).fill(0, 4, 8);
    expect(map.get(u32(1))).toEqual(expected);
    expect(map.set(u32(1), new Uint8Array(16).fill(1), 4)).toBe(0);
    expect(map.set(u32(1), new Uint8Array(16).fill(2), 5)).toBe(-17);
    expect(map.set(u32(2), new Uint8Array(16).fill(2), 6)).toBe(-2);
    expect(map.freeze()).toBe(-524);
    expect(createMap("hash").set(u32(1), u64(1), 4)).toBe(-22);
  });
});

describe("walks", () => {
  const fill = (count: number) => {
    const host = createHost();
    const map = createMap("hash", { maxEntries: 8 }, host);
    for (let i = 0; i < count; i++) map.set(u32(i), u64(i));
    const [k, v] = [host.memory.allocRaw(8), host.memory.allocRaw(8)];
    const numberAt = (address: number) => host.memory.view.getUint32(address, true);
    const put = (index: number) => {
      host.memory.view.setUint32(k, index, true);
      return k;
    };
    return { map, put, v, numberAt, walk: map.forEach!.bind(map) };
  };

  it("visit in order of insertion, and stop when told", () => {
    const { walk, numberAt } = fill(5);
    const seen: number[] = [];
    const visited = walk((at) => {
      seen.push(numberAt(at));
      return seen.length < 3;
    }, 0);
    expect([visited, seen]).toEqual([3, [0, 1, 2]]);
  });

  it("skip what was removed, whoever removed it", () => {
    const { map, put, walk, numberAt } = fill(6);
    const seen: number[] = [];
    walk((at) => {
      const current = numberAt(at);
      seen.push(current);
      if (current === 1) for (const gone of [1, 2, 3]) map.delete(put(gone), 0);
      return true;
    }, 0);
    expect(seen).toEqual([0, 1, 4, 5]);
  });

  it("end although each visit removes and inserts again", () => {
    const { map, put, v, walk, numberAt } = fill(8);
    let visits = 0;
    const visited = walk((at) => {
      const current = numberAt(at);
      map.delete(put(current), 0);
      map.update(put(current + 100), v, 0, 0);
      visits++;
      return true;
    }, 0);
    expect([visited, visits]).toEqual([8, 8]);
    expect(numbersOf(map)).toEqual([100, 101, 102, 103, 104, 105, 106, 107]);
  });

  it("nest, and see updates", () => {
    const { map, put, v, walk, numberAt } = fill(3);
    const pairs: string[] = [];
    walk((outer) => {
      walk((inner) => pairs.push(`${numberAt(outer)}${numberAt(inner)}`) > 0, 0);
      map.update(put(2), v, 0, 0);
      return true;
    }, 0);
    expect(pairs.join(" ")).toBe("00 01 02 10 11 12 20 21 22");
  });

  it("keep the order over many insertions and removals", () => {
    const { map } = fill(0);
    const model = new Map<number, number>();
    for (let i = 0; i < 500; i++) {
      const gone = (i * 7) % 13;
      model.delete(gone);
      map.remove(u32(gone));
      if (model.size === 8 && !model.has(i % 17)) continue;
      model.set(i % 17, i);
      expect(map.set(u32(i % 17), u64(i))).toBe(0);
      expect(numbersOf(map)).toEqual([...model.keys()]);
    }
  });
});

describe("maps without preallocation", () => {
  it("grow for the host and never for a program", () => {
    const memory = new LinearMemory({ initialBytes: 65536, maxBytes: 16 * 1024 * 1024 });
    const host = createHost({ memory });
    const map = createMap("hash", { valueBytes: 1024, maxEntries: 2 ** 20, flags: 1 }, host);
    const { u8 } = memory;
    const [k, v] = [memory.allocRaw(8), memory.allocRaw(1024)];
    let status = 0;
    let inserted = 0;
    for (; status === 0; inserted++) {
      memory.view.setUint32(k, inserted, true);
      status = map.update(k, v, 0, 0);
    }
    expect(status).toBe(-12);
    expect(inserted).toBeGreaterThan(1000);
    expect(memory.u8 === u8).toBe(true);
    memory.view.setUint32(k, 5, true);
    expect(map.delete(k, 0)).toBe(0);
    expect(map.update(k, v, 0, 0)).toBe(0);
  });

  it("give the memory back to nobody but themselves, whatever is inserted", () => {
    const host = createHost();
    const map = createMap("hash", { maxEntries: 1000, flags: 1 }, host);
    for (let round = 0; round < 3; round++) {
      for (let i = 0; i < 1000; i++) expect(map.set(u32(i), u64(i))).toBe(0);
      expect(map.set(u32(1000), u64(0))).toBe(-7);
      for (let i = 0; i < 1000; i++) expect(map.remove(u32(i))).toBe(0);
    }
    expect(map.nextKey(null)).toBe(-2);
  });
});
