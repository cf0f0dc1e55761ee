import { defineConfig } from "tsup";
import { nodeApp } from "../../tooling/build/tsup.ts";

export default defineConfig(nodeApp({ entry: { index: "src/index.ts", worker: "src/workers/worker.ts" } }));
