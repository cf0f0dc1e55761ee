// Threads of Node 20 take no `--import tsx`; this registers it before the sources are loaded.
import { register } from "tsx/esm/api";

register();
const { default: run } = await import("./replay-worker.ts");
export default run;
