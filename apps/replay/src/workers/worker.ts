import type { ReplayIo } from "../io.ts";
import { loadProgram } from "../run/load.ts";
import { Lanes } from "./lanes.ts";
import { Runner } from "./runner.ts";
import { toPlainError, type WorkerEnd, type WorkerTask } from "./task.ts";
import { createTotals } from "./totals.ts";

/**
 * Is one CPU of a replay, from its first packet to its last: what a worker thread runs. It sleeps while there is
 * nothing to do.
 *
 * @param io - loads plugins.
 */
export async function runWorker(task: WorkerTask, io: Pick<ReplayIo, "loadPlugin">): Promise<WorkerEnd> {
  let runner: Runner | undefined;
  try {
    runner = await createRunner(task, io);
    for (let seq = 0; runner.lanes.waitFor(seq); seq++) {
      runner.run(seq);
      runner.lanes.finish(seq);
      task.port.postMessage(seq);
    }
    return { totals: runner.totals };
  } catch (error) {
    return { totals: runner?.totals ?? createTotals(), error: toPlainError(error) };
  }
}

async function createRunner(task: WorkerTask, io: Pick<ReplayIo, "loadPlugin">): Promise<Runner> {
  const { cpu, cpuCount, shared } = task;
  const { vm, prog, setClockNs } = await loadProgram(
    task.options,
    { ...io, readAll: async () => task.objectBytes },
    {
      memory: { joins: shared.memory },
      verdicts: task.verdicts,
      recordsEffects: false,
    },
  );
  const lanes = new Lanes(vm.memory, cpuCount);
  vm.enter(shared, cpu);
  return new Runner({ prog, cpu, lanes, setNs: setClockNs });
}
