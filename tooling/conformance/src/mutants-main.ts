import { isBpfAllowed, runKernelCases } from "@tsbpf/kernel";
import type { Privilege } from "@tsbpf/verifier";
import { objectSeeds, ownSeeds, selftestSeeds } from "../../fuzz/src/hostile/seeds.ts";
import { type Comparison, compareCase } from "./agreement.ts";
import { kernelHost } from "./answers.ts";
import type { Case } from "./cases.ts";
import { compareMutants, mutantOf } from "./mutants.ts";
import { isFalseRefusal, isUnsound, printDifference, printTally, tallyOf } from "./tally.ts";

const USAGE = `usage: mutants-main.ts [--seed N] [--count N] [--list errno|message|count] [--privilege bpf] [OBJECT…]
       mutants-main.ts --show N [--privilege bpf] [OBJECT…]

Compares kernel and verifier on mutated programs: of the samples, of Linux's tests where installed, and of the objects.
--show prints the case, and what both say about it.
`;

const listOf = (list: string, all: readonly Comparison[]): string =>
  `# ${list}\n${all
    .filter(
      (one) =>
        one.isVerdictSame &&
        ((list === "errno" && !one.isErrnoSame) ||
          (list === "message" && one.isMessageSame === false) ||
          (list === "count" && one.isCountSame === false)),
    )
    .map(printDifference)
    .join("")}`;

async function answer(args: readonly string[]): Promise<string> {
  const option = (name: string): string | undefined => {
    const at = args.indexOf(name);
    return at < 0 ? undefined : args[at + 1];
  };
  if (args.includes("--help")) return USAGE;
  if (!isBpfAllowed()) return "skipped: the kernel does not let this process use bpf(2)\n";
  const paths = args.filter((arg, i) => !arg.startsWith("--") && !(args[i - 1] ?? "").startsWith("--"));
  const seeds = [...ownSeeds(), ...selftestSeeds(), ...objectSeeds(paths)];
  const privilege: Privilege = option("--privilege") === "bpf" ? "bpf" : "all";
  const shown = option("--show");
  if (shown !== undefined) {
    const one = { ...mutantOf(Number(shown), seeds), log_level: 2 };
    const [said] = await runKernelCases([one], { privilege });
    if (said === undefined) return "no answer\n";
    const ours = compareCase(one as Case, said, { ...kernelHost(), privilege });
    return `${JSON.stringify(one)}\n-- kernel ${said.error ?? ""}\n${said.log ?? ""}-- tsbpf\n${ours.log}${ours.crash}\n${printDifference({ ...ours, kernel: said })}`;
  }
  const { compared, opposed, unjudged } = await compareMutants(
    Number(option("--seed") ?? 1),
    Number(option("--count") ?? 500),
    seeds,
    privilege,
  );
  const list = option("--list");
  const accepted = compared.filter((one) => one.kernel.loaded).length;
  return (
    `# accepted against the kernel\n${compared.filter(isUnsound).map(printDifference).join("")}` +
    `# refused against the kernel\n${compared.filter(isFalseRefusal).map(printDifference).join("")}` +
    `# crashes\n${compared
      .filter((one) => one.crash !== "")
      .map(printDifference)
      .join("")}` +
    opposed.map((one) => `${one}\n`).join("") +
    (list === undefined ? "" : listOf(list, compared)) +
    `${printTally("total", tallyOf(compared))}  kernel accepts ${accepted}  not judged ${unjudged}\n`
  );
}

process.stdout.write(await answer(process.argv.slice(2)));
