import { existsSync, readFileSync } from "node:fs";
import { basename } from "node:path";
import { gunzipSync } from "node:zlib";
import { errnoName, PROG_TYPES, type ProgSpec } from "@tsbpf/abi";
import { InputError } from "@tsbpf/base";
import { type KconfigValues, loadObject, parseKconfig } from "@tsbpf/loader";
import { readBytes } from "@tsbpf/testkit";
import type { Privilege } from "@tsbpf/verifier";
import { type Comparison, compareCase } from "../agreement.ts";
import { askKernel, kernelHost, type StoredAnswer } from "../answers.ts";
import type { Case } from "../cases.ts";
import { type FindTarget, type ObjectCase, objectCases } from "./cases.ts";
import { type AnnotatedVerdict, judgeByAuthor } from "./judge.ts";

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

const CONFIG_PATH = "/proc/config.gz";
let config: KconfigValues | undefined;

/** How the running kernel was configured; nothing where it does not say. */
function kernelConfig(): KconfigValues {
  config ??= existsSync(CONFIG_PATH)
    ? parseKconfig(gunzipSync(readFileSync(CONFIG_PATH)).toString("latin1"))
    : {};
  return config;
}

/** Reads the programs of objects; an object that does not load becomes a case that says why. */
export function readCases(paths: readonly string[]): readonly ObjectCase[] {
  const types = kernelHost().kernelBtf;
  const find = targetsIn(paths);
  return paths.flatMap((path): readonly ObjectCase[] => {
    const bytes = readBytes(path);
    try {
      return objectCases(basename(path), bytes, types, find, kernelConfig());
    } catch (thrown) {
      if (!(thrown instanceof InputError)) throw thrown;
      return [{ name: basename(path), question: undefined, skipReason: `does not load: ${thrown.message}` }];
    }
  });
}

/** How programs came out. */
export interface Outcome {
  readonly compared: readonly Comparison[];
  /** Those that the kernel does not answer for, by what their authors expect. */
  readonly annotated: readonly AnnotatedVerdict[];
  /** Those that nobody answers for, with the reason. */
  readonly skipped: readonly string[];
}

const NO_ADDRESS = /^ldimm64 failed to find the address for kernel symbol/;

/** Why an answer is no verdict; undefined when it is one. */
function whyUnjudged(answer: StoredAnswer | undefined): string | undefined {
  if (answer === undefined) return "no answer";
  if (answer.error !== undefined) return answer.error;
  if (NO_ADDRESS.test(answer.errline ?? "")) return "the kernel keeps no addresses of its variables";
  if (answer.loaded || (answer.errline ?? "") !== "") return undefined;
  return `the kernel refuses before verifying: ${errnoName(answer.errno)}`;
}

/** Names of kernel functions, variables and types that this kernel does not have: nobody can judge their use. */
const LACKS = /the kernel's BTF has no/;

/** Asks the running kernel and the verifier about each program. */
export async function compareAll(
  cases: readonly ObjectCase[],
  privilege: Privilege = "all",
): Promise<Outcome> {
  const host = { ...kernelHost(), privilege };
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
  const annotated: AnnotatedVerdict[] = [];
  asked.forEach((one, i) => {
    const { name, question } = one;
    const answer = answers[i];
    const why = whyUnjudged(answer);
    if (answer !== undefined && why === undefined) {
      // Logs of a million instructions are not kept.
      compared.push({ ...compareCase({ ...question, name } as unknown as Case, answer, host), log: "" });
    } else if (question.prog_type === PROG_TYPES.unspec)
      skipped.push(`${name}: no program, a function of a library`);
    else if (LACKS.test(why ?? "")) skipped.push(`${name}: ${why}`);
    else annotated.push(judgeByAuthor(one, question, why ?? "", host));
  });
  return { compared, annotated, skipped };
}
