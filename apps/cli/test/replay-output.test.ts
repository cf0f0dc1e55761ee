import { spawn, spawnSync } from "node:child_process";
import { existsSync, readFileSync, symlinkSync } from "node:fs";
import { gunzipSync } from "node:zlib";
import { describe, expect, it } from "vitest";
import { jsonLines, main, root, scratchFolder, tsbpf } from "./cli.ts";

const LAB = "samples/captures/lab.pcap";
const CALLS = "samples/calls/calls.bpf.o";
const TAILCALLS = "samples/tailcalls/tailcalls.bpf.o";
const has = (tool: string): boolean => spawnSync("which", [tool]).status === 0;
const { at, file } = scratchFolder();
const replay = (...words: readonly string[]): string => tsbpf(["replay", ...words]).stdout;

/** Reads 8 bytes behind a frame of 60: traps on the shorter packets only, because it runs without proofs. */
const TRAPS = file("traps.s", "r2 = *(u32 *)(r1 +0)\nr0 = *(u64 *)(r2 +80)\nr0 = 2\nexit\n");

describe("lines of packets", () => {
  it
    .skipIf(!has("tcpdump"))
    .each(["-t", "-tt", "-ttt", "-tttt", "-ttttt", "-te", "-tq", "-tS", "-tx", "-tXX"])(
    "are tcpdump's with %s",
    (flags) => {
      const shown = spawnSync("tcpdump", ["-n", flags, "-c", "60", "-r", LAB], {
        cwd: root,
        encoding: "utf8",
      });
      const ours = replay(CALLS, LAB, "--prog", "calls", "-v", "-c", "60", flags)
        .split("\n")
        .filter((line) => /^(#|\t)/.test(line))
        .map((line) => line.replace(/^#\d+ (.*?)XDP_\w+ \d+ insns(?:, changed)? {2}/, "$1"));
      expect(ours).toEqual(shown.stdout.trimEnd().split("\n"));
    },
  );

  it("say when packets were captured unless told not to", () => {
    const line = replay(CALLS, LAB, "--prog", "calls", "-v", "-c", "1").split("\n")[0];
    expect(line).toMatch(/^#1 \d\d:43:40\.642149 XDP_PASS 1138 insns {2}IP6 :: > ff02::16: HBH ICMP6/);
  });

  it("are those of the verdicts that are asked for", () => {
    const out = replay("samples/parser/parser.bpf.o", LAB, "--show-verdict", "XDP_ABORTED");
    expect(out.match(/^#\d+ .*$/gm)).toHaveLength(5);
    expect(out).not.toMatch(/^#.*XDP_PASS/m);
    expect(out).toMatch(/XDP_PASS +709/);
  });
});

describe("failures", () => {
  const words = [TRAPS, LAB, "--verify", "off", "--packets", "1-40"];

  it.each(["interpreter", "jit"])("say why and where with -v on %s", (engine) => {
    const { status, stdout } = tsbpf(["replay", ...words, "-v", "--engine", engine]);
    expect(status).toBe(1);
    expect(stdout).toMatch(/trap \d+ insns|trap RUN_BOUNDS/);
    expect(stdout).toMatch(/^ {2}trap RUN_BOUNDS: 8 bytes at offset 80 of packet/m);
    expect(stdout).toMatch(/^ {4}at \S+\+1 \(slot 1\)$/m);
  });

  it("are traced with -vv, other packets are not", () => {
    const out = tsbpf(["replay", ...words, "-vv", "-t"]).stdout;
    const packets = out.split(/^#/m).slice(1);
    const traced = packets.filter((text) => text.includes(" 1: (79) r0 = *(u64 *)(r2 +80)"));
    expect(traced.length).toBeGreaterThan(0);
    expect(traced.length).toBeLessThan(packets.length);
    expect(traced.every((text) => / trap 2 insns/.test(text))).toBe(true);
  });

  it("show in the tree of calls", () => {
    expect(tsbpf(["replay", ...words, "--trace", "calls"]).stdout).toMatch(/\(ctx\) ! RUN_BOUNDS$/m);
  });

  it("come with their place in source", () => {
    const out = tsbpf(["replay", CALLS, LAB, "--prog", "calls", "-v", "-c", "1", "--fuel", "100"]).stdout;
    expect(out).toMatch(/^ {4}at \w+\+\d+ \(slot \d+\), calls\.bpf\.c:\d+: .+$/m);
  });
});

describe("call trees", () => {
  const tree = (prog: string, object = CALLS): string =>
    replay(object, LAB, "--prog", prog, "-c", "1", "--trace", "calls");

  it("hold functions with arguments, instructions and results", () => {
    const out = tree("calls");
    expect(out).toContain("  calls(ctx) [1138] = 2 (XDP_PASS)\n  ├─ packet_bytes(ctx) [8] = 90\n");
    expect(out).toContain("  ├─ summarize(ctx, out=fp-32[frame0]) [1043] = 64\n");
    expect(out).toContain(
      "  │  └─ hash_words(bytes=fp-64[frame1], count=16, hash=fp-32[frame0], odd=fp-20[frame0]) [959] = 16\n",
    );
    expect(out).toContain(
      "     └─ bpf_map_update_elem(map=protocols, key=dd 86 00 00, value=01 00 00 00 00 00 00 00, flags=0) = 0\n",
    );
  });

  it("hold callbacks in the helper that called them, many of them in short", () => {
    const out = tree("loops");
    expect(out).toContain(
      "├─ bpf_loop(nr_loops=26, callback_fn=mix_round, callback_ctx=fp-24, flags=0) = 26\n",
    );
    expect(out).toContain("  │  ├─ … 20 more calls of mix_round [560]\n");
    expect(out).toMatch(
      /loop_in_loop\(.*\n.*│ {2}└─ bpf_loop\(.*\n.*│ {5}├─ add_until\(index=0, arg=fp-16\[frame1\]\)/,
    );
    expect(tree("each")).toContain("value=map_value(map=lengths[7]), scan=fp-24[frame0]) [16] = 0");
  });

  it("hold tail calls, and those that found no program", () => {
    const out = tree("dispatch", TAILCALLS);
    expect(out).toMatch(
      /└─ bpf_tail_call\(ctx, prog_array_map=stages, index=1\)\n +└─ ip6\(ctx\) \[65\] = 1/,
    );
    expect(out).toContain("bpf_tail_call(ctx, prog_array_map=stages, index=6): no program, goes on");
  });

  it("are of all packets with -vvv, and JSON on demand", () => {
    const out = replay(CALLS, LAB, "--prog", "calls", "-c", "3", "-vvv");
    expect(out.match(/^ {2}calls\(ctx\) \[\d+\] = \d \(XDP_\w+\)$/gm)).toHaveLength(3);
    const [packet] = jsonLines(replay(CALLS, LAB, "--prog", "calls", "-c", "1", "-vvv", "--json"));
    expect(packet).toMatchObject({
      calls: {
        call: "calls(ctx)",
        insns: 1138,
        calls: [{ call: "packet_bytes(ctx)", result: "90" }, {}, {}, {}],
      },
      maps: [{ map: "calls.bss" }, { map: "protocols", after: "0100000000000000" }, { map: "calls.data" }],
    });
  });
});

describe("instructions", () => {
  it("are all there with -vvvv, calls between them, as many as were counted", () => {
    const out = replay(CALLS, LAB, "--prog", "loops", "-c", "1", "-vvvv");
    expect(out.match(/^.*\d+: \([0-9a-f]{2}\) /gm)).toHaveLength(1147);
    expect(out).toMatch(/├─ bpf_loop\(nr_loops=26.*\n {2}├─ mix_round\(index=0.*\n {2}│ +\d+: /);
    expect(out).toContain("  └─ bpf_loop = 26\n");
  });

  it("come from the interpreter, which is said where another engine was named", () => {
    const { stdout, stderr } = tsbpf([
      "replay",
      CALLS,
      LAB,
      "--prog",
      "calls",
      "-c",
      "1",
      "--trace",
      "--engine",
      "jit",
    ]);
    expect(stderr).toMatch(/^note: --trace needs every instruction.*it runs the program, not the jit$/m);
    expect(stdout.match(/^.*\d+: \([0-9a-f]{2}\) /gm)).toHaveLength(1138);
    expect(stdout).toContain("program calls (xdp), interpreter");
  });

  it("come with what they access when memory is traced", () => {
    expect(replay(TRAPS, LAB, "--verify", "off", "-c", "1", "--trace", "mem")).toMatch(
      /0: \(61\) r2 = .*\n +load 4 bytes at 0x\w+\n/,
    );
  });
});

describe("map changes", () => {
  it("are told by key and member", () => {
    const out = replay(CALLS, LAB, "--prog", "calls", "-c", "2", "-vv");
    expect(out).toContain("  map protocols[34525] added: 0x1\n");
    expect(out).toContain("  map protocols[34525]: 1 -> 2\n");
    expect(out).toMatch(/map calls\.bss: calls_made\[0\] 0 -> 16, .*total_bytes 0 -> 90\n/);
    expect(out).toContain("runs_left 1000000 -> 999999");
  });

  it("add up to what the maps hold afterwards", () => {
    const out = replay("samples/parser/parser.bpf.o", LAB, "-vv", "--maps", "flows");
    const added = out.match(/^ {2}map flows\[.*\] added: /gm)?.length ?? 0;
    const deleted = out.match(/^ {2}map flows\[.*\] deleted: /gm)?.length ?? 0;
    expect(`${added - deleted}`).toBe(/^map flows \(hash\), (\d+) of/m.exec(out)?.[1]);
  });

  it("hold what queues, stacks and per-CPU maps do", () => {
    expect(replay("samples/queues/queues.bpf.o", LAB, "--prog", "delay", "-vv", "-c", "30")).toMatch(
      /^ {2}map \w+ (pushed|popped): /m,
    );
    expect(replay(TAILCALLS, LAB, "--prog", "dispatch", "-vv", "-c", "1")).toMatch(
      /map scratch\[0\]: cpu 0 l4_offset 0 -> 54/,
    );
  });
});

describe("totals", () => {
  const totalOf = (text: string): number => Number(/^(\d+) instructions in 778 runs/m.exec(text)?.[1]);

  it("have a histogram, alike on both engines, one by one and in batches", () => {
    const runs = ["samples/parser/parser.bpf.o", "samples/plain/plain.bpf.o"].map((object) =>
      ["interpreter", "jit"].map((engine) => replay(object, LAB, "--histogram", "-q", "--engine", engine)),
    );
    for (const [interpreted, compiled] of runs) {
      expect(interpreted).toBe(compiled);
      expect(interpreted).toMatch(/^ +\d+(-\d+)? +\d+ {2}\|@* *\|$/m);
    }
    const lines = jsonLines(replay("samples/parser/parser.bpf.o", LAB, "--json", "--histogram"));
    const sum = lines.slice(0, -1).reduce((all, line) => all + Number(line.insns), 0);
    expect(lines.at(-1)).toMatchObject({ summary: { insns: { total: sum, runs: 778 } } });
    expect(totalOf(runs[0]?.[0] ?? "")).toBe(sum);
  });

  it("count a run that trapped by what it executed", () => {
    const out = replay(TRAPS, LAB, "--verify", "off", "--histogram", "-q");
    expect(out).toMatch(/^ +2-3 +\d+/m);
    expect(out).toMatch(/^ +4-7 +\d+/m);
    expect(out).toMatch(/in 778 runs: min 2, .* max 4$/m);
  });

  it("have a profile whose counts are the instructions of the run", () => {
    for (const [object, prog] of [
      [CALLS, "calls"],
      [CALLS, "loops"],
      [TAILCALLS, "dispatch"],
    ] as const) {
      const path = at(`${prog}.folded`);
      const out = replay(object, LAB, "--prog", prog, "--profile", path, "--histogram", "-q");
      const lines = readFileSync(path, "utf8").trimEnd().split("\n");
      expect(lines.every((line) => /^[^; ]+(;[^; ]+)* \d+$/.test(line))).toBe(true);
      const sum = lines.reduce((all, line) => all + Number(line.split(" ")[1]), 0);
      expect(sum).toBe(totalOf(out));
    }
    expect(readFileSync(at("loops.folded"), "utf8")).toMatch(/^loops;bpf_loop;mix_round;mix \d+$/m);
    expect(readFileSync(at("dispatch.folded"), "utf8")).toMatch(/^dispatch;ip6;to_transport \d+$/m);
  });

  it("have coverage by line, whose counts are those of the runs", () => {
    const path = at("calls.lcov");
    replay(CALLS, LAB, "--prog", "calls", "--coverage", path, "-q");
    const text = readFileSync(path, "utf8");
    expect(text).toMatch(/^TN:\w+\nSF:samples\/calls\/calls\.bpf\.c\n/);
    expect(text).toContain("FNDA:12322,mix\n");
    const line = readFileSync(`${root}samples/calls/calls.bpf.c`, "utf8")
      .split("\n")
      .findIndex((one) => one.includes("h ^= word;"));
    expect(text).toContain(`DA:${line + 1},12322\n`);
    for (const record of text.split("end_of_record\n").slice(0, -1)) {
      const lines = record.match(/^DA:\d+,\d+$/gm) ?? [];
      expect(record).toContain(`LF:${lines.length}\n`);
      expect(record).toContain(`LH:${lines.filter((one) => !one.endsWith(",0")).length}\n`);
    }
  });

  it("cover what tail calls may reach, run or not", () => {
    const path = at("tail.lcov");
    replay(TAILCALLS, LAB, "--prog", "dispatch", "-c", "1", "--coverage", path, "-q");
    const text = readFileSync(path, "utf8");
    expect(text).toContain("FNDA:1,ip6\n");
    expect(text).toMatch(/^FNDA:0,ip4$/m);
  });

  it.skipIf(!has("lcov") || !has("genhtml"))("have coverage that lcov and genhtml read", () => {
    const path = at("tools.lcov");
    replay(CALLS, LAB, "--prog", "calls", "--coverage", path, "-q");
    const summary = spawnSync("lcov", ["--summary", path, "--rc", "lcov_branch_coverage=1"], {
      cwd: root,
      encoding: "utf8",
    });
    expect(summary.status).toBe(0);
    expect(summary.stdout + summary.stderr).toMatch(/functions\.+: 100\.0% \(8 of 8 functions\)/);
    const html = spawnSync("genhtml", ["-q", "--branch-coverage", "-o", at("html"), path], {
      cwd: root,
    });
    expect(html.status).toBe(0);
    expect(existsSync(at("html/index.html"))).toBe(true);
  });

  it("say so when a program has no lines to cover", () => {
    expect(tsbpf(["replay", TRAPS, LAB, "--verify", "off", "-q", "--coverage", at("none")]).stderr).toMatch(
      /have no line info/,
    );
  });
});

/** Feeds a part of the lab through a pipe that stays open, sends a signal, and waits for the end. */
async function endBy(signal: "SIGINT" | "SIGTERM", words: readonly string[] = []) {
  const child = spawn(
    process.execPath,
    ["apps/cli/dist/main.js", "replay", "samples/parser/parser.bpf.o", "-", "-v", ...words],
    { cwd: root },
  );
  let stdout = "";
  const ended = new Promise<number | null>((resolve) => {
    child.on("close", resolve);
  });
  const shown = new Promise<void>((resolve) => {
    child.stdout.on("data", (text: Buffer) => {
      stdout += text.toString();
      if (stdout.includes("#100 ")) resolve();
    });
  });
  child.stdin.on("error", () => {});
  child.stdin.write(readFileSync(`${root}${LAB}`).subarray(0, 100_000));
  await Promise.race([shown, ended]);
  child.kill(signal);
  const status = await ended;
  return { status, stdout };
}

describe("ends", () => {
  it.each([
    ["SIGINT", 130],
    ["SIGTERM", 143],
  ] as const)("by %s after what is done is printed", async (signal, code) => {
    const { status, stdout } = await endBy(signal);
    expect(status).toBe(code);
    expect(stdout).toMatch(/^total +284 +94951 +100\.0$/m);
  });

  it("by SIGINT leave a whole capture behind", async () => {
    const out = at("cut.pcapng");
    expect((await endBy("SIGINT", ["-w", out])).status).toBe(130);
    expect(replay("samples/plain/plain.bpf.o", out, "--strict")).toMatch(/^total +284/m);
  });

  it("quietly when nobody reads on", () => {
    const { stdout, stderr } = spawnSync(
      "bash",
      [
        "-c",
        `node apps/cli/dist/main.js replay ${CALLS} ${LAB} --prog calls -vvvv | head -1; echo "\${PIPESTATUS[0]}"`,
      ],
      { cwd: root, encoding: "utf8" },
    );
    expect(stdout).toMatch(/^#1 .*\n0\n$/);
    expect(stderr).toBe("");
  });
});

describe("progress", () => {
  it("is none where nobody looks", () => {
    expect(tsbpf(["replay", CALLS, LAB, "--prog", "calls"]).stderr).toBe("");
  });

  const onTerminal = (words: string): string => {
    const script = `node apps/cli/dist/main.js replay ${CALLS} ${LAB} --prog calls ${words} > /dev/null`;
    return spawnSync("script", ["-qec", script, "/dev/null"], { cwd: root, encoding: "utf8", input: "" })
      .stdout;
  };

  it.skipIf(!has("script"))("ends with a rate on a terminal, and is none with -q or --json", () => {
    expect(onTerminal("")).toMatch(/778 packets, 279 kB, \d+\.\d s, [\d.]+ k?pps/);
    expect(onTerminal("-q")).toBe("");
    expect(onTerminal("--json")).toBe("");
  });
});

describe("files named .gz", () => {
  const PARSER = "samples/parser/parser.bpf.o";

  it.each(["pcap", "pcapng", "tsbpf"])("are compressed, and hold what .%s would", (format) => {
    const [plain, packed] = [at(`whole.${format}`), at(`whole.${format}.gz`)];
    for (const path of [plain, packed])
      expect(tsbpf(["replay", PARSER, LAB, "-q", "-w", path]).status).toBe(0);
    expect(gunzipSync(readFileSync(packed))).toEqual(readFileSync(plain));
  });

  it("are read wherever they may be written", () => {
    const [trace, capture, expected] = [at("r.tsbpf.gz"), at("r.pcapng.gz"), at("r.json.gz")];
    expect(tsbpf(["record", PARSER, LAB, "-w", trace]).status).toBe(0);
    expect(tsbpf(["trace", "verify", trace, "--strict"]).stdout).toContain("778 runs can be read");
    expect(tsbpf(["trace", "convert", trace, capture]).status).toBe(0);
    expect(tsbpf(["replay", PARSER, trace, "--write-expect", expected]).status).toBe(0);
    expect(replay(PARSER, capture, "--expect", expected)).toContain("778 packets: 778 alike, 0 different");
  });
});

describe.skipIf(!existsSync("/dev/full"))("a disk that is full", () => {
  const full = at("full.pcap.gz");
  if (existsSync("/dev/full")) symlinkSync("/dev/full", full);

  it.each([
    ["replay", CALLS, LAB, "--prog", "calls", "-q", "-w", "/dev/full"],
    ["replay", CALLS, LAB, "--prog", "calls", "-q", "-w", full],
    ["replay", CALLS, LAB, "--prog", "calls", "-q", "--profile", "/dev/full"],
    ["record", CALLS, LAB, "--prog", "calls", "-w", "/dev/full"],
  ])("is named by %s %s %s %s %s %s %s", (...words) => {
    const { status, stderr } = tsbpf(words);
    expect(stderr).toMatch(/^error: \S+: no space left on the device \[FILE_UNWRITABLE\]\n$/);
    expect(status).toBe(2);
  });

  it("is named where it is standard output", () => {
    const words = `replay ${CALLS} ${LAB} --prog calls -v`;
    const { status, stderr } = spawnSync(
      "sh",
      ["-c", `"${process.execPath}" "${main}" ${words} > /dev/full`],
      {
        cwd: root,
        encoding: "utf8",
      },
    );
    expect(stderr).toBe("error: standard output: no space left on the device [FILE_UNWRITABLE]\n");
    expect(status).toBe(2);
  });
});
