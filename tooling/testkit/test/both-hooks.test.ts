import { interpreter } from "@tsbpf/interpreter";
import { createJit } from "@tsbpf/jit";
import { arg, defineHelper, ret } from "@tsbpf/plugin";
import type { CallEvent, RunHooks } from "@tsbpf/runtime";
import { createVm } from "@tsbpf/vm";
import { describe, expect, it } from "vitest";
import { Random } from "../../fuzz/src/random.ts";
import { randomProg } from "../../fuzz/src/random-prog.ts";
import { bothEngines, loadFor } from "../src/index.ts";

const CALLS = `
  r6 = r1
  call bpf_get_prandom_u32
  r7 = r0
  call bpf_get_smp_processor_id
  r0 += r7
  call f
  exit
f:
  r0 += 1
  exit`;

describe("hooks", () => {
  it("hear of every call that leaves the program, with its registers", () => {
    const heard = [interpreter, createJit()].map((engine) => {
      const events: unknown[] = [];
      const note =
        (what: string) =>
        (_machine: unknown, { slot, target }: CallEvent, regs: Int32Array) => {
          // Calls within the program stay within generated code.
          if (target.kind !== "subprog")
            events.push([what, slot, target.kind, [...regs.subarray(0, 2)], regs[12]]);
        };
      const hooks: RunHooks = { onCall: note("call"), onReturn: note("return") };
      const prog = loadFor(createVm(), engine, CALLS, { verify: "off" });
      prog.run({ packet: new Uint8Array(64) }, { hooks });
      return events;
    });
    expect(heard[0]).toHaveLength(4);
    expect(heard[1]).toEqual(heard[0]);
  });
});

describe("hooks of programs that change maps", () => {
  const SOURCE = `
    *(u32 *)(r10 - 4) = 1
    *(u64 *)(r10 - 16) = 7
    r1 = map[h] ll
    r2 = r10
    r2 += -4
    r3 = r10
    r3 += -16
    r4 = 0
    call bpf_map_update_elem
    r1 = map[h] ll
    r2 = r10
    r2 += -4
    call bpf_map_delete_elem
    exit`;

  it.each([false, true])("hear of updates and deletions, shared memory: %s", (isShared) => {
    const heard = [interpreter, createJit()].map((engine) => {
      const slots: number[] = [];
      const vm = createVm({ memory: { isShared } });
      vm.createMap("h", { type: "hash", keySize: 4, valueSize: 8, maxEntries: 2 });
      const prog = loadFor(vm, engine, SOURCE, { isProven: true, verify: "off" });
      const hooks: RunHooks = { onCall: (_machine, { slot }) => slots.push(slot) };
      const { r0, trap } = prog.run({ packet: new Uint8Array(64) }, { hooks });
      return { slots, r0, trap };
    });
    expect(heard[0]).toMatchObject({ slots: [9, 14], r0: 0n, trap: undefined });
    expect(heard[1]).toEqual(heard[0]);
  });
});

const INPUTS = [{ packet: new Uint8Array(64) }];

describe("helpers with a lowering of their own", () => {
  const mix = defineHelper({
    id: 0x1_0001,
    name: "mix",
    summary: "Mixes two words.",
    args: [arg.u32("a"), arg.s32("b")],
    returns: ret.u64(),
    raw: (regs) => {
      const mixed = Math.imul(regs[2]!, 31) ^ regs[4]!;
      regs[0] = mixed;
      regs[1] = mixed >> 31;
    },
    wasm: { kind: "words", result: "s32", bind: () => (a, b) => Math.imul(a!, 31) ^ b! },
  });

  it("give what the implementation gives", () => {
    const source =
      "r1 = 0x123456789 ll\nr2 = -5\ncall 0x10001\nr6 = r0\nr1 = 7\nr2 = 9\ncall 0x10001\nr0 += r6\nexit";
    const { interpreter: one, jit } = bothEngines({
      source,
      inputs: INPUTS,
      vm: { helpers: [mix] },
      isProven: true,
    });
    expect(jit.runs).toEqual(one.runs);
  });

  it("end a run as the implementation would when they throw", () => {
    const fail = defineHelper({
      ...{ id: 0x1_0002, name: "fail", summary: "Fails.", args: [], returns: ret.u64() },
      raw: () => {
        throw new Error("no");
      },
      wasm: {
        kind: "words",
        result: "u32",
        bind: () => () => {
          throw new Error("no");
        },
      },
    });
    const { interpreter: one, jit } = bothEngines({
      source: "r0 = 1\ncall 0x10002\nexit",
      inputs: INPUTS,
      vm: { helpers: [fail] },
    });
    expect(one.runs[0]).toMatchObject({ trap: { code: "RUN_HELPER_THREW", slot: 1 }, insnCount: 2 });
    expect(jit.runs).toEqual(one.runs);
  });
});

describe("shared memory", () => {
  it("gets real atomics that do the same", () => {
    for (let seed = 1; seed <= 60; seed++) {
      const { interpreter: one, jit } = bothEngines({
        source: randomProg({ seed, funcsMax: 1 }),
        inputs: [{ packet: Uint8Array.from({ length: 60 }, (_, i) => i) }],
        budget: new Random(seed).pick([100, 1000]),
        vm: { memory: { initialBytes: 1 << 18, maxBytes: 1 << 24, isShared: true }, maxPacketBytes: 2048 },
      });
      expect(jit.runs, `seed ${seed}`).toEqual(one.runs);
      expect(Buffer.compare(jit.memory, one.memory), `seed ${seed}`).toBe(0);
    }
  });
});
