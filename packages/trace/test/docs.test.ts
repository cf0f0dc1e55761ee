import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import * as trace from "../src/index.ts";
import { cat, epb, frame, idb, shb } from "./bytes.ts";
import { readTraceWhole } from "./trace-reading.ts";

const doc = (name: string): string => readFileSync(new URL(`../${name}`, import.meta.url), "utf8");
const fenced = (text: string, language: string): string =>
  new RegExp(`\`\`\`${language}\n([\\s\\S]*?)\`\`\``).exec(text)?.[1] ?? "";

describe("documents", () => {
  it("the README's example runs", () => {
    const [imports, body] = [/^import .*\n/gm, /^(?!import ).*\n/gm].map((part) =>
      fenced(doc("README.md"), "ts").match(part)!.join(""),
    );
    expect(imports).toContain('from "@tsbpf/trace"');
    const lines: unknown[][] = [];
    const log = (...words: unknown[]): number => lines.push(words);
    const file = cat(shb(), idb(), epb(frame(60), { ticks: 1_000_002n, orig: 90 }));
    const run = new Function("readFileSync", "console", ...Object.keys(trace), body!);
    run(() => file, { log, warn: log }, ...Object.values(trace));
    expect(lines).toEqual([[0, 1, 2000, "EN10MB", 60, 90, 2]]);
  });

  it("the README names only what is exported", () => {
    const api = doc("README.md").split("## API by task")[1]!.split("## Codes")[0]!;
    const called = [...api.matchAll(/`([a-zA-Z]+)\(/g)].map((match) => match[1]!);
    expect(called.length).toBeGreaterThan(10);
    const methods = new Set(["push", "next", "end", "take", "writeFrom", "writeRunFrom"]);
    expect(called.filter((name) => !(name in trace) && !methods.has(name))).toEqual([]);
  });

  it("FORMAT.md's smallest trace is one", () => {
    const hex = doc("FORMAT.md").split("## The smallest trace")[1]!;
    const bytes = Uint8Array.from(fenced(hex, "").trim().split(/\s+/), (pair) => Number.parseInt(pair, 16));
    expect(bytes).toHaveLength(86);
    expect(readTraceWhole(bytes, { strict: true }).parser).toMatchObject({ isClosed: true, blockCount: 2 });
    const writer = trace.createTraceWriter();
    writer.end();
    expect(writer.take()).toEqual(bytes);
  });
});
