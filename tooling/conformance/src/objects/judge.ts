import type { KernelCase } from "@tsbpf/kernel";
import { type Comparison, compareCase, type Host } from "../agreement.ts";
import { missingMessage } from "./annotation.ts";
import type { ObjectCase } from "./cases.ts";

/** A program that the kernel does not answer for, beside what its author expects. */
export interface AnnotatedVerdict {
  readonly name: string;
  /** Why the kernel was not asked, or did not answer. */
  readonly why: string;
  /** Whether its author says so in a tag; otherwise every test loads its programs. */
  readonly isAnnotated: boolean;
  readonly expectsAccepted: boolean;
  readonly isAccepted: boolean;
  readonly message: string;
  /** Text that our log should hold and does not. */
  readonly missing: string | undefined;
  readonly crash: string;
}

/** Tells whether verdict and texts are as the author expects. */
export const isAsExpected = (one: AnnotatedVerdict): boolean =>
  one.crash === "" && one.isAccepted === one.expectsAccepted && one.missing === undefined;

/** Judges a program and compares with what its author expects. */
export function judgeByAuthor(
  one: ObjectCase,
  question: KernelCase,
  why: string,
  host: Host,
): AnnotatedVerdict {
  const { name, expectation } = one;
  const asked = { ...question, name, log_level: expectation?.logLevel ?? 1 };
  const ours: Comparison = compareCase(asked, { loaded: false, errno: 0 }, host);
  return {
    name,
    why,
    isAnnotated: expectation !== undefined,
    expectsAccepted: expectation?.isAccepted ?? true,
    isAccepted: ours.isAccepted,
    message: ours.message,
    missing: missingMessage(ours.log, expectation?.messages ?? []),
    crash: ours.crash,
  };
}

/** Prints one that is not as expected. */
export function printUnexpected(one: AnnotatedVerdict): string {
  const says = one.isAccepted ? "accepts" : `refuses ${one.message}`;
  const wants = `${one.isAnnotated ? "says" : "is taken to say"} it ${one.expectsAccepted ? "loads" : "fails"}`;
  const missing = one.missing === undefined ? "" : `\n  missing ${one.missing}`;
  const crash = one.crash === "" ? "" : `\n  crash   ${one.crash.split("\n").slice(0, 4).join(" | ")}`;
  return `${one.name} (${one.why})\n  author  ${wants}\n  tsbpf   ${says}${missing}${crash}\n`;
}

/** Prints how many are as expected, those with a tag first. */
export function printExpectations(all: readonly AnnotatedVerdict[]): string {
  const line = (title: string, of: readonly AnnotatedVerdict[]): string =>
    `${title.padEnd(34)}  as expected ${of.filter(isAsExpected).length}/${of.length}`;
  return [
    line(
      "by annotation",
      all.filter((one) => one.isAnnotated),
    ),
    line(
      "by being loaded in its test",
      all.filter((one) => !one.isAnnotated),
    ),
  ].join("\n");
}
