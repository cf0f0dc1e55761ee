import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { existsSync, readFileSync, rmSync, statSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { jsonLines, main, root, scratchFolder, tsbpf } from "./cli.ts";

const { at, file } = scratchFolder();

const PARSER = "samples/parser/parser.bpf.o";
const LAB = "samples/captures/lab.pcap";
const TAG = "examples/custom-helper/prog/tag.bpf.o";
const FLOW_TAG = "examples/custom-helper/src/flow-tag.ts";
const deny = "64656e7900000000";
const changes = file(
  "changes.jsonl",
  `{"map":"tags","key":"c0000201","value":"${deny}"}\n{"run":100,"map":"tags","key":"c0000202","value":"${deny}"}\n`,
);

/** Records the tag filter with its helper loaded, once. */
function recordTags(): string {
  const path = at("tag.tsbpf");
  if (existsSync(path)) return path;
  const words = ["record", TAG, LAB, "--plugin", FLOW_TAG, "--map-changes", changes, "--outputs", "-w", path];
  expect(tsbpf(words)).toMatchObject({ status: 0 });
  return path;
}

/** Runs the command line on a named pipe that gives what is in a file. */
function piped(input: string, words: (pipe: string) => readonly string[]) {
  const pipe = at("pipe");
  rmSync(pipe, { force: true });
  spawnSync("mkfifo", [pipe]);
  const feeder = spawn("sh", ["-c", `cat "${input}" > "${pipe}"`], { cwd: root, stdio: "ignore" });
  try {
    return tsbpf(words(pipe));
  } finally {
    feeder.kill();
  }
}

const table = (stdout: string): string => stdout.slice(stdout.indexOf("verdict"));

describe("record", () => {
  it("makes a trace that replays like the capture, on both engines", () => {
    const trace = at("parser.tsbpf");
    const { status, stdout } = tsbpf(["record", PARSER, LAB, "-w", trace]);
    expect(stdout).toMatch(/^778 runs of parser recorded to .*, \d+ bytes\n$/);
    expect(status).toBe(0);
    const plain = table(tsbpf(["replay", PARSER, LAB]).stdout);
    for (const engine of ["interpreter", "jit"]) {
      expect(table(tsbpf(["replay", PARSER, trace, "--engine", engine]).stdout)).toBe(plain);
    }
    expect(table(tsbpf(["replay", PARSER, "-"], readFileSync(trace)).stdout)).toBe(plain);
  });

  it("takes the packets that a filter takes, with an object or without, from words or a file", () => {
    const trace = at("filtered.tsbpf");
    const expression = ["udp port 53 or", "arp"];
    const written = file("dns.filter", "udp port 53 # or\nor arp\n");
    const count = /(?:total +)(\d+) /.exec(tsbpf(["replay", PARSER, LAB, ...expression]).stdout)?.[1];
    expect(Number(count)).toBeGreaterThan(10);
    for (const words of [
      [PARSER, LAB, ...expression],
      [LAB, ...expression],
      ["-r", LAB, ...expression],
      [PARSER, "-r", LAB, ...expression],
      [PARSER, LAB, "-F", written],
      ["-O", PARSER, LAB, ...expression],
    ]) {
      const made = tsbpf(["record", ...words, "-w", trace]);
      expect(made.stdout, words.join(" ")).toMatch(new RegExp(`^${count} (packets|runs of parser) recorded`));
      expect(table(tsbpf(["replay", PARSER, trace]).stdout)).toBe(
        table(tsbpf(["replay", PARSER, LAB, ...expression]).stdout),
      );
    }
    const wrong = tsbpf(["record", LAB, "udp prot 53", "-w", trace]);
    expect(wrong.status).toBe(2);
    expect(wrong.stderr).toMatch(/\[FILTER_SYNTAX\]\n {2}udp prot 53\n {6}\^~~~\n/);
    expect(tsbpf(["record", "missing.bpf.o", "-r", LAB, "-w", trace]).stderr).toMatch(
      /missing.bpf.o: no such/,
    );
  });

  it("makes the same bytes every time", () => {
    const [one, other] = ["one.tsbpf", "other.tsbpf"].map((name) => {
      tsbpf(["record", PARSER, LAB, "-w", at(name)]);
      return readFileSync(at(name));
    });
    expect(one?.equals(other ?? Buffer.alloc(0))).toBe(true);
  });

  it("records captures and settings without an object", () => {
    const trace = at("plain.tsbpf");
    const words = ["--ifindex", "7", "--queue", "3", "--cpus", "4", "--seed", "9", "--direction", "inbound"];
    expect(tsbpf(["record", LAB, ...words, "--set", "site=lab", "-w", trace]).stdout).toMatch(/^778 packets/);
    const lines = jsonLines(tsbpf(["trace", "show", trace, "--runs", "1", "-j"]).stdout);
    expect(lines[0]).toMatchObject({ run: 1, ifindex: 7, queue: 3, direction: "inbound" });
    expect(lines[1]).toMatchObject({ runs: 778, settings: { cpus: 4, seed: 9, site: "lab" } });
    expect(table(tsbpf(["replay", PARSER, trace]).stdout)).toBe(table(tsbpf(["replay", PARSER, LAB]).stdout));
  });

  it("records on which CPU each run took place, as a replay spreads packets", () => {
    const [trace, again] = [at("cpus.tsbpf"), at("again.tsbpf")] as const;
    const words = ["record", "samples/percpu/percpu.bpf.o", "--prog", "sizes"];
    const cpusOf = (name: string) =>
      jsonLines(tsbpf(["trace", "show", name, "--runs", "1-778", "-j"]).stdout)
        .slice(0, -1)
        .map((run) => run.cpu ?? 0);
    expect(tsbpf([...words, LAB, "--cpus", "3", "--spread", "round-robin", "-w", trace]).status).toBe(0);
    expect(cpusOf(trace)).toEqual(Array.from({ length: 778 }, (_, i) => i % 3));
    expect(tsbpf([...words, trace, "--cpus", "3", "-w", again]).status).toBe(0);
    expect(cpusOf(again)).toEqual(cpusOf(trace));
    expect(tsbpf([...words, LAB, "--cpus", "3", "-w", again]).status).toBe(0);
    expect(new Set(cpusOf(again))).toEqual(new Set([0, 1, 2]));
    const refused = tsbpf([...words, LAB, "--cpus", "3", "--spread", "recorded", "-w", again]);
    expect(refused).toMatchObject({ status: 2, stderr: expect.stringContaining("REPLAY_NO_CPU") });
  });

  it("answers for helpers that are not loaded, and for the host's changes of maps", () => {
    const trace = recordTags();
    const first = tsbpf(["replay", TAG, trace]);
    expect(first).toMatchObject({ status: 0, stderr: "" });
    expect(first.stdout).toMatch(/XDP_DROP +460 /);
    expect(table(tsbpf(["replay", TAG, trace, "--engine", "jit"]).stdout)).toBe(table(first.stdout));
    expect(table(tsbpf(["replay", TAG, trace, "--plugin", FLOW_TAG]).stdout)).toBe(table(first.stdout));
    for (const engine of ["interpreter", "jit"]) {
      const same = tsbpf(["replay", TAG, trace, "--engine", engine, "--against", "trace"]);
      expect(same.stdout).toContain("778 packets: 778 alike, 0 different");
      expect(same.status).toBe(0);
    }
    expect(tsbpf(["replay", TAG, trace, "--live"]).stderr).toMatch(/CALL_HELPER/);
  });

  it("keeps clocks and random numbers, and names a program that asks for something else", () => {
    const clock = file("clock.s", "call bpf_ktime_get_ns\nr0 &= 1\nr0 += 1\nexit\n");
    const random = file("random.s", "call bpf_get_prandom_u32\nr0 &= 1\nr0 += 1\nexit\n");
    const nothing = file("nothing.s", "r0 = 2\nexit\n");
    for (const [prog, other] of [
      [clock, random],
      [random, clock],
    ] as const) {
      const trace = at("asked.tsbpf");
      expect(tsbpf(["record", prog, LAB, "-c", "20", "--seed", "5", "--outputs", "-w", trace]).status).toBe(
        0,
      );
      for (const engine of ["interpreter", "jit"]) {
        expect(tsbpf(["replay", prog, trace, "--engine", engine, "--against", "trace"]).status).toBe(0);
        const diverged = tsbpf(["replay", other, trace, "--engine", engine, "-q"]);
        expect(diverged.status).toBe(1);
        expect(diverged.stderr).toMatch(
          /20 runs asked for something else than was recorded: run 1, question 1: bpf_\w+ was asked when it was recorded, the program asks bpf_\w+/,
        );
      }
      expect(tsbpf(["replay", nothing, trace]).stderr).toMatch(
        /20 runs asked for less.*run 1 did not ask bpf_/,
      );
      expect(tsbpf(["replay", other, trace, "--live"]).status).toBe(0);
    }
  });

  it("takes contexts of programs without packets", () => {
    const prog = file("ctx.s", "r0 = *(u32 *)(r1 + 0)\nexit\n");
    const ctx = file("ctx.bin", new Uint8Array([7, 0, 0, 0, ...new Array(60).fill(0)]));
    const { status, stderr } = tsbpf([
      "record",
      prog,
      "--ctx",
      ctx,
      "-w",
      at("ctx.tsbpf"),
      "--verify",
      "off",
    ]);
    // An xdp program has no run without a packet, which is recorded as such.
    expect(stderr).toMatch(/not run/);
    expect(status).toBe(0);
    expect(tsbpf(["trace", "show", at("ctx.tsbpf"), "--runs"]).stdout).toMatch(
      /ctx of 64 bytes\n {2}refused: /,
    );
  });

  it("and replays read pipes, which can be read once only", () => {
    const trace = at("pipe.tsbpf");
    const whole = table(tsbpf(["replay", PARSER, LAB]).stdout);
    expect(piped(LAB, (pipe) => ["record", PARSER, pipe, "-w", trace]).status).toBe(0);
    expect(piped(LAB, (pipe) => ["record", pipe, "-w", at("plain-pipe.tsbpf")]).status).toBe(0);
    for (const input of [LAB, trace, at("plain-pipe.tsbpf")]) {
      const { status, stdout } = piped(input, (pipe) => ["replay", PARSER, pipe]);
      expect(table(stdout), input).toBe(whole);
      expect(status).toBe(0);
    }
    const compared = piped(trace, (pipe) => ["replay", PARSER, pipe, "--against", "engine=jit"]);
    expect(compared.stdout).toContain("778 packets: 778 alike, 0 different");
  });

  it.each([
    ["nothing to record", ["-w", "x"], /RECORD_NO_INPUT/],
    ["no output", [LAB], /required option '-w/],
    ["a trace without an object", ["TAGS", "-w", "x"], /RECORD_TRACE/],
    ["outputs without an object", [LAB, "--outputs", "-w", "x"], /RECORD_NO_OBJECT/],
    ["its own input", ["COPY", "-w", "COPY"], /OPTION_SAME_FILE/],
    ["its own changes", [PARSER, LAB, "--map-changes", "COPY", "-w", "COPY"], /OPTION_SAME_FILE/],
    ["a setting without a value", [LAB, "--set", "x", "-w", "x"], /OPTION_SETTING/],
    ["an object that is missing", ["none.o", LAB, "-w", "x"], /none\.o: no such file/],
    [
      "map changes that are none",
      [PARSER, LAB, "--map-changes", LAB, "-w", "x"],
      /:1: no JSON found.*RECORD_MAP_CHANGE/,
    ],
  ])("refuses %s", (_what, words, message) => {
    const copy = file("copy.pcap", readFileSync(`${root}${LAB}`));
    const places: Readonly<Record<string, string>> = { TAGS: recordTags(), COPY: copy, x: at("unwanted") };
    const { status, stderr } = tsbpf(["record", ...words.map((word) => places[word] ?? word)]);
    expect(stderr).toMatch(message);
    expect(stderr).not.toMatch(/\n {4}at /);
    expect(status).toBe(2);
  });
});

describe("a recorder that is killed", () => {
  it("leaves everything up to the last whole block", async () => {
    const trace = at("killed.tsbpf");
    const child = spawn(
      process.execPath,
      ["--conditions=@tsbpf/source", main, "record", PARSER, "-", "-w", trace],
      {
        cwd: root,
        stdio: ["pipe", "ignore", "ignore"],
      },
    );
    child.stdin.on("error", () => undefined);
    const lab = readFileSync(`${root}${LAB}`);
    child.stdin.write(lab.subarray(0, 24));
    const size = (): number => (existsSync(trace) ? statSync(trace).size : 0);
    for (let round = 0; size() < 2_000_000; round++) {
      expect(round).toBeLessThan(500);
      if (!child.stdin.write(lab.subarray(24))) await once(child.stdin, "drain");
    }
    child.kill("SIGKILL");
    await once(child, "close");
    const verified = tsbpf(["trace", "verify", trace]);
    const runs = Number(
      /not closed, what is there is whole, \d+ blocks, (\d+) runs/.exec(verified.stdout)?.[1],
    );
    expect(verified.status).toBe(0);
    expect(runs).toBeGreaterThan(3000);
    expect(tsbpf(["trace", "verify", trace, "--strict"]).status).toBe(1);
    const replayed = tsbpf(["replay", PARSER, trace]);
    expect(replayed.status).toBe(0);
    expect(replayed.stdout).toMatch(new RegExp(`total +${runs} `));
    // All blocks but the one that was being written hold about 256 KiB.
    expect(statSync(trace).size - 1_400_000).toBeGreaterThan(0);
    const back = at("killed.pcap");
    tsbpf(["trace", "convert", trace, back]);
    const packets = readFileSync(back);
    const count = jsonLines(tsbpf(["replay", PARSER, back, "--json"]).stdout).length - 1;
    expect(count).toBe(runs);
    // The packets are those that went in, one capture after the other.
    const whole = packets.subarray(24);
    const firstLength = whole.readUInt32LE(8);
    expect(whole.subarray(16, 16 + firstLength)).toEqual(lab.subarray(40, 40 + firstLength));
  });
});

describe("trace verify", () => {
  it("names a flipped byte with its block and runs, and nothing else is lost", () => {
    const whole = readFileSync(recordTags());
    const bad = Buffer.from(whole);
    bad[200_000] = (bad[200_000] ?? 0) ^ 0x10;
    const path = file("bad.tsbpf", bad);
    const { status, stdout } = tsbpf(["trace", "verify", path]);
    expect(status).toBe(1);
    expect(stdout).toMatch(
      /runs block \d+ is damaged: .*; the byte at offset 200000 is 0x\w+, 0x\w+ would make it right; runs 335-\d+ are lost\n/,
    );
    expect(stdout).toMatch(/damaged in 1 places, \d+ blocks, \d+ runs can be read\n$/);
    const document = JSON.parse(tsbpf(["trace", "verify", path, "--json"]).stdout);
    expect(document).toMatchObject({
      sound: false,
      damageCount: 1,
      damage: [
        {
          code: "TRACE_PAYLOAD_CHECKSUM",
          byte: { offset: 200_000, expected: whole[200_000] },
          runs: { first: 335 },
        },
      ],
    });
    expect(tsbpf(["replay", TAG, path]).stderr).toMatch(/TRACE_PAYLOAD_CHECKSUM/);
    expect(tsbpf(["trace", "verify", recordTags()])).toMatchObject({ status: 0 });
  });
});

describe("trace show, cut, merge and convert", () => {
  it("show a trace, its blocks and its runs", () => {
    const trace = recordTags();
    const { stdout } = tsbpf(["trace", "show", trace, "--blocks", "--runs", "100"]);
    expect(stdout).toMatch(/^#100 \d+\.\d{9} tag_filter ifindex 1 98 bytes = 1\n/);
    expect(stdout).toMatch(/before: host changes tags: update c0000202 = 64656e79/);
    expect(stdout).toMatch(
      /call flow_tag\(tags=tags, flow=c0 00 02 01, out_len=0x8, flags=0x0\) = 0x0\n {4}wrote r3: 64656e79/,
    );
    expect(stdout).toMatch(/helper +flow_tag\(tags, flow, out, out_len, flags\), id 65537/);
    expect(stdout).toMatch(/runs +778, 778 packets of 278967 bytes, 778 results, 778 with all answers/);
    expect(stdout).toMatch(/\n +3 +runs +\d+ +\d+ +1-334 +\d+\n/);
  });

  it("cut by number and time, with what a replay needs", () => {
    const trace = recordTags();
    const part = at("part.tsbpf");
    const cut = tsbpf(["trace", "cut", trace, "--runs", "90-120,700", "-w", part]);
    expect(cut.status).toBe(0);
    expect(cut.stderr).toMatch(/what they did to maps is not in the copy/);
    expect(tsbpf(["replay", TAG, part, "--against", "trace"])).toMatchObject({ status: 0 });
    const seconds = at("seconds.tsbpf");
    tsbpf(["trace", "cut", trace, "--from", "+3", "--to", "+4", "-w", seconds, "-q"]);
    const [summary] = jsonLines(tsbpf(["trace", "show", seconds, "-j"]).stdout);
    expect(Number(summary?.first)).toBeGreaterThanOrEqual(1_795_571_023.64);
    expect(Number(summary?.last)).toBeLessThan(1_795_571_024.65);
    const dated = at("dated.tsbpf");
    tsbpf(["trace", "cut", trace, "--from", `${summary?.first}`, "-w", dated]);
    expect(jsonLines(tsbpf(["trace", "show", dated, "-j"]).stdout)[0]?.first).toBe(summary?.first);
  });

  it("merge by time, what was cut apart becomes whole", () => {
    const trace = recordTags();
    const [odd, even, both] = ["odd.tsbpf", "even.tsbpf", "both.tsbpf"].map(at) as [string, string, string];
    const numbers = Array.from({ length: 778 }, (_, idx) => idx + 1);
    const range = (rest: number) => numbers.filter((one) => one % 2 === rest).join(",");
    tsbpf(["trace", "cut", trace, "--runs", range(1), "-w", odd]);
    tsbpf(["trace", "cut", trace, "--runs", range(0), "-w", even]);
    expect(tsbpf(["trace", "merge", odd, even, "-w", both])).toMatchObject({ status: 0 });
    const runs = (path: string) =>
      jsonLines(tsbpf(["trace", "show", path, "--runs", "-j"]).stdout)
        .slice(0, -1)
        .map(({ run: _, events: __, ...rest }) => rest);
    // Packets of the same microsecond may change places.
    const key = (line: object): string => JSON.stringify(line);
    expect(runs(both).map(key).sort()).toEqual(runs(trace).map(key).sort());
    const mixed = at("mixed.tsbpf");
    tsbpf(["trace", "merge", odd, "samples/captures/lab.pcapng", "-w", mixed]);
    expect(jsonLines(tsbpf(["trace", "show", mixed, "-j"]).stdout)[0]).toMatchObject({ runs: 778 + 389 });
  });

  it("convert to captures and back, and say what is lost", () => {
    const trace = recordTags();
    const there = tsbpf(["trace", "convert", trace, at("tag.pcapng")]);
    expect(there.status).toBe(0);
    expect(there.stderr).toMatch(/has a call event, captures hold none, and \d+ more/);
    expect(tsbpf(["trace", "convert", trace, at("strict.pcapng"), "--strict"]).status).toBe(2);
    tsbpf(["trace", "convert", at("tag.pcapng"), at("back.tsbpf")]);
    expect(table(tsbpf(["replay", PARSER, at("back.tsbpf")]).stdout)).toBe(
      table(tsbpf(["replay", PARSER, LAB]).stdout),
    );
    tsbpf(["trace", "convert", trace, at("tag.pcap"), "-q"]);
    expect(readFileSync(at("tag.pcap")).subarray(24).length).toBe(readFileSync(`${root}${LAB}`).length - 24);
  });
});

describe("bad traces end in one clear line", () => {
  const whole = () => readFileSync(recordTags());
  it.each([
    ["empty", () => new Uint8Array(0), /TRACE_HEADER_TRUNCATED|TRACE_EMPTY|ends within its header/],
    [
      "of another version",
      () =>
        new Uint8Array(
          Buffer.concat([Buffer.from("895453425046 0d0a02000000f9f1c8b4".replace(" ", ""), "hex")]),
        ),
      /TRACE_FILE_CHECKSUM|UNSUPPORTED_TRACE_VERSION/,
    ],
    ["a header alone, cut short", () => new Uint8Array(whole().subarray(0, 10)), /header/],
    ["a capture", () => readFileSync(`${root}${LAB}`), /TRACE_NOT_TRACE/],
    ["something else", () => new Uint8Array(100).fill(65), /TRACE_FILE_MAGIC/],
  ])("%s", (name, bytes, message) => {
    const path = file(`bad-${name.replace(/\W/g, "-")}`, bytes());
    for (const verb of ["verify", "show"]) {
      const { status, stderr } = tsbpf(["trace", verb, path]);
      if (verb === "verify" || name !== "a capture") expect(status, verb).not.toBe(0);
      expect(stderr).not.toMatch(/\n {4}at |BUG/);
      if (verb === "verify" && stderr !== "") expect(stderr).toMatch(message);
    }
  });

  it("and a truncated one gives what is whole, then a warning", () => {
    const path = file("cut.tsbpf", new Uint8Array(whole().subarray(0, 250_000)));
    const { status, stdout, stderr } = tsbpf(["replay", TAG, path]);
    expect(status).toBe(0);
    expect(stdout).toMatch(/total +334 /);
    expect(stderr).toMatch(/file ends within block \d+/);
    expect(tsbpf(["replay", TAG, path, "--strict"]).status).toBe(2);
  });
});
