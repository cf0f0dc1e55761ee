import { describe, expect, it } from "vitest";
import { createRepl, last, talk } from "./support.ts";

describe("lines of assembly", () => {
  it("are executed at once, on registers and memory that persist", async () => {
    expect(await talk(["r0 = 42", "r0 *= 2", "*(u64 *)(r10 - 8) = r0", "r3 = *(u64 *)(r10 - 8)"])).toEqual([
      "R0=42\n",
      "R0=84\n",
      "fp-8=84\n",
      "R3=84\n",
    ]);
  });

  it("print what registers point to, as the kernel's log does", async () => {
    expect(
      await talk(["r2 = r10", "r2 += -16", "r1 = *(u32 *)(r1 + 0)", "r4 = -1", "r5 = 0x123456789 ll"]),
    ).toEqual(["R2=fp0\n", "R2=fp-16\n", "R1=pkt()\n", "R4=-1\n", "R5=0x123456789\n"]);
  });

  it("call helpers by name, also without bpf_", async () => {
    const answers = await talk([
      ".map create m array 4 8 4",
      "*(u32 *)(r10 - 4) = 1",
      "r2 = r10; r2 += -4",
      "r1 = map[m]; call map_lookup_elem",
    ]);
    expect(answers[3]).toContain("R0=map_value(map=m[1])");
  });

  it("may use the last result as _", async () => {
    expect(await last(["r0 = 7", "r1 = _"])).toBe("R1=7\n");
    expect(await last(["p 6 * 7", "r1 = _"])).toBe("R1=42\n");
  });

  it("are undone when they trap", async () => {
    const repl = createRepl();
    const answer = await last(["r0 = 5", "r0 = 1; r2 = *(u64 *)(r3 + 8)"], repl);
    expect(answer).toMatch(/^error: .*; the line was undone \[RUN_NULL\]\n/s);
    expect(await last(["p r0"], repl)).toBe("R0=5\n");
  });

  it("end after a limit when they loop", async () => {
    const answer = await last(["{", "again: r0 += 1", "goto again", "}"]);
    expect(answer).toContain("no end within 1000000 instructions; the line was undone");
  });

  it("tell errors with a caret", async () => {
    expect(await last(["r1 = r2 r3"])).toMatch(
      /^error: input:1:9: ASM_TRAILING.*\n +1 \| r1 = r2 r3\n +\| +\^~/,
    );
    expect(await last(["p r1 + nope"])).toContain("  r1 + nope\n       ^~~~");
  });
});

describe("several lines", () => {
  it("wait for a label that a jump needs", async () => {
    const repl = createRepl();
    await repl.execute("r0 = 1");
    await repl.execute("if r0 == 1 goto out");
    expect(repl.isPending).toBe(true);
    await repl.execute("r0 = 5");
    expect((await repl.execute("out: r0 += 10")).output).toBe("R0=11\n");
    expect(repl.isPending).toBe(false);
  });

  it("run as a loop after a label, at the empty line", async () => {
    expect(
      await last(["r0 = 0; r1 = 10", "again:", "r0 += r1", "r1 -= 1", "if r1 != 0 goto again", ""]),
    ).toBe("R0=55 R1=0\n");
  });

  it("define functions that later lines call", async () => {
    const answers = await talk([
      "twice:",
      "r0 = r1",
      "r0 *= 2",
      "exit",
      "four: call twice; r1 = r0; call twice; exit",
      "r1 = 5; call four",
    ]);
    expect(answers[3]).toBe("function twice\n");
    expect(answers[5]).toContain("R0=20");
  });

  it("may redefine a function that calls itself", async () => {
    const fact = [
      "fact:",
      "if r1 s> 1 goto more",
      "r0 = 1",
      "exit",
      "more: r6 = r1",
      "r1 -= 1",
      "call fact",
      "r0 *= r6",
      "exit",
    ];
    // The first exit ends the definition, so a function with several exits is put in braces.
    expect(await last(["{", ...fact, "}", "{", ...fact, "}", "r1 = 5; call fact"])).toContain("R0=120");
  });

  it("in braces run as a whole", async () => {
    expect(await last(["{", "r0 = 1", "goto end", "r0 = 2", "end:", "}"])).toBe("R0=1\n");
    expect(await last(["{ r0 = 3; r0 += 4 }"])).toBe("R0=7\n");
  });

  it("are dropped when a line in between is wrong", async () => {
    const repl = createRepl();
    expect(await last(["goto x", "bogus"], repl)).toContain("ASM_UNKNOWN_INSN");
    expect(repl.isPending).toBe(false);
  });

  it("are dropped when a verb stands in a block whose end was forgotten", async () => {
    expect(await last(["{", "r0 = 1", ".regs"])).toContain(".regs found before }; the 1 lines were dropped");
    expect(await last([".helper x = (", "1", ".map m"])).toContain(".map found before a closing bracket");
    const chain = [".helper x = () => [1n, 2n]", "  .map((one) => one * 2n)", "  .at(1)"];
    expect(await last(["{", ...chain.slice(1)])).not.toContain("dropped");
  });

  it("are refused at the end of the input when they are not whole", async () => {
    const repl = createRepl();
    await repl.execute("goto nowhere");
    expect((await repl.end()).error).toContain("ASM_LABEL_UNKNOWN");
    await repl.execute("{");
    expect((await repl.end()).error).toContain("before }");
  });
});

describe("empty lines", () => {
  it("repeat the last step at a terminal only", async () => {
    const typed = createRepl(true);
    await talk(["r0 = 1", "r0 = 2", "r0 = 3", ".start", "s"], typed);
    expect(await last([""], typed)).toContain("=>    2:");
    const piped = createRepl();
    await talk(["r0 = 1", ".start", "s"], piped);
    expect(await last([""], piped)).toBe("");
  });
});
