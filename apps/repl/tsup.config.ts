import { defineConfig } from "tsup";
import { nodeApp } from "../../tooling/build/tsup.ts";

export default defineConfig(nodeApp({ entry: ["src/index.ts"] }));
