import { cpus } from "node:os";
import { parseArgs } from "node:util";
import { isBpfAllowed, KernelClient } from "@tsbpf/kernel";
import { printTable } from "@tsbpf/replay";
import { type Contender, kernelContender, ownContender } from "./measure.ts";
import { type BenchProgram, loadPrograms, prepare } from "./programs.ts";
import { geometricMean, median, pairedRatio } from "./statistics.ts";

const { values } = parseArgs({
  options: {
    json: { type: "boolean", default: false },
    rounds: { type: "string", default: "9" },
    ms: { type: "string", default: "25" },
    only: { type: "string" },
  },
});

interface Row {
  readonly name: string;
  readonly nsPerRun: { readonly interpreter: number; readonly jit: number; readonly kernel?: number };
  readonly ratios: {
    readonly jitToKernel?: number;
    readonly jitToInterpreter: number;
    readonly interpreterToKernel?: number;
  };
}

/** The document must be out within 50 s; what remains is measured in fewer rounds. */
const DEADLINE_MS = 45_000;
const started = performance.now();

async function measure(
  program: BenchProgram,
  client: KernelClient | undefined,
  budgetMs: number,
): Promise<Row> {
  const contenders: Contender[] = [
    ownContender("interpreter", prepare(program, "interpreter"), program),
    ownContender("jit", prepare(program, "jit"), program),
    ...(client === undefined ? [] : [await kernelContender(client, program)]),
  ];
  const [first] = contenders;
  for (const one of contenders) {
    if (one.retval !== first?.retval) {
      throw new Error(`${program.name}: ${one.name} returns ${one.retval}, ${first?.name} ${first?.retval}`);
    }
  }
  const rounds = Math.max(
    3,
    Math.min(Number(values.rounds), Math.floor(budgetMs / (Number(values.ms) * contenders.length + 20))),
  );
  const times = new Map(contenders.map((one) => [one.name, [] as number[]]));
  // Warm up: engines compile what they see often.
  for (const one of contenders)
    if (one.name !== "kernel") for (let i = 0; i < 3; i++) await one.slice(Number(values.ms));
  for (let round = 0; round < rounds; round++) {
    for (const one of contenders) times.get(one.name)?.push(await one.slice(Number(values.ms)));
  }
  for (const one of contenders) await one.close();
  const of = (name: Contender["name"]) => times.get(name) ?? [];
  const hasKernel = client !== undefined;
  return {
    name: program.name,
    nsPerRun: {
      interpreter: median(of("interpreter")),
      jit: median(of("jit")),
      ...(hasKernel ? { kernel: median(of("kernel")) } : {}),
    },
    ratios: {
      ...(hasKernel ? { jitToKernel: pairedRatio(of("jit"), of("kernel")) } : {}),
      jitToInterpreter: pairedRatio(of("jit"), of("interpreter")),
      ...(hasKernel ? { interpreterToKernel: pairedRatio(of("interpreter"), of("kernel")) } : {}),
    },
  };
}

const programs = loadPrograms(values.only === undefined ? undefined : new Set(values.only.split(",")));
const client = isBpfAllowed() ? new KernelClient() : undefined;
const rows: Row[] = [];
for (const [idx, program] of programs.entries()) {
  const left = DEADLINE_MS - (performance.now() - started);
  rows.push(await measure(program, client, left / (programs.length - idx)));
}
await client?.close();

const machine = {
  cpu: cpus()[0]?.model ?? "unknown",
  cpus: cpus().length,
  node: process.versions.node,
  v8: process.versions.v8,
  platform: `${process.platform} ${process.arch}`,
  rounds: Number(values.rounds),
  msPerSlice: Number(values.ms),
};
if (values.json) process.stdout.write(`${JSON.stringify({ programs: rows, machine })}\n`);
else {
  const right = "right" as const;
  const ns = (value: number | undefined) =>
    value === undefined ? "-" : value < 100 ? value.toFixed(1) : value.toFixed(0);
  const ratio = (value: number | undefined) => (value === undefined ? "-" : value.toFixed(2));
  const body = rows.map(({ name, nsPerRun, ratios }) => [
    name,
    ns(nsPerRun.interpreter),
    ns(nsPerRun.jit),
    ns(nsPerRun.kernel),
    ratio(ratios.jitToKernel),
    ratio(ratios.jitToInterpreter),
    ratio(ratios.interpreterToKernel),
  ]);
  const mean = (pick: (row: Row) => number | undefined) => {
    const all = rows.filter((row) => row.name !== "empty").flatMap((row) => pick(row) ?? []);
    return all.length === 0 ? "-" : geometricMean(all).toFixed(2);
  };
  body.push([
    "geometric mean",
    "",
    "",
    "",
    mean((row) => row.ratios.jitToKernel),
    mean((row) => row.ratios.jitToInterpreter),
    mean((row) => row.ratios.interpreterToKernel),
  ]);
  const columns = [
    "program",
    "interpreter ns",
    "jit ns",
    "kernel ns",
    "jit/kernel",
    "jit/interp",
    "interp/kernel",
  ];
  process.stdout.write(
    `${printTable(
      columns.map((title, i) => ({ title, align: i === 0 ? ("left" as const) : right })),
      body,
    )}\n`,
  );
  process.stdout.write(
    `${machine.cpu}, ${machine.cpus} cpus, node ${machine.node}; medians of rounds, ratios paired by round\n`,
  );
}
