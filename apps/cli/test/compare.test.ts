import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { createCaptureWriter, walkCapture } from "@tsbpf/trace";
import { describe, expect, it } from "vitest";
import { jsonLines, root, scratchFolder, tsbpf } from "./cli.ts";

const { at, file } = scratchFolder();

const PARSER = "samples/parser/parser.bpf.o";
const LAB = "samples/captures/lab.pcap";

/** Writes a capture of frames of 60 zeros; byte 20 of those named is 0xaa. */
function zeros(name: string, count: number, marked: ReadonlySet<number>): string {
  const writer = createCaptureWriter({ format: "pcap", linkType: 1 });
  const parts: Uint8Array[] = [];
  const plain = new Uint8Array(60);
  const other = plain.slice();
  other[20] = 0xaa;
  for (let i = 1; i <= count; i++) {
    writer.write({ tsNs: BigInt(i) * 1000n, data: marked.has(i) ? other : plain });
    if (writer.pendingBytes > 1 << 20) parts.push(writer.take());
  }
  parts.push(writer.take());
  return file(name, Buffer.concat(parts));
}

/** A program that writes byte 30, to 1 or, where byte 20 is 0xaa, to what is given. */
const writer = (value: number, verdict = 2): string => `
  r6 = r1
  r2 = *(u32 *)(r6 + 0)
  r3 = *(u32 *)(r6 + 4)
  r4 = r2
  r4 += 40
  r0 = 1
  if r4 > r3 goto out
  r5 = *(u8 *)(r2 + 20)
  r1 = 1
  r0 = 2
  if r5 != 0xaa goto write
  r1 = ${value}
  r0 = ${verdict}
write:
  *(u8 *)(r2 + 30) = r1
out:
  exit
`;

