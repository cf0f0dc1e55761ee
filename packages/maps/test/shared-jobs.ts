import type { LinearMemory } from "@tsbpf/memory";
import type { BpfMap } from "@tsbpf/plugin";
import { guardMap, mapTypePlugin } from "../src/index.ts";
import { createHost, spec } from "./support.ts";

export const KEYS = 20_000;
export const RING_BYTES = 1 << 20;

const SPECS = {
  hash: spec("hash", { maxEntries: KEYS }),
  sparse: spec("hash", { maxEntries: KEYS, flags: 1 }),
  percpu: spec("percpu_hash", { maxEntries: KEYS }),
  lru: spec("lru_hash", { maxEntries: 1000 }),
  lpm: spec("lpm_trie", { keyBytes: 8, maxEntries: KEYS, flags: 1 }),
  queue: spec("queue", { keyBytes: 0, maxEntries: KEYS }),
  ring: spec("ringbuf", { keyBytes: 0, valueBytes: 0, maxEntries: RING_BYTES }),
};

export type SharedMaps = Readonly<Record<keyof typeof SPECS, BpfMap>>;

/** Makes the same maps in every thread. */
export function createSharedMaps(memory: LinearMemory): SharedMaps {
  const host = createHost({ memory });
  const made = Object.entries(SPECS).map(([name, one]) => {
    const plugin = mapTypePlugin(one.type)!;
    const map = plugin.create(one, host);
    return [name, guardMap(map, { memory, sharing: plugin.sharing!, isRunning: () => false })];
  });
  return Object.fromEntries(made) as SharedMaps;
}

export interface ThreadContext {
  readonly memory: LinearMemory;
  readonly maps: SharedMaps;
  readonly idx: number;
  readonly threads: number;
}

export type ThreadJob = keyof typeof JOBS;

/** Counts a key as programs do: look up, or insert when it is missing, and add atomically. */
function count(map: BpfMap, { memory, idx }: ThreadContext, key: number, value: number): void {
  let found = map.lookup(key, idx);
  if (found === 0) {
    map.update(key, value, 1, idx);
    found = map.lookup(key, idx);
  }
  Atomics.add(memory.i32, found >>> 2, 1);
}

const JOBS = {
  /** Both threads count all keys, one upwards and one downwards. */
  count(context: ThreadContext) {
    const { memory, maps, idx } = context;
    const key = memory.allocRaw(16);
    for (let i = 0; i < KEYS; i++) {
      memory.view.setUint32(key, idx === 0 ? i : KEYS - 1 - i, true);
      for (const map of [maps.hash, maps.sparse, maps.percpu]) count(map, context, key, key + 8);
    }
    return 0;
  },
  /** Each thread inserts, changes and removes keys of its own, again and again. */
  churn({ memory, maps, idx, threads }: ThreadContext) {
    const key = memory.allocRaw(32);
    const value = key + 16;
    let failures = 0;
    for (let i = 0; i < KEYS; i++) {
      const mine = (i % 500) * threads + idx;
      memory.view.setUint32(key, mine, true);
      memory.view.setUint32(key + 8, 32, true);
      memory.view.setUint32(key + 12, mine, true);
      memory.view.setUint32(value, mine, true);
      for (const map of [maps.hash, maps.sparse, maps.percpu, maps.lpm]) {
        const at = map === maps.lpm ? key + 8 : key;
        if (map.update(at, value, 0, idx) !== 0) failures++;
        if (map.update(at, value, 0, idx) !== 0) failures++;
        const found = map.lookup(at, idx);
        if (found === 0 || memory.view.getUint32(found, true) !== mine) failures++;
        if (i % 3 === 0 && map.delete(at, idx) !== 0) failures++;
      }
      maps.lru.update(key, value, 0, idx);
      const found = maps.lru.lookup(key, idx);
      // The other thread may have taken the element meanwhile, as in Linux; what it holds is somebody's number.
      if (found !== 0 && memory.view.getUint32(found, true) >= 500 * threads) failures++;
    }
    return failures;
  },
  /** Each thread pushes numbers of its own and takes what is there. */
  pass({ memory, maps, idx, threads }: ThreadContext) {
    const value = memory.allocRaw(16);
    let sum = 0;
    for (let i = 0; i < KEYS; i++) {
      memory.view.setUint32(value, i * threads + idx, true);
      if (maps.queue.push!(value, 0) !== 0) return -1;
      if (maps.queue.pop!(value + 8) === 0) sum += memory.view.getUint32(value + 8, true);
      if (i * 16 * threads < RING_BYTES - 64 && maps.ring.ring!.output(value, 4, 0) !== 0) return -2;
    }
    return sum;
  },
  /** One thread walks while the other inserts and removes. */
  walk({ memory, maps, idx }: ThreadContext) {
    const key = memory.allocRaw(16);
    let seen = 0;
    for (let round = 0; round < 40; round++) {
      if (idx === 0) {
        maps.hash.forEach!((at) => {
          if (memory.view.getUint32(at, true) < 500) seen++;
          return true;
        }, 0);
        continue;
      }
      for (let i = 0; i < 2000; i++) {
        memory.view.setUint32(key, 1000 + i, true);
        if (i % 2 === 0) maps.hash.update(key, key + 8, 0, idx);
        else maps.hash.delete(key, idx);
      }
    }
    return seen;
  },
} as const;

export const runJob = (job: ThreadJob, context: ThreadContext): number => JOBS[job](context);
