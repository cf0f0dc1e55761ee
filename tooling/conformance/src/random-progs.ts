import { runKernelCases } from "@tsbpf/kernel";
import type { Privilege } from "@tsbpf/verifier";
import { type VerifierCase, verifierCase } from "../../fuzz/src/verifier-prog.ts";
import { type Comparison, compareCase } from "./agreement.ts";
import { kernelHost } from "./answers.ts";

const BATCH = 500;

/** Compares both on the programs of some seeds, asking the kernel one program at a time. */
export async function compareRandom(
  first: number,
  count: number,
  privilege: Privilege = "all",
): Promise<readonly Comparison[]> {
  const all: Comparison[] = [];
  for (let from = first; from < first + count; from += BATCH) {
    const cases: VerifierCase[] = [];
    for (let seed = from; seed < Math.min(from + BATCH, first + count); seed++)
      cases.push(verifierCase(seed));
    const answers = await runKernelCases(cases, { privilege });
    cases.forEach((one, i) => {
      const answer = answers[i];
      if (answer === undefined || answer.error !== undefined) return;
      // Logs of a million instructions are not kept.
      all.push({ ...compareCase(one, answer, { ...kernelHost(), privilege }), log: "" });
    });
  }
  return all;
}
