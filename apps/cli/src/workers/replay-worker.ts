import { runWorker, type WorkerTask } from "@tsbpf/replay";
import { loadPlugin } from "../verbs/load-plugin.ts";
import { openFile } from "../verbs/open-file.ts";

/** Runs one CPU of a replay: what a worker thread of the pool calls. */
export default (task: WorkerTask) => runWorker(task, { loadPlugin, open: openFile });
