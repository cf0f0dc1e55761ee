import { defineConfig } from "tsup";
import { nodeApp } from "../../tooling/build/tsup.ts";

// One bundle with lazy chunks: `tsbpf --version` must not load the engines.
export default defineConfig(nodeApp({ splitting: true, noExternal: [/^@tsbpf\//] }));
