import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll } from "vitest";

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

/** A folder for the files of one test file, gone afterwards. */
export function scratchFolder() {
  const dir = mkdtempSync(join(tmpdir(), "tsbpf-"));
  afterAll(() => rmSync(dir, { recursive: true }));
  const at = (name: string): string => join(dir, name);
  const file = (name: string, content: string | Uint8Array): string => {
    writeFileSync(at(name), content);
    return at(name);
  };
  return { dir, at, file };
}
