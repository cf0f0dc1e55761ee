import { isBpfAllowed, runKernelCases } from "@tsbpf/kernel";
import type { Privilege } from "@tsbpf/verifier";
import { verifierCase } from "../../fuzz/src/verifier-prog.ts";
import { type Comparison, compareCase } from "./agreement.ts";
import { kernelHost } from "./answers.ts";
import { compareRandom } from "./random-progs.ts";
import { isFalseRefusal, isUnsound, printDifference, printTally, tallyOf } from "./tally.ts";

const USAGE = `usage: random-main.ts [--seed N] [--count N] [--list KIND] [--show SEED]

Compares kernel and verifier on random programs; KIND is errno, message, count.
--show prints a program, and what both say about it. --privilege bpf asks and judges without CAP_PERFMON.
`;

const write = (text: string): void => {
  process.stdout.write(text);
};

async function show(seed: number, privilege: Privilege): Promise<void> {
  const one = { ...verifierCase(seed), log_level: 2 };
  const [answer] = await runKernelCases([one], { privilege });
  write(`${one.prog_type}\n${one.text}\n`);
  if (answer === undefined) return;
  const ours = compareCase(one, answer, { ...kernelHost(), privilege });
  write(`-- kernel\n${answer.log ?? ""}-- tsbpf\n${ours.log}${ours.crash}\n${printDifference(ours)}`);
}

async function main(args: readonly string[]): Promise<void> {
  const option = (name: string): string | undefined => {
    const at = args.indexOf(name);
    return at < 0 ? undefined : args[at + 1];
  };
  if (args.includes("--help")) return write(USAGE);
  if (!isBpfAllowed()) return write("skipped: the kernel does not let this process use bpf(2)\n");
  const privilege = option("--privilege") === "bpf" ? "bpf" : "all";
  const shown = option("--show");
  if (shown !== undefined) return show(Number(shown), privilege);
  const seed = Number(option("--seed") ?? 1);
  const all = await compareRandom(seed, Number(option("--count") ?? 1000), privilege);
  const list = option("--list");
  const differs = (one: Comparison): boolean =>
    one.isVerdictSame &&
    ((list === "errno" && !one.isErrnoSame) ||
      (list === "message" && one.isMessageSame === false) ||
      (list === "count" && one.isCountSame === false));
  write(`# accepted against the kernel\n${all.filter(isUnsound).map(printDifference).join("")}`);
  write(`# refused against the kernel\n${all.filter(isFalseRefusal).map(printDifference).join("")}`);
  if (list !== undefined) write(`# ${list}\n${all.filter(differs).map(printDifference).join("")}`);
  const accepted = all.filter((one) => one.kernel.loaded).length;
  write(`${printTally("total", tallyOf(all))}  kernel accepts ${accepted}\n`);
}

await main(process.argv.slice(2));
