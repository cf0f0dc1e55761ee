import { describe, expect, it } from "vitest";
import { protoOf } from "../../abi/src/index.ts";
import { defineHelper, type Services } from "../../plugin/src/index.ts";
import { Stepper } from "../src/index.ts";
import { addArray, addProgArray, Harness } from "./support.ts";

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
const random = defineHelper({
  proto: protoOf(7)!,
  summary: "Random number.",
  raw(regs, env) {
    regs[0] = env.services.random.u32();
    regs[1] = 0;
  },
});
const tail = defineHelper({ proto: protoOf(12)!, summary: "Tail call.", raw: () => {} });

const PROGRAM = `
  r6 = 10
again:
  r1 = r6
  call f
  *(u64 *)(r10 - 8) = r0
  r6 += -1
  if r6 != 0 goto again
  r1 = 3; r2 = func cb; r3 = 0; r4 = 0
  call bpf_loop
  r7 = r0
  call bpf_get_prandom_u32
  r0 += r7
  exit
f: r1 *= 3; r0 = r1; exit
cb: r3 = r1; r0 = 0; exit`;

function create(code = PROGRAM): { harness: Harness; stepper: Stepper } {
  const harness = new Harness({ helpers: [loop, random, tail] });
  let seed = 1;
  harness.machine.env.services = {
    random: { u32: () => (seed = (seed * 1_103_515_245 + 12_345) >>> 1) },
  } as Services;
  const prog = harness.prepare(code);
  const stepper = new Stepper({
    machine: harness.machine,
    prog,
    context: { address: harness.ctx, packet: harness.packet },
  });
  return { harness, stepper };
}

/** All that can be seen of a state. */
function look({ harness, stepper }: ReturnType<typeof create>) {
  const { machine, memory } = harness;
  return {
    slot: stepper.slot,
    count: stepper.insnCount,
    depth: machine.depth,
    regs: [...machine.regs.slice(0, 22)].join(),
    stack: memory.u8.slice(machine.stackBase, machine.stackBase + 8192).join(),
    frames: stepper.frames().map(({ func, slot, isCallback }) => `${func}@${slot}${isCallback ? "*" : ""}`),
  };
}

describe("stepping forwards", () => {
  it("executes every instruction that the plain run executes, into calls and callbacks", () => {
    const it1 = create();
    const slots: number[] = [];
    while (!it1.stepper.isOver) {
      slots.push(it1.stepper.slot);
      it1.stepper.step();
    }
    const steps: number[] = [];
    it1.stepper.dispose();
    it1.harness.machine.hooks = { onStep: (_machine, _prog, slot) => steps.push(slot) };
    const plain = it1.harness.run(PROGRAM);
    expect(slots).toEqual(steps);
    expect(it1.stepper.stop.kind).toBe("exit");
    expect(it1.stepper.insnCount).toBe(plain.insnCount);
  });

  it("steps over calls and out of functions", () => {
    const { stepper } = create();
    stepper.step(2);
    expect(stepper.slot).toBe(2);
    expect(stepper.stepOver()).toEqual({ kind: "step" });
    expect([stepper.slot, stepper.machine.depth, stepper.reg(0)]).toEqual([3, 1, 30n]);
    stepper.back();
    expect([stepper.slot, stepper.machine.depth]).toEqual([18, 2]);
    stepper.back(2);
    expect(stepper.frames().map(({ func, slot }) => [func, slot])).toEqual([
      ["func_16", 16],
      ["test", 2],
    ]);
    stepper.stepOut();
    expect([stepper.slot, stepper.machine.depth]).toEqual([3, 1]);
  });

  it("steps over a helper with all its callbacks, and into it", () => {
    const { stepper } = create();
    stepper.addBreakpoint({ slot: 11 });
    stepper.continue();
    stepper.step();
    expect(stepper.isInCallback).toBe(true);
    expect(stepper.frames().map(({ func, slot, isCallback }) => [func, slot, isCallback])).toEqual([
      ["func_19", 19, true],
      ["test", 11, false],
    ]);
    expect(stepper.reg(1)).toBe(0n);
    stepper.step(3);
    expect([stepper.slot, stepper.reg(1)]).toEqual([19, 1n]);
    stepper.back(4);
    expect([stepper.slot, stepper.isInCallback]).toEqual([11, false]);
    stepper.stepOver();
    expect([stepper.slot, stepper.reg(0)]).toEqual([12, 3n]);
  });

  it("stops at the end with the result, and at a trap with the registers as they were", () => {
    const { stepper } = create("r6 = 5; r0 = 7; exit");
    expect(stepper.continue()).toEqual({ kind: "exit", r0: 7n });
    expect(stepper.step()).toEqual({ kind: "exit", r0: 7n });
    const trapped = create("r6 = 5; r1 = 0; r0 = *(u8 *)(r1 + 0); exit").stepper;
    expect(trapped.continue()).toMatchObject({ kind: "trap", trap: { code: "RUN_NULL" } });
    expect([trapped.slot, trapped.reg(6), trapped.insnCount]).toEqual([2, 5n, 3]);
    trapped.back();
    expect([trapped.slot, trapped.stop.kind]).toEqual([2, "step"]);
  });

  it("keeps to the budget", () => {
    const harness = new Harness();
    const prog = harness.prepare("r0 = 0; goto -1; exit");
    const context = { address: harness.ctx, packet: harness.packet };
    const stepper = new Stepper({ machine: harness.machine, prog, context, budget: 50 });
    expect(stepper.continue()).toMatchObject({ kind: "trap", trap: { code: "RUN_BUDGET" } });
    expect(stepper.insnCount).toBe(50);
  });
});

