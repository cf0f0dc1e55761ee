import { isBpfAllowed, KernelClient } from "@tsbpf/kernel";
import type { Privilege } from "@tsbpf/verifier";
import { type Comparison, compareCase } from "./agreement.ts";
import { kernelHost } from "./answers.ts";
import type { Case } from "./cases.ts";
import { buildSelftestObjects, missingTools } from "./objects/build.ts";
import type { ObjectCase } from "./objects/cases.ts";
import { compareAll, readCases } from "./objects/run.ts";
import { isFalseRefusal, isUnsound, printDifference, printTally, tallyOf } from "./tally.ts";

const USAGE = `usage: objects-main.ts OBJECT… [--list errno|message|count|skipped] [--only TEXT]
       objects-main.ts --selftests [PREFIX] …

Compares kernel and verifier on every program of compiled objects. --only prints both logs. --privilege bpf asks and judges
without CAP_PERFMON. --selftests builds the C
selftests of the installed linux-source package first, those whose name starts with PREFIX.
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
    const ours = compareCase({ ...asked, name } as unknown as Case, answer, { ...kernelHost(), privilege });
    write(
      `== ${name}\n-- kernel ${answer.error ?? ""}\n${answer.log ?? ""}-- tsbpf\n${ours.log}${ours.crash}\n`,
    );
  }
  await client.close();
}

async function main(args: readonly string[]): Promise<void> {
  const option = (name: string): string | undefined => {
    const at = args.indexOf(name);
    return at < 0 ? undefined : args[at + 1];
  };
  const paths = args.filter((arg, i) => !arg.startsWith("--") && !(args[i - 1] ?? "").startsWith("--"));
  const wantsSelftests = args.includes("--selftests");
  if (args.includes("--help") || (paths.length === 0 && !wantsSelftests)) return write(USAGE);
  const missing = wantsSelftests ? missingTools() : [];
  if (missing.length > 0) return write(`skipped: ${missing.join(", ")} not installed\n`);
  if (!isBpfAllowed()) return write("skipped: the kernel does not let this process use bpf(2)\n");
  const cases = readCases(wantsSelftests ? buildSelftestObjects(option("--selftests") ?? "") : paths);
  const privilege = option("--privilege") === "bpf" ? "bpf" : "all";
  const only = option("--only");
  if (only !== undefined)
    return showLogs(
      cases.filter((one) => one.name.includes(only)),
      privilege,
    );
  const { compared, skipped } = await compareAll(cases, privilege);
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
