import { assemble } from "@tsbpf/asm";
import { printHexBytes } from "@tsbpf/base";
import { encodeInsns } from "@tsbpf/isa";
import { isBpfAllowed, type KernelCase, runKernelCases } from "@tsbpf/kernel";
import { describe, expect, it } from "vitest";
import { compareCase } from "../src/agreement.ts";
import type { Case } from "../src/cases.ts";

const TEXTS: Readonly<Record<string, string>> = {
  "a path that fails behind a branch": "if r1 == 0 goto bad\nr0 = 0\nexit\nbad: r0 = r9\nexit",
  "a path that fails at once": "r0 = r9\nexit",
  "a path that fails in a function": "call f\nexit\nf: if r1 == 0 goto bad\nr0 = 0\nexit\nbad: r0 = r9\nexit",
  "a program that is right": "r0 = 0\nif r1 == 0 goto out\nr0 = 1\nout: exit",
};
/** Failing path, everything, statistics, and each with statistics. */
const LEVELS = [1, 2, 4, 5, 6] as const;

const questionOf = (name: string, level: number): KernelCase & { readonly name: string } => ({
  name: `${name}, level ${level}`,
  prog_type: "socket_filter",
  insns: printHexBytes(encodeInsns(assemble(TEXTS[name] ?? "").insns)),
  log_level: level,
});

describe("levels of the log", () => {
  it("level 1 writes the state where it goes back to beside the branch (X-81, idea T-301)", () => {
    const question = questionOf("a path that fails behind a branch", 1);
    const { log } = compareCase(question as Case, { loaded: false, errno: 13 });
    expect(log).toContain("0: (15) if r1 == 0x0 goto pc+2 3: R1=");
    expect(log).toContain("R9 !read_ok");
  });

  it.skipIf(!isBpfAllowed())("the running kernel writes the same at each level", async () => {
    const asked = Object.keys(TEXTS).flatMap((name) => LEVELS.map((level) => questionOf(name, level)));
    const answers = await runKernelCases(asked);
    const differing = asked.flatMap((question, i) => {
      const answer = answers[i];
      if (answer === undefined || answer.error !== undefined) return [`${question.name}: ${answer?.error}`];
      const one = compareCase(question as Case, answer);
      return one.isErrnoSame && one.isLogSame ? [] : [`${question.name}\n${answer.log}\n---\n${one.log}`];
    });
    expect(differing).toEqual([]);
  });
});
