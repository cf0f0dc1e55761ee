import type { VerifiedFacts } from "@tsbpf/abi";
import { interpreter } from "@tsbpf/interpreter";
import { createJit } from "@tsbpf/jit";
import type { BpfMap, RunInput } from "@tsbpf/plugin";
import type { Engine } from "@tsbpf/runtime";
import {
  createVm,
  type Execution,
  type LoadOptions,
  Prog,
  type ProgSource,
  type RunOptions,
  type Vm,
  type VmOptions,
} from "@tsbpf/vm";

/** A program and what it runs on, for both engines. */
export interface BothCase {
  readonly source: ProgSource;
  readonly vm?: VmOptions;
  readonly load?: LoadOptions;
  /** Runs in this order on the same machine; one run without input when omitted. */
  readonly inputs?: readonly RunInput[];
  readonly budget?: number;
  /** Runs without checks, as if the verifier had accepted the program: it must keep the rules by itself. */
  readonly isProven?: boolean;
  /** With `isProven`: whether the jit gets no budget, unless the interpreter needed it to end. */
  readonly isUnlimited?: boolean;
  /** Prepares each of the two machines before the program is loaded, and after. */
  readonly before?: (vm: Vm) => void;
  readonly after?: (vm: Vm, prog: Prog) => void;
  /** Changes something between two runs; told how many are done. */
  readonly between?: (vm: Vm, done: number, load: (source: ProgSource) => Prog) => void;
  /** How often each input's program runs on what the run before left; 1 when omitted. */
  readonly repeat?: number;
}

/** What one engine did, as plain values that compare. */
export interface Outcome {
  readonly runs: readonly unknown[];
  readonly maps: readonly unknown[];
  /** The memory as far as it existed before the first run. */
  readonly memory: Uint8Array;
}

/** Both outcomes of a case. */
export interface BothOutcomes {
  readonly interpreter: Outcome;
  readonly jit: Outcome;
}

const DEFAULT_BUDGET = 1_000_000;

/**
 * Runs a program on both engines, each on a machine of its own, and returns what is to be equal: r0, traps with code,
 * slot and region, instruction counts, effects, packets, maps, and every byte of memory.
 */
export function bothEngines(one: BothCase): BothOutcomes {
  const first = outcomeOf(one, interpreter);
  const isEnded = first.runs.every((run) => (run as { trap?: { code: string } }).trap?.code !== "RUN_BUDGET");
  const { budget: _, ...rest } = one;
  return {
    interpreter: first,
    jit: outcomeOf(
      one.isUnlimited === true && isEnded ? { ...rest, budget: Number.MAX_SAFE_INTEGER } : one,
      jit,
    ),
  };
}

/** What the verifier says of a program of which it proved only that it keeps the rules. */
const NO_FACTS: VerifiedFacts = {
  reached: new Uint8Array(),
  liveBefore: new Uint16Array(),
  stackBytes: [],
  funcStarts: [],
  accessRegion: new Map(),
  callMapIdx: new Map(),
  callConstants: new Map(),
  callbackSlot: new Map(),
  liveIn: new Map(),
};

const jit = createJit();

/** Loads a program for an engine of one's own, so that no other can take its place unnoticed. */
export function loadFor(
  vm: Vm,
  engine: Engine,
  source: ProgSource,
  options: LoadOptions & { readonly isProven?: boolean } = {},
): Prog {
  const { linked, verdict } = vm.load(source, { ...options, engine: "interpreter" });
  const isProven = options.isProven === true || verdict?.isAccepted === true;
  const engineProg = engine.prepare(options.isProven === true ? { ...linked, facts: NO_FACTS } : linked, {
    isChecked: !isProven,
  });
  return new Prog({ engineProg, verdict, machines: vm.machines, limits: {} });
}

function outcomeOf(one: BothCase, engine: Engine): Outcome {
  const vm = createVm({ ...SMALL, ...one.vm });
  one.before?.(vm);
  const prog = loadFor(vm, engine, one.source, {
    verify: "off",
    ...one.load,
    isProven: one.isProven ?? false,
  });
  one.after?.(vm, prog);
  const inputs = one.inputs ?? [{}];
  // The context is made by the first run; making it now keeps later addresses equal.
  vm.machines.context(0, prog.linked.progType);
  prog.machine(0);
  const bytes = vm.memory.allocRaw(8);
  const budget = one.budget ?? DEFAULT_BUDGET;
  const load = (source: ProgSource): Prog =>
    loadFor(vm, engine, source, { verify: "off", ...one.load, isProven: one.isProven ?? false });
  const runs = inputs.map((input, idx) => {
    one.between?.(vm, idx, load);
    return describe(runOnce(prog, input, { budget, repeat: one.repeat ?? 1 }));
  });
  return {
    runs,
    maps: [...vm.maps].map(([name, map]) => [name, dump(map)]),
    memory: vm.memory.u8.slice(0, bytes),
  };
}

const SMALL: VmOptions = { memory: { initialBytes: 1 << 18 }, maxPacketBytes: 2048 };

/** Runs a program; what reading the packet back throws counts as what the run did. */
function runOnce(
  prog: Prog,
  input: RunInput,
  options: RunOptions,
): Execution & { packet: Uint8Array | string } {
  const done = prog.execute(input, options);
  const { packet } = prog.machine(0).env;
  // A program without proofs may have written the packet's bounds in its context.
  const isSane = packet !== undefined && packet.lengthBytes >= 0 && packet.lengthBytes <= SANE_PACKET_BYTES;
  return { ...done, packet: isSane ? prog.packetView().slice() : `${packet?.dataStart}..${packet?.dataEnd}` };
}

const SANE_PACKET_BYTES = 4096;

function describe(result: ReturnType<typeof runOnce>): unknown {
  const { r0, verdict, insnCount, effects, trap, packet } = result;
  return {
    // r0 of a run that a trap ended is nothing that anybody may read.
    r0: trap === undefined ? r0 : undefined,
    verdict,
    insnCount,
    // Effects are copied: the list is the machine's own.
    effects: [...effects],
    trap:
      trap === undefined
        ? undefined
        : { code: trap.code, slot: trap.details.slot, region: trap.details.region, text: trap.message },
    packet: typeof packet === "string" ? packet : [...packet],
  };
}

function dump(map: BpfMap): unknown {
  return [...map.entries()].map(([key, value]) => [[...key], [...value]]);
}
