import type { WorkerTask } from "@tsbpf/replay";
// What a thread loads before it runs is on the way of every replay on several CPUs: it takes no more than it needs.
import { runWorker } from "@tsbpf/replay/worker";
import { loadPlugin } from "../verbs/load-plugin.ts";
import { openFile } from "../verbs/open-file.ts";

/** Runs one CPU of a replay: what a worker thread of the pool calls. */
export default (task: WorkerTask) => runWorker(task, { loadPlugin, open: openFile });
