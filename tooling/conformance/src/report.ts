import type { KernelAnswer } from "@tsbpf/kernel";
import type { Comparison } from "./agreement.ts";
import { isFalseRefusal, isUnsound, printDifference } from "./tally.ts";

/** Kinds of differences that `--list` names, beside those that are always named. */
export type ListKind = "errno" | "message" | "count" | "log";

/** Whether verdicts agree and what a list is about does not. */
function isListed(kind: string, one: Comparison): boolean {
  if (!one.isVerdictSame) return false;
  const answers: Readonly<Record<ListKind, boolean>> = {
    errno: !one.isErrnoSame,
    message: one.isMessageSame === false,
    count: one.isCountSame === false,
    log: one.isLogSame === false,
  };
  return Object.hasOwn(answers, kind) && answers[kind as ListKind];
}

const section = (title: string, found: readonly Comparison[]): string =>
  `# ${title}\n${found.map(printDifference).join("")}`;

/** Prints the cases in which verdicts differ, and those that `list` asks for. */
export const printFindings = (compared: readonly Comparison[], list: string | undefined): string =>
  section("accepted against the kernel", compared.filter(isUnsound)) +
  section("refused against the kernel", compared.filter(isFalseRefusal)) +
  section(
    "crashes",
    compared.filter((one) => one.crash !== ""),
  ) +
  (list === undefined
    ? ""
    : section(
        list,
        compared.filter((one) => isListed(list, one)),
      ));

/** Prints the log of the kernel above our own. */
export const printLogs = (answer: Pick<KernelAnswer, "error" | "log">, ours: Comparison): string =>
  `-- kernel ${answer.error ?? ""}\n${answer.log ?? ""}-- tsbpf\n${ours.log}${ours.crash}\n`;
