import { makeProgSpec } from "@tsbpf/abi";
import { assemble } from "@tsbpf/asm";
import { isSameInsn, targetSlotOf } from "@tsbpf/isa";
import { toKernelCase } from "@tsbpf/kernel";
import { describe, expect, it } from "vitest";
import { HOSTILE_KINDS, hostileCase } from "../src/hostile/case.ts";
import { type Code, splice } from "../src/hostile/edit.ts";
import { judgeHostile } from "../src/hostile/judge.ts";
import { runHostile } from "../src/hostile/run.ts";
import { ownSeeds } from "../src/hostile/seeds.ts";
import { Random } from "../src/random.ts";

/** Programs, and the first seed; more of them by hostile-main.ts. */
const COUNT = 450;
const FIRST = 1;
const INSN_LIMIT = 2000;

const seeds = ownSeeds();

describe("hostile programs", () => {
  it("get a proper answer at every log level", { timeout: 120_000 }, () => {
    const run = runHostile({ first: FIRST, count: COUNT, seeds, insnLimit: INSN_LIMIT });
    expect(run.problems).toEqual([]);
    expect(run.programs).toBe(COUNT);
    // Instructions, not a clock, bound the work.
    expect(run.mostWalked.value).toBeLessThanOrEqual(INSN_LIMIT + 1);
    // What is generated goes deep enough to be worth it.
    expect([...run.ends.keys()]).toEqual(
      expect.arrayContaining(["mutated accepted", "grammar accepted", "bytes refused"]),
    );
    expect(run.codes.size).toBeGreaterThan(30);
  });

  it("are the same for the same seed", () => {
    for (const kind of HOSTILE_KINDS)
      expect(hostileCase(kind, new Random(7), seeds)).toEqual(hostileCase(kind, new Random(7), seeds));
  });

  it("show what is no proper answer", () => {
    const { insns } = assemble("r0 = 0\nexit");
    const fine = toKernelCase(makeProgSpec(insns));
    expect(judgeHostile(fine)).toMatchObject({ end: "accepted", problem: "" });
    const broken = judgeHostile(fine, {
      onState: () => {
        throw new TypeError("a fault of ours");
      },
    });
    expect(broken).toMatchObject({ code: "CRASH", problem: expect.stringContaining("a fault of ours") });
  });
});

describe("edits", () => {
  const code = (text: string): Code => ({
    insns: assemble(text).insns,
    fixups: [],
    kfuncs: [],
    ksyms: [],
    funcs: [{ slot: 0, typeId: 1 }],
  });
  const start = code("r0 = 0\nif r1 == 0 goto e\ncall f\nr0 += 1\ne: exit\nf: r0 = 2\nexit");
  const targets = ({ insns }: Code): (number | undefined)[] =>
    insns.map((insn, slot) => targetSlotOf(insn, slot));

  it("move jumps and calls along", () => {
    const longer = splice(start, 3, 0, start.insns.slice(0, 1));
    expect(targets(longer).filter((slot) => slot !== undefined)).toEqual([5, 6]);
    const shorter = splice(longer, 3, 1, []);
    expect(shorter.insns.every((insn, slot) => isSameInsn(insn, start.insns[slot] ?? insn))).toBe(true);
    expect(shorter.insns).toHaveLength(start.insns.length);
  });

  it("let a jump to what is gone lead behind it", () => {
    expect(targets(splice(start, 4, 1, [])).filter((slot) => slot !== undefined)).toEqual([4, 4]);
  });
});
