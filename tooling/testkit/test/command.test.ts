import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, describe, expect, it, vi } from "vitest";
import { readBytes, readJsonLines, runToolCommand } from "../src/index.ts";

const folder = mkdtempSync(join(tmpdir(), "tsbpf-command-"));
afterAll(() => rmSync(folder, { recursive: true }));

describe("input of the tooling's commands", () => {
  it("says why a file cannot be read", () => {
    expect(() => readBytes(folder)).toThrow(`${folder}: is a directory`);
    expect(() => readBytes(join(folder, "none"))).toThrow("none: no such file");
  });

  it("names the line that is no JSON", () => {
    const path = join(folder, "lines.jsonl");
    writeFileSync(path, '{"a":1}\n\n[2]\n');
    expect(readJsonLines(path)).toEqual([{ a: 1 }, [2]]);
    writeFileSync(path, '{"a":1}\n{"b"\n');
    expect(() => readJsonLines(path)).toThrow(`${path}:2: no JSON: {"b"`);
  });
});

describe("a command of the tooling", () => {
  const argv = process.argv;
  afterEach(() => {
    process.argv = argv;
    process.exitCode = undefined;
    vi.restoreAllMocks();
  });

  const runWith = async (words: readonly string[], run: () => number) => {
    process.argv = ["node", "command.ts", ...words];
    const out = vi.spyOn(process.stdout, "write").mockReturnValue(true);
    const err = vi.spyOn(process.stderr, "write").mockReturnValue(true);
    await runToolCommand({ usage: "usage: command.ts\n", options: { seed: { type: "string" } }, run });
    const ended = { out: out.mock.calls.join(""), err: err.mock.calls.join(""), exitCode: process.exitCode };
    process.exitCode = undefined;
    return ended;
  };

  it("ends with what it answers, prints its usage, and refuses what it does not know", async () => {
    expect(await runWith(["--seed", "3"], () => 1)).toEqual({ out: "", err: "", exitCode: 1 });
    expect(await runWith(["--help"], () => 1)).toMatchObject({ out: "usage: command.ts\n", err: "" });
    expect(await runWith(["--sed"], () => 0)).toMatchObject({
      err: expect.stringContaining("error: Unknown option '--sed'"),
      exitCode: 2,
    });
  });

  it("tells input that cannot be used from its own faults", async () => {
    const unreadable = () => readBytes(folder).length;
    expect(await runWith([], unreadable)).toMatchObject({
      err: `error: FILE_UNREADABLE: ${folder}: is a directory\n`,
      exitCode: 2,
    });
    await expect(
      runWith([], () => {
        throw new Error("ours");
      }),
    ).rejects.toThrow("ours");
  });
});
