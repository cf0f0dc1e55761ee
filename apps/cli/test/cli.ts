import { spawnSync } from "node:child_process";
import { fileURLToPath } from "node:url";

export const root = fileURLToPath(new URL("../../../", import.meta.url));
export const main = `${root}apps/cli/dist/main.js`;

export interface CliRun {
  readonly status: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs the bundled command line from the top of the tree, as `npm start -- WORDS` does. */
export function tsbpf(words: readonly string[], input: string | Uint8Array = ""): CliRun {
  const { status, stdout, stderr } = spawnSync(
    process.execPath,
    ["--conditions=@tsbpf/source", main, ...words],
    {
      cwd: root,
      input,
      encoding: "utf8",
      maxBuffer: 256 * 1024 * 1024,
    },
  );
  return { status, stdout, stderr };
}

/** Lines of NDJSON as objects. */
export const jsonLines = (text: string): Record<string, unknown>[] =>
  text
    .split("\n")
    .filter((line) => line !== "")
    .map((line) => JSON.parse(line) as Record<string, unknown>);