describe("stepping backwards", () => {
  it("meets every state again, callbacks and random numbers included", () => {
    const it1 = create();
    const states = [look(it1)];
    while (!it1.stepper.isOver) {
      it1.stepper.step();
      states.push(look(it1));
    }
    for (let count = states.length - 2; count >= 0; count--) {
      it1.stepper.back();
      expect(look(it1)).toEqual(states[count]);
    }
    expect(it1.stepper.stop).toEqual({ kind: "start" });
    for (const count of [40, 3, 70, 0, states.length - 1, 12]) {
      it1.stepper.goTo(count);
      expect(look(it1)).toEqual(states[count]);
    }
  });

  it("finds the last state in which a condition holds", () => {
    const { stepper } = create();
    stepper.continue();
    stepper.backUntil(({ slot, reg }) => slot === 1 && reg(6) === 4n);
    expect([stepper.slot, stepper.reg(6), stepper.stop.kind]).toEqual([1, 4n, "until"]);
    stepper.backUntil(() => false);
    expect([stepper.slot, stepper.stop.kind]).toEqual([0, "start"]);
  });

  it("finds the last change of a register and of memory", () => {
    const { stepper, harness } = create();
    stepper.continue();
    stepper.backToChange({ kind: "reg", reg: 6 });
    expect([stepper.slot, stepper.reg(6)]).toEqual([4, 1n]);
    stepper.backToChange({ kind: "memory", address: harness.machine.stackBase + 504, bytes: 8 });
    expect([stepper.slot, stepper.reg(0)]).toEqual([3, 3n]);
    stepper.backToChange({ kind: "reg", reg: 9 });
    expect(stepper.stop).toEqual({ kind: "start" });
  });

  it("drops effects and brings back maps and helpers' state", () => {
    const { stepper, harness } = create("r0 = 0; exit");
    stepper.dispose();
    const map = addArray(harness, { name: "cell", valueBytes: 8, maxEntries: 1 });
    const count = defineHelper({
      id: 0x1_0000,
      name: "note",
      summary: "x",
      args: [],
      returns: { kind: "void" },
      call(_args, env) {
        env.count("n");
        env.runState.set("notes", [...((env.runState.get("notes") as number[]) ?? []), 1]);
        return undefined;
      },
    });
    const own = new Harness({ helpers: [count], memory: harness.memory });
    own.maps.set("cell", map);
    const prog = own.prepare(
      "r1 = map_value[cell]; r2 = 5; *(u64 *)(r1 + 0) = r2; call note; call note; r0 = 0; exit",
    );
    const second = new Stepper({
      machine: own.machine,
      prog,
      context: { address: own.ctx, packet: own.packet },
    });
    second.continue();
    expect(own.machine.effects).toHaveLength(2);
    second.goTo(4);
    expect(own.machine.effects).toHaveLength(1);
    expect(own.machine.env.runState.get("notes")).toEqual([1]);
    second.goTo(2);
    expect(own.memory.u8[map.lookup(0, 0)]).toBe(0);
    second.step();
    expect(own.memory.u8[map.lookup(0, 0)]).toBe(5);
  });
});

