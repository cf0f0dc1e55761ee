import { MAP_FLAGS } from "@tsbpf/abi";
import { describe, expect, it } from "vitest";
import { Random } from "../../fuzz/src/random.ts";
import { bothEngines } from "../src/index.ts";

/** Copies a key out of the packet, looks it up and returns the value, or 1000 without one. */
function lookupSource(keyBytes: number): string {
  const copies = Array.from({ length: keyBytes / 4 }, (_, i) => {
    return `r2 = *(u32 *)(r1 + ${4 * i})\n*(u32 *)(r10 - ${keyBytes - 4 * i}) = r2`;
  });
  return `
    r1 = *(u32 *)(r1 + 0)
    ${copies.join("\n")}
    r1 = map[routes] ll
    r2 = r10
    r2 += -${keyBytes}
    call bpf_map_lookup_elem
    if r0 == 0 goto none
    r0 = *(u32 *)(r0 + 0)
    exit
  none:
    r0 = 1000
    exit`;
}

/** Keys that share many bits, so that tries are deep. */
function routeKey(random: Random, addressBytes: number, bits: number): Uint8Array {
  const key = new Uint8Array(4 + addressBytes);
  new DataView(key.buffer).setUint32(0, bits, true);
  for (let i = 4; i < key.length; i++)
    key[i] = random.chance(70) ? 0xa5 : random.pick([0xa4, 0x25, random.below(256)]);
  return key;
}

describe("both engines agree on tries (M-80..M-85)", () => {
  it.each([
    [4, true],
    [4, false],
    [8, true],
    [16, true],
    [16, false],
    [6, true],
  ])("of addresses of %i bytes, proven: %s", (addressBytes, isProven) => {
    const random = new Random(addressBytes);
    const bitsMax = 8 * addressBytes;
    const lengths = [0, 1, 31, 32, 33, 63, 64, 65, bitsMax - 1, bitsMax].filter((bits) => bits <= bitsMax);
    const anyLength = (): number => (random.chance(50) ? random.pick(lengths) : random.range(0, bitsMax));
    const inputs = Array.from({ length: 150 }, () => {
      const packet = new Uint8Array(64);
      const isOdd = random.chance(10);
      packet.set(routeKey(random, addressBytes, isOdd ? bitsMax + random.range(1, 9) : anyLength()));
      return { packet };
    });
    const keyBytes = 4 + addressBytes;
    const { interpreter, jit } = bothEngines({
      // Keys are copied in words, so odd ones get bytes that the map does not look at.
      source: lookupSource(Math.ceil(keyBytes / 4) * 4),
      isProven,
      inputs,
      before: (vm) => {
        const map = vm.createMap("routes", {
          type: "lpm_trie",
          keySize: keyBytes,
          valueSize: 4,
          maxEntries: 200,
          flags: MAP_FLAGS.noPrealloc,
        });
        const routes = new Random(7);
        for (let i = 1; i <= 120; i++) {
          const bits = routes.chance(50) ? routes.pick(lengths) : routes.range(0, bitsMax);
          map.set(routeKey(routes, addressBytes, bits), Uint8Array.of(i, 0, 0, 0));
        }
        // Removed ones leave nodes that only join two others.
        let count = 0;
        for (const [key] of [...map.entries()]) if (++count % 4 === 0) map.remove(key);
      },
    });
    expect(jit.runs).toEqual(interpreter.runs);
    const found = new Set(jit.runs.map((run) => (run as { r0: bigint }).r0));
    expect(found.size).toBeGreaterThan(5);
  });
});

const valueOfType = (type: "hash" | "percpu_hash", byte: number) =>
  new Uint8Array(type === "hash" ? 4 : 8).fill(byte);

describe("both engines agree on hash maps on shared memory", () => {
  it.each([1, 2, 3, 4, 7, 8, 12, 16, 17, 23, 44, 64])("with keys of %i bytes", (keyBytes) => {
    const random = new Random(keyBytes);
    const keys = Array.from({ length: 80 }, () =>
      Uint8Array.from({ length: keyBytes }, () => random.below(keyBytes === 1 ? 256 : 3)),
    );
    const inputs = keys.map((key) => {
      const packet = new Uint8Array(128);
      packet.set(key);
      return { packet };
    });
    for (const type of ["hash", "percpu_hash"] as const) {
      for (const isProven of [true, false]) {
        const { interpreter, jit } = bothEngines({
          source: lookupSource(Math.ceil(keyBytes / 4) * 4),
          isProven,
          inputs,
          vm: { memory: { isShared: true } },
          before: (vm) => {
            const map = vm.createMap("routes", { type, keySize: keyBytes, valueSize: 4, maxEntries: 40 });
            for (const [i, key] of keys.slice(0, 40).entries()) map.set(key, valueOfType(type, i + 1));
          },
        });
        expect(jit.runs).toEqual(interpreter.runs);
        expect(new Set(jit.runs.map((run) => (run as { r0: bigint }).r0)).size).toBeGreaterThan(2);
      }
    }
  });
});
