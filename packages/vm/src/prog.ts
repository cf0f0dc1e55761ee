import { type CompileReport, compileReports } from "@tsbpf/jit";
import type { LinearMemory } from "@tsbpf/memory";
import type { ProgContext, RunInput } from "@tsbpf/plugin";
import {
  beginRun,
  DEFAULT_BUDGET,
  type EngineProg,
  type LinkedProg,
  type Machine,
  type ProgEntry,
  type RunHooks,
  type RunLimits,
  runProg,
} from "@tsbpf/runtime";
import type { Verdict } from "@tsbpf/verifier";
import type { Background, Compiling } from "./background.ts";
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
  /** What the verifier said; undefined when it was not asked. */
  readonly verdict: Verdict | undefined;
  private readonly machines: Machines;
  private running: EngineProg;
  /** What compiles the program while the interpreter runs it; taken away when runs need look no more. */
  private background: Background | undefined;
  private readonly makeStepper: (() => EngineProg) | undefined;
  private stepper: EngineProg | undefined;
  private readonly compilation: Background | undefined;
  private readonly contexts: (ProgContext | undefined)[] = [];
  private entries: ProgEntry[] = [];
  /** Reused by the innermost loop of a replay. */
  private readonly input: { packet: Uint8Array } = { packet: EMPTY };
  private readonly limits: Partial<RunLimits>;

  constructor(parts: {
    readonly engineProg: EngineProg;
    readonly verdict: Verdict | undefined;
    readonly machines: Machines;
    readonly limits: Partial<RunLimits>;
    readonly background?: Background;
    /** Prepares the program for runs that only the interpreter can make, where they may be asked for. */
    readonly makeStepper?: () => EngineProg;
  }) {
    this.running = parts.engineProg;
    this.background = parts.background;
    this.compilation = parts.background;
    this.makeStepper = parts.makeStepper;
    this.linked = parts.engineProg.prog;
    this.name = this.linked.spec.name;
    this.verdict = parts.verdict;
    this.machines = parts.machines;
    this.limits = parts.limits;
  }

  /** What the next run runs on; with the engine "auto" it may be another one after any await. */
  get engineProg(): EngineProg {
    return this.running;
  }

  /** Instructions that a run may execute when nobody says otherwise; `Number.MAX_SAFE_INTEGER` where nothing limits them. */
  get budget(): number {
    const { budget = this.linked.facts === undefined ? DEFAULT_BUDGET : Number.MAX_SAFE_INTEGER } =
      this.limits;
    return budget;
  }

  /** How far the jit has come with a program that began in the interpreter; undefined for others. */
  get compiling(): Compiling | undefined {
    return this.compilation?.status;
  }

  /** What the jit's compilations of the program cost, one for each form that runs asked for; empty before the first. */
  get compileReports(): readonly CompileReport[] {
    return compileReports(this.running);
  }

  /**
   * Waits until the jit runs the program or has refused it, and begins to compile it when no run has. Runs may go on
   * meanwhile.
   */
  async untilCompiled(cpu = 0): Promise<void> {
    const { compilation } = this;
    if (compilation === undefined) return;
    compilation.hold();
    await this.beginCompiling(compilation, cpu);
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
    if (this.background !== undefined) void this.beginCompiling(this.background, cpu);
    machine.hooks = undefined;
    beginRun(machine, this.engineProg, context, this.limits);
    try {
      this.engineProg.run(machine, context.address);
    } finally {
      machine.depth = 0;
    }
    return (machine.regs[0] as number) >>> 0;
  }

  /** What can tell the hooks what they listen to. */
  private engineFor(hooks: RunHooks | undefined): EngineProg {
    const isSteps = hooks?.onStep !== undefined || hooks?.onMem !== undefined || hooks?.onExit !== undefined;
    if (!isSteps || this.makeStepper === undefined) return this.running;
    this.stepper ??= this.makeStepper();
    return this.stepper;
  }

  /** Lets the jit compile the program from the next pause of the thread on. */
  private async beginCompiling(background: Background, cpu: number): Promise<void> {
    this.background = undefined;
    const prog = await background.start(this.machines.machine(cpu), this.budget < Number.MAX_SAFE_INTEGER);
    if (prog === undefined) return;
    this.running = prog;
    this.entries = [];
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
    if (this.background !== undefined) void this.beginCompiling(this.background, cpu);
    const { budget = this.limits.budget, repeat = 1 } = options;
    const { end, insnCount, effects } = runProg(machine, this.engineFor(options.hooks), this.context(cpu), {
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
