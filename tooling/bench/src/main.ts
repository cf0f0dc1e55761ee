import { parseArgs } from "node:util";
import type { KernelClient } from "@tsbpf/kernel";
import { describeMachine, machineLine, measureAll } from "./all.ts";
import { type Contender, type ContenderName, hasBatch, kernelContender, ownContender } from "./measure.ts";
import { type BenchProgram, loadPrograms, prepare } from "./programs.ts";
import { median, pairedRatio } from "./statistics.ts";
import { geometricMeans, printRows, type Row } from "./table.ts";

const { values } = parseArgs({
  options: {
    json: { type: "boolean", default: false },
    rounds: { type: "string", default: "9" },
    ms: { type: "string", default: "25" },
    only: { type: "string" },
  },
});

/** The document must be out within 50 s; what remains is measured in fewer rounds. */
const DEADLINE_MS = 45_000;

async function contendersOf(program: BenchProgram, client: KernelClient | undefined): Promise<Contender[]> {
  const jit = prepare(program, "jit");
  return [
    ownContender("interpreter", prepare(program, "interpreter"), program),
    ownContender("jit", jit, program),
    ownContender("jitCall", prepare(program, "jit"), program),
    ...(hasBatch(jit) ? [ownContender("jitBatch", prepare(program, "jit"), program)] : []),
    ownContender("jitChecked", prepare(program, "jit", false), program),
    ...(client === undefined ? [] : [await kernelContender(client, program)]),
  ];
}

async function measure(
  program: BenchProgram,
  client: KernelClient | undefined,
  budgetMs: number,
): Promise<Row> {
  const contenders = await contendersOf(program, client);
  const [first] = contenders;
  for (const one of contenders) {
    if (one.retval !== first?.retval) {
      throw new Error(`${program.name}: ${one.name} returns ${one.retval}, ${first?.name} ${first?.retval}`);
    }
  }
  const ms = Number(values.ms);
  const perRoundMs = ms * contenders.length + (client === undefined ? 0 : KERNEL_EXTRA_MS);
  const rounds = Math.max(
    3,
    Math.min(Number(values.rounds), Math.floor(budgetMs / perRoundMs) - WARM_ROUNDS),
  );
  const times = new Map<ContenderName, number[]>(contenders.map((one) => [one.name, []]));
  // Warm up: engines compile what they see often.
  for (const one of contenders) {
    if (one.name !== "kernel") for (let i = 0; i < WARM_ROUNDS; i++) await one.slice(ms);
  }
  for (let round = 0; round < rounds; round++) {
    for (const one of contenders) times.get(one.name)?.push(await one.slice(ms));
  }
  for (const one of contenders) await one.close();
  return toRow(program.name, times);
}

const WARM_ROUNDS = 3;
/** What the kernel takes beyond a slice. */
const KERNEL_EXTRA_MS = 20;

function toRow(name: string, times: ReadonlyMap<ContenderName, readonly number[]>): Row {
  const nsPerRun: Record<string, number> = {};
  for (const [who, all] of times) nsPerRun[who] = median(all);
  const ratio = (above: ContenderName, below: ContenderName): number | undefined => {
    const [one, other] = [times.get(above), times.get(below)];
    return one === undefined || other === undefined ? undefined : pairedRatio(one, other);
  };
  const ratios: Record<string, number | undefined> = {
    jitToKernel: ratio("jit", "kernel"),
    jitToInterpreter: ratio("jit", "interpreter"),
    interpreterToKernel: ratio("interpreter", "kernel"),
    jitCallToKernel: ratio("jitCall", "kernel"),
    jitBatchToKernel: ratio("jitBatch", "kernel"),
    jitCheckedToKernel: ratio("jitChecked", "kernel"),
  };
  // JSON leaves out what is undefined.
  return { name, nsPerRun, ratios } as unknown as Row;
}

const programs = loadPrograms(values.only === undefined ? undefined : new Set(values.only.split(",")));
const rows = await measureAll(programs, DEADLINE_MS, measure);

const machine = {
  ...describeMachine(),
  rounds: Number(values.rounds),
  msPerSlice: Number(values.ms),
};
if (values.json) {
  process.stdout.write(
    `${JSON.stringify({ programs: rows, geometricMeans: geometricMeans(rows), machine })}\n`,
  );
} else {
  process.stdout.write(printRows(rows));
  process.stdout.write(machineLine(machine));
}
