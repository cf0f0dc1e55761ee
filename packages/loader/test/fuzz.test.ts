import { InputError } from "@tsbpf/base";
import { describe, expect, it } from "vitest";
import { inspectObject } from "../src/index.ts";
import { createRandom, mutate } from "./mutate.ts";
import { installedObjects, readObject, readOwnObject, sampleObjects } from "./objects.ts";

/** More cases than CI runs: `TSBPF_FUZZ_RUNS=100000`. */
const RUNS = Number(process.env.TSBPF_FUZZ_RUNS ?? 3000);
const SEED = Number(process.env.TSBPF_FUZZ_SEED ?? 1);

describe("damaged objects", () => {
  it(`load or give an input error with a place (${RUNS} cases, seed ${SEED})`, () => {
    const random = createRandom(SEED);
    const objects = [
      ...[...sampleObjects(), ...installedObjects()].map(readObject),
      ...["core.bpf.o", "linkage.bpf.o", "linkage.be.bpf.o"].map(readOwnObject),
    ];
    const codes = new Map<string, number>();
    for (let run = 0; run < RUNS; run++) {
      const damaged = mutate(objects[random(objects.length)]!, random);
      let code = "loaded";
      try {
        inspectObject(damaged, { name: "damaged.bpf.o" });
      } catch (error) {
        if (!(error instanceof InputError)) throw new Error(`run ${run}, seed ${SEED}`, { cause: error });
        expect(error.code).toMatch(/^(ELF|BTF|LIMIT|ISA)_[A-Z_]+$/);
        expect(error.message).toMatch(/( in | of | at )/);
        code = error.code;
      }
      codes.set(code, (codes.get(code) ?? 0) + 1);
    }
    // The damage must reach deep: many still load, and many different checks refuse.
    expect(codes.get("loaded")).toBeGreaterThan(RUNS / 10);
    expect(codes.size).toBeGreaterThan(Math.min(20, RUNS / 50));
  });
});
