import { MAP_HEADER, MAP_TYPES, type MapTypeName } from "@tsbpf/abi";
import { canAccess, PERM } from "@tsbpf/memory";
import { describe, expect, it } from "vitest";
import { checkMapSpec, kernelMapTypes, mapTypePlugin } from "../src/index.ts";
import { createHost, createMap, spec, u32, u64 } from "./support.ts";

const BTF = { btfKeyTypeId: 1, btfValueTypeId: 2 };

describe("kernelMapTypes", () => {
  it("has each type of Linux 6.18 once", () => {
    const types = kernelMapTypes.map((plugin) => plugin.type).sort();
    const linux = (Object.keys(MAP_TYPES) as MapTypeName[]).filter(
      (type) => type !== "unspec" && type !== "insn_array",
    );
    expect(types).toEqual(linux.sort());
    for (const plugin of kernelMapTypes) expect(plugin.summary.length).toBeGreaterThan(5);
    expect(mapTypePlugin("insn_array")).toBeUndefined();
  });

  it("says by name what it cannot make", () => {
    const host = createHost();
    for (const [type, more] of [
      ["sockhash", { valueBytes: 4 }],
      ["arena", { keyBytes: 0, valueBytes: 0, flags: 1024 }],
    ] as const) {
      const plugin = mapTypePlugin(type)!;
      expect(plugin.check(spec(type, more))).toBeUndefined();
      expect(() => plugin.create(spec(type, more), host)).toThrow(
        expect.objectContaining({ code: "UNSUPPORTED_MAP_TYPE", message: expect.stringContaining(type) }),
      );
    }
  });

  it("says why a specification is refused", () => {
    expect(checkMapSpec(spec("hash", { maxEntries: 0 }))?.text).toBe(
      "max_entries is 0, 1..2147483648 allowed",
    );
    expect(checkMapSpec(spec("array", { keyBytes: 8 }))?.text).toBe("key_size is 8, only 4 allowed");
    expect(checkMapSpec(spec("ringbuf", { keyBytes: 0, valueBytes: 0, maxEntries: 12288 }))?.text).toBe(
      "max_entries is 12288, powers of two allowed",
    );
    expect(checkMapSpec(spec("hash", { name: "a-b" }))?.text).toBe(
      'map name "a-b" found, letters, digits, _ and . allowed',
    );
    const inner = spec("prog_array", { name: "jumps", valueBytes: 4 });
    expect(checkMapSpec(spec("array_of_maps", { valueBytes: 4, inner }))).toEqual({
      errno: 524,
      text: "the inner map is a prog_array, which Linux does not nest",
    });
    expect(checkMapSpec(spec("array_of_maps", { valueBytes: 4 }))?.errno).toBe(9);
    expect(checkMapSpec(spec("array", { maxEntries: 2 ** 31, valueBytes: 64 }))?.errno).toBe(12);
  });

  it("checks special fields (M-181, M-183)", () => {
    const valueFields = [{ kind: "bpf_timer", offset: 0, sizeBytes: 16 } as const];
    const errno = (type: MapTypeName, more = {}) =>
      checkMapSpec(spec(type, { valueBytes: 16, valueFields, ...more }))?.errno;
    expect(["hash", "lru_hash", "array"].map((type) => errno(type as MapTypeName))).toEqual([
      undefined,
      undefined,
      undefined,
    ]);
    expect(errno("percpu_array")).toBe(95);
    expect(errno("lpm_trie", { keyBytes: 8, flags: 1 })).toBe(95);
    expect(errno("hash", { flags: 128 })).toBe(13);
    expect(errno("hash", { valueBytes: 8 })).toBe(22);
  });

  it("checks storages and arenas", () => {
    const storage = { maxEntries: 0, flags: 1, ...BTF };
    expect(checkMapSpec(spec("sk_storage", storage))).toBeUndefined();
    expect(checkMapSpec(spec("task_storage", { ...storage, btfKeyTypeId: 0 }))?.errno).toBe(22);
    expect(checkMapSpec(spec("task_storage", { ...storage, valueBytes: 65_408 }))?.errno).toBe(7);
    expect(checkMapSpec(spec("task_storage", { ...storage, flags: 0 }))?.errno).toBe(22);
    const arena = { keyBytes: 0, valueBytes: 0, flags: 1024 };
    const errno = (more: object) => checkMapSpec(spec("arena", { ...arena, ...more }))?.errno;
    expect(errno({ maxEntries: 0 })).toBe(22);
    expect(errno({ flags: 0 })).toBe(22);
    expect(errno({ mapExtra: 100n })).toBe(22);
    expect(errno({ maxEntries: 2 ** 20 + 1 })).toBe(7);
    expect(errno({ mapExtra: (1n << 32n) - 4096n, maxEntries: 2 })).toBe(34);
  });
});

