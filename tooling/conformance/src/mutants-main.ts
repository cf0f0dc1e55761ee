import { isBpfAllowed, runKernelCases } from "@tsbpf/kernel";
import { runToolCommand } from "@tsbpf/testkit";
import type { Privilege } from "@tsbpf/verifier";
import { objectSeeds, ownSeeds, selftestSeeds } from "../../fuzz/src/hostile/seeds.ts";
import { compareCase } from "./agreement.ts";
import { kernelHost } from "./answers.ts";
import { compareMutants, mutantOf } from "./mutants.ts";
import { printFindings, printLogs } from "./report.ts";
import { printDifference, printTally, tallyOf } from "./tally.ts";

const USAGE = `usage: mutants-main.ts [--seed N] [--count N] [--list errno|message|count] [--privilege bpf] [OBJECT…]
       mutants-main.ts --show N [--privilege bpf] [OBJECT…]

Compares kernel and verifier on mutated programs: of the samples, of Linux's tests where installed, and of the objects.
--show prints the case, and what both say about it.
`;

type Seeds = Parameters<typeof mutantOf>[1];

async function show(seed: number, seeds: Seeds, privilege: Privilege): Promise<string> {
  const one = { ...mutantOf(seed, seeds), log_level: 2 };
  const [said] = await runKernelCases([one], { privilege });
  if (said === undefined) return "no answer\n";
  const ours = compareCase(one, said, { ...kernelHost(), privilege });
  return `${JSON.stringify(one)}\n${printLogs(said, ours)}${printDifference({ ...ours, kernel: said })}`;
}

interface Wanted {
  readonly seed: number;
  readonly count: number;
  readonly privilege: Privilege;
  readonly list: string | undefined;
}

async function compare(seeds: Seeds, { seed, count, privilege, list }: Wanted): Promise<string> {
  const { compared, opposed, unjudged } = await compareMutants(seed, count, seeds, privilege);
  const accepted = compared.filter((one) => one.kernel.loaded).length;
  return (
    printFindings(compared, list) +
    opposed.map((one) => `${one}\n`).join("") +
    `${printTally("total", tallyOf(compared))}  kernel accepts ${accepted}  not judged ${unjudged}\n`
  );
}

await runToolCommand({
  usage: USAGE,
  options: {
    seed: { type: "string", default: "1" },
    count: { type: "string", default: "500" },
    list: { type: "string" },
    show: { type: "string" },
    privilege: { type: "string" },
  },
  async run({ values, positionals }) {
    if (!isBpfAllowed()) {
      process.stdout.write("skipped: the kernel does not let this process use bpf(2)\n");
      return 0;
    }
    const seeds = [...ownSeeds(), ...selftestSeeds(), ...objectSeeds(positionals)];
    const privilege = values.privilege === "bpf" ? "bpf" : "all";
    const text =
      values.show === undefined
        ? await compare(seeds, {
            seed: Number(values.seed),
            count: Number(values.count),
            privilege,
            list: values.list,
          })
        : await show(Number(values.show), seeds, privilege);
    process.stdout.write(text);
    return 0;
  },
});
