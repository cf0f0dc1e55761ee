import { describe, expect, it } from "vitest";
import { Stepper } from "../src/index.ts";
import { keptCounts } from "../src/kept.ts";
import { Harness } from "./support.ts";

/** Functions that change none, one, two, three and the last of r6..r9, called one in the other. */
const CALLS = `
  r6 = 6; r7 = 7; r8 = 8; r9 = 9; r1 = 1
  call one
  r0 += r6; r0 += r7; r0 += r8; r0 += r9
  exit
one:
  r6 = r1; r1 += 1
  call two
  r0 += r6
  exit
two:
  r6 = 100; r7 = r1
  call three
  call last
  r0 += r7; r0 += r6
  exit
three:
  r6 = 1; r7 = 1; r8 = 1
  r1 = 3
  call none
  exit
last:
  r9 = r0
  r0 = r9
  exit
none:
  r0 = r1
  r0 += r1
  exit`;

describe("registers that calls keep", () => {
  const harness = new Harness({ isProven: true });
  const expected = 6n + 7n + 8n + 9n + 1n + 2n + 100n + 6n;

  it("are those that a function changes, as far as the short way goes", () => {
    expect(keptCounts(harness.prepare(CALLS).prog)).toEqual([undefined, 1, 2, undefined, undefined, 0]);
  });

  it("are those of a function that loops by a counter of its frame, or that gives its frame away", () => {
    const prog = harness.prepare("call f; call g; exit; f: may_goto l; l: r0 = 0; exit; g: callx r1; exit");
    expect(keptCounts(prog.prog)).toEqual([0, undefined, undefined]);
  });

  it("come back wherever a stepper takes over", () => {
    const prog = harness.prepare(CALLS);
    expect(harness.r0(prog)).toBe(expected);
    for (let slot = 1; slot < prog.prog.insns.length; slot++) {
      const context = { address: harness.ctx, packet: harness.packet };
      const stepper = new Stepper({ machine: harness.machine, prog, context });
      stepper.addBreakpoint({ slot });
      expect(stepper.continue().kind).toBe("breakpoint");
      harness.machine.hooks = {};
      while (!stepper.isOver) stepper.step();
      harness.machine.hooks = undefined;
      expect(stepper.reg(0)).toBe(expected);
      stepper.dispose();
    }
  });

  it("come back at every end of a budget", () => {
    const prog = harness.prepare(CALLS);
    const { insnCount } = harness.run(prog);
    for (let budget = 1; budget < insnCount; budget++) {
      harness.run(prog, budget);
      const regs = [...harness.machine.regs];
      harness.machine.hooks = {};
      harness.run(prog, budget);
      harness.machine.hooks = undefined;
      expect(regs).toEqual([...harness.machine.regs]);
    }
  });
});

describe("pairs in a row", () => {
  const harness = new Harness({ isProven: true });
  const PAIRS = `
    r6 = r1; r7 = 3; r8 = 0; r0 = 0
    l: r1 = r7; r1 &= 1
    if r1 == 0 goto even
    w2 = 0x1234
    *(u32 *)(r10 - 8) = r2
    r3 = *(u32 *)(r10 - 8)
    *(u32 *)(r10 - 16) = r3
    r3 = *(u16 *)(r10 - 8)
    *(u16 *)(r10 - 14) = r3
    r3 = *(u8 *)(r10 - 8)
    if w3 != 0x34 goto even
    r4 = *(u32 *)(r10 - 16)
    r0 += r4
    even: r3 = r7
    r3 *= r7
    r3 += 5
    r4 = r3; r4 <<= 3; r4 ^= r7
    w5 = w4; w5 ^= w3
    w3 = w5; w3 >>= 2
    r0 += r3
    r1 = r0; r2 = r7
    call f
    r7 += -1
    if r7 != 0 goto l
    exit
    f: r0 = r1
    r0 += r2
    exit`;

  it("do what they do one by one, at every end of a budget", () => {
    const prog = harness.prepare(PAIRS);
    const { insnCount, end } = harness.run(prog);
    expect(end.kind).toBe("exit");
    for (let budget = 1; budget <= insnCount; budget++) {
      const fused = harness.run(prog, budget);
      const regs = [...harness.machine.regs];
      harness.machine.hooks = {};
      const single = harness.run(prog, budget);
      harness.machine.hooks = undefined;
      expect(fused.insnCount).toBe(single.insnCount);
      expect(regs).toEqual([...harness.machine.regs]);
    }
  });
});
