import { TrapError } from "@tsbpf/base";
import { canAccess, LinearMemory } from "@tsbpf/memory";
import type { Services } from "@tsbpf/plugin";
import { describe, expect, it } from "vitest";
import {
  backtrace,
  beginRun,
  createMachine,
  DEFAULT_BUDGET,
  type EngineProg,
  FRAME_STRIDE_BYTES,
  FRAMES_MAX,
  framePointerOf,
  locateTrap,
  popFrame,
  pushFrame,
  recordServices,
  restoreMachine,
  runProg,
  saveMachine,
  toEngineProg,
  trap,
} from "../src/index.ts";
import { CALL, createWorld, EXIT, fakeProg, getReg, link, MOV, setReg, specOf } from "./support.ts";

const prog = link(specOf([CALL(1), EXIT, EXIT]));
const context = { address: 4096, packet: undefined };

describe("frames", () => {
  it("keep r6..r9 and give r10 its own place", () => {
    const { machine, regs } = createWorld();
    beginRun(
      machine,
      fakeProg(prog, () => {}),
      context,
    );
    machine.depth = 1;
    [6, 7, 8, 9].forEach((reg) => {
      setReg(regs, reg, BigInt(reg) << 33n);
    });
    pushFrame(machine, regs, 5);
    expect(machine.depth).toBe(2);
    expect(getReg(regs, 10)).toBe(BigInt(machine.stackBase + FRAME_STRIDE_BYTES + 512));
    [6, 7, 8, 9].forEach((reg) => {
      setReg(regs, reg, 0);
    });
    expect(popFrame(machine, regs)).toBe(5);
    expect([6, 7, 8, 9].map((reg) => getReg(regs, reg))).toEqual([6n, 7n, 8n, 9n].map((reg) => reg << 33n));
    expect(getReg(regs, 10)).toBe(BigInt(framePointerOf(machine, 1)));
  });

  it("end at the ninth of a program", () => {
    const { machine, regs } = createWorld();
    beginRun(
      machine,
      fakeProg(prog, () => {}),
      context,
    );
    machine.depth = 1;
    for (let i = 0; i < 7; i++) pushFrame(machine, regs, 0);
    expect(() => pushFrame(machine, regs, 0)).toThrow(/frame 9, 8 allowed/);
    expect(FRAMES_MAX).toBe(239);
  });
});

describe("stack slack", () => {
  it("lets programs reach a little above each frame, and is 0 by default", () => {
    const memory = new LinearMemory({ initialBytes: 1 << 20 });
    const options = { memory, services: {} as Services, mapAt: () => undefined };
    const plain = createMachine(options);
    const slack = createMachine({ ...options, stackSlackBytes: 8 });
    const top = (machine: typeof plain) => framePointerOf(machine, 1) - 4;
    expect(canAccess(memory, top(plain), 8, 3)).toBe(false);
    expect(canAccess(memory, top(slack), 8, 3)).toBe(true);
    expect(canAccess(memory, top(slack) + 1 + 4, 8, 3)).toBe(false);
  });
});

describe("a run", () => {
  it("starts with counters, effects and run state of its own", () => {
    const { machine } = createWorld();
    machine.env.count("before");
    machine.env.runState.set("x", 1);
    machine.tailCallCount = 5;
    beginRun(
      machine,
      fakeProg(prog, () => {}),
      context,
    );
    expect(machine).toMatchObject({ depth: 0, tailCallCount: 0, insnCount: 0, budgetLeft: DEFAULT_BUDGET });
    expect(machine.effects).toEqual([]);
    expect(machine.env.runState.size).toBe(0);
    expect(machine.env).toMatchObject({ ctxAddress: 4096, progType: "xdp", packet: undefined });
  });

  it("gives r0, counts and effects; a trap is a result, everything else is thrown", () => {
    const { machine } = createWorld();
    const running = (run: () => void): EngineProg => ({ ...fakeProg(prog, () => {}), run });
    const done = runProg(
      machine,
      running(() => {
        setReg(machine.regs, 0, -1);
        machine.insnCount = 3;
        machine.env.count("hit");
      }),
      context,
    );
    expect(done).toMatchObject({ end: { kind: "exit", r0: 0xffff_ffff_ffff_ffffn }, insnCount: 3 });
    expect(done.effects).toEqual([{ kind: "count", name: "hit", value: 1 }]);
    const failing = (error: Error) =>
      runProg(
        machine,
        running(() => {
          throw error;
        }),
        context,
      );
    expect(failing(trap("RUN_BOUNDS", "out")).end).toMatchObject({
      kind: "trap",
      trap: { code: "RUN_BOUNDS" },
    });
    expect(() => failing(new TypeError("ours"))).toThrow("ours");
  });

  it("zeroes the stack of programs without proofs that use it", () => {
    const { machine, memory } = createWorld();
    const at = machine.stackBase + 8;
    const stackProg = link(specOf([MOV(1, 0), { op: 0x7b, dst: 10, src: 1, off: -8, imm: 0 }, EXIT]));
    memory.u8[at] = 1;
    beginRun(
      machine,
      fakeProg(prog, () => {}),
      context,
    );
    expect(memory.u8[at]).toBe(1);
    beginRun(
      machine,
      fakeProg(stackProg, () => {}),
      context,
    );
    expect(memory.u8[at]).toBe(0);
  });

  it("says nothing of effects when nobody records", () => {
    const { machine } = createWorld();
    const quiet = { ...machine.env.effects, isOn: false };
    expect(machine.env.effects.isOn).toBe(true);
    expect(quiet.isOn).toBe(false);
  });
});

