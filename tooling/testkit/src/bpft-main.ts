import { readFileSync } from "node:fs";
import { isBpfAllowed, runKernelCases } from "@tsbpf/kernel";
import { type BpftCase, parseBpft } from "./bpft.ts";
import { compareWithKernel, runBpft, toKernelQuestion } from "./bpft-run.ts";

// bpft-main.ts [--kernel] [--verbose] FILE...: runs the cases here; with --kernel the running kernel is asked too.
const args = process.argv.slice(2);
const files = args.filter((arg) => !arg.startsWith("--"));
const isVerbose = args.includes("--verbose");
const all: { readonly file: string; readonly one: BpftCase }[] = files.flatMap((file) =>
  parseBpft(readFileSync(file, "utf8"), file).map((one) => ({ file, one })),
);
const lines = new Map<BpftCase, string[]>();
for (const { one } of all) {
  const { verdict, problems } = runBpft(one);
  const said = verdict.isAccepted ? "accepted" : `${verdict.insnIdx} ${verdict.code} ${verdict.message}`;
  lines.set(one, [...(isVerbose ? [said] : []), ...problems]);
}
const isAsking = args.includes("--kernel");
if (isAsking && !isBpfAllowed()) process.stdout.write("skipped: the running kernel does not allow bpf(2)\n");
if (isAsking && isBpfAllowed()) {
  for (const privilege of ["all", "bpf"] as const) {
    if (!isBpfAllowed(privilege)) continue;
    const asked = all.map(({ one }) => one).filter((one) => one.privilege === privilege);
    const answers = await runKernelCases(asked.map(toKernelQuestion), { privilege });
    asked.forEach((one, idx) => {
      const answer = answers[idx];
      if (answer !== undefined) lines.get(one)?.push(...compareWithKernel(one, answer));
    });
  }
}
let failed = 0;
for (const { file, one } of all) {
  const found = lines.get(one) ?? [];
  if (found.length > (isVerbose ? 1 : 0)) failed++;
  for (const line of found) process.stdout.write(`${file}:${one.line}: ${one.title}: ${line}\n`);
}
process.stdout.write(`${all.length} cases, ${failed} with findings\n`);
process.exitCode = failed === 0 ? 0 : 1;
