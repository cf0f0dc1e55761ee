import { readFileSync } from "node:fs";
import { basename } from "node:path";
import { InputError } from "@tsbpf/base";
import { isBpfAllowed, KernelClient } from "@tsbpf/kernel";
import { type Comparison, compareCase } from "./agreement.ts";
import { askKernel, kernelHost } from "./answers.ts";
import type { Case } from "./cases.ts";
import { type ObjectCase, objectCases } from "./objects/cases.ts";
import { isFalseRefusal, isUnsound, printDifference, printTally, tallyOf } from "./tally.ts";

const USAGE = `usage: objects-main.ts OBJECT… [--list errno|message|count|skipped] [--only TEXT]

Compares kernel and verifier on every program of compiled objects. --only prints both logs.
`;

const write = (text: string): void => {
  process.stdout.write(text);
};

function readCases(paths: readonly string[]): readonly ObjectCase[] {
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

async function showLogs(cases: readonly ObjectCase[]): Promise<void> {
  const client = new KernelClient();
  for (const { name, question } of cases) {
    if (question === undefined) continue;
    const asked = { ...question, log_level: 2 };
    const answer = await client.ask(asked);
    const ours = compareCase({ ...asked, name } as unknown as Case, answer, kernelHost());
    write(
      `== ${name}\n-- kernel ${answer.error ?? ""}\n${answer.log ?? ""}-- tsbpf\n${ours.log}${ours.crash}\n`,
    );
  }
  await client.close();
}

async function compareAll(
  cases: readonly ObjectCase[],
): Promise<{ readonly compared: readonly Comparison[]; readonly skipped: readonly string[] }> {
  const asked = cases.flatMap((one) =>
    one.question === undefined ? [] : [{ ...one, question: one.question }],
  );
  const skipped = cases
    .filter((one) => one.question === undefined)
    .map((one) => `${one.name}: ${one.skipReason}`);
  const answers = await askKernel(asked.map((one) => one.question));
  const compared: Comparison[] = [];
  asked.forEach(({ name, question }, i) => {
    const answer = answers[i];
    const isUnjudged = answer !== undefined && (answer.errline ?? "") === "" && !answer.loaded;
    if (answer === undefined || answer.error !== undefined)
      skipped.push(`${name}: ${answer?.error ?? "no answer"}`);
    else if (isUnjudged) skipped.push(`${name}: the kernel refuses before verifying`);
    else compared.push(compareCase({ ...question, name } as unknown as Case, answer, kernelHost()));
  });
  return { compared, skipped };
}

async function main(args: readonly string[]): Promise<void> {
  const option = (name: string): string | undefined => {
    const at = args.indexOf(name);
    return at < 0 ? undefined : args[at + 1];
  };
  const paths = args.filter((arg, i) => !arg.startsWith("--") && !(args[i - 1] ?? "").startsWith("--"));
  if (args.includes("--help") || paths.length === 0) return write(USAGE);
  if (!isBpfAllowed()) return write("skipped: the kernel does not let this process use bpf(2)\n");
  const cases = readCases(paths);
  const only = option("--only");
  if (only !== undefined) return showLogs(cases.filter((one) => one.name.includes(only)));
  const { compared, skipped } = await compareAll(cases);
  const list = option("--list");
  const differs = (one: Comparison): boolean =>
    one.isVerdictSame &&
    ((list === "errno" && !one.isErrnoSame) ||
      (list === "message" && one.isMessageSame === false) ||
      (list === "count" && one.isCountSame === false));
  write(`# accepted against the kernel\n${compared.filter(isUnsound).map(printDifference).join("")}`);
  write(`# refused against the kernel\n${compared.filter(isFalseRefusal).map(printDifference).join("")}`);
  if (list === "skipped") write(`# skipped\n${skipped.join("\n")}\n`);
  else if (list !== undefined) write(`# ${list}\n${compared.filter(differs).map(printDifference).join("")}`);
  write(`${printTally("total", tallyOf(compared))}  skipped ${skipped.length}\n`);
}

await main(process.argv.slice(2));
