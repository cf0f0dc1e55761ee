import { performance } from "node:perf_hooks";
import { InputError } from "@tsbpf/base";
import type { KernelCase } from "@tsbpf/kernel";
import { runToolCommand } from "@tsbpf/testkit";
import { kernelHost } from "../../conformance/src/answers.ts";
import { HOSTILE_KINDS, type HostileKind } from "./hostile/case.ts";
import { judgeHostile } from "./hostile/judge.ts";
import { type HostileRun, programOf, runHostile } from "./hostile/run.ts";
import { objectSeeds, ownSeeds, selftestSeeds } from "./hostile/seeds.ts";

const USAGE = `usage: hostile-main.ts [--programs N] [--seed S] [--kind bytes|mutated|grammar] [--limit N] [--seconds N] [--trace] [OBJECT…]
       hostile-main.ts --show S --kind KIND [OBJECT…]

Gives random instructions, mutated programs of the samples, of Linux's tests and of the objects, and programs of a grammar to the
verifier, at log levels 0, 2 and 4, and lists what is no proper answer. --show prints one program as a case.
--limit gives up after that many instructions, where a run is to go wide and not deep; --seconds begins no program after that time;
--trace names each program before it is judged.
`;

function printRun(run: HostileRun): string {
  const table = (map: ReadonlyMap<string, number>): string =>
    [...map]
      .sort((a, b) => b[1] - a[1])
      .map(([key, count]) => `  ${String(count).padStart(7)} ${key}\n`)
      .join("");
  const { mostWalked: most, slowest } = run;
  return (
    run.problems.map((one) => `PROBLEM ${one.kind} ${one.seed}: ${one.text}\n`).join("") +
    `${table(run.ends)}codes\n${table(run.codes)}` +
    `programs ${run.programs}  problems ${run.problems.length}  at the instruction limit ${run.atLimit}  ` +
    `most walked ${most.value} (${most.kind} ${most.seed})  slowest ${slowest.value.toFixed(0)} ms for three levels (${slowest.kind} ${slowest.seed})  ` +
    `longest log ${run.longestLogChars}  memory ${Math.round(process.resourceUsage().maxRSS / 1024)} MiB\n`
  );
}

const isKind = (text: string): text is HostileKind => (HOSTILE_KINDS as readonly string[]).includes(text);

function kindOf(text: string | undefined): HostileKind | undefined {
  if (text === undefined || isKind(text)) return text;
  throw new InputError("OPTION_KIND", `--kind ${text} found, one of ${HOSTILE_KINDS.join(", ")} needed`);
}

function show(kind: HostileKind, seed: number, seeds: readonly KernelCase[]): string {
  const { kernelBtf } = kernelHost();
  const { one, privilege, withTypes } = programOf(kind, seed, seeds);
  const outcome = judgeHostile(one, {
    privilege,
    ...(withTypes && kernelBtf !== undefined ? { kernelBtf } : {}),
  });
  return `${JSON.stringify(one)}\n${privilege} ${withTypes}\n${JSON.stringify(outcome, null, 1)}\n`;
}

await runToolCommand({
  usage: USAGE,
  options: {
    programs: { type: "string", default: "1000" },
    seed: { type: "string", default: "1" },
    kind: { type: "string" },
    limit: { type: "string" },
    seconds: { type: "string" },
    show: { type: "string" },
    trace: { type: "boolean", default: false },
  },
  run({ values, positionals }) {
    const kind = kindOf(values.kind);
    const seeds = [...ownSeeds(), ...selftestSeeds(), ...objectSeeds(positionals)];
    if (values.show !== undefined) {
      process.stdout.write(show(kind ?? "mutated", Number(values.show), seeds));
      return 0;
    }
    const { kernelBtf } = kernelHost();
    const outcome = runHostile({
      first: Number(values.seed),
      count: Number(values.programs),
      ...(kind === undefined ? {} : { kinds: [kind] }),
      seeds,
      ...(values.limit === undefined ? {} : { insnLimit: Number(values.limit) }),
      ...(kernelBtf === undefined ? {} : { kernelBtf }),
      clock: () => performance.now(),
      ...(values.seconds === undefined ? {} : { until: Number(values.seconds) * 1000 }),
      ...(values.trace ? { onProgram: (of, seed) => process.stderr.write(`${of} ${seed}\n`) } : {}),
    });
    process.stdout.write(printRun(outcome));
    return outcome.problems.length > 0 ? 1 : 0;
  },
});