describe("prog_array (M-132)", () => {
  it("holds what the host gives, and numbers it", () => {
    const map = createMap("prog_array", { valueBytes: 4 });
    const slots = map.progSlots!;
    const [a, b] = [{ name: "a" }, { name: "b" }];
    expect([slots.setProg(0, a), slots.setProg(3, b), slots.setProg(1, a)]).toEqual([0, 0, 0]);
    expect(slots.setProg(4, a)).toBe(-7);
    expect([slots.progAt(0), slots.progAt(2), slots.progAt(3), slots.progAt(9)]).toEqual([
      a,
      undefined,
      b,
      undefined,
    ]);
    expect([...map.entries()]).toEqual([
      [u32(0), u32(1)],
      [u32(1), u32(1)],
      [u32(3), u32(2)],
    ]);
    expect(map.remove(u32(0))).toBe(0);
    expect(slots.progAt(0)).toBeUndefined();
    expect(slots.setProg(3, undefined)).toBe(0);
    expect(map.get(u32(3))).toBe(-2);
    map.freeze();
    expect(slots.setProg(1, b)).toBe(-1);
  });

  it("gives programs nothing but tail calls", () => {
    const map = createMap("prog_array", { valueBytes: 4 });
    map.progSlots!.setProg(0, {});
    expect([map.lookup(0, 0), map.update(0, 0, 0, 0), map.delete(0, 0)]).toEqual([0, -22, -22]);
  });
});

describe("perf_event_array, cgroup_array, sockets", () => {
  it("hold objects of the host", () => {
    for (const type of ["perf_event_array", "cgroup_array", "sockmap"] as const) {
      const map = createMap(type, { valueBytes: 4 });
      expect(map.hostSlots!.setObject(2, "event")).toBe(0);
      expect(map.hostSlots!.objectAt(2)).toBe("event");
      expect(map.remove(u32(2))).toBe(0);
      expect(map.hostSlots!.objectAt(2)).toBeUndefined();
    }
  });

  it("show sockets as cookies where there is room (M-150)", () => {
    const map = createMap("sockmap");
    map.hostSlots!.setObject(1, {});
    expect(map.get(u32(1))).toEqual(u64(1));
    expect(map.get(u32(0))).toBe(-2);
  });
});

describe("xskmap (M-143)", () => {
  it("gives programs a queue id, and user space nothing", () => {
    const host = createHost();
    const map = createMap("xskmap", { valueBytes: 4 }, host);
    const slots = map.hostSlots!;
    expect(slots.setObject(1, { queueId: 7 })).toBe(0);
    expect(slots.setObject(1, "no socket")).toBe(-95);
    const at = host.memory.allocRaw(4);
    host.memory.view.setUint32(at, 1, true);
    const socket = map.lookup(at, 0);
    expect(socket).toBe(map.lookupIndex!(1));
    expect(host.memory.view.getUint32(socket, true)).toBe(7);
    expect(canAccess(host.memory, socket, 4, PERM.read)).toBe(true);
    expect(canAccess(host.memory, socket, 4, PERM.write)).toBe(false);
    expect(map.lookupIndex!(0)).toBe(0);
    expect(map.lookupIndex!(4)).toBe(0);
    expect(map.get(u32(1))).toBe(-95);
    expect(map.remove(u32(1))).toBe(0);
    expect(map.lookupIndex!(1)).toBe(0);
  });
});

