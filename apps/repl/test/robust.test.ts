import { describe, expect, it } from "vitest";
import { Repl, VERBS } from "../src/index.ts";
import { randomLines } from "./random-lines.ts";
import { createHost, last, pipe, talk } from "./support.ts";

const isBig = process.env.TSBPF_BIG === "1";
const STACK = /\n\s+at .*:\d+:\d+|\bBUG_[A-Z]|node:internal/;

/** What random lines may do without touching the disk or leaving. */
const VERB_NAMES = VERBS.map((verb) => verb.name).filter(
  (name) => !["quit", "save", "export", "edit", "time"].includes(name),
);

describe("random input", () => {
  it("of 10,000 lines neither crashes nor hangs, and shows no JavaScript stack", async () => {
    const lines = randomLines(2026, 10_000, VERB_NAMES);
    const { status, out, err } = await pipe([...lines, "", ".clear", ".clear", "p 12345", ""].join("\n"), {
      keepGoing: true,
    });
    expect(status).toBe(1);
    expect(out.trimEnd().endsWith("12345 (0x3039)")).toBe(true);
    expect(`${out}${err}`).not.toMatch(STACK);
    // Blocks swallow some lines; most are answered each for itself.
    expect(err.split("\n").filter((line) => line.startsWith("error: ")).length).toBeGreaterThan(3000);
  });

  it("with a program loaded, whatever is stepped and gone back", async () => {
    const repl = new Repl({ host: createHost() });
    await talk([".load samples/calls/calls.bpf.o:loops", "b mix", "r"], repl);
    const names = VERB_NAMES.filter((name) => !["load", "unload", "clear"].includes(name));
    for (const [idx, line] of randomLines(7, 1500, names).entries()) {
      if (idx % 10 === 0) repl.cancel();
      const { output, error } = await repl.execute(line);
      expect(`${output}${error ?? ""}`).not.toMatch(STACK);
    }
    repl.cancel();
    // The program still loads and runs as it did.
    await talk([".delete", ".trace off", ".load samples/calls/calls.bpf.o:loops"], repl);
    expect(await last(["r"], repl)).toContain("exited after");
  });

  it("of very long lines is refused", async () => {
    expect(await last([`r0 = ${"1".repeat(70_000)}`])).toContain("65536 allowed");
    expect(await last([`p ${"(".repeat(4000)}1`])).toContain("REPL_EXPR");
    expect(await last([`p ${"-".repeat(4000)}1`])).toContain("too deeply nested");
  });
});

describe("long runs", () => {
  const insns = isBig ? 32_000 : 2000;
  const rounds = isBig ? 313 : 50;
  const body = Array.from({ length: insns - 6 }, (_, i) => `r0 += ${i}`);
  const text = [
    "r0 = 0",
    `r6 = ${rounds}`,
    "again:",
    ...body,
    "r6 -= 1",
    "if r6 s> 0 goto +1",
    "exit",
    "gotol again",
  ].join("\n");
  const steps = 2 + rounds * (insns - 3) - 1 + (rounds > 0 ? 0 : 1);

  it("go forwards and back in bounded memory", async () => {
    const host = createHost();
    host.written.set("big.s", text);
    const repl = new Repl({ host });
    expect(await last([".load big.s"], repl)).toContain(`big.s (xdp): ${insns} slots`);
    const end = await last([".run"], repl);
    const count = Number(/exited after (\d+)/.exec(end)?.[1]);
    expect(Math.abs(count - steps)).toBeLessThan(rounds + 4);
    await talk(
      [`.goto ${Math.floor(count / 2)}`, ".mark half", ".goto 3", ".back", `.goto ${Math.floor(count / 2)}`],
      repl,
    );
    expect(await last([".diff half"], repl)).toContain("nothing differs");
    expect(await last([`b 5 if r6 == ${rounds - 20}`, ".start", "c"], repl)).toContain("breakpoint 1");
    expect(await last(["p r6"], repl)).toBe(`R6=${rounds - 20}\n`);
    expect(await last([".origin r6", "p r6"], repl)).toBe(`R6=${rounds - 19}\n`);
    expect(await last([".goto 100000000000", "p r6"], repl)).toBe("R6=0\n");
    if (isBig) expect(process.memoryUsage().rss).toBeLessThan(2 ** 31);
  });

  it("stop when the user asks", async () => {
    let breaths = 0;
    const host = createHost({ breathe: async () => ++breaths === 3 });
    host.written.set("loop.s", "r0 = 0\nagain: r0 += 1\ngoto again\n");
    const repl = new Repl({ host });
    await talk([".load loop.s"], repl);
    expect(await last(["c"], repl)).toMatch(/^interrupted\nloop\.s\+/);
    expect(await last(["s", ".back 5"], repl)).toMatch(/=> /);
  });
});
