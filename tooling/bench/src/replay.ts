import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { availableParallelism, tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { isBpfAllowed, KernelClient, toKernelCase } from "@tsbpf/kernel";
import { createCaptureWriter, walkCapture } from "@tsbpf/trace";
import { createVm } from "@tsbpf/vm";
import { median, pairedRatio } from "./statistics.ts";

const { values } = parseArgs({
  options: {
    json: { type: "boolean", default: false },
    packets: { type: "string", default: "1000000" },
    engine: { type: "string", default: "jit" },
    prog: { type: "string", default: "parse" },
    rounds: { type: "string", default: "3" },
  },
});

const root = fileURLToPath(new URL("../../../", import.meta.url));
const object = join(root, "tooling/bench/programs/bench.bpf.o");
const PACKET_BYTES = 64;
const TEST_RUNS = 200_000;
/** Workers that are compared with one CPU. */
const WORKERS = 2;
/** How often they replay the capture: starting the threads must not be most of it. */
const PASSES = 16;
/** The kernel keeps no more of a program's name. @source linux uapi/linux/bpf.h BPF_OBJ_NAME_LEN */
const PROG_NAME_BYTES = 15;

/** Writes a capture of real packets, repeated and cut to 64 bytes each. */
function writeCapture(path: string, packets: number): readonly Uint8Array[] {
  const real = [...walkCapture(new Uint8Array(readFileSync(join(root, "samples/captures/lab.pcap"))))];
  const frames = real.map(({ data }) => {
    const frame = new Uint8Array(PACKET_BYTES);
    frame.set(data.subarray(0, PACKET_BYTES));
    return frame;
  });
  const writer = createCaptureWriter({ format: "pcap", linkType: 1 });
  const chunks: Uint8Array[] = [];
  for (let i = 0; i < packets; i++) {
    writer.write({
      tsNs: BigInt(1_700_000_000_000_000_000 + i * 1000),
      data: frames[i % frames.length] ?? new Uint8Array(0),
    });
    if (writer.pendingBytes > 1 << 20) chunks.push(writer.take());
  }
  chunks.push(writer.take());
  writeFileSync(path, Buffer.concat(chunks));
  return frames;
}

interface ReplayRun {
  readonly ms: number;
  readonly rssMaxBytes: number;
}

/** Runs the command line as a user would; the whole process counts. */
function replayOnce(captures: readonly string[], cpus = 1): ReplayRun {
  const started = performance.now();
  const { status, stderr } = spawnSync(
    "/usr/bin/env",
    [
      "bash",
      "-c",
      'TIMEFORMAT=%R; command time -f "RSS %M" "$@"',
      "replay",
      process.execPath,
      join(root, "apps/cli/dist/main.js"),
      "replay",
      object,
      ...captures,
      "--cpus",
      `${cpus}`,
      "--prog",
      values.prog,
      "--engine",
      values.engine,
    ],
    { encoding: "utf8" },
  );
  const ms = performance.now() - started;
  if (status !== 0) throw new Error(`replay failed with status ${status}: ${stderr}`);
  return { ms, rssMaxBytes: Number(/RSS (\d+)/.exec(stderr)?.[1] ?? 0) * 1024 };
}

/** What several workers gain over one CPU. */
interface WorkerGain {
  readonly n: number;
  /** Time of one CPU divided by theirs, once started. */
  readonly ratio: number;
  /** The same from start to end of the process. */
  readonly wholeRatio: number;
}

/** Compares workers with one CPU, which take turns; undefined where the machine has no CPU for each. */
function compareWorkers(capture: string, empty: string, rounds: number): WorkerGain | undefined {
  if (availableParallelism() < WORKERS) return undefined;
  const long = Array.from({ length: PASSES }, () => capture);
  const runs = (cpus: number) => ({ start: replayOnce([empty], cpus).ms, whole: replayOnce(long, cpus).ms });
  const pairs = Array.from({ length: rounds }, () => ({ one: runs(1), several: runs(WORKERS) }));
  const ratioOf = (msOf: (run: { readonly start: number; readonly whole: number }) => number): number =>
    pairedRatio(
      pairs.map(({ one }) => msOf(one)),
      pairs.map(({ several }) => msOf(several)),
    );
  return {
    n: WORKERS,
    ratio: ratioOf(({ start, whole }) => whole - start),
    wholeRatio: ratioOf(({ whole }) => whole),
  };
}

/**
 * Packets a second of a native program that makes one BPF_PROG_TEST_RUN call a packet; undefined where the kernel
 * does not allow it, or nothing compiles the caller.
 */
async function testRunRate(frames: readonly Uint8Array[], dir: string): Promise<number | undefined> {
  if (!isBpfAllowed()) return undefined;
  const caller = join(dir, "test-run");
  const source = join(root, "tooling/bench/programs/test-run.c");
  if (spawnSync("cc", ["-O2", "-o", caller, source], { stdio: "ignore" }).status !== 0) return undefined;
  const spec = createVm()
    .readSource(new Uint8Array(readFileSync(object)))
    .progs.find((prog) => prog.name === values.prog);
  if (spec === undefined) return undefined;
  const client = new KernelClient();
  const kernel = await client.open({ ...toKernelCase(spec), log_level: 0 });
  try {
    if (kernel.answer.errno !== 0) return undefined;
    const input = frames[0] ?? new Uint8Array(PACKET_BYTES);
    const name = values.prog.slice(0, PROG_NAME_BYTES);
    const rates = Array.from({ length: Number(values.rounds) }, () => {
      const { stdout } = spawnSync(caller, [name, `${TEST_RUNS}`], { input, encoding: "utf8" });
      return (TEST_RUNS / Number(stdout)) * 1e9;
    }).filter((rate) => Number.isFinite(rate) && rate > 0);
    return rates.length === 0 ? undefined : median(rates);
  } finally {
    await kernel.close();
    await client.close();
  }
}

const dir = mkdtempSync(join(tmpdir(), "tsbpf-bench-"));
try {
  const capture = join(dir, "million.pcap");
  const packets = Number(values.packets);
  const frames = writeCapture(capture, packets);
  const empty = join(dir, "empty.pcap");
  writeCapture(empty, 0);
  const rounds = Array.from({ length: Number(values.rounds) }, () => ({
    start: replayOnce([empty]),
    whole: replayOnce([capture]),
  }));
  const ms = median(rounds.map(({ whole }) => whole.ms));
  const packetsPerSecond = packets / (ms / 1000);
  // Of a million packets most of the time goes to starting Node and loading the program.
  const runningMs = ms - median(rounds.map(({ start }) => start.ms));
  const workers = compareWorkers(capture, empty, rounds.length);
  const testRun = await testRunRate(frames, dir);
  const result = {
    packetsPerSecond: Math.round(packetsPerSecond),
    ...(runningMs > 0 ? { packetsPerSecondOnceStarted: Math.round(packets / (runningMs / 1000)) } : {}),
    ...(testRun === undefined ? {} : { ratioToTestRun: packetsPerSecond / testRun }),
    ...(workers === undefined ? {} : { workers }),
    packets,
    bytes: statSync(capture).size,
    rssMaxBytes: Math.max(...rounds.map(({ whole }) => whole.rssMaxBytes)),
  };
  if (values.json) process.stdout.write(`${JSON.stringify(result)}\n`);
  else {
    process.stdout.write(
      `${packets} packets of ${PACKET_BYTES} bytes through ${values.prog} on the ${values.engine}: ${(packetsPerSecond / 1e6).toFixed(2)} million packets a second, start of the process to table\n`,
    );
    if (runningMs > 0)
      process.stdout.write(`${(packets / runningMs / 1000).toFixed(2)} million once started\n`);
    if (testRun !== undefined)
      process.stdout.write(
        `BPF_PROG_TEST_RUN, a call a packet: ${(testRun / 1e6).toFixed(2)} million, ratio ${(packetsPerSecond / testRun).toFixed(2)}\n`,
      );
    if (workers !== undefined)
      process.stdout.write(
        `${workers.n} workers on ${PASSES} times the packets: ${workers.ratio.toFixed(2)} times one once started, ${workers.wholeRatio.toFixed(2)} times with the start\n`,
      );
    process.stdout.write(`largest memory ${(result.rssMaxBytes / 2 ** 20).toFixed(0)} MiB\n`);
  }
} finally {
  rmSync(dir, { recursive: true });
}