describe("maps of maps (M-130, M-131)", () => {
  const inner = spec("array", { maxEntries: 2 });

  it.each(["array_of_maps", "hash_of_maps"] as const)("%s takes maps like its template", (type) => {
    const host = createHost();
    const outer = createMap(type, { valueBytes: 4, inner }, host);
    const slots = outer.mapSlots!;
    const [good, other] = [
      createMap("array", { maxEntries: 2 }, host),
      createMap("array", { maxEntries: 2 }, host),
    ];
    const wrong = [
      createMap("array", { maxEntries: 3 }, host),
      createMap("array", { maxEntries: 2, valueBytes: 4 }, host),
      createMap("array", { maxEntries: 2, flags: 128 }, host),
      createMap("hash", { maxEntries: 2 }, host),
    ];
    for (const map of wrong) expect(slots.setMap(u32(1), map)).toBe(-22);
    expect(slots.setMap(u32(1), good)).toBe(0);
    const at = host.memory.allocRaw(4);
    host.memory.view.setUint32(at, 1, true);
    expect(outer.lookup(at, 0)).toBe(good.address);
    expect(outer.get(u32(1))).toEqual(u32(good.address));
    expect(outer.set(u32(1), u32(other.address))).toBe(0);
    expect(outer.lookup(at, 0)).toBe(other.address);
    expect(outer.set(u32(1), u32(wrong[3]!.address))).toBe(-22);
    expect(outer.set(u32(1), u32(12345))).toBe(-9);
    expect([outer.update(at, at, 0, 0), outer.delete(at, 0)]).toEqual([-22, -22]);
    expect(slots.setMap(u32(1), null)).toBe(0);
    expect(outer.lookup(at, 0)).toBe(0);
    expect(slots.setMap(u32(1), null)).toBe(-2);
  });

  it("let inner arrays differ in size with INNER_MAP (M-54), and flags count in hashes", () => {
    const host = createHost();
    const outer = createMap("array_of_maps", { valueBytes: 4, inner: spec("array", { flags: 4096 }) }, host);
    expect(outer.mapSlots!.setMap(u32(0), createMap("array", { maxEntries: 9, flags: 4096 }, host))).toBe(0);
    expect(outer.mapSlots!.setMap(u32(9), createMap("array", { flags: 4096 }, host))).toBe(-7);
    expect(outer.mapSlots!.setMap(u32(0), createMap("array", { flags: 4096 }, host), 1)).toBe(-22);
    const hashed = createMap("hash_of_maps", { valueBytes: 4, inner }, host);
    const map = createMap("array", { maxEntries: 2 }, host);
    expect(hashed.mapSlots!.setMap(u32(5), map, 2)).toBe(-2);
    expect(hashed.mapSlots!.setMap(u32(5), map, 1)).toBe(0);
    expect(hashed.mapSlots!.setMap(u32(5), map, 1)).toBe(-17);
  });

  it("takes device maps, whose live flags differ from those asked for", () => {
    const host = createHost();
    const outer = createMap("array_of_maps", { valueBytes: 4, inner: spec("devmap") }, host);
    expect(outer.mapSlots!.setMap(u32(0), createMap("devmap", { maxEntries: 8 }, host))).toBe(0);
  });
});

describe("redirect targets (M-140..M-142)", () => {
  const hasDevice = (ifindex: number) => ifindex < 10;

  it.each(["devmap", "devmap_hash"] as const)("%s takes devices that exist", (type) => {
    const host = createHost({ hasDevice });
    const map = createMap(type, { maxEntries: 3 }, host);
    expect(map.set(u32(1), u64(2))).toBe(0);
    expect(map.set(u32(2), u64(10))).toBe(-22);
    expect(map.set(u32(2), u64((5n << 32n) | 2n))).toBe(-22);
    expect(map.set(u32(2), u64(0xffff_ffff_0000_0003n))).toBe(0);
    expect(map.get(u32(2))).toEqual(u64(3));
    const value = map.lookupIndex!(1);
    expect(host.memory.view.getUint32(value, true)).toBe(2);
    expect(canAccess(host.memory, value, 8, PERM.read)).toBe(true);
    expect(canAccess(host.memory, value, 4, PERM.write)).toBe(false);
    expect(host.memory.view.getUint32(map.address + MAP_HEADER.flags, true)).toBe(128);
    const seen: number[] = [];
    const walk = map.forEach!.bind(map);
    walk((_, at) => seen.push(host.memory.view.getUint32(at, true)) > 0, 0);
    expect(seen).toEqual([2, 3]);
    expect([map.update(0, 0, 0, 0), map.delete(0, 0)]).toEqual([-22, -22]);
    expect([map.lookupIndex!(0), map.lookupIndex!(77)]).toEqual([0, 0]);
  });

  it("devmap empties a slot with ifindex 0; devmap_hash refuses it and inserts with EXIST", () => {
    const map = createMap("devmap");
    map.set(u32(1), u64(2));
    expect(map.set(u32(1), u64(0))).toBe(0);
    expect(map.get(u32(1))).toBe(-2);
    expect(map.set(u32(1), u64(7n << 32n))).toBe(-22);
    const hashed = createMap("devmap_hash", { maxEntries: 1 });
    expect(hashed.set(u32(900), u64(0))).toBe(-22);
    expect(hashed.set(u32(900), u64(2), 2)).toBe(0);
    expect(hashed.set(u32(900), u64(2), 1)).toBe(-17);
    expect(hashed.set(u32(901), u64(2))).toBe(-7);
    expect(hashed.take).toBeUndefined();
  });

  it.each(["devmap", "devmap_hash", "cpumap"] as const)(
    "%s runs programs on entries that are there",
    (type) => {
      const map = createMap(type);
      const slots = map.progSlots!;
      const prog = {};
      expect(slots.setProg(1, prog)).toBe(-2);
      map.set(u32(1), u64(2));
      expect(slots.setProg(1, prog)).toBe(0);
      expect(slots.progAt(1)).toBe(prog);
      expect(map.get(u32(1))).toEqual(u64((1n << 32n) | 2n));
      expect(map.set(u32(1), u64(3))).toBe(0);
      expect(slots.progAt(1)).toBeUndefined();
      slots.setProg(1, prog);
      expect(map.remove(u32(1))).toBe(0);
      expect(slots.progAt(1)).toBeUndefined();
      const small = createMap(type, { valueBytes: 4 });
      small.set(u32(1), u32(2));
      expect(small.progSlots!.setProg(1, prog)).toBe(-22);
    },
  );

  it("cpumap checks queue sizes and CPUs", () => {
    const map = createMap("cpumap", {}, createHost({ cpuCount: 2 }));
    expect(map.set(u32(0), u64(16_384))).toBe(0);
    expect(map.set(u32(0), u64(16_385))).toBe(-75);
    expect(map.set(u32(2), u64(64))).toBe(-19);
    expect(map.set(u32(0), u64(0))).toBe(0);
    expect(map.get(u32(0))).toBe(-2);
  });
});

