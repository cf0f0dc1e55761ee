import { readdirSync, readFileSync } from "node:fs";
import { isBpfAllowed, runKernelCases } from "@tsbpf/kernel";
import { describe, expect, it } from "vitest";
import { compareWithKernel, parseBpft, runBpft, toKernelQuestion } from "../src/index.ts";

const folder = new URL("../../../packages/verifier/test/bpft/", import.meta.url);
const files = readdirSync(folder).filter((name) => name.endsWith(".bpft"));
const casesOf = (file: string) => parseBpft(readFileSync(new URL(file, folder), "utf8"), file);

describe.each(files)("%s", (file) => {
  it.each(casesOf(file).map((one) => [`${one.title} (line ${one.line})`, one] as const))(
    "%s",
    (_title, one) => {
      const { problems } = runBpft(one);
      // A known gap that is none any more is to be taken out of the file.
      if (one.gap !== undefined) expect(problems).not.toEqual([]);
      else expect(problems).toEqual([]);
    },
  );

  const privileges = (["all", "bpf"] as const).filter(
    (privilege) => casesOf(file).some((one) => one.privilege === privilege) && isBpfAllowed(privilege),
  );
  it.each(privileges)("the running kernel says the same, with privilege %s", async (privilege) => {
    const asked = casesOf(file).filter((one) => one.privilege === privilege);
    const answers = await runKernelCases(asked.map(toKernelQuestion), { privilege });
    const differences = asked.flatMap((one, idx) => {
      const answer = answers[idx];
      const found = answer === undefined ? ["no answer"] : compareWithKernel(one, answer);
      return found.map((text) => `${file}:${one.line}: ${text}`);
    });
    expect(differences).toEqual([]);
  });
});

describe("what a file says is held to", () => {
  const problemsOf = (text: string) => {
    const [one] = parseBpft(`== case\n${text}`, "test");
    return one === undefined ? undefined : runBpft(one).problems;
  };

  it.each([
    ["another code", "r0 = r2 ; reject MEM_ALIGN\nexit", "expected MEM_ALIGN"],
    ["another instruction", "r0 = r2\nexit ; reject REG_UNINIT", "refused at 0"],
    ["another message", "r0 = r2 ; reject REG_UNINIT R3 !read_ok\nexit", "R2 !read_ok"],
    ["a refusal that does not come", "r0 = 0\nexit\n; reject REG_UNINIT", "accepted"],
    ["a refusal that was not expected", "r0 = r2\nexit\n; accept", "refused"],
    ["another value", "r1 = 5\nr0 = r1 ; state r1=6\nexit", "slot 1 is visited with 1: 5"],
    ["a value that is one of two", "r1 = 5\nr0 = r1 ; state r1=5 | r1=6\nexit", "never visited with 1: 6"],
    ["bytes of a slot", "*(u8 *)(r10 - 1) = 1\nr0 = 0 ; state fp-8=00000000\nexit", "m???????"],
    ["another result", "r0 = 1\nexit\n; r0 = 2", "r0 = 1, expected 2"],
    ["text that the log has not", "r0 = 1\nexit\n; log R7=7", "the log does not say: R7=7"],
    ["a trap that does not come", "r0 = 0 ; trap RUN_NULL\nexit", "no trap"],
  ])("%s", (_name, text, problem) => {
    expect(problemsOf(text)?.join("\n")).toContain(problem);
  });

  it.each([
    ["text before a case", "r0 = 0\nexit"],
    ["no expectation", "== case\nr0 = 0\nexit"],
    ["an unknown expectation", "== case\nr0 = 0 ; perhaps\nexit"],
    ["accept beside an instruction", "== case\nr0 = 0 ; accept\nexit"],
    ["an unknown program type", "== case\nprog: xdq\nr0 = 0\nexit\n; accept"],
    ["an unknown map type", "== case\nmaps: a=arr(4, 8, 1)\nr0 = 0\nexit\n; accept"],
    ["a map that is not in the header", "== case\nr1 = map[a] ll\nr0 = 0\nexit\n; accept"],
    ["no declaration", "== case\nbtf: struct\nr0 = 0\nexit\n; accept"],
    ["an unknown C type", "== case\nbtf: quad f(int n)\nr0 = 0\nexit\n; accept"],
    [
      "a value of another size",
      "== case\nbtf: struct v { int n; }\nmaps: m=array(4, 8, 1):v\nr0 = 0\nexit\n; accept",
    ],
    ["a map of maps without an inner map", "== case\nmaps: o=array_of_maps(4, 4, 1)\nr0 = 0\nexit\n; accept"],
    ["an undeclared type's number", "== case\nr1 = btf_id(v)\nr0 = 0\nexit\n; accept"],
    ["an unknown flag", "== case\nflags: lazy\nr0 = 0\nexit\n; accept"],
  ])("%s is refused with file and line (BPFT_SYNTAX)", (_name, text) => {
    expect(() => parseBpft(text, "x.bpft")).toThrowError(/^x\.bpft:\d+: /);
  });
});
