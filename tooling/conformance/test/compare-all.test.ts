import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { isBpfAllowed } from "@tsbpf/kernel";
import { afterAll, describe, expect, it } from "vitest";
import { compareProgram, makeRandomCaptures, ownPrograms, sampleCaptures } from "../src/compare-all.ts";

/*
 * A few of our own programs over the lab's packets and random ones, on both engines and in the running kernel;
 * src/compare-all-main.ts takes all programs and more packets.
 */

const folder = mkdtempSync(join(tmpdir(), "tsbpf-compare-"));
afterAll(() => rmSync(folder, { recursive: true }));
const captures = [...sampleCaptures().slice(0, 1), ...makeRandomCaptures(folder, 12)];
const CHOSEN = [
  ["samples/parser/parser.bpf.o", "parser"],
  ["samples/rewrite/rewrite.bpf.o", "vlan_pop"],
  ["samples/sections/sections.bpf.o", "tc_rewrite"],
  ["samples/sockfilter/sockfilter.bpf.o", "source_filter"],
  ["samples/tailcalls/tailcalls.bpf.o", "dispatch"],
] as const;
const programs = CHOSEN.map(([object, prog]) => ({ object, prog, type: "" }));

describe("our own programs", () => {
  it("are all found, with what they are compared over", () => {
    const found = ownPrograms();
    expect(found.length).toBeGreaterThan(100);
    for (const { object, prog } of programs)
      expect(found.map((one) => `${one.object} ${one.prog}`)).toContain(`${object} ${prog}`);
    expect(sampleCaptures()).toContain("samples/captures/lab.pcapng");
  });

  it.each(programs)("do the same on both engines: $prog", async (program) => {
    const result = await compareProgram(program, captures, "engine=jit");
    expect(result).toMatchObject({ different: 0, differences: [] });
    expect(result.skipped ?? "").toBe("");
    expect(result.packets).toBeGreaterThanOrEqual(778);
  });

  it.skipIf(!isBpfAllowed()).each(programs)(
    "do what they do in the running kernel: $prog",
    async (program) => {
      const result = await compareProgram(program, captures, "kernel");
      expect(result).toMatchObject({ different: 0, differences: [] });
      expect(result.skipped ?? "").toBe("");
    },
  );

  it("that are not there are told", async () => {
    const program = { object: "samples/globals/globals.bpf.o", prog: "nobody", type: "xdp" };
    expect((await compareProgram(program, captures, "engine=jit")).skipped).toMatch(/PROG_CHOICE/);
  });
});
