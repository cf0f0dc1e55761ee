import { readFileSync } from "node:fs";
import { basename } from "node:path";
import { InputError } from "@tsbpf/base";
import type { Privilege } from "@tsbpf/verifier";
import { type Comparison, compareCase } from "../agreement.ts";
import { askKernel, kernelHost } from "../answers.ts";
import type { Case } from "../cases.ts";
import { type ObjectCase, objectCases } from "./cases.ts";

/** Reads the programs of objects; an object that does not load becomes a case that says why. */
export function readCases(paths: readonly string[]): readonly ObjectCase[] {
  const types = kernelHost().kernelBtf;
  return paths.flatMap((path): readonly ObjectCase[] => {
    try {
      return objectCases(basename(path), readFileSync(path), types);
    } catch (thrown) {
      if (!(thrown instanceof InputError)) throw thrown;
      return [{ name: basename(path), question: undefined, skipReason: `does not load: ${thrown.message}` }];
    }
  });
}

/** Asks the running kernel and the verifier about each program. */
export async function compareAll(
  cases: readonly ObjectCase[],
  privilege: Privilege = "all",
): Promise<{ readonly compared: readonly Comparison[]; readonly skipped: readonly string[] }> {
  const asked = cases.flatMap((one) =>
    one.question === undefined ? [] : [{ ...one, question: one.question }],
  );
  const skipped = cases
    .filter((one) => one.question === undefined)
    .map((one) => `${one.name}: ${one.skipReason}`);
  const answers = await askKernel(
    asked.map((one) => one.question),
    privilege,
  );
  const compared: Comparison[] = [];
  asked.forEach(({ name, question }, i) => {
    const answer = answers[i];
    const isUnjudged = answer !== undefined && (answer.errline ?? "") === "" && !answer.loaded;
    if (answer === undefined || answer.error !== undefined)
      skipped.push(`${name}: ${answer?.error ?? "no answer"}`);
    else if (isUnjudged) skipped.push(`${name}: the kernel refuses before verifying`);
    else {
      const one = { ...question, name } as unknown as Case;
      // Logs of a million instructions are not kept.
      compared.push({ ...compareCase(one, answer, { ...kernelHost(), privilege }), log: "" });
    }
  });
  return { compared, skipped };
}
