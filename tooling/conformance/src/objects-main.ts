import { isBpfAllowed, KernelClient } from "@tsbpf/kernel";
import { runToolCommand } from "@tsbpf/testkit";
import type { Privilege } from "@tsbpf/verifier";
import { compareCase } from "./agreement.ts";
import { kernelHost } from "./answers.ts";
import { buildSelftestObjects, missingTools } from "./objects/build.ts";
import type { ObjectCase } from "./objects/cases.ts";
import { isAsExpected, printExpectations, printUnexpected } from "./objects/judge.ts";
import { compareAll, readCases } from "./objects/run.ts";
import { printFindings, printLogs } from "./report.ts";
import { printTally, tallyOf } from "./tally.ts";

const USAGE = `usage: objects-main.ts OBJECT… [--list errno|message|count|unexpected|skipped] [--only TEXT] [--privilege bpf]
       objects-main.ts --selftests PREFIX [--release 6.1] …

Compares kernel and verifier on every program of compiled objects. --only prints both logs. --privilege bpf asks and
judges without CAP_PERFMON. --selftests builds the C selftests of the installed linux-source package first, those whose
name starts with PREFIX ("" for all). Programs that the kernel does not answer for are held against what their authors
say in annotations; without one, a test is taken to load its programs. "unexpected" lists those that differ.
`;

const write = (text: string): void => {
  process.stdout.write(text);
};

async function showLogs(cases: readonly ObjectCase[], privilege: Privilege): Promise<void> {
  const client = new KernelClient({ privilege });
  for (const { name, question } of cases) {
    if (question === undefined) continue;
    const asked = { ...question, log_level: 2 };
    const answer = await client.ask(asked);
    const ours = compareCase({ ...asked, name }, answer, { ...kernelHost(), privilege });
    write(`== ${name}\n${printLogs(answer, ours)}`);
  }
  await client.close();
}

/** What stands in the way of asking, if anything. */
function whySkipped(wantsSelftests: boolean, release: string | undefined): string | undefined {
  const missing = wantsSelftests ? missingTools(release) : [];
  if (missing.length > 0) return `${missing.join(", ")} not installed`;
  return isBpfAllowed() ? undefined : "the kernel does not let this process use bpf(2)";
}

await runToolCommand({
  usage: USAGE,
  options: {
    list: { type: "string" },
    only: { type: "string" },
    privilege: { type: "string" },
    release: { type: "string" },
    selftests: { type: "string" },
  },
  async run({ values, positionals }) {
    if (positionals.length === 0 && values.selftests === undefined) {
      write(USAGE);
      return 2;
    }
    const skipped = whySkipped(values.selftests !== undefined, values.release);
    if (skipped !== undefined) {
      write(`skipped: ${skipped}\n`);
      return 0;
    }
    const cases = readCases(
      values.selftests === undefined ? positionals : buildSelftestObjects(values.selftests, values.release),
    );
    const privilege = values.privilege === "bpf" ? "bpf" : "all";
    const { only, list } = values;
    if (only !== undefined) {
      await showLogs(
        cases.filter((one) => one.name.includes(only)),
        privilege,
      );
      return 0;
    }
    const outcome = await compareAll(cases, privilege);
    write(printFindings(outcome.compared, list === "skipped" || list === "unexpected" ? undefined : list));
    if (list === "skipped") write(`# skipped\n${outcome.skipped.join("\n")}\n`);
    if (list === "unexpected") {
      const unexpected = outcome.annotated.filter((one) => !isAsExpected(one));
      write(`# unexpected\n${unexpected.map(printUnexpected).join("")}`);
    }
    if (outcome.annotated.length > 0) write(`${printExpectations(outcome.annotated)}\n`);
    write(`${printTally("total", tallyOf(outcome.compared))}  skipped ${outcome.skipped.length}\n`);
    return 0;
  },
});
