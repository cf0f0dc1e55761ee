import type { CallEvent, MemAccess, RunHooks } from "@tsbpf/runtime";
import { describe, expect, it } from "vitest";
import { protoOf } from "../../abi/src/index.ts";
import { defineHelper } from "../../plugin/src/index.ts";
import { Harness } from "./support.ts";

const loop = defineHelper({
  proto: protoOf(181)!,
  summary: "Calls a function n times.",
  raw(regs, env) {
    let done = 0;
    while (done < regs[2]! && env.callBack(regs[4]!, regs[5]!, [done++, 0, 0, 0]) === 0);
    regs[0] = done;
    regs[1] = 0;
  },
});
const harness = new Harness({ helpers: [loop] });

const PROGRAM = `
  r6 = 0x1234567812345678 ll
  *(u64 *)(r10 - 8) = 3
again:
  r1 = r10; r1 += -8
  call f
  r6 ^= r0
  r2 = *(u64 *)(r10 - 8)
  if r2 != 0 goto again
  r1 = 2; r2 = func cb; r3 = 0; r4 = 0
  call bpf_loop
  r0 = r6
  exit
f: r0 = *(u64 *)(r1 + 0); r0 += -1; *(u64 *)(r1 + 0) = r0; r0 *= 17; exit
cb: r0 = 0; exit`;

interface Step {
  readonly slot: number;
  readonly depth: number;
  readonly regs: readonly number[];
  readonly stack: string;
}

const stackText = (): string => {
  const { memory, machine } = harness;
  return memory.u8.slice(machine.stackBase, machine.stackBase + 8192).join();
};

function trace(): { steps: Step[]; insnCount: number } {
  const steps: Step[] = [];
  const hooks: RunHooks = {
    onStep: (machine, _prog, slot, regs) =>
      steps.push({ slot, depth: machine.depth, regs: [...regs.slice(0, 22)], stack: stackText() }),
  };
  harness.machine.hooks = hooks;
  try {
    const { end, insnCount } = harness.run(PROGRAM);
    expect(end.kind).toBe("exit");
    return { steps, insnCount };
  } finally {
    harness.machine.hooks = undefined;
  }
}

describe("the instruction count and the budget", () => {
  const { steps, insnCount } = trace();

  it("counts one for each executed instruction, wide loads included", () => {
    expect(steps).toHaveLength(insnCount);
    expect(harness.run(PROGRAM).insnCount).toBe(insnCount);
    expect(harness.run("r0 = 1 ll; goto +0; if r0 == 1 goto +0; exit").insnCount).toBe(4);
  });

  it("ends a run before each instruction in turn, with exactly the state so far", () => {
    const prog = harness.prepare(PROGRAM);
    for (let budget = 0; budget < insnCount; budget++) {
      const result = harness.run(prog, budget);
      const step = steps[budget]!;
      expect(result.insnCount).toBe(budget);
      expect(result.end.kind === "trap" && result.end.trap.code).toBe("RUN_BUDGET");
      expect(result.end.kind === "trap" && result.end.trap.details.slot).toBe(step.slot);
      expect([...harness.machine.regs.slice(0, 22)]).toEqual(step.regs);
      expect(stackText()).toBe(step.stack);
    }
    expect(harness.run(prog, insnCount).end.kind).toBe("exit");
  });

  it("counts an instruction that traps", () => {
    expect(harness.run("r0 = 0; r0 = *(u64 *)(r0 + 0); exit").insnCount).toBe(2);
  });

  it("lasts longer than one turn of the loop", () => {
    const code = "r1 = 200000; r0 = 0; r0 += 2; r1 += -1; if r1 != 0 goto -3; exit";
    expect(harness.run(code)).toMatchObject({ end: { kind: "exit", r0: 400_000n }, insnCount: 600_003 });
  });
});

describe("hooks", () => {
  it("tell of calls of every kind, accesses and exits, and change nothing", () => {
    const calls: string[] = [];
    const returns: string[] = [];
    const accesses: MemAccess[] = [];
    const exits: number[] = [];
    const plain = harness.run(PROGRAM);
    const name = ({ target }: CallEvent): string => target.kind;
    harness.machine.hooks = {
      onCall: (_machine, event) => calls.push(name(event)),
      onReturn: (_machine, event) => returns.push(name(event)),
      onMem: (_machine, access) => accesses.push(access),
      onExit: (machine) => exits.push(machine.depth),
    };
    const hooked = harness.run(PROGRAM);
    harness.machine.hooks = undefined;
    expect(hooked).toEqual(plain);
    expect(calls).toEqual(["subprog", "subprog", "subprog", "helper"]);
    expect(returns).toEqual(["helper"]);
    expect(exits).toEqual([2, 2, 2, 2, 2, 1]);
    expect(accesses).toHaveLength(1 + 3 * 3);
    const top = harness.machine.stackBase + 512;
    expect(accesses[0]).toEqual({ slot: 2, lo: top - 8, hi: 0, sizeBytes: 8, kind: "store" });
  });

  it("trap where the plain run traps", () => {
    const code = "r1 = 1; r2 = func cb; r3 = 0; r4 = 0; call bpf_loop; exit\ncb: r0 = *(u8 *)(r5 + 1); exit";
    const plain = harness.trap(code);
    harness.machine.hooks = { onStep: () => {} };
    const hooked = harness.trap(code);
    harness.machine.hooks = undefined;
    expect(hooked.message).toBe(plain.message);
    expect(hooked.details).toEqual(plain.details);
  });
});
