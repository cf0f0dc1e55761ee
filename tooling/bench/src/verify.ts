import { spawnSync } from "node:child_process";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import type { KernelClient } from "@tsbpf/kernel";
import { printTable } from "@tsbpf/replay";
import { describeMachine, machineLine, measureAll } from "./all.ts";
import { geometricMean, median, pairedRatio } from "./statistics.ts";
import { kernelQuestion, timeKernel, timeOurs, type VerifyAnswer } from "./verify/contenders.ts";
import { type VerifyProgram, verifyPrograms } from "./verify/programs.ts";

const { values } = parseArgs({
  options: {
    json: { type: "boolean", default: false },
    rounds: { type: "string", default: "7" },
    ms: { type: "string", default: "15" },
    only: { type: "string" },
    /** Only judges the named programs and prints how long the first took, and the most memory that this process held. */
    alone: { type: "boolean", default: false },
  },
});

interface Row {
  readonly name: string;
  /** Slots of the program. */
  readonly insns: number;
  /** Instructions walked. */
  readonly processed: number;
  readonly accepted: boolean;
  /** `cold` is our first run, in a process of its own; `ours` the median once V8 has compiled what runs often. */
  readonly usec: { readonly ours: number; readonly cold: number; readonly kernel?: number };
  readonly ratio?: number;
  readonly insnsPerSecond: number;
}

/** The document must be out within 45 s; what remains is measured in fewer rounds. */
const DEADLINE_MS = 36_000;
/** V8 compiles by what it has seen often, in its own time: a program runs this long, and this often, unmeasured. */
const WARM_MS = 300;
const WARM_RUNS = 5;
/** A long program is warm after this time, however seldom it ran. */
const WARM_LIMIT_MS = 750;
/** Runs that walk this much count as runs of a million instructions. */
const LONG_RUN = 900_000;

const checkSame = (name: string, ours: VerifyAnswer, kernel: VerifyAnswer): void => {
  if (ours.isAccepted === kernel.isAccepted && ours.processed === kernel.processed) return;
  throw new Error(`${name}: ours ${JSON.stringify(ours)}, the kernel's ${JSON.stringify(kernel)}`);
};

/** Runs a program until it is warm, and returns its last run. */
function warmUp(program: VerifyProgram) {
  const started = performance.now();
  let last = timeOurs(program, 1);
  for (let runs = 1; ; runs++) {
    const elapsedMs = performance.now() - started;
    if (elapsedMs >= WARM_LIMIT_MS || (elapsedMs >= WARM_MS && runs >= WARM_RUNS)) break;
    last = timeOurs(program, 1);
  }
  return last;
}

interface Warmed {
  readonly program: VerifyProgram;
  readonly alone: Alone;
  readonly warm: ReturnType<typeof warmUp>;
}

async function measure(
  { program, alone, warm }: Warmed,
  client: KernelClient | undefined,
  budgetMs: number,
): Promise<Row> {
  const sliceMs = Number(values.ms);
  const question = client === undefined ? undefined : kernelQuestion(program);
  const runsFor = (usec: number): number => Math.max(1, Math.round((sliceMs * 1000) / usec));
  const roundMs = 2 * Math.max(sliceMs, warm.usec / 1000);
  const rounds = Math.max(2, Math.min(Number(values.rounds), Math.floor(budgetMs / roundMs)));
  const ours: number[] = [];
  const kernel: number[] = [];
  let runs = runsFor(warm.usec);
  for (let round = 0; round < rounds; round++) {
    const mine = timeOurs(program, runs);
    runs = runsFor(mine.usec);
    ours.push(mine.usec);
    if (client === undefined || question === undefined) continue;
    const theirs = await timeKernel(client, question, Math.min(runs, 20));
    kernel.push(theirs.usec);
    checkSame(program.name, mine, theirs);
  }
  const usec = median(ours);
  return {
    name: program.name,
    insns: program.spec.insns.length,
    processed: warm.processed,
    accepted: warm.isAccepted,
    usec: { ours: usec, cold: alone.usec, ...(kernel.length === 0 ? {} : { kernel: median(kernel) }) },
    ...(kernel.length === 0 ? {} : { ratio: pairedRatio(ours, kernel) }),
    insnsPerSecond: (warm.processed / usec) * 1e6,
  };
}

/** What one process that judged one program, once, says of it. */
interface Alone {
  readonly usec: number;
  /** The most memory that it held. */
  readonly rssBytes: number;
}

/** Judges a program in a process of its own. */
function judgeAlone({ name }: VerifyProgram): Alone {
  const { stdout, status } = spawnSync(
    process.execPath,
    [...process.execArgv, fileURLToPath(import.meta.url), "--alone", "--only", name],
    { encoding: "utf8" },
  );
  if (status !== 0) throw new Error(`${name}: the process that judges it alone failed`);
  return JSON.parse(stdout) as Alone;
}

const KIB = 1024;
const programs = verifyPrograms(values.only === undefined ? undefined : new Set(values.only.split(",")));
if (values.alone) {
  const [usec = 0] = programs.map((program) => timeOurs(program, 1).usec);
  process.stdout.write(JSON.stringify({ usec, rssBytes: process.resourceUsage().maxRSS * KIB }));
  process.exit(0);
}

// All are warm before the first is measured: they share the code of the verifier, and a short one alone would take
// seconds to have it compiled.
const warmed = programs.map(
  (program): Warmed => ({ program, alone: judgeAlone(program), warm: warmUp(program) }),
);
const rows = await measureAll(warmed, DEADLINE_MS, measure);
const peaks = warmed
  .filter(({ warm }) => warm.processed >= LONG_RUN)
  .map(({ program, alone }) => ({ name: program.name, rssBytes: alone.rssBytes }));
const peakRssBytes = Math.max(0, ...peaks.map(({ rssBytes }) => rssBytes));

const machine = {
  ...describeMachine(),
  rounds: Number(values.rounds),
};
if (values.json) {
  process.stdout.write(`${JSON.stringify({ programs: rows, peakRssBytes, peaks, machine })}\n`);
} else {
  const titles = [
    "program",
    "insns",
    "processed",
    "cold ms",
    "ours ms",
    "kernel ms",
    "ours/kernel",
    "M insns/s",
  ];
  const body = rows.map(({ name, insns, processed, usec, ratio, insnsPerSecond }) => [
    name,
    String(insns),
    String(processed),
    (usec.cold / 1000).toFixed(3),
    (usec.ours / 1000).toFixed(3),
    usec.kernel === undefined ? "-" : (usec.kernel / 1000).toFixed(3),
    ratio === undefined ? "-" : ratio.toFixed(2),
    (insnsPerSecond / 1e6).toFixed(2),
  ]);
  const ratios = rows.flatMap(({ ratio }) => ratio ?? []);
  const mean = ratios.length === 0 ? "-" : geometricMean(ratios).toFixed(2);
  body.push(["geometric mean", "", "", "", "", "", mean, ""]);
  const table = printTable(
    titles.map((title, i) => ({ title, align: i === 0 ? ("left" as const) : ("right" as const) })),
    body,
  );
  const memory = peaks.map(({ name, rssBytes }) => `${name} ${(rssBytes / 2 ** 20).toFixed(0)} MiB`);
  process.stdout.write(
    `${table}\npeak memory of runs of a million instructions: ${memory.join(", ") || "none"}\n`,
  );
  process.stdout.write(machineLine(machine));
}
