import { isBpfAllowed, runKernelCases } from "@tsbpf/kernel";
import { describe, expect, it } from "vitest";
import { compareCase, errorLineOf } from "../src/agreement.ts";
import type { Case } from "../src/cases.ts";
import { limitCases } from "../src/limits.ts";

const ALL = limitCases();

describe("programs at Linux's limits", () => {
  it.each(ALL.map((one) => [one.question.name, one] as const))(
    "%s",
    (_name, { question, errno, message }) => {
      const ours = compareCase(question as Case, { loaded: errno === 0, errno });
      expect(ours.crash).toBe("");
      expect([ours.errno, ...(message === undefined ? [] : [ours.message])]).toEqual([
        errno,
        ...(message === undefined ? [] : [message]),
      ]);
    },
  );

  it.skipIf(!isBpfAllowed())("the running kernel says the same", async () => {
    const answers = await runKernelCases(ALL.map((one) => one.question));
    const said = answers.map((answer) => [
      answer.name,
      answer.error ?? "",
      answer.errno,
      errorLineOf(answer.errline ?? ""),
    ]);
    expect(said).toEqual(
      ALL.map(({ question, errno, message }) => [question.name, "", errno, message ?? ""]),
    );
  });
});
