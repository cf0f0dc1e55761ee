import type { VerifiedFacts } from "@tsbpf/abi";
import { FRAME } from "@tsbpf/runtime";
import { describe, expect, it } from "vitest";
import type { BpfMap, HelperPlugin } from "../../plugin/src/index.ts";
import type { InterpreterProg } from "../src/prog.ts";
import { addArray, Harness } from "./support.ts";

const PROGRAMS = {
  "all in the loop": "r0 = 7; r1 = 5; call f; exit; f: r0 = r1; r0 *= 3; exit",
  "a division of large numbers": "r0 = 0x123456789abcdef ll; r1 = 0x1234567890 ll; r0 /= r1; exit",
  "more instructions than one turn of the loop": `
    r0 = 0; r6 = 70000; r7 = 0x123456789abcdef ll; r8 = 0x1234567890 ll
    l: r0 += 1; if r0 != 40000 goto n; r7 /= r8; n: if r0 != r6 goto l; r0 += r7; exit`,
  "functions deeper than allowed": "r1 = 0; call f; exit; f: call f; exit",
  "an address outside the memory": "r0 = 0; r1 = -8; r0 = *(u64 *)(r1 + 0); exit",
  "an address outside it in a function":
    "r6 = 4; r1 = 1; call f; exit; f: r6 = 5; *(u32 *)(r1 + 0) = r6; r0 = 0; exit",
} as const;

describe("an entry of its own", () => {
  const harness = new Harness({ isProven: true });
  const { machine, ctx } = harness;

  /** Runs a program by its entry as a host does. */
  function enter(prog: InterpreterProg) {
    const entry = prog.makeEntry(machine, ctx);
    if (entry === undefined) throw new Error("no entry");
    const ends = [0, 1].map(() => {
      machine.counter = entry.count;
      try {
        const r0 = entry.run();
        return { r0, insnCount: machine.insnCount };
      } catch (thrown) {
        return { trap: entry.endOf(thrown), insnCount: machine.insnCount };
      }
    });
    expect(ends[0]).toEqual(ends[1]);
    expect(entry.count()).toBe(ends[0]?.insnCount);
    expect(machine.depth).toBe(0);
    return ends[0];
  }

  it.each(Object.entries(PROGRAMS))("ends as a run does: %s", (_, source) => {
    const prog = harness.prepare(source);
    const { end, insnCount } = harness.run(prog);
    const expected = end.kind === "exit" ? { r0: Number(BigInt.asIntN(32, end.r0)) } : { trap: end.trap };
    expect(enter(prog)).toEqual({ ...expected, insnCount });
    expect(harness.run(prog)).toMatchObject({ end, insnCount });
  });

  it("finds the memory after it has grown", () => {
    const prog = harness.prepare("r0 = *(u32 *)(r1 + 4); exit");
    const entry = prog.makeEntry(machine, ctx);
    harness.memory.view.setUint32(ctx + 4, 11, true);
    expect(entry?.run()).toBe(11);
    harness.memory.ensureHeadroom(1 << 22);
    harness.memory.view.setUint32(ctx + 4, 12, true);
    expect(entry?.run()).toBe(12);
    expect(entry?.count()).toBe(2);
  });

  it("begins the counter of may_goto anew", () => {
    const entry = harness
      .prepare("r0 = 0; l: may_goto e; r0 += 1; if r0 != 10 goto l; e: exit")
      .makeEntry(machine, ctx);
    machine.frames.words[FRAME.loopsLeft] = 3;
    expect(entry?.run()).toBe(10);
  });
});

describe("an entry", () => {
  /** What `lookup` of the map does, and how often it has. */
  const setUp = (lookup: (harness: Harness) => number) => {
    const helper = {
      proto: {
        id: 1,
        name: "bpf_map_lookup_elem",
        args: [
          { name: "map", kind: "map" },
          { name: "key", kind: "map_key" },
        ],
        ret: { kind: "map_value_or_null" },
      },
      args: [],
      raw: () => {},
      wasm: { kind: "intrinsic", name: "map_lookup_elem" },
    } as unknown as HelperPlugin;
    const harness = new Harness({ isProven: true, helpers: [helper] });
    const map = addArray(harness, { name: "m" }) as { -readonly [K in keyof BpfMap]: BpfMap[K] };
    map.lookup = () => lookup(harness);
    const { prog } = harness.prepare("r1 = map[m]; r2 = r10; call map_lookup_elem; r0 = 5; exit");
    const facts = { ...(prog.facts as VerifiedFacts), callMapIdx: new Map([[3, 0]]) };
    return { harness, prog: harness.prepareLinked({ ...prog, facts } as typeof prog) };
  };

  it("tells where a map threw, and can be entered again", () => {
    let mayThrow = true;
    const { harness, prog } = setUp(() => {
      if (mayThrow) throw new Error("no map today");
      return 0;
    });
    const entry = prog.makeEntry(harness.machine, harness.ctx);
    let end: unknown;
    try {
      entry?.run();
    } catch (thrown) {
      end = entry?.endOf(thrown);
    }
    expect(end).toMatchObject({ code: "RUN_HELPER_THREW", details: { slot: 3 } });
    expect(entry?.count()).toBe(3);
    mayThrow = false;
    expect(entry?.run()).toBe(5);
    expect(entry?.count()).toBe(5);
  });

  it("may be used while another run waits for a helper", () => {
    let depth = 0;
    const results: unknown[] = [];
    const { harness, prog } = setUp(({ machine, ctx }) => {
      if (depth++ === 0) {
        const inner = prog.makeEntry(machine, ctx);
        results.push(inner?.run(), inner?.count());
      }
      return 0;
    });
    const entry = prog.makeEntry(harness.machine, harness.ctx);
    expect(entry?.run()).toBe(5);
    expect(results).toEqual([5, 5]);
    expect(entry?.count()).toBe(5);
  });

  it("is not for programs that check, load packets or call helpers", () => {
    const checked = new Harness();
    expect(checked.prepare("r0 = 0; exit").makeEntry(checked.machine, checked.ctx)).toBeUndefined();
    const harness = new Harness({ isProven: true });
    const loads = harness.prepare("r6 = r1; r0 = *(u8 *)skb[0]; exit");
    expect(loads.makeEntry(harness.machine, harness.ctx)).toBeUndefined();
    const calls = harness.prepare("callx r1; exit");
    expect(calls.makeEntry(harness.machine, harness.ctx)).toBeUndefined();
  });
});
