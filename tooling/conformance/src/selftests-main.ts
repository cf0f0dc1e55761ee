import { isBpfAllowed, KernelClient } from "@tsbpf/kernel";
import type { Privilege } from "@tsbpf/verifier";
import { type Comparison, compareCase } from "./agreement.ts";
import { kernelHost } from "./answers.ts";
import type { Case } from "./cases.ts";
import type { Selftest } from "./selftests/convert.ts";
import { readSelftests } from "./selftests/read.ts";
import { runSelftests } from "./selftests/run.ts";
import { isFalseRefusal, isUnsound, printDifference, printTally, tallyOf } from "./tally.ts";

const USAGE = `usage: selftests-main.ts [--file calls.c] [--list KIND] [--only TEXT] [--json]

Asks the running kernel and the verifier about Linux's instruction-level verifier tests.
  --file NAME   only the tests of that file
  --list KIND   also name the tests that differ in: errno, message, count; or those skipped
  --only TEXT   both logs of the tests whose name has TEXT
  --log N       log level of --only, 2 when omitted
  --privilege bpf   asks and judges without CAP_PERFMON
  --json        one JSON object instead of text
`;

const write = (text: string): void => {
  process.stdout.write(text);
};

/** Shows what kernel and verifier say about a few tests, step by step. */
async function showLogs(tests: readonly Selftest[], level: number, privilege: Privilege): Promise<void> {
  const client = new KernelClient({ privilege });
  try {
    for (const test of tests) {
      if (test.question === undefined) continue;
      const question = { ...test.question, log_level: level };
      const answer = await client.ask(question);
      const item = { ...question, name: `${test.file}: ${test.name}` } as unknown as Case;
      const ours = compareCase(item, answer, { ...kernelHost(), privilege });
      write(
        `== ${item.name}\n-- kernel ${answer.error ?? ""}\n${answer.log ?? ""}-- tsbpf\n${ours.log}${ours.crash}\n`,
      );
    }
  } finally {
    await client.close();
  }
}

const isListed = (kind: string | undefined, one: Comparison): boolean => {
  if (!one.isVerdictSame) return false;
  if (kind === "errno") return !one.isErrnoSame;
  if (kind === "message") return one.isMessageSame === false;
  return kind === "count" && one.isCountSame === false;
};

async function main(args: readonly string[]): Promise<void> {
  const option = (name: string): string | undefined => {
    const at = args.indexOf(name);
    return at < 0 ? undefined : args[at + 1];
  };
  if (args.includes("--help")) return write(USAGE);
  if (!isBpfAllowed()) {
    write("skipped: the kernel does not let this process use bpf(2)\n");
    return;
  }
  const tests = readSelftests(option("--file"));
  if (tests.length === 0) {
    write("skipped: no linux-source package installed, or no such file in it\n");
    return;
  }
  const privilege = option("--privilege") === "bpf" ? "bpf" : "all";
  const only = option("--only");
  if (only !== undefined) {
    return showLogs(
      tests.filter((test) => test.name.includes(only)),
      Number(option("--log") ?? 2),
      privilege,
    );
  }
  const outcomes = await runSelftests(tests, privilege);
  const compared = outcomes.flatMap((one) => (one.comparison === undefined ? [] : [one.comparison]));
  const skipped = outcomes.filter((one) => one.comparison === undefined);
  const total = tallyOf(compared);
  if (args.includes("--json")) {
    const names = (all: readonly Comparison[]): readonly string[] => all.map((one) => one.name);
    const unsound = names(compared.filter(isUnsound));
    const falseRefusals = names(compared.filter(isFalseRefusal));
    return write(`${JSON.stringify({ total, unsound, falseRefusals, skipped: skipped.length }, null, 1)}\n`);
  }
  const list = option("--list");
  write(`# accepted against the kernel\n${compared.filter(isUnsound).map(printDifference).join("")}`);
  write(`# refused against the kernel\n${compared.filter(isFalseRefusal).map(printDifference).join("")}`);
  if (list !== undefined) {
    write(
      `# ${list}\n${compared
        .filter((one) => isListed(list, one))
        .map(printDifference)
        .join("")}`,
    );
  }
  if (list === "skipped") {
    for (const one of skipped) write(`${one.test.file}: ${one.test.name}: ${one.skipReason}\n`);
  }
  write("# by file\n");
  for (const file of new Set(tests.map((test) => test.file))) {
    const own = outcomes.filter((one) => one.test.file === file);
    write(
      `${printTally(file, tallyOf(own.flatMap((one) => (one.comparison === undefined ? [] : [one.comparison]))))}\n`,
    );
  }
  write(`${printTally("total", total)}  skipped ${skipped.length}\n`);
}

await main(process.argv.slice(2));
