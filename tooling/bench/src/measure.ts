import { printHexBytes } from "@tsbpf/base";
import { canRunBatch, PACKET_DESC, runBatch } from "@tsbpf/jit";
import { type KernelClient, type KernelProg, toKernelCase } from "@tsbpf/kernel";
import { beginRun } from "@tsbpf/runtime";
import type { Prog } from "@tsbpf/vm";
import type { BenchProgram } from "./programs.ts";

/**
 * Who is timed: the reference engine, called from JavaScript for each run; the jit repeating in generated code, as the
 * kernel repeats; the jit with one call from JavaScript a run; over a batch of packets in memory; and without proofs,
 * with checks and a budget.
 */
export type ContenderName = "interpreter" | "jit" | "jitCall" | "jitBatch" | "jitChecked" | "kernel";

/** Something that can be timed, one slice after the other. */
export interface Contender {
  readonly name: ContenderName;
  /** What the program returned at first; all contenders must agree. */
  readonly retval: number;
  /** Runs for about the given time and returns nanoseconds a run. */
  slice(ms: number): Promise<number>;
  close(): Promise<void>;
}

const NS_PER_MS = 1e6;
/** Runs of a program that nobody proved may take so many instructions, which none of them needs. */
const BUDGET = 1e12;
const BATCH_PACKETS = 1024;

type RunMany = (runs: number) => unknown;

/** Times a program here. */
export function ownContender(
  name: Exclude<ContenderName, "kernel">,
  prog: Prog,
  program: BenchProgram,
): Contender {
  const { retval } = prog.run({ packet: program.packet });
  const runMany = RUN_MANY[name](prog);
  const timed = (runs: number): number => {
    const started = process.hrtime.bigint();
    runMany(runs);
    return Number(process.hrtime.bigint() - started) / runs;
  };
  let nsPerRun = timed(BATCH_PACKETS);
  return {
    name,
    retval,
    async slice(ms) {
      prog.context().load({ packet: program.packet });
      nsPerRun = timed(Math.max(1, Math.round((ms * NS_PER_MS) / Math.max(1, nsPerRun))));
      return nsPerRun;
    },
    async close() {},
  };
}

/** Every run is a whole one, with its begin. */
function oneByOne(prog: Prog, budget = Number.MAX_SAFE_INTEGER): RunMany {
  const { engineProg } = prog;
  const machine = prog.machine();
  const context = prog.context();
  return (runs) => {
    for (let i = 0; i < runs; i++) {
      beginRun(machine, engineProg, context, { budget });
      engineProg.run(machine, context.address);
    }
  };
}

/** Runs again and again on the packet as it stands; in generated code where the engine can. */
function repeating(prog: Prog, budget = Number.MAX_SAFE_INTEGER): RunMany {
  const { engineProg } = prog;
  const machine = prog.machine();
  const context = prog.context();
  const single = oneByOne(prog, budget);
  return (runs) => {
    beginRun(machine, engineProg, context, { budget });
    if (engineProg.repeat?.(machine, context.address, runs) !== true) single(runs);
  };
}

/** One call from JavaScript a run. */
function calling(prog: Prog): RunMany {
  const entry = prog.engineProg.makeEntry?.(prog.machine(), prog.context().address);
  if (entry === undefined) return oneByOne(prog);
  const callTimes = makeCaller();
  return (runs) => {
    for (let left = runs; left > 0; left -= CALLS) callTimes(entry.run, Math.min(left, CALLS));
  };
}

/** Calls between two entries of the loop around them: loops that are entered once keep the code they began in. */
const CALLS = 1000;

type Caller = (run: () => number, times: number) => number;

/**
 * Makes a function that calls another many times and combines what it returns, so that no call can be left out. Each
 * program gets one of its own, as a host with one program has: a place that calls many functions knows none of them.
 */
const makeCaller = (): Caller =>
  new Function(
    "run",
    "times",
    "let all = 0; for (let i = 0; i < times; i++) all |= run(); return all;",
  ) as Caller;

/** Many packets that lie in memory, in one call. */
function batching(prog: Prog): RunMany {
  const machine = prog.machine();
  const { address: ctxAddress, packet } = prog.context();
  const { memory } = machine.env;
  const descAddress = memory.allocRaw(BATCH_PACKETS * PACKET_DESC.bytes, PACKET_DESC.bytes);
  for (let i = 0; i < BATCH_PACKETS && packet !== undefined; i++) {
    const at = descAddress + i * PACKET_DESC.bytes;
    memory.view.setUint32(at + PACKET_DESC.data, packet.dataStart, true);
    memory.view.setUint32(at + PACKET_DESC.dataEnd, packet.dataEnd, true);
    memory.view.setUint32(at + PACKET_DESC.dataMeta, packet.dataStart, true);
  }
  return (runs) => {
    for (let left = runs; left > 0; left -= BATCH_PACKETS) {
      const count = Math.min(left, BATCH_PACKETS);
      runBatch(prog.engineProg, { machine, ctxAddress, descAddress, count });
    }
  };
}

const RUN_MANY: Readonly<Record<Exclude<ContenderName, "kernel">, (prog: Prog) => RunMany>> = {
  interpreter: calling,
  jit: repeating,
  jitCall: calling,
  jitBatch: batching,
  jitChecked: (prog) => repeating(prog, BUDGET),
};

/** Whether a program can run over a batch of packets. */
export const hasBatch = (prog: Prog): boolean => canRunBatch(prog.engineProg, prog.machine());

const REPEAT_MAX = 1 << 22;
/** What the kernel adds to a repeated test run of XDP, however short. */
const REPEAT_COST_MS = 16;

/** Times a program in the kernel, by its own account of a repeated test run. */
export async function kernelContender(client: KernelClient, program: BenchProgram): Promise<Contender> {
  const { spec, object } = program;
  const one = toKernelCase(spec, { progs: object.progs });
  const kernel: KernelProg = await client.open({ ...one, log_level: 0 });
  for (const [map, key, value] of program.elements) {
    const idx = spec.maps.findIndex((known) => known.name === map);
    await kernel.update(idx, [[printHexBytes(key), printHexBytes(value)]]);
  }
  const data = printHexBytes(program.packet);
  const run = async (repeat: number) => {
    const [answer] = await kernel.run([{ data, repeat }]);
    return { retval: (answer?.retval ?? 0) | 0, ns: Math.max(1, answer?.duration_ns ?? 1) };
  };
  const { retval } = await run(1);
  let nsPerRun = (await run(16)).ns;
  return {
    name: "kernel",
    retval: retval >>> 0,
    async slice(ms) {
      const wanted = Math.round((Math.max(1, ms - REPEAT_COST_MS / 4) * NS_PER_MS) / nsPerRun);
      nsPerRun = (await run(Math.min(REPEAT_MAX, Math.max(2, wanted)))).ns;
      return nsPerRun;
    },
    close: () => kernel.close(),
  };
}
