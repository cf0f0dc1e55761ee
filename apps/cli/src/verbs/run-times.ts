import type { RunInput } from "@tsbpf/plugin";
import { Breather } from "@tsbpf/replay";
import type { Prog, RunOptions, RunResult } from "@tsbpf/vm";

/** What several runs ended with. */
export interface TimedRuns {
  readonly result: RunResult;
  /** Nanoseconds of a run, on average; without what the thread did between them. */
  readonly durationNs: number;
}

/**
 * Runs a program several times, each on what the run before left. One that the interpreter began goes on in the jit as
 * soon as that has compiled it.
 */
export async function runTimes(prog: Prog, input: RunInput, options: RunOptions): Promise<TimedRuns> {
  const { repeat = 1 } = options;
  let spentNs = 0n;
  const time = (run: () => RunResult): RunResult => {
    const started = process.hrtime.bigint();
    const result = run();
    spentNs += process.hrtime.bigint() - started;
    return result;
  };
  const isLate = prog.compiling !== undefined;
  let result = time(() => prog.run(input, isLate ? { ...options, repeat: 1 } : options));
  const breather = new Breather(prog);
  for (let left = isLate ? repeat - 1 : 0; left > 0 && result.trap === undefined; ) {
    const isDone = breather.isDue && (await breather.breathe());
    const times = isDone || breather.isOver ? left : 1;
    result = time(() => prog.runAgain({ ...options, repeat: times }));
    left -= times;
  }
  return { result, durationNs: Math.round(Number(spentNs) / repeat) };
}
