import { once } from "node:events";
import { Worker } from "node:worker_threads";
import { MAP_HEADER } from "@tsbpf/abi";
import { describe, expect, it, vi } from "vitest";
import { createVm, type VmOptions } from "../src/index.ts";

const FIXED = 8;
/** More lookups than a thread's turn on a busy processor lasts. */
const RUNS = 600_000;

/** Looks up the key of one byte that the packet tells, the other bytes being 0; returns the value's word or 999. */
function lookupOf(keyBytes: number): string {
  const clear = Array.from({ length: keyBytes / 4 }, (_, i) => `*(u32 *)(r10 - ${4 * (i + 1)}) = r0`);
  return `
    r0 = 0
    ${clear.join("\n")}
    r2 = *(u32 *)(r1 + 0)
    r3 = *(u32 *)(r1 + 4)
    r4 = r2
    r4 += 1
    if r4 > r3 goto none
    r4 = *(u8 *)(r2 + 0)
    *(u8 *)(r10 - ${keyBytes}) = r4
    r1 = map[keys]
    r2 = r10
    r2 += -${keyBytes}
    call map_lookup_elem
    if r0 == 0 goto none
    r0 = *(u32 *)(r0 + 0)
    exit
  none:
    r0 = 999
    exit`;
}

const keyOf = (bytes: number, first: number) => Uint8Array.from({ length: bytes }, (_, i) => (i ? 0 : first));
const bytesOf = (bytes: number, i: number) =>
  Uint8Array.from({ length: bytes }, (_, at) => (at % 8 ? 0 : i + 1));

describe("lookups of generated code beside a thread that changes the map", () => {
  it.each([
    ["hash", 4],
    ["hash", 12],
    ["hash", 44],
    ["percpu_hash", 8],
  ] as const)("find what stays and never what is missing: %s, keys of %i bytes", async (type, keyBytes) => {
    const maps = {
      keys: { type, keySize: keyBytes, valueSize: 8, maxEntries: 32 },
    } satisfies VmOptions["maps"];
    const vm = createVm({ maps, cpuCount: 2, memory: { isShared: true } });
    const map = vm.maps.get("keys")!;
    const valueBytes = type === "hash" ? 8 : 16;
    for (let i = 0; i < FIXED; i++) expect(map.set(keyOf(keyBytes, i), bytesOf(valueBytes, i))).toBe(0);
    const shared = vm.share(2);
    const main = createVm({ maps, cpuCount: 2, memory: { joins: shared.memory } });
    const prog = main.load(lookupOf(keyBytes), { engine: "jit" });
    main.enter(shared, 0);
    const stop = new Int32Array(new SharedArrayBuffer(4));
    const worker = new Worker(new URL("churn-worker.mjs", import.meta.url), {
      workerData: { shared, maps, stop },
      execArgv: ["--conditions=@tsbpf/source"],
    });
    await once(worker, "message");
    const packet = new Uint8Array(64);
    const wrong: number[] = [];
    for (let i = 0; i < RUNS; i++) {
      const key = i % (FIXED + 1);
      packet[0] = key === FIXED ? 50 : key;
      const found = prog.executePacket(packet, 0);
      if (found !== (key === FIXED ? 999 : key + 1)) wrong.push(key);
    }
    Atomics.store(stop, 0, 1);
    const [changes] = await once(worker, "message");
    expect(wrong).toEqual([]);
    expect(changes).toBeGreaterThan(0);
  });

  it.each(["hash", "percpu_hash"] as const)("ask the map while a change is under way: %s", (type) => {
    const maps = { keys: { type, keySize: 4, valueSize: 8, maxEntries: 8 } } satisfies VmOptions["maps"];
    const vm = createVm({ maps, memory: { isShared: true } });
    const prog = vm.load(lookupOf(4), { engine: "jit" });
    const map = vm.maps.get("keys")!;
    map.set(keyOf(4, 1), bytesOf(8, 1));
    const buckets = vm.memory.view.getUint32(map.address + MAP_HEADER.buckets, true);
    const mask = vm.memory.view.getUint32(map.address + MAP_HEADER.mask, true);
    const packet = new Uint8Array(64);
    const run = (key: number) => {
      packet[0] = key;
      return prog.executePacket(packet, 0);
    };
    const runBoth = () => [run(1), run(2)];
    const ask = vi.spyOn(map, "lookup");
    expect(runBoth()).toEqual([2, 999]);
    expect(ask).not.toHaveBeenCalled();
    vm.memory.view.setUint32(map.address + MAP_HEADER.changes, 7, true);
    expect(runBoth()).toEqual([2, 999]);
    expect(ask).toHaveBeenCalledTimes(2);
    // Where the count is even, generated code finds for itself that nothing is linked.
    vm.memory.view.setUint32(map.address + MAP_HEADER.changes, 8, true);
    vm.memory.u8.fill(0, buckets, buckets + 4 * (mask + 1));
    expect(runBoth()).toEqual([999, 999]);
    expect(ask).toHaveBeenCalledTimes(2);
  });
});
