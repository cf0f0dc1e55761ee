import { ERRNO, errnoName } from "@tsbpf/abi";
import type { Privilege } from "@tsbpf/verifier";
import { type Comparison, compareCase } from "../agreement.ts";
import { askKernel, kernelHost, type StoredAnswer } from "../answers.ts";
import type { Selftest } from "./convert.ts";

/** A selftest beside the kernel's answer and ours. */
export interface Outcome {
  readonly test: Selftest;
  /** Undefined when it could not be asked. */
  readonly comparison: Comparison | undefined;
  readonly skipReason: string;
}

/** Errno without a log: the kernel refuses the program before its verifier looks at it. */
const isUnjudged = (answer: StoredAnswer): boolean =>
  !answer.loaded &&
  (answer.errline ?? "") === "" &&
  (answer.errno === ERRNO.EPERM || answer.errno === ERRNO.ENOTSUPP);

/** Asks the running kernel and the verifier about each test. */
export async function runSelftests(
  tests: readonly Selftest[],
  privilege: Privilege = "all",
): Promise<readonly Outcome[]> {
  const questions = tests.flatMap((test) => (test.question === undefined ? [] : [test.question]));
  const answers = await askKernel(questions, privilege);
  const answerOf = new Map(questions.map((question, i) => [question, answers[i]]));
  return tests.map((test) => {
    const { question } = test;
    if (question === undefined) return { test, comparison: undefined, skipReason: test.skipReason };
    const answer = answerOf.get(question);
    if (answer === undefined || answer.error !== undefined) {
      return {
        test,
        comparison: undefined,
        skipReason: `kernel cannot be asked: ${answer?.error ?? "no answer"}`,
      };
    }
    if (isUnjudged(answer)) {
      return {
        test,
        comparison: undefined,
        skipReason: `kernel refuses before verifying: ${errnoName(answer.errno)}`,
      };
    }
    const item = { ...question, name: `${test.file}: ${test.name}` };
    return { test, comparison: compareCase(item, answer, { ...kernelHost(), privilege }), skipReason: "" };
  });
}
