import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import { defineConfig } from "tsup";
import { nodeApp } from "../../tooling/build/tsup.ts";

const { version } = JSON.parse(readFileSync("package.json", "utf8")) as { version: string };

function commit(): string {
  try {
    return execFileSync("git", ["rev-parse", "--short=12", "HEAD"], {
      encoding: "utf8",
      stdio: ["ignore", "pipe", "ignore"],
    }).trim();
  } catch {
    return "no commit";
  }
}

// One bundle with lazy chunks: `tsbpf --version` must not load the engines.
export default defineConfig(
  nodeApp({
    entry: {
      main: "src/main.ts",
      "replay-worker": "src/workers/replay-worker.ts",
      // Piscina starts its threads from a file of this name beside its own code.
      worker: createRequire(join(import.meta.dirname, "../replay/package.json"))
        .resolve("piscina")
        .replace("main.js", "worker.js"),
    },
    splitting: true,
    // Bundled from the packages' sources: the command line needs no other build.
    esbuildOptions: (options) => {
      options.conditions = ["@tsbpf/source", ...(options.conditions ?? [])];
    },
    noExternal: [/^@tsbpf\//],
    // Piscina changes priorities with it where it is installed, which nobody asks for here.
    external: ["@napi-rs/nice"],
    // What Piscina, which is CommonJS, finds its file with.
    define: {
      __dirname: "import.meta.dirname",
      TSBPF_VERSION: JSON.stringify(version),
      TSBPF_COMMIT: JSON.stringify(commit()),
    },
    // CommonJS inside the bundle needs a way to Node's own modules.
    banner: {
      js: '#!/usr/bin/env node\nimport { createRequire as makeRequire } from "node:module";\nconst require = makeRequire(import.meta.url);',
    },
  }),
);