describe("break- and watchpoints", () => {
  it("stop before their instruction, again and again, at full speed and with conditions", () => {
    const { stepper } = create();
    const plain = stepper.addBreakpoint({ slot: 3 });
    for (const r0 of [30n, 27n, 24n]) {
      expect(stepper.continue()).toEqual({ kind: "breakpoint", id: plain.id });
      expect([stepper.slot, stepper.reg(0)]).toEqual([3, r0]);
    }
    stepper.remove(plain.id);
    const conditional = stepper.addBreakpoint({ slot: 3, condition: ({ reg }) => reg(6) === 2n });
    expect(stepper.continue()).toEqual({ kind: "breakpoint", id: conditional.id });
    expect(stepper.reg(0)).toBe(6n);
    expect(stepper.backContinue().kind).toBe("start");
  });

  it("may share an instruction and leave it as it was", () => {
    const { stepper } = create();
    const plain = stepper.addBreakpoint({ slot: 3 });
    const other = stepper.addBreakpoint({ slot: 3 });
    for (const r0 of [30n, 27n]) {
      expect(stepper.continue()).toEqual({ kind: "breakpoint", id: plain.id });
      expect(stepper.reg(0)).toBe(r0);
    }
    stepper.remove(plain.id);
    stepper.remove(other.id);
    expect(stepper.continue().kind).toBe("exit");
  });

  it("stop inside callbacks and in programs that a tail call entered", () => {
    const { stepper } = create();
    const inCallback = stepper.addBreakpoint({ slot: 20 });
    expect(stepper.continue()).toEqual({ kind: "breakpoint", id: inCallback.id });
    expect([stepper.isInCallback, stepper.reg(3)]).toEqual([true, 0n]);
    expect(stepper.continue()).toEqual({ kind: "breakpoint", id: inCallback.id });
    expect(stepper.reg(3)).toBe(1n);

    const harness = new Harness({ helpers: [tail] });
    const target = harness.prepare("r0 = 1; r0 = 2; exit");
    addProgArray(harness, "jumps", [target]);
    const prog = harness.prepare("r2 = map[jumps]; r3 = 0; call bpf_tail_call; r0 = 0; exit");
    const second = new Stepper({
      machine: harness.machine,
      prog,
      context: { address: harness.ctx, packet: harness.packet },
    });
    second.addBreakpoint({ slot: 1, prog: target });
    second.continue();
    expect([second.slot, second.prog === target.prog, second.reg(0)]).toEqual([1, true, 1n]);
    expect(second.step(2)).toEqual({ kind: "exit", r0: 2n });
  });

  it("watch registers and memory", () => {
    const { stepper, harness } = create();
    const reg = stepper.addWatchpoint({ kind: "reg", reg: 6 });
    expect(stepper.continue()).toEqual({ kind: "watchpoint", id: reg.id, before: 0n, after: 10n });
    expect(stepper.continue()).toEqual({ kind: "watchpoint", id: reg.id, before: 10n, after: 9n });
    expect(stepper.slot).toBe(5);
    stepper.remove(reg.id);
    const memory = stepper.addWatchpoint({
      kind: "memory",
      address: harness.machine.stackBase + 504,
      bytes: 8,
    });
    expect(stepper.continue()).toEqual({ kind: "watchpoint", id: memory.id, before: 30n, after: 27n });
    expect(stepper.backContinue().kind).toBe("until");
    expect(stepper.slot).toBe(3);
  });

  it("give the code back unchanged", () => {
    const { stepper, harness } = create();
    stepper.addBreakpoint({ slot: 3 });
    stepper.continue();
    stepper.dispose();
    expect(harness.run(PROGRAM).end.kind).toBe("exit");
  });

  it("are refused where they cannot be", () => {
    const { stepper } = create();
    expect(() => stepper.addBreakpoint({ slot: 99 })).toThrow(/no instruction starts at slot 99/);
    expect(() => stepper.addBreakpoint({ slot: 8 })).toThrow(/slot 8/);
    expect(() => stepper.addWatchpoint({ kind: "reg", reg: 11 })).toThrow(/register 11/);
    expect(() => stepper.addWatchpoint({ kind: "memory", address: 1, bytes: 9 })).toThrow(/9 bytes/);
  });
});

