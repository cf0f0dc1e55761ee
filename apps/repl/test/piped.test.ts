import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { pipe } from "./support.ts";

let directory = "";
const cwd = process.cwd();
beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), "tsbpf-repl-test-"));
});
afterAll(() => rmSync(directory, { recursive: true, force: true }));

describe("without a terminal", () => {
  it("prints results and no prompt, and ends with 0", async () => {
    expect(await pipe("r0 = 42\nr0 += 1\n")).toEqual({ status: 0, out: "R0=42\nR0=43\n", err: "" });
  });

  it("stops at the first error with 1, unless told to go on", async () => {
    const text = "r0 = 1\nbogus\nr0 = 2\n";
    const stopped = await pipe(text);
    expect(stopped).toMatchObject({ status: 1, out: "R0=1\n" });
    expect(stopped.err).toMatch(/^error: input:1:1: ASM_UNKNOWN_INSN/);
    expect(await pipe(text, { keepGoing: true })).toMatchObject({ status: 1, out: "R0=1\nR0=2\n" });
  });

  it("executes -e and -x, then leaves", async () => {
    const script = join(directory, "a.txt");
    writeFileSync(script, "r1 = 5\n");
    expect(await pipe("r0 = 9\n", { commands: ["r0 = 1\nr0 += 1", "r0 += 1"], scripts: [script] })).toEqual({
      status: 0,
      out: "R1=5\nR0=1\nR0=2\nR0=3\n",
      err: "",
    });
    expect(await pipe("", { scripts: [join(directory, "none")], isBatch: true })).toMatchObject({
      status: 1,
    });
    expect(await pipe("", { commands: [".quit", "bogus"] })).toMatchObject({ status: 0, out: "" });
  });

  it("ends with 2 when the options cannot be used", async () => {
    expect(await pipe("", { object: "/nonexistent.o" })).toMatchObject({ status: 2 });
    expect(await pipe("", { progType: "nope" })).toMatchObject({ status: 2 });
  });

  it("finishes a block at the end of the input", async () => {
    expect(await pipe("again:\nr0 += 1\nif r0 != 3 goto again")).toMatchObject({ status: 0, out: "R0=3\n" });
    expect(await pipe("{\nr0 = 1")).toMatchObject({ status: 1 });
  });

  it("leaves the working directory alone", () => {
    expect(process.cwd()).toBe(cwd);
  });
});
