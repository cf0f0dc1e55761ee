import { LIMITS } from "@tsbpf/base";
import { type LinearMemory, PERM } from "@tsbpf/memory";
import type { BpfMap, Effect, Services } from "@tsbpf/plugin";
import { callBackInto } from "./call/callback.ts";
import { FRAME_STRIDE_BYTES, FRAMES_MAX, Frames } from "./call/frames.ts";
import type { EngineProg } from "./engine.ts";
import { MachineEnv } from "./env.ts";
import type { RunHooks } from "./hooks.ts";
import type { Machine } from "./machine.ts";

/** What a machine is made of. */
export interface MachineOptions {
  readonly memory: LinearMemory;
  readonly services: Services;
  /** Finds a live map by the address of its header. */
  mapAt(address: number): BpfMap | undefined;
  /** Number of the CPU that the machine stands for. Default 0. */
  readonly cpu?: number;
  /** CPUs of the VM. Default 1. */
  readonly cpuCount?: number;
  /** Whether effects are recorded. Default true. */
  readonly isRecording?: boolean;
  /** State of helper families that all machines of a VM share; its own when omitted. */
  readonly vmState?: Map<string, unknown>;
  /**
   * Bytes above each frame that programs may touch too, up to 512. Default 0, as on Linux; userspace machines have one
   * stack for all frames, and programs written for them may reach a little beyond their own.
   */
  readonly stackSlackBytes?: number;
}

/** Halves of r0..r10, rounded up to a power of two. */
const REGISTER_WORDS = 32;

/**
 * Makes a machine and allocates its stacks, so nothing may run on the memory meanwhile.
 *
 * The stack is {@link FRAMES_MAX} frames of 512 bytes with gaps between them. The first 8 are regions of their own;
 * those that only programs behind tail calls from functions reach share one.
 */
export function createMachine(options: MachineOptions): Machine {
  const { memory } = options;
  const cpu = options.cpu ?? 0;
  const cpuCount = options.cpuCount ?? 1;
  const stackBase = memory.allocRaw(FRAMES_MAX * FRAME_STRIDE_BYTES, FRAME_STRIDE_BYTES);
  const frameBytes = LIMITS.stackBytes + (options.stackSlackBytes ?? 0);
  addStackRegions(memory, stackBase, frameBytes, cpuCount === 1 ? "" : ` of cpu ${cpu}`);
  const env = new MachineEnv({
    memory,
    cpu,
    cpuCount,
    services: options.services,
    isRecording: options.isRecording ?? true,
    vmState: options.vmState ?? new Map(),
    mapAt: (address) => options.mapAt(address),
    callBack: (funcLo, funcHi, args) => callBackInto(machine, funcLo, funcHi, args),
  });
  const machine: Machine = new VirtualCpu(env, stackBase);
  return machine;
}

class VirtualCpu implements Machine {
  readonly cpu: number;
  readonly env: MachineEnv;
  readonly regs = new Int32Array(REGISTER_WORDS);
  readonly stackBase: number;
  readonly frames = new Frames();
  depth = 0;
  progBase = 1;
  tailCallCount = 0;
  budgetLeft = 0;
  current: EngineProg | undefined = undefined;
  readonly effects: Effect[];
  hooks: RunHooks | undefined = undefined;
  counter: (() => number) | undefined = undefined;
  private counted = 0;

  constructor(env: MachineEnv, stackBase: number) {
    this.cpu = env.cpu;
    this.env = env;
    this.stackBase = stackBase;
    this.effects = env.effects.list;
  }

  get insnCount(): number {
    return this.counter === undefined ? this.counted : this.counter();
  }
  set insnCount(value: number) {
    this.counter = undefined;
    this.counted = value;
  }
}

function addStackRegions(memory: LinearMemory, stackBase: number, bytes: number, suffix: string): void {
  const common = { perm: PERM.readWrite, kind: "stack" } as const;
  for (let i = 0; i < LIMITS.callFrames; i++) {
    const start = stackBase + i * FRAME_STRIDE_BYTES;
    memory.regions.add({ ...common, start, end: start + bytes, name: `stack frame ${i}${suffix}` });
  }
  memory.regions.add({
    ...common,
    start: stackBase + LIMITS.callFrames * FRAME_STRIDE_BYTES,
    end: stackBase + FRAMES_MAX * FRAME_STRIDE_BYTES,
    name: `stack behind tail calls${suffix}`,
    cells: {
      stride: FRAME_STRIDE_BYTES,
      windows: [{ name: "frame", offset: 0, bytes, perm: PERM.readWrite }],
    },
  });
}