describe("changing the state", () => {
  it("goes on from the change and forgets what came after", () => {
    const { stepper } = create("r6 = 1; r6 += 1; r6 += 1; r0 = r6; exit");
    stepper.continue();
    stepper.goTo(2);
    stepper.setReg(6, 100n);
    expect(stepper.continue()).toEqual({ kind: "exit", r0: 101n });
    stepper.goTo(2);
    expect(stepper.reg(6)).toBe(100n);
    stepper.goTo(1);
    expect(stepper.reg(6)).toBe(1n);
    expect(stepper.continue()).toEqual({ kind: "exit", r0: 3n });
  });

  it("is seen by searches that go back past it", () => {
    const { stepper } = create("r6 = 1; r7 = 1; r8 = 1; r0 = r6; exit");
    stepper.goTo(3);
    stepper.setReg(6, 50n);
    stepper.step();
    stepper.backToChange({ kind: "reg", reg: 7 });
    expect(stepper.insnCount).toBe(1);
    const second = create("r6 = 1; r7 = 1; r8 = 1; r0 = r6; exit").stepper;
    second.goTo(3);
    second.setReg(6, 50n);
    second.step();
    second.addWatchpoint({ kind: "reg", reg: 0 });
    expect(second.backContinue().kind).toBe("until");
    expect([second.insnCount, second.reg(6)]).toEqual([3, 50n]);
    expect(second.continue()).toMatchObject({ kind: "watchpoint", after: 50n });
  });

  it("goes on with another program", () => {
    const { stepper, harness } = create("r0 = 1; r0 += 1; exit");
    stepper.step();
    stepper.replaceProg(harness.prepare("r0 = 1; r0 += 41; exit"));
    expect(stepper.continue()).toEqual({ kind: "exit", r0: 42n });
  });

  it("is refused inside a callback", () => {
    const { stepper } = create();
    stepper.addBreakpoint({ slot: 19 });
    stepper.continue();
    expect(() => stepper.setReg(1, 0n)).toThrow(/inside a callback/);
  });
});

describe("long runs", () => {
  it("go back quickly and keep few checkpoints", () => {
    const { stepper } = create("r1 = 300000; r0 = 0; r0 += 2; r1 += -1; if r1 != 0 goto -3; exit");
    expect(stepper.continue()).toEqual({ kind: "exit", r0: 600_000n });
    expect(stepper.insnCount).toBe(900_003);
    stepper.back();
    expect([stepper.slot, stepper.reg(0)]).toEqual([5, 600_000n]);
    stepper.goTo(450_000);
    expect(stepper.insnCount).toBe(450_000);
    stepper.backUntil(({ reg }) => reg(1) === 299_990n);
    expect(stepper.insnCount).toBe(2 + 3 * 10 + 1);
  });
});
