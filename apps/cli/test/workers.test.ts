import { spawn } from "node:child_process";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { gzipSync } from "node:zlib";
import { createCaptureWriter, walkCapture } from "@tsbpf/trace";
import { describe, expect, it } from "vitest";
import { main, root, scratchFolder, tsbpf } from "./cli.ts";

const { file } = scratchFolder();
const LAB = `${root}samples/captures/lab.pcap`;
const lab = [...walkCapture(new Uint8Array(readFileSync(LAB)))].map(({ data }) => data);

/** Writes a capture of the lab's packets, over and over. */
function capture(packets: number, changes: (data: Uint8Array, idx: number) => Uint8Array = (data) => data) {
  const writer = createCaptureWriter({ format: "pcap", linkType: 1, snaplenBytes: 262_144 });
  const chunks: Uint8Array[] = [];
  for (let idx = 0; idx < packets; idx++) {
    const data = changes(lab[idx % lab.length] ?? new Uint8Array(0), idx);
    writer.write({ tsNs: BigInt(idx) * 1_000_000n, data });
    if (writer.pendingBytes > 1 << 20) chunks.push(writer.take());
  }
  chunks.push(writer.take());
  return Buffer.concat(chunks);
}

/** Each command takes a second on a busy machine; `TSBPF_LONG=1` runs those too that differ from others in one respect. */
const isLong = (process.env.TSBPF_LONG ?? "") !== "";
const few = <T>(short: readonly T[], ...more: readonly T[]): readonly T[] =>
  isLong ? [...short, ...more] : short;

const big = capture(12_000);
const BIG = file("big.pcap", big);

function replay(words: readonly string[], status = 0) {
  const run = tsbpf(["replay", ...words]);
  expect([run.status, run.status === status ? "" : run.stderr]).toEqual([status, ""]);
  return { stdout: run.stdout, stderr: run.stderr };
}

const sameAsOne = (words: readonly string[], ...cpus: readonly string[]) => {
  const one = replay(words);
  expect(replay([...words, ...cpus])).toEqual(one);
  return one;
};