describe("storages (M-160..M-162)", () => {
  it.each(["sk_storage", "task_storage", "inode_storage", "cgrp_storage"] as const)(
    "%s has a value an object",
    (type) => {
      const host = createHost();
      const map = createMap(type, { maxEntries: 0, flags: 1, ...BTF }, host);
      const storage = map.storage!;
      expect(storage.valueFor(7n, false, 0)).toBe(0);
      const value = storage.valueFor(7n, true, 0);
      expect(storage.valueFor(7n, true, 1)).toBe(value);
      expect(host.memory.view.getBigUint64(value, true)).toBe(0n);
      host.memory.view.setBigUint64(value, 5n, true);
      expect(map.get(u32(7))).toEqual(u64(5));
      expect(map.set(u32(8), u64(6), 1)).toBe(0);
      expect(map.set(u32(8), u64(6), 1)).toBe(-17);
      expect(map.set(u32(9), u64(6), 2)).toBe(-2);
      expect([...map.entries()]).toEqual([
        [u32(7), u64(5)],
        [u32(8), u64(6)],
      ]);
      expect(map.nextKey(null)).toBe(-524);
      expect([
        storage.removeValue(7n),
        storage.removeValue(7n),
        map.remove(u32(8)),
        map.remove(u32(8)),
      ]).toEqual([0, -2, 0, -2]);
      const again = storage.valueFor(9n, true, 0);
      expect(host.memory.view.getBigUint64(again, true)).toBe(0n);
      expect([map.lookup(0, 0), map.update(0, 0, 0, 0), map.delete(0, 0)]).toEqual([0, -22, -22]);
    },
  );

  it("cgroup storages are made by programs, and each CPU has a slot in the per-CPU one", () => {
    const host = createHost({ cpuCount: 2 });
    const map = createMap("percpu_cgroup_storage", { keyBytes: 16, maxEntries: 0 }, host);
    const key = new Uint8Array(16);
    key.set(u64(5));
    expect(map.set(key, new Uint8Array(16))).toBe(-2);
    const [zero, one] = [0, 1].map((cpu) => map.storage!.valueFor(5n, true, cpu)) as [number, number];
    expect(one - zero).toBe(8);
    expect(map.set(key, new Uint8Array(16).fill(3))).toBe(0);
    expect(map.set(key, new Uint8Array(16), 1)).toBe(-22);
    expect(host.memory.bytesAt(one, 8).every((byte) => byte === 3)).toBe(true);
    expect(map.nextKey(null)).toEqual(key);
    expect(map.nextKey(key)).toBe(-2);
    expect(map.remove(key)).toBe(-22);
  });
});
