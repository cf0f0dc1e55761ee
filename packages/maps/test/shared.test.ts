import { Worker } from "node:worker_threads";
import { MAP_HEADER } from "@tsbpf/abi";
import { LinearMemory } from "@tsbpf/memory";
import { describe, expect, it } from "vitest";
import { guardMap, kernelMapTypes, mapTypePlugin } from "../src/index.ts";
import { createSharedMaps, KEYS, type SharedMaps, type ThreadJob } from "./shared-jobs.ts";
import { createHost, createMap, spec, u32 } from "./support.ts";

const THREADS = 2;

/** Runs a job on two threads over one memory, after `prepare`, and returns what they say. */
async function onThreads(
  job: ThreadJob,
  prepare: (maps: SharedMaps) => void = () => {},
): Promise<{ memory: LinearMemory; maps: SharedMaps; results: number[] }> {
  const memory = new LinearMemory({ initialBytes: 1 << 24, maxBytes: 1 << 28, isShared: true });
  const maps = createSharedMaps(memory);
  const shared = memory.share(THREADS, 1 << 16);
  prepare(maps);
  const results = await Promise.all(
    Array.from(
      { length: THREADS },
      (_, idx) =>
        new Promise<number>((resolve, reject) => {
          const worker = new Worker(new URL("shared-worker.mjs", import.meta.url), {
            workerData: { shared, idx, job },
            execArgv: ["--conditions=@tsbpf/source"],
          });
          worker.once("message", resolve);
          worker.once("error", reject);
        }),
    ),
  );
  return { memory, maps, results };
}

const countOf = (memory: LinearMemory, address: number) =>
  memory.view.getUint32(address + MAP_HEADER.count, true);

describe("maps that two threads use at once", () => {
  it("count every key exactly once a thread when both insert and add", async () => {
    const { memory, maps } = await onThreads("count");
    for (const map of [maps.hash, maps.sparse]) {
      const entries = [...map.entries()];
      expect(entries).toHaveLength(KEYS);
      expect(countOf(memory, map.address)).toBe(KEYS);
      expect(new Set(entries.map(([key]) => key.join())).size).toBe(KEYS);
      for (const [, value] of entries) expect(value[0]).toBe(THREADS);
    }
    const percpu = [...maps.percpu.entries()];
    expect(percpu).toHaveLength(KEYS);
    for (const [, value] of percpu) expect([value[0], value[8]]).toEqual([1, 1]);
  });

  it("lose no element and mix up none while both insert, change and remove", async () => {
    const { memory, maps, results } = await onThreads("churn");
    expect(results).toEqual([0, 0]);
    for (const map of [maps.hash, maps.sparse, maps.percpu, maps.lpm]) {
      const entries = [...map.entries()];
      expect(entries).toHaveLength(countOf(memory, map.address));
      const keys = entries.map(([key]) => key.join());
      expect(new Set(keys).size).toBe(keys.length);
      // What is left is removable, and then all of it can be inserted again.
      for (const [key] of entries) expect(map.remove(key)).toBe(0);
      expect([...map.entries()]).toEqual([]);
    }
    for (let i = 0; i < KEYS; i++) expect(maps.hash.set(u32(i), new Uint8Array(8))).toBe(0);
    expect(maps.hash.set(u32(KEYS), new Uint8Array(8))).toBe(-7);
  });

  it("pass every value on once", async () => {
    const { maps, results } = await onThreads("pass");
    const rest = [...maps.queue.entries()].map(([, value]) => new DataView(value.buffer).getUint32(0, true));
    const total = KEYS * THREADS;
    const sum = [...results, ...rest].reduce((a, b) => a + b, 0);
    expect(Math.min(...results)).toBeGreaterThanOrEqual(0);
    expect(sum).toBe((total * (total - 1)) / 2);
    const records = new Set<number>();
    const taken = maps.ring.ring!.consume((record) =>
      records.add(new DataView(record.buffer).getUint32(0, true)),
    );
    expect(records.size).toBe(taken);
    expect(taken).toBeGreaterThan(60_000 / 2);
  });

  it("let one walk while the other changes them: what stays is always met", async () => {
    const { results } = await onThreads("walk", ({ hash }) => {
      for (let i = 0; i < 500; i++) hash.set(u32(i), new Uint8Array(8));
    });
    expect(results[0]).toBe(40 * 500);
  });
});

