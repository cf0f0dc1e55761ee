import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
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
    splitting: true,
    // Bundled from the packages' sources: the command line needs no other build.
    esbuildOptions: (options) => {
      options.conditions = ["@tsbpf/source", ...(options.conditions ?? [])];
    },
    noExternal: [/^@tsbpf\//],
    define: { TSBPF_VERSION: JSON.stringify(version), TSBPF_COMMIT: JSON.stringify(commit()) },
    banner: { js: "#!/usr/bin/env node" },
  }),
);
