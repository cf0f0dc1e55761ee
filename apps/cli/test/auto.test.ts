import { describe, expect, it } from "vitest";
import { jsonLines, scratchFolder, tsbpf } from "./cli.ts";

const LAB = "samples/captures/lab.pcap";
const { at, file } = scratchFolder();

/** A chain of branches on the length of the packet that is larger than what the jit compiles at once. */
function chain(links: number): string {
  const lines = ["r2 = *(u32 *)(r1 + 4)", "r1 = *(u32 *)(r1 + 0)", "r2 -= r1", "r0 = 1"];
  for (let i = 0; i < links; i++) lines.push(`if r2 == ${i} goto s${i}`, `r0 ^= ${i & 3}`, `s${i}:`);
  return [...lines, "r0 &= 3", "exit"].join("\n");
}

const LARGE = file("large.s", chain(16_000));
const MIDDLE = file("middle.s", chain(3_000));

/** Output and warnings of a replay, without the name of the engine. */
function replay(engine: string, ...words: readonly string[]): readonly string[] {
  const { stdout, stderr, status } = tsbpf(["replay", ...words, "--engine", engine]);
  return [String(status), stderr, stdout.replace(`, ${engine}\n`, "\n")];
}

describe("--engine auto", () => {
  it.each([
    ["samples/parser/parser.bpf.o", "parser"],
    ["samples/tailcalls/tailcalls.bpf.o", "dispatch"],
  ])("replays %s as the others do", (object, prog) => {
    const words = [object, LAB, "--prog", prog, "--maps"];
    const [auto, jit, interpreter] = ["auto", "jit", "interpreter"].map((engine) => replay(engine, ...words));
    expect(auto).toEqual(jit);
    expect(auto).toEqual(interpreter);
  });

  it.each([
    ["at once", LARGE, [LAB, LAB, LAB]],
    ["that a filter takes", MIDDLE, [LAB, LAB, "tcp"]],
    ["one by one", MIDDLE, [LAB, LAB, "-c", "1500"]],
    ["with a histogram", MIDDLE, [LAB, LAB, "--histogram"]],
    ["on two CPUs", MIDDLE, [LAB, LAB, "--cpus", "2"]],
  ])("gives the table of a large program and packets %s", (_how, object, words) => {
    const [auto, jit] = ["auto", "jit"].map((engine) => replay(engine, object, ...words, "--verify", "off"));
    expect(auto).toEqual(jit);
    expect(auto?.[2]).toContain("total");
  });

  it("says with -v what compiling cost, and what runs the program then", () => {
    const words = ["replay", MIDDLE, LAB, LAB, "--verify", "off", "-v", "--json", "--engine"];
    const [auto, jit] = ["auto", "jit"].map((engine) => jsonLines(tsbpf([...words, engine]).stdout));
    const of = (lines: typeof auto) => lines?.at(-1)?.summary;
    const module = { ms: expect.any(Number), bytes: expect.any(Number), reused: false };
    expect(of(auto)).toMatchObject({ compilation: { engine: "jit", state: "done", modules: [module] } });
    expect(of(jit)).toMatchObject({ compilation: { engine: "jit", modules: [module] } });
    expect(auto?.slice(0, -1)).toEqual(jit?.slice(0, -1));
    const { stderr } = tsbpf([...words.filter((word) => word !== "--json"), "jit"]);
    expect(stderr).toMatch(/^jit: 6006 slots of \S+ to [\d.]+ [kM]B in [\d.]+ ms\n$/);
  });

  it("compares with another engine and finds no difference", () => {
    const { status } = tsbpf(["replay", MIDDLE, LAB, "--verify", "off", "--against", "engine=auto"]);
    expect(status).toBe(0);
  });

  it("records what the others record", () => {
    const words = ["record", "samples/parser/parser.bpf.o", LAB, "--outputs", "--json", "--engine"];
    const [auto, jit] = ["auto", "jit"].map((engine) => {
      const path = at(`${engine}.tsbpf`);
      const { status } = tsbpf([...words, engine, "-w", path]);
      return [status, tsbpf(["trace", "show", path]).stdout.replaceAll(engine, "")];
    });
    expect(auto).toEqual(jit);
  });
});

describe("tsbpf run --engine auto", () => {
  const run = (engine: string, ...words: readonly string[]) => {
    const packet = file("packet.bin", new Uint8Array(64));
    const { status, stdout, stderr } = tsbpf([
      ...["run", LARGE, "--data-in", packet, "--verify", "off", "--engine", engine, ...words],
    ]);
    expect([status, stderr]).toEqual([0, ""]);
    return JSON.parse(stdout) as Record<string, unknown>;
  };
  const known = { retval: expect.any(Number), insns: expect.any(Number), verdict: expect.any(String) };

  it("gives the first result from the interpreter", () => {
    const [auto, jit] = [run("auto", "--json"), run("jit", "--json")];
    expect(auto).toMatchObject({
      ...known,
      compilation: { engine: "interpreter", state: "compiling", modules: [] },
    });
    for (const key of Object.keys(known)) expect(auto[key]).toEqual(jit[key]);
  });

  it("goes on in the jit while it repeats", () => {
    const [auto, jit] = ["auto", "jit"].map((engine) => run(engine, "--json", "--repeat", "2000"));
    expect(auto).toMatchObject({ ...known, compilation: { engine: "jit", state: "done" } });
    for (const key of Object.keys(known)) expect(auto?.[key]).toEqual(jit?.[key]);
  });
});

describe("tsbpf cases --engine auto", () => {
  it("answers as the others do", () => {
    const data = "00".repeat(64);
    const insns = "b700000002000000".repeat(3000);
    const cases = [`${insns}9500000000000000`, "b7000000010000009500000000000000"].map((code, idx) =>
      JSON.stringify({ name: `case${idx}`, prog_type: "xdp", insns: code, run: { data } }),
    );
    const answers = ["auto", "interpreter"].map((engine) =>
      jsonLines(tsbpf(["cases", "--engine", engine, "--no-log"], cases.join("\n")).stdout).map(
        ({ engine: _engine, ...rest }) => rest,
      ),
    );
    expect(answers[0]).toEqual(answers[1]);
    expect(answers[0]).toMatchObject([
      { loaded: true, retval: 2, insn_count: 3001 },
      { loaded: true, retval: 1, insn_count: 2 },
    ]);
  });
});
