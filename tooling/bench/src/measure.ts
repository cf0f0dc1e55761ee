import { printHexBytes } from "@tsbpf/base";
import { type KernelClient, type KernelProg, toKernelCase } from "@tsbpf/kernel";
import { beginRun } from "@tsbpf/runtime";
import type { Prog } from "@tsbpf/vm";
import type { BenchProgram } from "./programs.ts";

/** Something that can be timed, one slice after the other. */
export interface Contender {
  readonly name: "interpreter" | "jit" | "kernel";
  /** What the program returned at first; all contenders must agree. */
  readonly retval: number;
  /** Runs for about the given time and returns nanoseconds a run. */
  slice(ms: number): Promise<number>;
  close(): Promise<void>;
}

const NS_PER_MS = 1e6;

/** Times a program here; every run is a whole one, with its begin. */
export function ownContender(name: "interpreter" | "jit", prog: Prog, program: BenchProgram): Contender {
  const { retval } = prog.run({ packet: program.packet });
  const machine = prog.machine();
  const context = prog.context();
  const { engineProg } = prog;
  const batch = (runs: number): number => {
    const started = process.hrtime.bigint();
    for (let i = 0; i < runs; i++) {
      beginRun(machine, engineProg, context);
      engineProg.run(machine, context.address);
    }
    return Number(process.hrtime.bigint() - started) / runs;
  };
  let nsPerRun = batch(3);
  return {
    name,
    retval,
    async slice(ms) {
      context.load({ packet: program.packet });
      nsPerRun = batch(Math.max(1, Math.round((ms * NS_PER_MS) / Math.max(1, nsPerRun))));
      return nsPerRun;
    },
    async close() {},
  };
}

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
