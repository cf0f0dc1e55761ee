// Workers of Node 20 take no `--import tsx`; this registers it before anything is loaded.
import { register } from "tsx/esm/api";

register();
await import("./shared-worker.ts");