describe("--against", () => {
  it("finds one byte among 100,000 packets, and writes exactly the packet that shows it", () => {
    const capture = zeros("many.pcap", 100_000, new Set([54_321]));
    const [a, b] = [file("a.s", writer(1)), file("b.s", writer(2))];
    const differs = at("differs.pcapng");
    const { status, stdout } = tsbpf(["replay", a, capture, "--against", b, "--diff-write", differs]);
    expect(status).toBe(1);
    expect(stdout).toMatch(/100000 packets: 99999 alike, 1 different/);
    expect(stdout).toMatch(/packet +1 byte, at 30 +1 +#54321/);
    expect(stdout).toMatch(/A at 30: 01000000.*\n +B at 30: 02000000/);
    const written = [...walkCapture(readFileSync(differs))];
    expect(written).toHaveLength(1);
    expect(written[0]?.data[20]).toBe(0xaa);
    expect(written[0]?.tsNs).toBe(54_321_000n);
    const trace = at("many.tsbpf");
    tsbpf(["record", capture, "-w", trace]);
    const shown = at("differs.tsbpf");
    tsbpf(["replay", a, trace, "--against", b, "--diff-write", shown]);
    const [run, summary] = jsonLines(tsbpf(["trace", "show", shown, "--runs", "-j"]).stdout);
    const comments = [expect.stringMatching(/A at 30: 01/)];
    expect(run).toMatchObject({ run: 1, events: [{ kind: "notes", notes: { comments } }] });
    expect(summary).toMatchObject({ runs: 1, packets: 1, closed: true });
    expect(tsbpf(["replay", a, shown, "--against", b]).stdout).toContain("1 packets: 0 alike, 1 different");
    const again = tsbpf(["replay", a, trace, "--against", b, "--engine", "jit", "--json"]);
    expect(JSON.parse(again.stdout)).toMatchObject({
      packets: 100_000,
      different: 1,
      differences: [{ what: "packet", times: 1, examples: [{ packet: 54_321 }] }],
    });
  });

  it("groups differences, counts them, and names verdicts", () => {
    const capture = zeros("some.pcap", 50, new Set([3, 7, 40, 41]));
    const [a, b] = [file("pass.s", writer(1)), file("drop.s", writer(1, 1))];
    const { status, stdout } = tsbpf(["replay", a, capture, "--against", b, "--examples", "2"]);
    expect(status).toBe(1);
    expect(stdout).toMatch(/verdict +XDP_PASS -> XDP_DROP +4 +#3\n/);
    expect(stdout.match(/^#\d+ verdict/gm)).toEqual(["#3 verdict", "#7 verdict"]);
    expect(tsbpf(["replay", a, capture, "--against", b, "--packets", "4-6"]).status).toBe(0);
    expect(tsbpf(["replay", a, "-", "--against", b, "-q"], readFileSync(capture))).toMatchObject({
      status: 1,
      stdout: "",
    });
  });

  it("finds the packets after which elements of maps differ", () => {
    const object = "samples/percpu/percpu.bpf.o";
    const bytes = readFileSync(`${root}${object}`);
    // The one `r2 += 1` of the program counts packets by type; here it counts two.
    const sites = Array.from({ length: bytes.length / 8 - 1 }, (_, idx) => 8 * idx).filter(
      (site) => bytes.readUInt32LE(site) === 0x0207 && bytes.readInt32LE(site + 4) === 1,
    );
    expect(sites.length).toBeGreaterThan(0);
    for (const site of sites) bytes.writeInt32LE(2, site + 4);
    const other = file("patched.o", bytes);
    const differs = at("maps.pcap");
    const words = ["replay", object, LAB, "--prog", "sizes", "--against", other, "--diff-write", differs];
    const { stdout, status } = tsbpf([...words, "--json"]);
    expect(status).toBe(1);
    const document = JSON.parse(stdout) as {
      different: number;
      differences: { what: string; times: number; examples: { packet: number }[] }[];
    };
    expect(document.differences.every((one) => one.what === "maps")).toBe(true);
    expect(document.differences[0]?.examples[0]?.packet).toBe(2);
    // An element begins to differ once, with the second packet of its type: the first one puts it in.
    expect(document.different).toBeGreaterThan(1);
    expect(document.different).toBeLessThan(50);
    expect([...walkCapture(readFileSync(differs))]).toHaveLength(document.different);
  });

  it.each([
    ["parser/parser.bpf.o", "parser"],
    ["rewrite/rewrite.bpf.o", "nat"],
    ["calls/calls.bpf.o", "calls"],
    ["events/events.bpf.o", "ring_reserve"],
    ["redirect/redirect.bpf.o", "flood"],
    ["queues/queues.bpf.o", "stacked"],
    ["sockfilter/sockfilter.bpf.o", "fields"],
  ])("the engines agree on %s %s, traps, effects, maps and instruction counts", (object, prog) => {
    const progs = JSON.parse(tsbpf(["progs", `samples/${object}`, "-j"]).stdout) as
      | { name: string }[]
      | { progs: { name: string }[] };
    const names = (Array.isArray(progs) ? progs : progs.progs).map((one) => one.name);
    const name = names.includes(prog) ? prog : (names[0] ?? prog);
    for (const capture of [LAB, "samples/captures/lab.pcapng"]) {
      const { status, stdout } = tsbpf([
        "replay",
        `samples/${object}`,
        capture,
        "--prog",
        name,
        "--against",
        "engine=jit",
      ]);
      expect(stdout).toContain("778 packets: 778 alike, 0 different");
      expect(status).toBe(0);
    }
  });

  it("takes another plugin, another verifier mode, and the same program of another instruction set", () => {
    for (const side of [["verify=off"], ["samples/parser/parser.v4.bpf.o", "engine=jit"], ["fuel=100000"]]) {
      const words = side.flatMap((one) => ["--against", one]);
      expect(tsbpf(["replay", PARSER, LAB, ...words]), side.join()).toMatchObject({ status: 0 });
    }
    const plugin = file(
      "mock.mjs",
      `const args = [{name:"tags",kind:"map"},{name:"flow",kind:"map_key",access:"read",of:"tags"},{name:"out",kind:"mem",access:"write",size:"out_len"},{name:"out_len",kind:"size",min:1n,max:64n},{name:"flags",kind:"scalar",type:"u64",max:0n}];
export const flowTag = { args, summary: "", source: "", call: ({ out }) => { out.set([0x64, 0x65, 0x6e, 0x79]); return 0; },
  proto: { id: 0x10001, name: "flow_tag", args, ret: { kind: "int", min: -4095n, max: 0n }, isGplOnly: false, invalidatesPacket: false, maySleep: false, isFastcall: false, allowsPacketMem: true, callsBack: false, signature: "", since: "custom" } };`,
    );
    const { status, stdout } = tsbpf([
      "replay",
      "examples/custom-helper/prog/tag.bpf.o",
      LAB,
      "--plugin",
      "examples/custom-helper/src/flow-tag.ts",
      "--against",
      `plugin=${plugin}`,
    ]);
    expect(status).toBe(1);
    expect(stdout).toMatch(/verdict +XDP_PASS -> XDP_DROP +479 /);
  });

  it.each([
    ["kernel with another", ["--against", "kernel", "--against", "engine=jit"], /OPTION_AGAINST/],
    ["an engine that is none", ["--against", "engine=x"], /interpreter, jit/],
    ["trace without one", ["--against", "trace"], /OPTION_AGAINST/],
    ["options of one program", ["--against", "engine=jit", "-v"], /OPTION_CONFLICT/],
    ["a spread", ["--against", "engine=jit", "--spread", "flow"], /--spread and --against found/],
    ["TCP's numbers", ["--against", "engine=jit", "-S"], /-S and --against found/],
    [
      "examples of nothing",
      ["--write-expect", "x", "--examples", "1"],
      /--examples and --write-expect found/,
    ],
    ["--diff-write alone", ["--diff-write", "x"], /OPTION_CONFLICT/],
    ["--against with --expect", ["--against", "engine=jit", "--expect", "x"], /OPTION_CONFLICT/],
    ["an object that is missing", ["--against", "none.o"], /no such file/],
  ])("refuses %s", (_what, words, message) => {
    const { status, stderr } = tsbpf(["replay", PARSER, LAB, ...words]);
    expect(stderr).toMatch(message);
    expect(stderr).not.toMatch(/\n {4}at /);
    expect(status).toBe(2);
  });
});

describe("--expect", () => {
  it("holds a program to what it did, and tells what is different", () => {
    const path = at("nat.json");
    const words = ["replay", "samples/rewrite/rewrite.bpf.o", LAB, "--prog", "nat"];
    expect(tsbpf([...words, "--write-expect", path]).stdout).toMatch(/^expectations of 778 packets/);
    expect(tsbpf([...words, "--expect", path])).toMatchObject({ status: 0 });
    expect(tsbpf([...words, "--engine", "jit", "--expect", path])).toMatchObject({ status: 0 });
    expect(tsbpf([...words, "--write-expect", "-"]).stdout).toBe(readFileSync(path, "utf8"));
    const other = tsbpf([
      "replay",
      "samples/rewrite/rewrite.bpf.o",
      LAB,
      "--prog",
      "vlan_push",
      "--expect",
      path,
    ]);
    expect(other.status).toBe(1);
    expect(other.stdout).toMatch(/^packet +bytes +\d+ +#\d+$/m);
    expect(tsbpf([...words, "--count", "700", "--expect", path]).stdout).toMatch(/packets in all/);
  });

  it("checks only what the file says", () => {
    const head = { tsbpf: "expectations", version: 1 };
    const check = (more: object) =>
      tsbpf(["replay", PARSER, LAB, "--expect", file("some.json", JSON.stringify({ ...head, ...more }))]);
    expect(check({})).toMatchObject({ status: 0 });
    expect(check({ verdicts: { XDP_PASS: 709, XDP_DROP: 64, XDP_ABORTED: 5 } })).toMatchObject({ status: 0 });
    expect(check({ verdicts: { XDP_PASS: 710, XDP_DROP: 63, XDP_ABORTED: 5 } }).stdout).toMatch(
      /verdict +XDP_PASS in all +1 +the end/,
    );
    expect(check({ maps: { flows: { entries: 141 } } })).toMatchObject({ status: 0 });
    expect(check({ maps: { flows: { entries: 140 }, none: { entries: 1 } } }).status).toBe(1);
  });

  it.each([
    ["no JSON", "{", /EXPECT_FORMAT/],
    ["something else", "{}", /--write-expect makes such a file/],
    ["another version", '{"tsbpf":"expectations","version":2}', /version 2 found, 1 is supported/],
    ["a huge count", '{"tsbpf":"expectations","version":1,"runs":[["XDP_PASS",1e15]]}', /more than/],
    ["runs that are none", '{"tsbpf":"expectations","version":1,"runs":[[1,2]]}', /EXPECT_FORMAT/],
    ["maps that are none", '{"tsbpf":"expectations","version":1,"maps":{"m":{}}}', /maps\.m\.entries/],
  ])("refuses %s", (_what, text, message) => {
    const { status, stderr } = tsbpf(["replay", PARSER, LAB, "--expect", file("bad.json", text)]);
    expect(stderr).toMatch(message);
    expect(status).toBe(2);
  });
});

const isKernelThere = (): boolean =>
  spawnSync(process.execPath, [
    "-e",
    "process.exit(process.platform === 'linux' && process.getuid() === 0 ? 0 : 1)",
  ]).status === 0 &&
  !/UNSUPPORTED_KERNEL|EPERM|EACCES/.test(
    tsbpf(["replay", PARSER, LAB, "-c", "1", "--against", "kernel"]).stderr,
  );

describe.skipIf(!isKernelThere())("--against kernel", () => {
  it.each([
    ["parser/parser.bpf.o", "parser"],
    ["tailcalls/tailcalls.bpf.o", "dispatch"],
    ["nested/nested.bpf.o", undefined],
    ["percpu/percpu.bpf.o", "sizes"],
    ["lru/lru.bpf.o", undefined],
    ["events/events.bpf.o", "ring_reserve"],
    ["rewrite/rewrite.bpf.o", "add_trailer"],
  ])("agrees on %s %s: verdicts, bytes, maps, ring buffers", (object, prog) => {
    const words = prog === undefined ? [] : ["--prog", prog];
    const { status, stdout, stderr } = tsbpf([
      "replay",
      `samples/${object}`,
      LAB,
      ...words,
      "--against",
      "kernel",
    ]);
    expect(stderr).toBe("");
    expect(stdout).toContain("778 packets: 778 alike, 0 different");
    expect(status).toBe(0);
  });

  it("agrees on classic programs, which the kernel's test run starts behind the link header", () => {
    const filter = file("ip.cbpf", "ldb [8]\njeq #64, yes, no\nyes: ldh proto\nret a\nno: ld #len\nret a\n");
    const { status, stdout } = tsbpf(["replay", filter, LAB, "--against", "kernel"]);
    expect(stdout).toContain("778 packets: 778 alike, 0 different");
    expect(status).toBe(0);
  });

  it("says which programs have no test run", () => {
    const words = [
      "replay",
      "samples/redirect/redirect.bpf.o",
      LAB,
      "--prog",
      "egress",
      "--against",
      "kernel",
    ];
    expect(tsbpf(words)).toMatchObject({
      status: 2,
      stderr: expect.stringContaining("UNSUPPORTED_TEST_RUN"),
    });
  });
});
