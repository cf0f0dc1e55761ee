import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { CASES, printLoop, printOps } from "../gen/loop.ts";

const fileText = (name: string): string => readFileSync(new URL(`../src/${name}`, import.meta.url), "utf8");

describe("generated files", () => {
  it("are what the generator prints", () => {
    expect(fileText("loop.gen.ts")).toBe(printLoop());
    expect(fileText("ops.gen.ts")).toBe(printOps());
  });

  it("name each case once, and no more cases than a word has room for", () => {
    expect(new Set(CASES.map(({ name }) => name)).size).toBe(CASES.length);
    expect(CASES.length).toBeLessThanOrEqual(256);
  });

  it("make a loop that V8 still optimises", () => {
    // It refuses functions of more than 60 KiB of bytecode, which some 100,000 characters of text are here.
    expect(printLoop().length).toBeLessThan(97_000);
  });
});
