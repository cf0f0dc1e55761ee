import { PERM } from "@tsbpf/memory";
import { describe, expect, it } from "vitest";
import wabtFactory from "wabt";
import { generate } from "../src/emit/generate.ts";
import type { Mode } from "../src/emit/mode.ts";
import { makePlan } from "../src/ir/plan.ts";
import { insn, link, randomSpec, specOf } from "./programs.ts";

const PLAIN: Mode = {
  isChecked: false,
  hasFuel: false,
  isExact: false,
  isDeep: false,
  isHooked: false,
  isBatch: false,
  isMoved: false,
  ctxPerm: PERM.none,
  isShared: false,
};
const MODES: readonly (readonly [string, Partial<Mode>])[] = [
  ["without checks", {}],
  ["with checks", { isChecked: true }],
  ["with checks, budget and a plain context", { isChecked: true, hasFuel: true, ctxPerm: PERM.read }],
  ["exact", { isChecked: true, hasFuel: true, isExact: true }],
  ["deep", { isChecked: true, isDeep: true, hasFuel: true }],
  ["hooked", { isHooked: true }],
  ["on shared memory", { isShared: true }],
  ["with a batch", { isBatch: true }],
  ["with a batch of limited runs", { isBatch: true, hasFuel: true }],
  ["with a checked batch", { isBatch: true, isChecked: true, hasFuel: true, ctxPerm: PERM.read }],
  ["in frames above the first", { isMoved: true }],
];
const SURROUNDINGS = { cell: 0x1_0000, readWord: () => 0, isRecording: true, stackBase: 0x2_0000 };
const wabt = await wabtFactory();

const FEATURES = { threads: true, tail_call: true, bulk_memory: true, sign_extension: true };

/** Reads a module with WABT, which throws where the module is not valid. */
function validate(bytes: Uint8Array): void {
  const module = wabt.readWasm(bytes, FEATURES);
  // Its types do not know the parameter.
  (module.validate as (features: typeof FEATURES) => void).call(module, FEATURES);
  module.destroy();
}

describe("generated modules are valid", () => {
  it.each(MODES)("%s", (_name, change) => {
    const mode = { ...PLAIN, ...change };
    for (let seed = 1; seed <= 60; seed++) {
      const plan = makePlan(link(randomSpec(seed), !mode.isChecked));
      const bytes = generate(plan, mode, SURROUNDINGS);
      expect(WebAssembly.validate(bytes), `seed ${seed}`).toBe(true);
      expect(() => validate(bytes), `seed ${seed}`).not.toThrow();
    }
  });

  it("for jumps through registers", () => {
    const code = [insn("mov64.k", { dst: 1, imm: 3 }), insn("gotox", { dst: 1 }), insn("exit"), insn("exit")];
    validate(generate(makePlan(link(specOf(code), false)), { ...PLAIN, isChecked: true }, SURROUNDINGS));
    expect.assertions(0);
  });
});