describe("programs in program arrays", () => {
  it("are engine programs, or have one", () => {
    const own = fakeProg(prog, () => {});
    expect(toEngineProg(own)).toBe(own);
    expect(toEngineProg({ engineProg: own })).toBe(own);
    expect(toEngineProg(undefined)).toBeUndefined();
    expect(toEngineProg(5)).toBeUndefined();
    expect(toEngineProg({ name: "x" })).toBeUndefined();
  });
});

describe("saving a machine", () => {
  it("brings back registers, frames, counters, effects and helpers' state", () => {
    const { machine, memory, alloc, regs } = createWorld();
    const address = alloc(8, "cell");
    beginRun(
      machine,
      fakeProg(prog, () => {}),
      context,
    );
    machine.depth = 1;
    setReg(regs, 6, 66);
    machine.env.count("first");
    machine.env.runState.set("notes", { list: [1], bytes: new Uint8Array([7]), map: new Map([["a", [2]]]) });
    const saved = saveMachine(machine);
    pushFrame(machine, regs, 9);
    setReg(regs, 6, 0);
    memory.u8[address] = 5;
    machine.insnCount = 100;
    machine.env.count("second");
    const notes = machine.env.runState.get("notes") as {
      list: number[];
      bytes: Uint8Array;
      map: Map<string, number[]>;
    };
    notes.list.push(2);
    notes.bytes[0] = 8;
    notes.map.get("a")?.push(3);
    for (let i = 0; i < 2; i++) {
      restoreMachine(machine, saved);
      expect(machine).toMatchObject({ depth: 1, insnCount: 0 });
      expect(getReg(regs, 6)).toBe(66n);
      expect(memory.u8[address]).toBe(0);
      expect(machine.effects).toEqual([{ kind: "count", name: "first", value: 1 }]);
      const back = machine.env.runState.get("notes") as typeof notes;
      expect([back.list, [...back.bytes], back.map.get("a")]).toEqual([[1], [7], [2]]);
      back.list.push(9);
    }
  });
});

describe("recorded services", () => {
  it("answer the same again from a position on", () => {
    let time = 0n;
    let seed = 0;
    const clock = {
      ktimeNs: () => ++time,
      bootNs: () => ++time,
      coarseNs: () => ++time,
      taiNs: () => ++time,
      jiffies: () => ++time,
    };
    const recorded = recordServices({
      clock,
      random: { u32: () => ++seed },
      numaNode: 3,
    } as unknown as Services);
    const { services } = recorded;
    const ask = () => [
      services.clock.ktimeNs(),
      services.random.u32(),
      services.clock.jiffies(),
      services.clock.bootNs(),
    ];
    const first = ask();
    const position = recorded.position();
    const second = ask();
    expect(services.numaNode).toBe(3);
    recorded.rewind(0);
    expect(ask()).toEqual(first);
    expect(ask()).toEqual(second);
    recorded.rewind(position);
    recorded.forgetFrom(position);
    expect(ask()).not.toEqual(second);
    expect([services.clock.coarseNs(), services.clock.taiNs()]).toHaveLength(2);
  });
});

describe("back-traces", () => {
  it("name functions and calls, innermost first, callbacks included", () => {
    const { machine, regs } = createWorld();
    const own = fakeProg(prog, () => {});
    beginRun(machine, own, context);
    machine.depth = 1;
    pushFrame(machine, regs, 1);
    pushFrame(machine, regs, -1);
    const frames = backtrace(machine, [
      { prog: own, slot: 2 },
      { prog: own, slot: 2 },
    ]);
    expect(frames.map(({ idx, func, slot, isCallback }) => [idx, func, slot, isCallback])).toEqual([
      [2, "func_2", 2, true],
      [1, "func_2", 2, false],
      [0, "test", 0, false],
    ]);
    expect(backtrace(machine, [{ prog: own, slot: 2 }])[1]?.slot).toBeUndefined();
  });
});

describe("places of traps", () => {
  it("are added once", () => {
    const place = { slot: 3, op: 0x79, prog: "p" };
    const located = locateTrap(trap("RUN_NULL", "text", { lo: 1 }), place);
    expect(located).toBeInstanceOf(TrapError);
    expect(located.message).toBe("text, at slot 3");
    expect(located.details).toEqual({ lo: 1, ...place });
    expect(locateTrap(located, { ...place, slot: 9 })).toBe(located);
  });
});