describe("packets on worker threads", () => {
  const parser = ["samples/parser/parser.bpf.o", "--engine", "jit"];

  it.each(few([["3", "round-robin"]], ["2", "flow"], ["5", "flow"]))(
    "give the same totals and maps: %s CPUs, %s",
    (cpus, spread) => {
      const words = [...parser, BIG, "--maps", "reasons"];
      const { stdout } = sameAsOne(words, "--cpus", cpus, "--spread", spread);
      expect(stdout).toMatch(/total +12000 /);
    },
  );

  it("give the same totals on the interpreter, and of programs that no batch takes", () => {
    sameAsOne(["samples/parser/parser.bpf.o", BIG], "--cpus", "2");
    sameAsOne(
      ["samples/sockfilter/sockfilter.bpf.o", "--prog", "fields", "--engine", "jit", BIG],
      "--cpus",
      "2",
    );
  });

  it("give the same totals of pcapng and gzip, and of several captures", () => {
    const files = [
      LAB,
      `${root}samples/captures/lab.pcapng`,
      `${LAB}.gz`,
      file("big.pcap.gz", gzipSync(big)),
      BIG,
    ];
    const { stdout } = sameAsOne([...parser, ...files], "--cpus", "2");
    expect(stdout).toMatch(/total +26334 /);
  });

  it("read on behind packets that are not plain, however many there are", () => {
    const tiny = new Uint8Array(5);
    const huge = new Uint8Array(70_000).fill(8);
    const odd = file(
      "odd.pcap",
      capture(9000, (data, idx) => (idx % 50 === 7 ? tiny : idx % 900 === 450 ? huge : data)),
    );
    const { stderr } = sameAsOne([...parser, odd], "--cpus", "3", "--spread", "round-robin");
    expect(stderr).toMatch(/^warning: 190 packets were not run/);
    const lengths = Buffer.from(big);
    lengths.writeUInt32LE(1, 24 + 12);
    const wrong = file("wrong.pcap", lengths);
    if (isLong) expect(sameAsOne([...parser, wrong], "--cpus", "2").stderr).toContain("of 1 original ones");
  });

  it("count what is whole of a truncated capture", () => {
    const lengths = few([20, big.length - 1], 30, 40, 1 << 18, (1 << 18) + 24);
    for (const [idx, bytes] of lengths.entries()) {
      const words = [...parser, file(`cut-${idx}.pcap`, big.subarray(0, bytes))];
      const one = tsbpf(["replay", ...words]);
      expect(tsbpf(["replay", ...words, "--cpus", "2"])).toEqual(one);
      expect(one.status === 2).toBe(bytes < 24);
    }
    if (!isLong) return;
    const words = [...parser, "--strict", file("cut.pcap", big.subarray(0, big.length - 1))];
    expect(tsbpf(["replay", ...words, "--cpus", "2"])).toEqual(tsbpf(["replay", ...words]));
  });

  it("count traps of programs that run with checks", () => {
    const source = file("trap.s", "r2 = *(u32 *)(r1 + 0)\nr0 = *(u8 *)(r2 + 100)\nr0 &= 1\nr0 += 1\nexit\n");
    for (const engine of few(["jit"], "interpreter")) {
      const words = [source, "--verify", "off", "--engine", engine, BIG];
      const one = tsbpf(["replay", ...words]);
      expect(one.stdout).toMatch(/trap +[1-9]/);
      expect(tsbpf(["replay", ...words, "--cpus", "2"])).toEqual(one);
    }
  });

  it("leave the clock at each packet's time", () => {
    const source = file("clock.s", "call bpf_ktime_get_ns\nr0 >>= 20\nr0 &= 3\nexit\n");
    for (const engine of few(["interpreter"], "jit")) {
      const words = [source, "--engine", engine, BIG, BIG];
      expect(sameAsOne(words, "--cpus", "3", "--spread", "round-robin").stdout).toMatch(/total +24000 /);
    }
  });

  it("are fewer than CPUs", () => {
    const words = [...parser, file("three.pcap", capture(3))];
    expect(sameAsOne(words, "--cpus", "4").stdout).toMatch(/total +3 /);
    if (isLong)
      expect(sameAsOne([...parser, file("none.pcap", capture(0))], "--cpus", "2").stdout).toMatch(
        /total +0 /,
      );
  });

  it("are those that a filter or a range takes, too", () => {
    for (const words of few([["tcp", "--packets", "100-11000"]], ["tcp"], ["-c", "5000"])) {
      sameAsOne([...parser, BIG, ...words], "--cpus", "2");
    }
  });

  it("end with Ctrl-C, and what was done is told", async () => {
    const words = [...parser.slice(0, 1), ...new Array<string>(2000).fill(BIG), "--cpus", "2"];
    // Before it listens, Ctrl-C just ends it.
    for (let delayMs = 300; delayMs < 20_000; delayMs *= 3) {
      const { status, stdout } = await interruptAfter(delayMs, words);
      if (status === null) continue;
      expect(status).toBe(130);
      expect(stdout).toMatch(/total +\d+ /);
      return;
    }
    expect.unreachable("the command never listened to Ctrl-C");
  }, 60_000);
});

/** Runs a replay and presses Ctrl-C after some time. */
async function interruptAfter(delayMs: number, words: readonly string[]) {
  const child = spawn(process.execPath, [main, "replay", ...words], { cwd: root });
  let stdout = "";
  child.stdout.on("data", (bytes) => {
    stdout += String(bytes);
  });
  const closed = once(child, "close");
  await new Promise((resolve) => setTimeout(resolve, delayMs));
  child.kill("SIGINT");
  const [status] = (await closed) as [number | null];
  return { status, stdout };
}
