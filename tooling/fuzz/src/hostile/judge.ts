import { InputError, TsbpfError } from "@tsbpf/base";
import type { KernelCase } from "@tsbpf/kernel";
import { printExplanation, type Verdict, type VerifyOptions, verifyProg } from "@tsbpf/verifier";
import { toInput } from "../../../conformance/src/cases.ts";

/** What came of one hostile program. */
export interface HostileOutcome {
  readonly end: "accepted" | "refused" | "input error";
  readonly code: string;
  readonly processed: number;
  readonly logChars: number;
  /** What should not be, in words; empty when all is well. */
  readonly problem: string;
}

const LEVELS = [0, 2, 4] as const;
const CODE = /^[A-Z][A-Z0-9]*(_[A-Z0-9]+)+$/;
const LEAK = /\bundefined\b|\bNaN\b|\[object|\bInfinity\b|\0/;
const HISTORY_STEPS_MAX = 16;
/** Most characters that a log keeps. */
const LOG_CHARS_MAX = 70_000_000;

/** Judges a program at each log level, prints the explanation, and says what is wrong with the answers. */
export function judgeHostile(one: KernelCase, options: VerifyOptions = {}): HostileOutcome {
  const verdicts: Verdict[] = [];
  let input: ReturnType<typeof toInput>;
  try {
    input = toInput(one);
    for (const logLevel of LEVELS)
      verdicts.push(verifyProg(input.spec, { ...options, logLevel, mapBtf: input.mapBtf }));
  } catch (thrown) {
    if (thrown instanceof InputError && verdicts.length === 0)
      return { end: "input error", code: thrown.code, processed: 0, logChars: 0, problem: "" };
    const code = thrown instanceof TsbpfError ? thrown.code : "CRASH";
    const problem = thrown instanceof Error ? (thrown.stack ?? thrown.message) : String(thrown);
    return { end: "refused", code, processed: 0, logChars: 0, problem };
  }
  const [first] = verdicts as [Verdict, ...Verdict[]];
  const logChars = Math.max(...verdicts.map((verdict) => verdict.log.length));
  return {
    end: first.isAccepted ? "accepted" : "refused",
    code: first.code,
    processed: first.stats.processedInsns,
    logChars,
    problem: [
      ...levelProblems(verdicts),
      ...(first.isAccepted ? [] : textProblems(first, input.spec.insns.length)),
      ...(logChars > LOG_CHARS_MAX ? [`log of ${logChars} characters`] : []),
    ].join("; "),
  };
}

/** A log must not change what is decided. */
function levelProblems(verdicts: readonly Verdict[]): readonly string[] {
  const [quiet, ...others] = verdicts.map((verdict) =>
    JSON.stringify([
      verdict.isAccepted,
      verdict.errno,
      verdict.code,
      verdict.message,
      verdict.insnIdx,
      verdict.stats,
    ]),
  );
  const last = verdicts.at(-1)?.log ?? "";
  return [
    ...others.filter((said) => said !== quiet).map((said) => `levels differ: ${quiet} and ${said}`),
    ...(last.includes("processed ") ? [] : ["no statistics at level 4"]),
  ];
}

function textProblems(verdict: Verdict, len: number): readonly string[] {
  const { code, summary, reason, suggestion, history, message, insnIdx } = verdict;
  const explanation = printExplanation(verdict);
  const problems: string[] = [];
  if (!CODE.test(code)) problems.push(`code ${code}`);
  if (verdict.errno <= 0 || verdict.errnoName === "") problems.push(`errno ${verdict.errno}`);
  if (message === "") problems.push("no message");
  for (const text of [summary, reason, suggestion]) {
    if (text === "" || text.includes("\n")) problems.push(`not one line: ${JSON.stringify(text)}`);
  }
  if (LEAK.test(explanation)) problems.push(`text ${JSON.stringify(explanation)}`);
  if (history.length > HISTORY_STEPS_MAX) problems.push(`history of ${history.length} steps`);
  if (history.some((step) => step.slot < 0 || step.slot >= len || step.text === ""))
    problems.push(`history ${JSON.stringify(history)}`);
  if (history.length > 0 && history.at(-1)?.slot !== insnIdx) problems.push("history ends elsewhere");
  if (insnIdx !== undefined && (insnIdx < 0 || insnIdx > len)) problems.push(`slot ${insnIdx} of ${len}`);
  return problems;
}
