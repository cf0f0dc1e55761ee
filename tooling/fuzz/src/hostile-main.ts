import { performance } from "node:perf_hooks";
import { kernelHost } from "../../conformance/src/answers.ts";
import { HOSTILE_KINDS, type HostileKind } from "./hostile/case.ts";
import { judgeHostile } from "./hostile/judge.ts";
import { type HostileRun, programOf, runHostile } from "./hostile/run.ts";
import { objectSeeds, ownSeeds, selftestSeeds } from "./hostile/seeds.ts";

const USAGE = `usage: hostile-main.ts [--programs N] [--seed S] [--kind bytes|mutated|grammar] [--limit N] [--seconds N] [OBJECT…]
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

function answer(args: readonly string[]): string {
  const option = (name: string): string | undefined => {
    const at = args.indexOf(name);
    return at < 0 ? undefined : args[at + 1];
  };
  if (args.includes("--help")) return USAGE;
  const kind = option("--kind") as HostileKind | undefined;
  if (kind !== undefined && !HOSTILE_KINDS.includes(kind)) return USAGE;
  const paths = args.filter((arg, i) => !arg.startsWith("--") && !(args[i - 1] ?? "").startsWith("--"));
  const seeds = [...ownSeeds(), ...selftestSeeds(), ...objectSeeds(paths)];
  const { kernelBtf } = kernelHost();
  const limit = option("--limit");
  const seconds = option("--seconds");
  const shown = option("--show");
  if (shown !== undefined) {
    const { one, privilege, withTypes } = programOf(kind ?? "mutated", Number(shown), seeds);
    const outcome = judgeHostile(one, {
      privilege,
      ...(withTypes && kernelBtf !== undefined ? { kernelBtf } : {}),
    });
    return `${JSON.stringify(one)}\n${privilege} ${withTypes}\n${JSON.stringify(outcome, null, 1)}\n`;
  }
  const run = runHostile({
    first: Number(option("--seed") ?? 1),
    count: Number(option("--programs") ?? 1000),
    ...(kind === undefined ? {} : { kinds: [kind] }),
    seeds,
    ...(limit === undefined ? {} : { insnLimit: Number(limit) }),
    ...(kernelBtf === undefined ? {} : { kernelBtf }),
    clock: () => performance.now(),
    ...(seconds === undefined ? {} : { until: Number(seconds) * 1000 }),
    ...(args.includes("--trace") ? { onProgram: (of, seed) => process.stderr.write(`${of} ${seed}\n`) } : {}),
  });
  if (run.problems.length > 0) process.exitCode = 1;
  return printRun(run);
}

process.stdout.write(answer(process.argv.slice(2)));