describe("a guarded map", () => {
  it("is declared for every map type that can be made here", () => {
    const undeclared = kernelMapTypes.filter((one) => one.sharing === undefined).map(({ type }) => type);
    expect(undeclared).toEqual(
      kernelMapTypes.filter((one) => /^Not supported/.test(one.summary)).map(({ type }) => type),
    );
  });

  it("refuses by name to change slots that refer to objects once threads run", () => {
    const memory = new LinearMemory({ initialBytes: 1 << 20, isShared: true });
    let isRunning = false;
    const host = createHost({ memory });
    const plugin = mapTypePlugin("prog_array")!;
    const map = guardMap(plugin.create(spec("prog_array", { valueBytes: 4 }), host), {
      memory,
      sharing: "fixed",
      isRunning: () => isRunning,
    });
    expect(map.progSlots?.setProg(1, "target")).toBe(0);
    isRunning = true;
    const refused = expect.objectContaining({ code: "UNSUPPORTED_SHARED_SLOTS" });
    expect(() => map.progSlots?.setProg(1, undefined)).toThrow(refused);
    expect(() => map.remove(u32(1))).toThrow(refused);
    expect(map.progSlots?.progAt(1)).toBe("target");
  });

  it.each(["hash", "percpu_hash"] as const)(
    "%s: refuses updates as one without a guard, and looks up with the lock held elsewhere",
    (type) => {
      const memory = new LinearMemory({ initialBytes: 1 << 22, isShared: true });
      const host = createHost({ memory });
      const plugin = mapTypePlugin(type)!;
      const plain = plugin.create(spec(type, { maxEntries: 2 }), host);
      const guarded = guardMap(plugin.create(spec(type, { maxEntries: 2 }), host), {
        memory,
        sharing: plugin.sharing!,
        isRunning: () => true,
      });
      const key = memory.allocRaw(16);
      const update = (number: number, flags: number) => {
        memory.view.setUint32(key, number, true);
        const status = plain.update(key, key + 8, flags, 0);
        expect(guarded.update(key, key + 8, flags, 0)).toBe(status);
        return status;
      };
      expect([update(1, 2), update(1, 1), update(1, 1), update(1, 3), update(1, 8)]).toEqual([
        -2, 0, -17, -22, -22,
      ]);
      expect([update(2, 0), update(3, 0), update(3, 1), update(3, 2), update(2, 0)]).toEqual([
        0, -7, -7, -2, 0,
      ]);
      const lock = (guarded.address + MAP_HEADER.lock) >>> 2;
      expect(memory.i32[lock]).toBe(0);
      expect((memory.i32[(guarded.address + MAP_HEADER.changes) >>> 2] ?? 1) & 1).toBe(0);
      memory.i32[lock] = 1;
      expect(guarded.lookup(key, 0)).toBeGreaterThan(0);
      expect(guarded.lookupPercpu?.(key, 0)).not.toBe(0);
      memory.view.setUint32(key, 3, true);
      expect(guarded.lookup(key, 0)).toBe(0);
      expect(guarded.update(key, key + 8, 1, 0)).toBe(-7);
    },
  );

  it("gives the lock back when a visitor throws", () => {
    const memory = new LinearMemory({ initialBytes: 1 << 22, isShared: true });
    const host = createHost({ memory });
    const map = createMap("hash", {}, host);
    map.set(u32(1), new Uint8Array(8));
    const boom = () => {
      throw new Error("boom");
    };
    expect(() => map.forEach?.(boom, 0)).toThrow("boom");
    expect(memory.view.getUint32(map.address + MAP_HEADER.lock, true)).toBe(0);
    expect(map.remove(u32(1))).toBe(0);
  });
});
