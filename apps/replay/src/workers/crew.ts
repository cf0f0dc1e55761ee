import { fromPlainError, type WorkerEnd, type WorkerTask } from "./task.ts";

/** How worker threads of an app are started. */
export interface WorkerHost {
  /** Path of the module whose default export is `runWorker` with the app's files. */
  readonly filename: string;
}

/** The threads of a replay, each a CPU. */
export interface Crew {
  /**
   * Gives every thread its task.
   *
   * @returns a promise for each CPU; it rejects with what ended the thread.
   */
  start(task: Omit<WorkerTask, "cpu" | "cpuCount">): readonly Promise<WorkerEnd>[];
  /** Ends all threads, whatever they do. */
  stop(): Promise<void>;
}

/** Starts the threads, so that they load their code while the program is being read and verified. */
export async function startCrew(host: WorkerHost, cpuCount: number): Promise<Crew> {
  const { Piscina } = await import("piscina");
  const pool = new Piscina({
    filename: host.filename,
    minThreads: cpuCount,
    maxThreads: cpuCount,
    concurrentTasksPerWorker: 1,
    idleTimeout: Number.POSITIVE_INFINITY,
  });
  return {
    start: (task) =>
      Array.from({ length: cpuCount }, async (_, cpu) => {
        const end = (await pool.run({ ...task, cpu, cpuCount })) as WorkerEnd;
        if (end.error !== undefined) throw fromPlainError(end.error);
        return end;
      }),
    stop: () => pool.destroy(),
  };
}
