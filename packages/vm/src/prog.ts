import type { LinearMemory } from "@tsbpf/memory";
import type { ProgContext, RunInput } from "@tsbpf/plugin";
import {
  beginRun,
  type EngineProg,
  type LinkedProg,
  type Machine,
  type ProgEntry,
  type RunHooks,
  type RunLimits,
  runProg,
} from "@tsbpf/runtime";
import type { Verdict } from "@tsbpf/verifier";
import type { Machines } from "./machines.ts";
import type { Execution, RunResult } from "./result.ts";

export interface RunOptions {
  /** CPU the program runs on; 0 when omitted. */
  readonly cpu?: number;
  /** Instructions this run may execute. */
  readonly budget?: number;
  /** Listeners for this run. */
  readonly hooks?: RunHooks;
  /**
   * How often to run, each time on what the run before left of the input, as repeats of BPF_PROG_TEST_RUN do; 1 when
   * omitted. A trap ends it; the result is the last run's. The jit stays in generated code in between if it can.
   */
  readonly repeat?: number;
}

const EMPTY = new Uint8Array(0);
/** Stands for the entry of a program that must be run the long way. */
const NO_ENTRY: ProgEntry = { run: () => 0, endOf: (thrown) => thrown, count: () => 0 };

function enter(machine: Machine, entry: ProgEntry): number {
  if (machine.counter !== entry.count) machine.counter = entry.count;
  try {
    return entry.run() >>> 0;
  } catch (thrown) {
    throw entry.endOf(thrown);
  }
}

/** A program that is linked, verified as its options asked, and ready to run. */
export class Prog {
  readonly name: string;
  readonly linked: LinkedProg;
  readonly engineProg: EngineProg;
  /** What the verifier said; undefined when it was not asked. */
  readonly verdict: Verdict | undefined;
  private readonly machines: Machines;
  private readonly contexts: (ProgContext | undefined)[] = [];
  private readonly entries: ProgEntry[] = [];
  /** Reused by the innermost loop of a replay. */
  private readonly input: { packet: Uint8Array } = { packet: EMPTY };
  private readonly limits: Partial<RunLimits>;

  constructor(parts: {
    readonly engineProg: EngineProg;
    readonly verdict: Verdict | undefined;
    readonly machines: Machines;
    readonly limits: Partial<RunLimits>;
  }) {
    this.engineProg = parts.engineProg;
    this.linked = parts.engineProg.prog;
    this.name = this.linked.spec.name;
    this.verdict = parts.verdict;
    this.machines = parts.machines;
    this.limits = parts.limits;
  }

  /** The memory of its VM. */
  get memory(): LinearMemory {
    return this.machines.memory;
  }

  /** The machine that runs of a CPU happen on; registers stay there after a run. */
  machine(cpu = 0): Machine {
    return this.machines.machine(cpu);
  }

  /** The input of runs on a CPU, for those who drive the engine themselves. */
  context(cpu = 0): ProgContext {
    let context = this.contexts[cpu];
    if (context === undefined) {
      context = this.machines.context(cpu, this.linked.progType);
      this.contexts[cpu] = context;
    }
    return context;
  }

  /**
   * Runs the program once.
   *
   * @throws RUN_INPUT (InputError) when the program type cannot take the input. A trap is no throw: see `trap`.
   */
  run(input: RunInput = {}, options: RunOptions = {}): RunResult {
    return this.complete(this.execute(input, options), options);
  }

  /** Runs the program on what the run before left of its input, as repeats of BPF_PROG_TEST_RUN do. */
  runAgain(options: RunOptions = {}): RunResult {
    return this.complete(this.executeLoaded(options), options);
  }

  /**
   * Runs the program once and copies nothing out: for replaying many packets. The packet afterwards is
   * `packetView()` until the next run.
   *
   * @throws RUN_INPUT (InputError) as `run` does.
   */
  execute(input: RunInput, options: RunOptions = {}): Execution {
    this.context(options.cpu).load(input);
    return this.executeLoaded(options);
  }

  /**
   * Runs the program on one packet with nothing made for the caller: the innermost loop of a replay.
   *
   * @returns the low 32 bits of the result.
   * @throws TrapError when the run ends by rule; RUN_INPUT (InputError) as `run` does.
   */
  executePacket(packet: Uint8Array, cpu = 0): number {
    const context = this.context(cpu);
    this.input.packet = packet;
    context.load(this.input);
    const entry = this.entries[cpu] ?? this.findEntry(cpu);
    const machine = this.machines.machine(cpu);
    if (entry !== NO_ENTRY) return enter(machine, entry);
    machine.hooks = undefined;
    beginRun(machine, this.engineProg, context, this.limits);
    try {
      this.engineProg.run(machine, context.address);
    } finally {
      machine.depth = 0;
    }
    return (machine.regs[0] as number) >>> 0;
  }

  /** Looks whether the engine has a way to run the program that needs no machine made ready. */
  private findEntry(cpu: number): ProgEntry {
    const machine = this.machines.machine(cpu);
    const isUnlimited = (this.limits.budget ?? Number.MAX_SAFE_INTEGER) >= Number.MAX_SAFE_INTEGER;
    const found = isUnlimited ? this.engineProg.makeEntry?.(machine, this.context(cpu).address) : undefined;
    this.entries[cpu] = found ?? NO_ENTRY;
    return found ?? NO_ENTRY;
  }

  /** Returns a view (not a copy) of the packet as the last run on the CPU left it. */
  packetView(cpu = 0): Uint8Array {
    return this.context(cpu).packet?.bytes() ?? EMPTY;
  }

  private executeLoaded(options: RunOptions): Execution {
    const { progType } = this.linked;
    const cpu = options.cpu ?? 0;
    const machine = this.machines.machine(cpu);
    machine.hooks = options.hooks;
    const { budget = this.limits.budget, repeat = 1 } = options;
    const { end, insnCount, effects } = runProg(machine, this.engineProg, this.context(cpu), {
      times: repeat,
      ...(budget === undefined ? {} : { budget }),
    });
    const trap = end.kind === "trap" ? end.trap : undefined;
    const r0 = end.kind === "exit" ? end.r0 : 0n;
    const retval = Number(BigInt.asUintN(32, r0));
    const verdict = trap === undefined ? (progType.verdictName(retval) ?? String(retval)) : "trap";
    return { r0, retval, verdict, effects, insnCount, ...(trap === undefined ? {} : { trap }) };
  }

  private complete(execution: Execution, options: RunOptions): RunResult {
    const context = this.context(options.cpu);
    return { ...execution, packet: context.readPacket(), ctx: context.readCtx() };
  }
}
