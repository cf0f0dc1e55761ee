import { basename } from "node:path";
import { errnoName, type ProgSpec } from "@tsbpf/abi";
import { InputError } from "@tsbpf/base";
import { loadObject } from "@tsbpf/loader";
import { readBytes } from "@tsbpf/testkit";
import type { Privilege } from "@tsbpf/verifier";
import { type Comparison, compareCase } from "../agreement.ts";
import { askKernel, kernelHost } from "../answers.ts";
import type { Case } from "../cases.ts";
import { type FindTarget, type ObjectCase, objectCases } from "./cases.ts";

/** Looks through the objects for programs that have a function, when the first is asked for. */
function targetsIn(paths: readonly string[]): FindTarget {
  let known: Map<string, ProgSpec> | undefined;
  const types = kernelHost().kernelBtf;
  const read = (): Map<string, ProgSpec> => {
    const found = new Map<string, ProgSpec>();
    for (const path of paths) {
      try {
        const { progs } = loadObject(readBytes(path), types === undefined ? {} : { targetBtf: types });
        for (const prog of progs) {
          if (prog.type === "ext" || prog.defect !== undefined) continue;
          for (const { name } of prog.funcs) if (!found.has(name)) found.set(name, prog);
        }
      } catch (thrown) {
        if (!(thrown instanceof InputError)) throw thrown;
      }
    }
    return found;
  };
  return (func) => {
    known ??= read();
    return known.get(func);
  };
}

/** Reads the programs of objects; an object that does not load becomes a case that says why. */
export function readCases(paths: readonly string[]): readonly ObjectCase[] {
  const types = kernelHost().kernelBtf;
  const find = targetsIn(paths);
  return paths.flatMap((path): readonly ObjectCase[] => {
    const bytes = readBytes(path);
    try {
      return objectCases(basename(path), bytes, types, find);
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
    else if (isUnjudged)
      skipped.push(`${name}: the kernel refuses before verifying: ${errnoName(answer.errno)}`);
    else {
      const one = { ...question, name } as unknown as Case;
      // Logs of a million instructions are not kept.
      compared.push({ ...compareCase(one, answer, { ...kernelHost(), privilege }), log: "" });
    }
  });
  return { compared, skipped };
}
