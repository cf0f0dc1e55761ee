import { readdirSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { completeFile } from "../src/terminal/file-names.ts";
import { historyPath } from "../src/terminal/history-file.ts";
import { createPainter } from "../src/terminal/paint.ts";
import { createRepl, root, talk } from "./support.ts";

const LOADED = [".load samples/calls/calls.bpf.o", "twice: r0 = r1; r0 *= 2; exit"];

describe("completion", () => {
  it("knows verbs, registers, helpers, maps, functions and programs", async () => {
    const repl = createRepl();
    await talk(LOADED, repl);
    const of = (text: string): readonly string[] => repl.complete(text).candidates;
    expect(of(".de")).toEqual([".delete"]);
    expect(of(".")).toContain(".step");
    expect(of(".backt")).toEqual([".backtrace"]);
    expect(of("r1")).toEqual(["r1", "r10"]);
    expect(of("call map_look")).toEqual(["map_lookup_elem", "map_lookup_percpu_elem"]);
    expect(of("call twi")).toEqual(["twice"]);
    expect(of("r1 = map[pro")).toEqual(["protocols"]);
    expect(of(".map pro")).toEqual(["protocols"]);
    expect(of("b hash")).toEqual(["hash_words"]);
    expect(of(".prog lo")).toEqual(["loops"]);
    expect(of(".helpers bpf_xdp_load")).toEqual(["bpf_xdp_load_bytes"]);
    expect(of(".help ste")).toContain("step");
    expect(of("p pkt_")).toEqual(["pkt_end"]);
    expect(of(".type sched_c")).toEqual(["sched_cls"]);
    expect(repl.complete(".load samples/ca")).toEqual({
      candidates: [],
      part: "samples/ca",
      wantsFiles: true,
    });
  });

  it("lists files, directories with a slash", () => {
    expect(completeFile(`${root}samples/calls/calls.bpf.`)).toEqual([
      `${root}samples/calls/calls.bpf.c`,
      `${root}samples/calls/calls.bpf.o`,
    ]);
    expect(completeFile(`${root}sampl`)).toEqual([`${root}samples/`]);
    expect(completeFile("/nonexistent/x")).toEqual([]);
  });
});

describe("the terminal", () => {
  it("keeps its history where the environment says", () => {
    expect(historyPath({ TSBPF_HISTORY: "/a/b" })).toBe("/a/b");
    expect(historyPath({ TSBPF_HISTORY: "" })).toBeUndefined();
    expect(historyPath({ XDG_STATE_HOME: "/state" })).toBe("/state/tsbpf/history");
    expect(historyPath({})).toMatch(/\.local\/state\/tsbpf\/history$/);
  });

  it("colours nothing where colours are off, and changes no text where they are on", () => {
    const text = "r0 = 42 // x\nerror: call bpf_map_lookup_elem XDP_PASS\n";
    expect(createPainter(false)(text)).toBe(text);
    const coloured = createPainter(true)(text);
    expect(coloured).not.toBe(text);
    // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is taken out
    expect(coloured.replace(/\u001b\[\d+m/g, "")).toBe(text);
  });
});

describe("the core", () => {
  it("imports nothing of Node, so that it runs in browsers", () => {
    const files = (directory: string): string[] =>
      readdirSync(directory).flatMap((name) => {
        const path = join(directory, name);
        return statSync(path).isDirectory() ? files(path) : [path];
      });
    const core = files(`${root}apps/repl/src/core`);
    expect(core.length).toBeGreaterThan(20);
    for (const path of core)
      expect(readFileSync(path, "utf8")).not.toMatch(
        /from "node:|\bprocess\.|\bBuffer\b|from "\.\.\/(?:\.\.\/)?terminal/,
      );
  });
});
