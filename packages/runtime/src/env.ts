import type { ProgTypeName } from "@tsbpf/abi";
import type { LinearMemory, PacketBuffer } from "@tsbpf/memory";
import type { BpfMap, Effect, EffectSink, HelperEnv, ProgContext, Services } from "@tsbpf/plugin";

/** Calls a function of the running program; arguments are register halves of r1.. */
export type CallBack = (funcLo: number, funcHi: number, args: ArrayLike<number>) => number;

/** Parts of an environment that outlive a run. */
export interface EnvOptions {
  readonly memory: LinearMemory;
  readonly cpu: number;
  readonly cpuCount: number;
  readonly services: Services;
  readonly isRecording: boolean;
  readonly vmState: Map<string, unknown>;
  mapAt(address: number): BpfMap | undefined;
  readonly callBack: CallBack;
}

/** Keeps effects in order. */
class EffectList implements EffectSink {
  readonly isOn: boolean;
  readonly list: Effect[] = [];
  /** Called before each effect: an engine then adds those that it has not told of yet. */
  beforeRecord: (() => void) | undefined = undefined;

  constructor(isOn: boolean) {
    this.isOn = isOn;
  }
  record(effect: Effect): void {
    if (!this.isOn) return;
    this.beforeRecord?.();
    this.list.push(effect);
  }
}

/** The powers of helpers on one machine; what depends on the run changes with `enter`. */
export class MachineEnv implements HelperEnv {
  readonly memory: LinearMemory;
  readonly cpu: number;
  readonly cpuCount: number;
  readonly effects: EffectList;
  readonly runState = new Map<string, unknown>();
  readonly vmState: Map<string, unknown>;
  readonly mapAt: (address: number) => BpfMap | undefined;
  readonly callBack: CallBack;
  /** Replaced only by a debugger that records what helpers learn from outside. */
  services: Services;
  progType: ProgTypeName = "unspec";
  packet: PacketBuffer | undefined = undefined;
  ctxAddress = 0;

  constructor(options: EnvOptions) {
    this.memory = options.memory;
    this.cpu = options.cpu;
    this.cpuCount = options.cpuCount;
    this.services = options.services;
    this.effects = new EffectList(options.isRecording);
    this.vmState = options.vmState;
    this.mapAt = options.mapAt;
    this.callBack = options.callBack;
  }

  /** Prepares for a run: no effects, no run state, the context that the program gets. */
  enter(progType: ProgTypeName, context: Pick<ProgContext, "address" | "packet">): void {
    this.progType = progType;
    this.ctxAddress = context.address;
    this.packet = context.packet;
    if (this.effects.list.length > 0) this.effects.list.length = 0;
    if (this.runState.size > 0) this.runState.clear();
  }

  packetMoved(): void {
    this.packet?.syncRegion();
  }

  count(name: string, value = 1): void {
    this.effects.record({ kind: "count", name, value });
  }
}
