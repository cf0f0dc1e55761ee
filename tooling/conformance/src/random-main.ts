import { isBpfAllowed, runKernelCases } from "@tsbpf/kernel";
import { runToolCommand } from "@tsbpf/testkit";
import type { Privilege } from "@tsbpf/verifier";
import { verifierCase } from "../../fuzz/src/verifier-prog.ts";
import { compareCase } from "./agreement.ts";
import { kernelHost } from "./answers.ts";
import { compareRandom } from "./random-progs.ts";
import { printFindings, printLogs } from "./report.ts";
import { printDifference, printTally, tallyOf } from "./tally.ts";

const USAGE = `usage: random-main.ts [--seed N] [--count N] [--list errno|message|count] [--privilege bpf]
       random-main.ts --show SEED [--privilege bpf]

Compares kernel and verifier on random programs. --show prints a program, and what both say about it.
--privilege bpf asks and judges without CAP_PERFMON.
`;

async function show(seed: number, privilege: Privilege): Promise<string> {
  const one = { ...verifierCase(seed), log_level: 2 };
  const [answer] = await runKernelCases([one], { privilege });
  const program = `${one.prog_type}\n${one.text}\n`;
  if (answer === undefined) return program;
  const ours = compareCase(one, answer, { ...kernelHost(), privilege });
  return program + printLogs(answer, ours) + printDifference(ours);
}

async function compare(seed: number, count: number, privilege: Privilege, list?: string): Promise<string> {
  const all = await compareRandom(seed, count, privilege);
  const accepted = all.filter((one) => one.kernel.loaded).length;
  return `${printFindings(all, list)}${printTally("total", tallyOf(all))}  kernel accepts ${accepted}\n`;
}

await runToolCommand({
  usage: USAGE,
  options: {
    seed: { type: "string", default: "1" },
    count: { type: "string", default: "1000" },
    list: { type: "string" },
    show: { type: "string" },
    privilege: { type: "string" },
  },
  async run({ values }) {
    if (!isBpfAllowed()) {
      process.stdout.write("skipped: the kernel does not let this process use bpf(2)\n");
      return 0;
    }
    const privilege = values.privilege === "bpf" ? "bpf" : "all";
    const text =
      values.show === undefined
        ? await compare(Number(values.seed), Number(values.count), privilege, values.list)
        : await show(Number(values.show), privilege);
    process.stdout.write(text);
    return 0;
  },
});
