import type { ReplayIo } from "../io.ts";
import { loadProgram } from "../run/load.ts";
import { Lanes } from "./lanes.ts";
import { StretchReader } from "./reader.ts";
import { Runner } from "./runner.ts";
import { Stretches } from "./stretches.ts";
import { toPlainError, type WorkerEnd, type WorkerTask } from "./task.ts";
import { type CpuTotals, createTotals } from "./totals.ts";

/** What a worker thread needs of its host. */
export type WorkerIo = Pick<ReplayIo, "loadPlugin" | "open">;

/**
 * Is one CPU of a replay, from its first packet to its last: what a worker thread runs. It sleeps while there is
 * nothing to do.
 */
export async function runWorker(task: WorkerTask, io: WorkerIo): Promise<WorkerEnd> {
  const totals = createTotals();
  try {
    const cpu = await createCpu(task, io, totals);
    await cpu.work();
    return { totals };
  } catch (error) {
    return { totals, error: toPlainError(error) };
  }
}

/** Reads captures with the others, and runs its packets. */
class Cpu {
  private readonly lanes: Lanes;
  private readonly reader: StretchReader;
  private readonly runner: Runner;
  private readonly totals: CpuTotals;

  constructor(lanes: Lanes, reader: StretchReader, runner: Runner, totals: CpuTotals) {
    this.lanes = lanes;
    this.reader = reader;
    this.runner = runner;
    this.totals = totals;
  }

  async work(): Promise<void> {
    const { lanes, reader, runner } = this;
    for (let seq = 0; ; ) {
      const { event } = lanes;
      if (reader.isAwaited) await reader.join();
      const isFilled = reader.step(seq);
      if (lanes.isPublished(seq)) {
        runner.run(seq);
        lanes.finish(seq);
        seq += 1;
      } else if (!isFilled) {
        if (lanes.isPastEnd(seq)) break;
        lanes.sleep(event);
      }
    }
    this.totals.cutShort += reader.cutShort;
    await reader.close();
  }
}

async function createCpu(task: WorkerTask, io: WorkerIo, totals: CpuTotals): Promise<Cpu> {
  const { cpu, cpuCount, shared, captures } = task;
  const { vm, prog, setClockNs } = await loadProgram(
    task.options,
    { ...io, readAll: async () => task.objectBytes },
    {
      memory: { joins: shared.memory },
      verdicts: task.verdicts,
      recordsEffects: false,
    },
  );
  const { memory } = vm;
  const lanes = new Lanes(memory, cpuCount);
  const stretches = new Stretches(memory, lanes);
  vm.enter(shared, cpu);
  // A thread that waits for its slots lets nothing compile beside.
  await prog.untilCompiled(cpu);
  const runner = new Runner({ prog, cpu, lanes, totals, setNs: setClockNs });
  const { open } = io;
  const needsTimes = !runner.isBatched;
  const reader = new StretchReader({ memory, lanes, stretches, captures, open, needsTimes });
  return new Cpu(lanes, reader, runner, totals);
}
