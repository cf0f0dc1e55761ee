import { readdirSync, readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { loadObject } from "../src/index.ts";
import { readObject, sampleObjects } from "./objects.ts";

const readme = readFileSync(new URL("../README.md", import.meta.url), "utf8");
const SOURCES = new URL("../src/", import.meta.url);

describe("README", () => {
  it("has an example that runs", () => {
    const example = /```ts\n([\s\S]*?)```/.exec(readme)?.[1] ?? "";
    const path = sampleObjects().find((name) => name.endsWith("firewall.bpf.o"));
    const lines: unknown[][] = [];
    const output = {
      log: (...line: unknown[]) => lines.push(line),
      warn: (...line: unknown[]) => lines.push(line),
    };
    const run = new Function("readFileSync", "loadObject", "console", example.replace(/^import .*$/gm, ""));
    run(() => readObject(path!), loadObject, output);
    expect(lines[0]?.slice(0, 2)).toEqual(["firewall", "xdp"]);
    expect(lines.length).toBeGreaterThan(5);
  });

  it("lists every code that the sources throw", () => {
    const codes = new Set<string>();
    for (const file of readdirSync(SOURCES, { recursive: true, encoding: "utf8" })) {
      if (!file.endsWith(".ts")) continue;
      const text = readFileSync(new URL(file, SOURCES), "utf8");
      for (const match of text.matchAll(/"((?:ELF|BTF|LIMIT|UNSUPPORTED)_[A-Z_]+)"/g))
        codes.add(match[1] ?? "");
    }
    expect(codes.size).toBeGreaterThan(20);
    for (const code of codes) expect(readme).toContain(code);
  });
});
