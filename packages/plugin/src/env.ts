import type { ProgTypeName } from "@tsbpf/abi";
import type { LinearMemory, PacketBuffer } from "@tsbpf/memory";
import type { EffectSink } from "./effects.ts";
import type { BpfMap } from "./map.ts";
import type { Services } from "./services.ts";

/** The powers of a helper; nothing of the VM beyond these. */
export interface HelperEnv {
  readonly memory: LinearMemory;
  /** The CPU that the program runs on, 0..cpuCount-1. */
  readonly cpu: number;
  readonly cpuCount: number;
  readonly progType: ProgTypeName;
  readonly services: Services;
  readonly effects: EffectSink;
  /** The packet of the run; undefined for program types without one. */
  readonly packet: PacketBuffer | undefined;
  readonly ctxAddress: number;
  /** State that a helper family keeps for the length of one run, by name; empty when a run starts. */
  readonly runState: Map<string, unknown>;
  /** State that a helper family keeps for the life of the VM, by name. */
  readonly vmState: Map<string, unknown>;
  /** Finds a live map by the value of a map pointer. */
  mapAt(address: number): BpfMap | undefined;
  /**
   * Calls a function of the program, by the value of a function pointer (low, high), in a fresh frame.
   *
   * Arguments are register halves: `args[2*i]`, `args[2*i+1]` are the low and high 32 bits of r(i+1).
   *
   * @returns the low 32 bits of the callback's r0.
   */
  callBack(funcLo: number, funcHi: number, args: ArrayLike<number>): number;
  /** Tells the run that packet bounds moved. */
  packetMoved(): void;
  /** Records a count under a name of the helper's own. */
  count(name: string, value?: number): void;
}
