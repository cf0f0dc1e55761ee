import { parentPort, workerData } from "node:worker_threads";
import { LinearMemory, type SharedMemory } from "@tsbpf/memory";
import { createSharedMaps, runJob, type ThreadJob } from "./shared-jobs.ts";

/** One of the threads of `shared.test.ts`: makes the maps again, joins the memory, does its share of a job. */
const { shared, idx, job } = workerData as { shared: SharedMemory; idx: number; job: ThreadJob };
const memory = new LinearMemory({ joins: shared });
const maps = createSharedMaps(memory);
const span = shared.spans[idx];
if (span === undefined || memory.allocatedEnd !== shared.allocatedEnd) throw new Error("layouts differ");
memory.enter(span);
parentPort?.postMessage(runJob(job, { memory, maps, idx, threads: shared.spans.length }));
