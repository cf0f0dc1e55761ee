import { describe, expect, it } from "vitest";
import { Repl } from "../src/index.ts";
import { createNodeHost } from "../src/terminal/node-host.ts";
import { createHost, createRepl, last, pipe, talk } from "./support.ts";
import { CALLS } from "./verb-world.ts";

describe("what is no instruction", () => {
  it("is printed when it is an expression", async () => {
    expect(await talk(["r0 = 5", "r0 == 5", "r0 + 1", "_", "*(u16 *)(pkt + 12)", "pkt_end"])).toEqual([
      "R0=5\n",
      "1\n",
      "6\n",
      "6\n",
      "8\n",
      "pkt_end()\n",
    ]);
  });

  it.each([
    ["packet", ".pkt is the verb"],
    ["bpf_ktime_get_ns()", "call bpf_ktime_get_ns"],
    ["r0 = bpf_get_prandom_u32()", "call bpf_get_prandom_u32"],
    ["up", ".frames"],
    ["x = 5", "r0..r10 and w0..w10"],
    [".load tcp port 80", ".filter"],
    ["let x = 5", ".helper takes TypeScript"],
    ["tcp port 80", ".filter"],
    ["ldh [12]", ".filter {"],
    ["if r0 > 3 goto +1", "the jump leaves the line"],
    [".ls", "no verb .ls; .help lists them"],
  ])("%s: says %s", async (line, hint) => {
    expect(await last([line])).toContain(hint);
  });

  it("names functions and variables of the program", async () => {
    expect(await last([`.load ${CALLS}`, "call rotate(1, 2)"])).toContain(".call rotate(…)");
    expect(await last([`.load ${CALLS}`, "seed = 1"])).toContain(".set seed = 1");
    expect(await last([`.load ${CALLS}`, "rotate(1, 2)"])).toContain(".call rotate(…)");
  });

  it("is an empty line that repeats a step only where somebody types", async () => {
    const repl = createRepl(true);
    await talk([`.load ${CALLS}:loops`, "s"], repl);
    expect((await repl.execute("", false)).output).toBe("");
    expect((await repl.execute("", true)).output).toContain("=>    2:");
    expect(await last(["exit"], repl)).toContain(".quit leaves");
  });
});

describe("packets and maps, named as other tools do", () => {
  it("take the first packet of a capture, and say so", async () => {
    expect(await last([".pkt samples/captures/lab.pcap"])).toMatch(
      /^packet 1 of the capture; .*\npacket of 90 bytes/,
    );
    expect(await last([".pkt samples/captures/lab.pcap 5"])).toContain("packet of 98 bytes");
  });

  it("take bpftool's words", async () => {
    const made = [".map create m hash 4 8 4"];
    expect(await last([...made, ".map update name m key hex 01 00 00 00 value 5"])).toContain(
      "01000000 => 05",
    );
    expect(await last([...made, ".map update m key 1 value 5", ".map lookup m key 1"])).toContain(
      "01000000 => 05",
    );
    expect(await last([...made, ".map m 1 = 5", ".map dump name m"])).toContain("1 of 4 entries");
    expect(await last([...made, ".map m 1 = 5", ".map delete m key 1", ".map m"])).toContain("0 of 4");
    expect(await last([...made, ".map show"])).toContain("m  hash");
  });
});

describe("effects", () => {
  const host = createHost({ describeEffect: (effect) => effect.kind });

  it("are told once, and again after going back", async () => {
    const repl = new Repl({ host });
    expect(await last(["r1 = 7; r2 = 0; call bpf_redirect"], repl)).toMatch(/^R0=4.*\n {2}redirect\n$/);
    expect(await last(["r1 = 1"], repl)).toBe("R1=1\n");
    await talk([".clear", "r1 = 7; r2 = 0", "call bpf_redirect", ".start"], repl);
    expect(await last(["c"], repl)).toMatch(/^ {2}redirect\nR0=4/);
    expect(await last([".jit"], repl)).toMatch(/^ {2}redirect\njit: R0=4/);
  });
});

describe("helpers from the prompt", () => {
  const { guard } = createNodeHost({ helperMs: 50 }, false);
  const call = (body: string): Promise<string> =>
    last(
      [`.helper bpf_ktime_get_ns = ${body}`, "call ktime_get_ns"],
      new Repl({ host: createHost(guard === undefined ? {} : { guard }) }),
    );

  it.each([
    ["() => { for (;;); }", "no answer within 50 ms"],
    ["() => { while (true) { try { for (;;); } finally { continue; } } }", "no answer within 50 ms"],
    ["() => { throw new Error('one\\ntwo') }", "the helper threw Error: one, at slot 0"],
    ["() => { throw null }", "the helper threw null"],
    ["() => { throw Object.create(null) }", "the helper threw something without a text"],
    ["() => Symbol('x')", "Symbol(x) returned, a whole number or bigint needed"],
    ["() => NaN", "NaN returned"],
    ["() => ({ toString() { throw 1 } })", "something without a text returned"],
    ["async () => { throw new Error('late') }", "a promise returned"],
    ["function f() { return f() }", "Maximum call stack"],
    ["(() => { for (;;); })()", "no helper"],
  ])("%s: %s", async (body, text) => {
    const answer = await call(body);
    if (text === "no helper") expect(answer).toMatch(/^R0=0x/);
    else expect(answer).toContain(text);
  });

  it.each([
    ["{ id: 70000, name: 'y', args: [], returns: 5, call: () => 1 }", "a result that ret.u64"],
    ["{ id: 70000, name: 'y', args: [null], call: () => 1 }", "REPL_HELPER"],
    ["{ id: 70000, name: 'y', call: 5 }", "no function that does the work"],
    ["{ get name() { throw new Error('n') }, id: 70000 }", "cannot be used: Error: n"],
    ["new Proxy({}, { has() { throw new Error('p') } })", "cannot be used: Error: p"],
    ["{ proto: {}, args: [] }", "no number as id"],
    ["(() => { throw 5 })()", "the text threw 5"],
  ])("%s: %s", async (text, wanted) => {
    expect(await last([`.helper ${text}`])).toContain(wanted);
  });

  it("answer in a piped session too, with a host of Node", async () => {
    const text = ".helper bpf_ktime_get_ns = () => { for (;;); }\ncall ktime_get_ns\n";
    expect((await pipe(text, { helperMs: 50 })).err).toContain("no answer within 50 ms");
  });
});
