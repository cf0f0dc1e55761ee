import { assemble } from "@tsbpf/asm";
import { printHexBytes } from "@tsbpf/base";
import { encodeInsns } from "@tsbpf/isa";
import { isBpfAllowed, type KernelCase, runKernelCases } from "@tsbpf/kernel";
import { describe, expect, it } from "vitest";
import { compareCase } from "../src/agreement.ts";
import type { Case } from "../src/cases.ts";

const CONDITIONS = ["==", "!=", "&", ">", ">=", "<", "<=", "s>", "s>=", "s<", "s<="] as const;
/** What the register may hold: two values, ranges with and without zero, signs of both kinds, everything. */
const VALUES = [
  "r0 &= 1",
  "r0 &= 100",
  "r0 &= 6\nr0 += 3",
  "r0 s>>= 60",
  "r0 |= 1",
  "w0 s>>= 29",
  "",
] as const;

const questionOf = (
  reg: "r0" | "w0",
  condition: string,
  value: string,
): KernelCase & { readonly name: string } => {
  const text = `call bpf_get_prandom_u32
r7 = r0
r7 <<= 32
r0 |= r7
${value}
if ${reg} ${condition} ${reg} goto +2
r0 = 0
exit
r0 = 1
exit`;
  const symbols = { helperIdOf: (name: string) => (name === "bpf_get_prandom_u32" ? 7 : undefined) };
  return {
    name: `${reg} ${condition} ${reg}, ${value.replaceAll("\n", "; ")}`,
    prog_type: "socket_filter",
    insns: printHexBytes(encodeInsns(assemble(text, { symbols }).insns)),
    log_level: 2,
  };
};

const ALL = (["r0", "w0"] as const).flatMap((reg) =>
  CONDITIONS.flatMap((condition) => VALUES.map((value) => questionOf(reg, condition, value))),
);

/** Slots with what is known behind them: the kernel tells its own contradictions between the two. */
const statesOf = (log: string): string[] =>
  [...log.matchAll(/^(from \d+ to )?(\d+): (?:\([^;\n]*; *)?(R\d+=.*)$/gm)].map(
    ([, from = "", slot, state]) => `${from}${slot}: ${state}`,
  );

describe("a register compared with itself (S-100, S-150..S-157)", () => {
  it.skipIf(!isBpfAllowed())("has the states on both sides that the running kernel logs", async () => {
    const answers = await runKernelCases(ALL);
    expect(answers).toHaveLength(ALL.length);
    for (const [i, answer] of answers.entries()) {
      const ours = compareCase(ALL[i] as Case, { loaded: answer.loaded ?? false, errno: answer.errno ?? 0 });
      expect(statesOf(ours.log).length).toBeGreaterThan(5);
      expect([answer.name, ...statesOf(ours.log)]).toEqual([answer.name, ...statesOf(answer.log ?? "")]);
    }
  });
});
