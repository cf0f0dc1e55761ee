import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { jsonLines, scratchFolder, tsbpf } from "./cli.ts";

const LAB = "samples/captures/lab.pcap";
const TAILCALLS = "samples/tailcalls/tailcalls.bpf.o";
const { at, file } = scratchFolder();

interface Step {
  readonly packet: number;
  readonly prog: string;
  readonly pc: number;
  readonly regs: readonly string[];
  readonly depth: number;
  readonly mem?: readonly unknown[];
}

describe("--trace-json", () => {
  it("writes every instruction with the registers before it, then what ends the run", () => {
    const path = at("steps.jsonl");
    const words = ["replay", TAILCALLS, LAB, "--prog", "dispatch", "-c", "5", "--trace-json", path];
    const table = tsbpf(words);
    expect(table.status).toBe(0);
    expect(table.stdout).toMatch(/total +5 /);
    const lines = jsonLines(readFileSync(path, "utf8"));
    const packets = jsonLines(tsbpf([...words.slice(0, 7), "--json"]).stdout).slice(0, -1);
    const ends = lines.filter((line) => "r0" in line);
    expect(ends.map(({ packet, verdict, steps }) => [packet, verdict, steps])).toEqual(
      packets.map(({ packet, verdict, insns }) => [packet, verdict, insns]),
    );
    const steps = lines.filter((line) => !("r0" in line)) as unknown as Step[];
    expect(steps).toHaveLength(packets.reduce((sum, one) => sum + Number(one.insns), 0));
    expect(steps[0]).toMatchObject({
      packet: 1,
      prog: "dispatch",
      pc: 0,
      op: 0xbf,
      opName: "mov64.x",
      depth: 1,
    });
    expect(steps[0]).toMatchObject({ insn: "(bf) r6 = r1" });
    expect(steps[1]?.regs[6]).toBe(steps[0]?.regs[1]);
    expect(steps[1]?.mem).toEqual([{ kind: "load", addr: steps[0]?.regs[1], bytes: 4 }]);
    expect(new Set(steps.map(({ prog }) => prog))).toContain("ip6");
    expect(new Set(steps.map(({ depth }) => depth))).toEqual(new Set([1, 2]));
  });

  it("goes to standard output, tells of traps, and of the jit that it is not asked", () => {
    const traps = file("traps.s", "r2 = *(u32 *)(r1 +0)\nr0 = *(u64 *)(r2 +4000)\nexit\n");
    const words = ["replay", traps, LAB, "-c", "1", "-q", "--verify", "off", "--engine", "jit"];
    const { stdout, stderr, status } = tsbpf([...words, "--trace-json", "-"]);
    expect(status).toBe(1);
    expect(stderr).toContain("note: --trace-json needs every instruction");
    const lines = jsonLines(stdout);
    expect(lines.map(({ pc }) => pc)).toEqual([0, 1, undefined]);
    expect(lines.at(-1)).toMatchObject({ packet: 1, verdict: "trap", steps: 2, error: "RUN_BOUNDS" });
  });

  it("writes at most 100,000 instructions of a run, and says how many there were", () => {
    const long = file("long.s", "r1 = 40000\nl: r1 -= 1\nr2 = r1\nif r1 != 0 goto l\nr0 = 2\nexit\n");
    const words = ["replay", long, LAB, "-c", "1", "-q", "--verify", "off", "--trace-json", "-"];
    const lines = jsonLines(tsbpf(words).stdout);
    expect(lines).toHaveLength(100_001);
    expect(lines.at(-1)).toMatchObject({ verdict: "XDP_PASS", steps: 120_003, leftOut: 20_003 });
  });

  it("does not write over its input, nor while comparing", () => {
    expect(tsbpf(["replay", TAILCALLS, LAB, "--trace-json", LAB]).stderr).toContain("[OPTION_SAME_FILE]");
    const compared = ["replay", TAILCALLS, LAB, "--trace-json", at("x"), "--against", "engine=jit"];
    expect(tsbpf(compared).stderr).toContain("[OPTION_CONFLICT]");
  });
});
