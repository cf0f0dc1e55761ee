import type { MapSpec } from "@tsbpf/abi";
import { describe, expect, it } from "vitest";
import { Random } from "../../fuzz/src/random.ts";
import { randomProg } from "../../fuzz/src/random-prog.ts";
import { bothEngines } from "../src/index.ts";

/** More of them: `RANDOM_PROGS=100000 npx vitest run --project tooling tooling/testkit`. */
const COUNT = Number(process.env.RANDOM_PROGS ?? 300);
const FIRST_SEED = Number(process.env.RANDOM_SEED ?? 1);

const MAPS: readonly MapSpec[] = [
  { name: "arr", type: "array", keyBytes: 4, valueBytes: 8, maxEntries: 4, flags: 0 },
  { name: "h", type: "hash", keyBytes: 4, valueBytes: 8, maxEntries: 4, flags: 0 },
  { name: "pa", type: "prog_array", keyBytes: 4, valueBytes: 4, maxEntries: 3, flags: 0 },
];

function expectEqual(seed: number, isSafe: boolean): void {
  const progType = seed % 5 === 0 ? "socket_filter" : "xdp";
  const source = randomProg({ seed, maps: MAPS, progType, isSafe });
  const random = new Random(seed);
  const packet = Uint8Array.from({ length: random.range(14, 90) }, () => random.below(256));
  const { interpreter, jit } = bothEngines({
    source,
    inputs: [{ packet }, { packet }],
    budget: random.pick([30, 200, 1000, 3000]),
    load: { progType },
    isProven: isSafe,
    isUnlimited: random.chance(70),
    before: (vm) => {
      for (const map of MAPS) vm.createMap(map.name, map);
    },
    after: (vm, prog) => {
      vm.maps.get("pa")?.progSlots?.setProg(1, prog);
    },
  });
  expect(jit.runs, `seed ${seed}`).toEqual(interpreter.runs);
  expect(jit.maps, `seed ${seed}`).toEqual(interpreter.maps);
  expect(Buffer.compare(jit.memory, interpreter.memory), `memory of seed ${seed}`).toBe(0);
}

describe("random programs on both engines", () => {
  it("that break rules, with checks", () => {
    for (let seed = FIRST_SEED; seed < FIRST_SEED + COUNT; seed++) expectEqual(seed, false);
  });

  it("that keep the rules, without checks", () => {
    for (let seed = FIRST_SEED; seed < FIRST_SEED + COUNT; seed++) expectEqual(seed, true);
  });
});
