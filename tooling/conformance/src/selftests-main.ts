import { isBpfAllowed, KernelClient } from "@tsbpf/kernel";
import { runToolCommand } from "@tsbpf/testkit";
import type { Privilege } from "@tsbpf/verifier";
import { type Comparison, compareCase } from "./agreement.ts";
import { kernelHost } from "./answers.ts";
import { printFindings, printLogs } from "./report.ts";
import type { Selftest } from "./selftests/convert.ts";
import { readSelftests } from "./selftests/read.ts";
import { runSelftests } from "./selftests/run.ts";
import { isFalseRefusal, isUnsound, printTally, tallyOf } from "./tally.ts";

const USAGE = `usage: selftests-main.ts [--file calls.c] [--list KIND] [--only TEXT] [--log N] [--privilege bpf] [--json]

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
      const item = { ...question, name: `${test.file}: ${test.name}` };
      const ours = compareCase(item, answer, { ...kernelHost(), privilege });
      write(`== ${item.name}\n${printLogs(answer, ours)}`);
    }
  } finally {
    await client.close();
  }
}

function printFiles(tests: readonly Selftest[], outcomes: Awaited<ReturnType<typeof runSelftests>>): string {
  return [...new Set(tests.map((test) => test.file))]
    .map((file) => {
      const own = outcomes.flatMap((one) =>
        one.test.file === file && one.comparison !== undefined ? [one.comparison] : [],
      );
      return `${printTally(file, tallyOf(own))}\n`;
    })
    .join("");
}

/** The numbers and the names that a script looks at. */
function toJson(compared: readonly Comparison[], skippedCount: number): string {
  const names = (all: readonly Comparison[]): readonly string[] => all.map((one) => one.name);
  const document = {
    total: tallyOf(compared),
    unsound: names(compared.filter(isUnsound)),
    falseRefusals: names(compared.filter(isFalseRefusal)),
    skipped: skippedCount,
  };
  return `${JSON.stringify(document, null, 1)}\n`;
}

await runToolCommand({
  usage: USAGE,
  options: {
    file: { type: "string" },
    list: { type: "string" },
    only: { type: "string" },
    log: { type: "string", default: "2" },
    privilege: { type: "string" },
    json: { type: "boolean", default: false },
  },
  async run({ values }) {
    const tests = isBpfAllowed() ? readSelftests(values.file) : [];
    if (tests.length === 0) {
      write(
        isBpfAllowed()
          ? "skipped: no linux-source package installed, or no such file in it\n"
          : "skipped: the kernel does not let this process use bpf(2)\n",
      );
      return 0;
    }
    const privilege = values.privilege === "bpf" ? "bpf" : "all";
    const { only, list } = values;
    if (only !== undefined) {
      const chosen = tests.filter((test) => test.name.includes(only));
      await showLogs(chosen, Number(values.log), privilege);
      return 0;
    }
    const outcomes = await runSelftests(tests, privilege);
    const compared = outcomes.flatMap((one) => (one.comparison === undefined ? [] : [one.comparison]));
    const skipped = outcomes.filter((one) => one.comparison === undefined);
    if (values.json) {
      write(toJson(compared, skipped.length));
      return 0;
    }
    write(printFindings(compared, list === "skipped" ? undefined : list));
    if (list === "skipped")
      write(skipped.map(({ test, skipReason }) => `${test.file}: ${test.name}: ${skipReason}\n`).join(""));
    write(`# by file\n${printFiles(tests, outcomes)}`);
    write(`${printTally("total", tallyOf(compared))}  skipped ${skipped.length}\n`);
    return 0;
  },
});
