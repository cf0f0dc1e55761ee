import { describe, expect, it } from "vitest";
import { loopHelpers } from "../../helpers/src/loop.ts";
import type { HelperPlugin } from "../../plugin/src/index.ts";
import { Harness } from "./support.ts";

const BPF_LOOP = loopHelpers[0] as unknown as HelperPlugin;

const CASES = {
  "as many as asked for": `
    r6 = 1; r7 = 2; r1 = 5; r2 = func cb; r3 = r10; r3 += -8; *(u64 *)(r10 - 8) = r6; r4 = 0
    call bpf_loop
    r0 += r6; r0 += r7; r1 = *(u64 *)(r10 - 8); r0 += r1
    exit
    cb: r6 = r1; r7 = *(u64 *)(r2 + 0); r7 += r6; *(u64 *)(r2 + 0) = r7; r0 = 0; exit`,
  "until one returns something": `
    r1 = 9; r2 = func cb; r3 = 0; r4 = 0; call bpf_loop; exit
    cb: r0 = 0; if r1 != 3 goto e; r0 = 1; e: exit`,
  "with functions, divisions of large numbers and counters of their own": `
    r6 = 0; r1 = 4; r2 = func cb; r3 = 0; r4 = 0; call bpf_loop; r0 += r6; exit
    cb: r6 = r1; call f; r0 = 0; r3 = 0
    l: may_goto e; r3 += 1; if r3 != 3 goto l
    e: exit
    f: r7 = 0x123456789abcdef ll; r8 = 0x1234567890 ll; r7 /= r8; r0 = r7; exit`,
  "inside rounds": `
    r1 = 3; r2 = func outer; r3 = 0; r4 = 0; call bpf_loop; exit
    outer: r6 = r1; r1 = 2; r2 = func inner; r3 = r6; r4 = 0; call bpf_loop; r0 += -2; exit
    inner: r0 = 0; exit`,
  none: "r6 = 3; r1 = 0; r2 = func cb; r3 = 0; r4 = 0; call bpf_loop; r0 += r6; exit; cb: r0 = 0; exit",
  "with flags that are not allowed": `
    r1 = 3; r2 = func cb; r3 = 0; r4 = 1; call bpf_loop; exit; cb: r0 = 0; exit`,
  "until an access that may not be made": `
    r1 = 3; r2 = func cb; r3 = 0; r4 = 0; call bpf_loop; exit
    cb: r0 = 0; if r1 != 1 goto e; r2 = 0; r0 = *(u64 *)(r2 + 0); e: exit`,
  "of a function deeper than allowed": `
    r1 = 3; r2 = func cb; r3 = 0; r4 = 0; call bpf_loop; exit
    cb: call cb; r0 = 0; exit`,
} as const;

describe("rounds of bpf_loop", () => {
  const harness = new Harness({ isProven: true, helpers: [BPF_LOOP] });
  const { machine } = harness;

  it.each(Object.entries(CASES))(
    "are what the helper's would be, at every end of a budget: %s",
    (_, source) => {
      const prog = harness.prepare(source);
      const { insnCount } = harness.run(prog);
      for (let budget = 1; budget <= insnCount + 1; budget++) {
        const { end, ...counts } = harness.run(prog, budget);
        const regs = [...machine.regs];
        machine.hooks = {};
        const expected = harness.run(prog, budget);
        machine.hooks = undefined;
        expect({ end, ...counts }).toEqual(expected);
        // After an exit the machine keeps the result alone.
        if (end.kind === "trap") expect(regs).toEqual([...machine.regs]);
      }
    },
  );

  it("give their number, and keep the caller's registers", () => {
    expect(harness.r0(CASES["as many as asked for"])).toBe(5n + 1n + 2n + 11n);
    expect(harness.r0(CASES["until one returns something"])).toBe(4n);
  });
});
