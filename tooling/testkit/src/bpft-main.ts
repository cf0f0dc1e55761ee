import { isBpfAllowed, runKernelCases } from "@tsbpf/kernel";
import { type BpftCase, parseBpft } from "./bpft.ts";
import { compareWithKernel, runBpft, toKernelQuestion } from "./bpft-run.ts";
import { readText, runToolCommand } from "./command.ts";

const USAGE = `usage: bpft-main.ts FILE.bpft… [--kernel] [--verbose]

Runs the cases of the files; --kernel asks the running kernel too, --verbose also prints what is said of each case.
Ends with 1 when a case has findings.
`;

/** Adds what the running kernel says otherwise to the findings of each case. */
async function askKernel(findings: ReadonlyMap<BpftCase, string[]>): Promise<void> {
  for (const privilege of ["all", "bpf"] as const) {
    if (!isBpfAllowed(privilege)) continue;
    const asked = [...findings.keys()].filter((one) => one.privilege === privilege);
    const answers = await runKernelCases(asked.map(toKernelQuestion), { privilege });
    asked.forEach((one, idx) => {
      const answer = answers[idx];
      if (answer !== undefined) findings.get(one)?.push(...compareWithKernel(one, answer));
    });
  }
}

await runToolCommand({
  usage: USAGE,
  options: { kernel: { type: "boolean", default: false }, verbose: { type: "boolean", default: false } },
  async run({ values, positionals }) {
    if (positionals.length === 0) {
      process.stderr.write(USAGE);
      return 2;
    }
    const files = new Map<BpftCase, string>();
    for (const file of positionals) for (const one of parseBpft(readText(file), file)) files.set(one, file);
    const outcomes = new Map([...files.keys()].map((one) => [one, runBpft(one)]));
    const findings = new Map([...outcomes].map(([one, { problems }]) => [one, [...problems]]));
    if (values.kernel && isBpfAllowed()) await askKernel(findings);
    else if (values.kernel) process.stdout.write("skipped: the running kernel does not allow bpf(2)\n");
    for (const [one, { verdict }] of outcomes) {
      const said = verdict.isAccepted ? "accepted" : `${verdict.insnIdx} ${verdict.code} ${verdict.message}`;
      for (const line of [...(values.verbose ? [said] : []), ...(findings.get(one) ?? [])])
        process.stdout.write(`${files.get(one)}:${one.line}: ${one.title}: ${line}\n`);
    }
    const failed = [...findings.values()].filter((found) => found.length > 0).length;
    process.stdout.write(`${files.size} cases, ${failed} with findings\n`);
    return failed === 0 ? 0 : 1;
  },
});
