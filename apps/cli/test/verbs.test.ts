import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { jsonLines, root, scratchFolder, tsbpf } from "./cli.ts";

const { at, file } = scratchFolder();
const packet = file("packet", new Uint8Array(64));
const PARSER = "samples/parser/parser.bpf.o";
const LAB = "samples/captures/lab.pcap";

describe("replay", () => {
  it("prints the verdict table that Linux would give", () => {
    const { status, stdout } = tsbpf(["replay", PARSER, LAB]);
    expect(status).toBe(0);
    expect(stdout).toMatch(/XDP_PASS +709 +209651 +91\.1/);
    expect(stdout).toMatch(/XDP_DROP +64 +69047/);
    expect(stdout).toMatch(/total +778 +278967 +100\.0/);
  });

  it.each([LAB, "samples/captures/lab.pcapng", "samples/captures/lab.pcap.gz"])(
    "reads %s alike",
    (capture) => {
      const lines = jsonLines(tsbpf(["replay", PARSER, capture, "--json"]).stdout);
      expect(lines).toHaveLength(779);
      expect(lines.at(-1)).toMatchObject({
        summary: { packets: 778, verdicts: { XDP_ABORTED: { packets: 5, bytes: 269 } } },
      });
    },
  );

  it("reads a capture from standard input, and a program choice", () => {
    const { stdout } = tsbpf(
      ["replay", "samples/firewall/firewall.bpf.o", "-", "--prog", "firewall"],
      readFileSync(`${root}${LAB}`),
    );
    expect(stdout).toMatch(/XDP_DROP +57/);
  });

  it("replays chosen packets only, and stops after a count", () => {
    const chosen = jsonLines(tsbpf(["replay", PARSER, LAB, "--json", "--packets", "3,10-12"]).stdout);
    expect(chosen.slice(0, -1).map((line) => line.packet)).toEqual([3, 10, 11, 12]);
    const counted = jsonLines(tsbpf(["replay", PARSER, LAB, "--json", "-c", "5"]).stdout);
    expect(counted).toHaveLength(6);
  });

  it("writes the resulting packets with their verdicts, readable again", () => {
    const out = at("out.pcapng");
    const rewrite = "samples/rewrite/rewrite.bpf.o";
    const first = jsonLines(
      tsbpf(["replay", rewrite, LAB, "--prog", "ipip_encap", "-w", out, "--json"]).stdout,
    );
    const again = jsonLines(tsbpf(["replay", PARSER, out, "--json"]).stdout);
    const lengths = (lines: Record<string, unknown>[], key: string) =>
      lines.slice(0, -1).map((line) => line[key] ?? line.caplen);
    expect(lengths(again, "caplen")).toEqual(lengths(first, "out_len"));
    expect(tsbpf(["replay", PARSER, out, "-c", "1", "-v"]).stdout).toContain("#1");
  });

  it.each(["-w", "--profile", "--coverage"])("does not write over its input with %s", (option) => {
    const bytes = readFileSync(`${root}${LAB}`);
    const copy = file("copy.pcap", bytes);
    const { status, stderr } = tsbpf(["replay", PARSER, copy, option, copy]);
    expect(stderr).toMatch(/OPTION_SAME_FILE/);
    expect(status).toBe(2);
    expect(readFileSync(copy).equals(bytes)).toBe(true);
  });

  it("prints maps as BTF describes them", () => {
    const { stdout } = tsbpf(["replay", PARSER, LAB, "-q", "--maps", "flows"]);
    expect(stdout).toMatch(/^map flows \(hash\), 141 of 1024 entries\n/);
    const [document] = jsonLines(
      tsbpf(["replay", PARSER, LAB, "-c", "20", "-q", "--json", "--maps", "reasons"]).stdout,
    ).slice(-1);
    expect(document).toMatchObject({ map: "reasons", type: "array" });
  });

  it("shows effects with -vv and instructions with --trace", () => {
    const effects = tsbpf([
      "replay",
      "samples/tailcalls/tailcalls.bpf.o",
      LAB,
      "--prog",
      "dispatch",
      "-c",
      "1",
      "-vv",
    ]).stdout;
    expect(effects).toContain("tail call to ip6 (map stages, index 1)");
    const trace = tsbpf(["replay", PARSER, LAB, "-c", "1", "--trace"]).stdout;
    expect(trace).toMatch(/^ +0: \(/m);
  });

  it("keeps what is whole of a truncated capture, and warns", () => {
    const whole = readFileSync(`${root}${LAB}`);
    const cut = file("cut.pcap", whole.subarray(0, whole.length - 10));
    const { status, stdout, stderr } = tsbpf(["replay", PARSER, cut]);
    expect(status).toBe(0);
    expect(stdout).toMatch(/total +777/);
    expect(stderr).toMatch(/^warning: .*cut\.pcap: file ends within/m);
    expect(tsbpf(["replay", PARSER, cut, "--strict"]).status).toBe(2);
  });

  it("loads a helper of an outsider's", () => {
    const words = ["replay", "examples/custom-helper/prog/tag.bpf.o", LAB];
    expect(tsbpf([...words, "--plugin", "examples/custom-helper/src/flow-tag.ts"]).stdout).toMatch(
      /XDP_PASS +778/,
    );
    expect(tsbpf(words).status).not.toBe(0);
  });
});

describe("bad input ends in one clear line and status 2", () => {
  it.each([
    ["a missing file", ["replay", "none.o", LAB], /none\.o: no such file \[FILE_UNREADABLE\]/],
    ["a folder", ["progs", "samples"], /samples: is a directory/],
    ["no capture", ["replay", PARSER], /REPLAY_NO_CAPTURE/],
    [
      "an object as capture",
      ["replay", PARSER, PARSER],
      /: samples\/parser\/parser\.bpf\.o: .* \[TRACE_MAGIC\]/,
    ],
    ["a capture as object", ["replay", LAB, PARSER], /lab\.pcap is a capture, .* \[SOURCE_CAPTURE\]/],
    ["a C file as object", ["verify", "samples/plain/plain.bpf.c"], /clang .* \[SOURCE_C\]/],
    [
      "a folder that is none",
      ["replay", PARSER, LAB, "-w", "none/out.pcap"],
      /no such folder \[FILE_UNWRITABLE\]/,
    ],
    [
      "a choice of none",
      ["replay", "samples/firewall/firewall.bpf.o", LAB],
      /firewall, rate_limit \[PROG_CHOICE\]/,
    ],
    ["a range that is none", ["replay", PARSER, LAB, "--packets", "7-3"], /OPTION_RANGE/],
    ["a wrong verb", ["reply"], /Did you mean .*replay/],
    ["a count that is none", ["replay", PARSER, LAB, "-c", "x"], /'-c, --count <n>' .* whole number/],
    ["a count of nothing", ["replay", PARSER, LAB, "-c", "0"], /At least 1/],
    ["an unknown map", ["replay", PARSER, LAB, "-q", "--maps", "none"], /MAP_CHOICE/],
    ["an unknown helper", ["helpers", "none"], /HELPER_UNKNOWN/],
  ])("%s", (_what, words, message) => {
    const { status, stderr } = tsbpf(words);
    expect(stderr).toMatch(message);
    expect(stderr).not.toMatch(/\n {4}at /);
    expect(status).toBe(2);
  });

  it("is told before anything is run", () => {
    expect(tsbpf(["replay", PARSER, LAB, "--maps", "none"]).stdout).toBe("");
  });

  it("is a JSON document with --json", () => {
    const { status, stdout } = tsbpf(["progs", "none.o", "--json"]);
    expect(JSON.parse(stdout)).toHaveProperty("error");
    expect(status).toBe(2);
  });
});

describe("run", () => {
  const pass = file("pass.s", "r0 = 2\nexit\n");

  it("prints what bpftool prog run prints, and takes its words", () => {
    expect(tsbpf(["run", pass, "data_in", packet, "repeat", "3"]).stdout).toMatch(
      /^Return value: 2, duration \(average\): \d+ns\n$/,
    );
    expect(JSON.parse(tsbpf(["run", pass, "--data-in", packet, "--json"]).stdout)).toMatchObject({
      retval: 2,
      verdict: "XDP_PASS",
    });
  });

  it("refuses what Linux refuses, unless told otherwise", () => {
    const bad = file("bad.s", "r0 = r3\nexit\n");
    const refused = tsbpf(["run", bad, "--data-in", packet]);
    expect(refused.status).toBe(1);
    expect(refused.stderr).toContain("R3 !read_ok");
    expect(tsbpf(["run", bad, "--data-in", packet, "--verify", "off"]).status).toBe(0);
  });

  it("keeps a program without proofs from moving the packet under us", () => {
    const mover = file("mover.s", "*(u32 *)(r1 + 4) = 0\nr0 = 2\nexit\n");
    const xdp = tsbpf(["run", mover, "--data-in", packet, "--verify", "off"]);
    expect(xdp.status).toBe(1);
    expect(xdp.stderr).toMatch(/xdp_md, which is .*\[RUN_READ_ONLY\]/);
    const skb = file("skb.s", "*(u32 *)(r1 + 80) = 0\n*(u32 *)(r1 + 76) = -1\nr0 = 0\nexit\n");
    const tc = tsbpf(["run", skb, "--type", "sched_cls", "--data-in", packet, "--verify", "off"]);
    expect(tc.stderr).not.toMatch(/BUG|\n {4}at /);
  });

  it("traps by name", () => {
    const wild = file("wild.s", "r0 = *(u32 *)(r1 + 4000)\nexit\n");
    const { status, stderr } = tsbpf(["run", wild, "--data-in", packet, "--verify", "off"]);
    expect(status).toBe(1);
    expect(stderr).toMatch(/at slot 0 \[RUN_BOUNDS\], after 1 instructions/);
  });
});

describe("asm and dis", () => {
  it("assemble to hex, and back", () => {
    expect(tsbpf(["asm", "-"], "r0 = 2\nexit\n").stdout).toBe("b700000002000000\n9500000000000000\n");
    const raw = file("raw.bin", new Uint8Array([0xb7, 0, 0, 0, 2, 0, 0, 0, 0x95, 0, 0, 0, 0, 0, 0, 0]));
    expect(tsbpf(["dis", raw]).stdout).toBe("   0: (b7) r0 = 2\n   1: (95) exit\n");
  });

  it("point at what is wrong", () => {
    const { status, stderr } = tsbpf(["asm", "-"], "r0 = = 3\nfoo bar\n");
    expect(status).toBe(2);
    expect(stderr).toMatch(/-:1:6: ASM_SYNTAX.*\n.*r0 = = 3\n.*\^/);
    expect(stderr).toMatch(/-:2:1: ASM_UNKNOWN_INSN/);
  });
});

describe("verify", () => {
  it("accepts with 0, refuses with 1 and the kernel's line last", () => {
    expect(tsbpf(["verify", PARSER])).toMatchObject({ status: 0 });
    const bad = file("uninit.s", "r0 = r3\nexit\n");
    const { status, stdout, stderr } = tsbpf(["verify", bad, "--explain"]);
    expect(status).toBe(1);
    expect(stdout).toContain("refused (EACCES)");
    expect(stderr).toBe("R3 !read_ok\n");
    expect(JSON.parse(tsbpf(["verify", bad, "--json"]).stdout)).toMatchObject({ accepted: false, errno: 13 });
  });
});
