import type { LinearMemory } from "@tsbpf/memory";
import type { ProgContext, ProgTypePlugin, Services } from "@tsbpf/plugin";
import { createMachine, type Machine } from "@tsbpf/runtime";
import type { LiveMaps } from "./live-maps.ts";

export interface MachinesOptions {
  readonly memory: LinearMemory;
  readonly maps: LiveMaps;
  readonly services: Services;
  readonly servicesOf: ((cpu: number) => Partial<Services>) | undefined;
  readonly cpuCount: number;
  readonly isRecording: boolean;
  readonly maxPacketBytes: number;
  readonly isTestRun: boolean;
}

/** The virtual CPUs of a VM with the context memory each of them runs a program type on; made when first used. */
export class Machines {
  private readonly options: MachinesOptions;
  private readonly byCpu: (Machine | undefined)[] = [];
  private readonly contexts = new Map<string, ProgContext>();
  private readonly vmState = new Map<string, unknown>();

  constructor(options: MachinesOptions) {
    this.options = options;
  }

  get memory(): LinearMemory {
    return this.options.memory;
  }

  machine(cpu: number): Machine {
    const known = this.byCpu[cpu];
    if (known !== undefined) return known;
    const { memory, maps, services, servicesOf, cpuCount, isRecording } = this.options;
    const machine = createMachine({
      memory,
      services: servicesOf === undefined ? services : { ...services, ...servicesOf(cpu) },
      cpu,
      cpuCount,
      isRecording,
      vmState: this.vmState,
      mapAt: (address) => maps.mapAt(address),
    });
    this.byCpu[cpu] = machine;
    return machine;
  }

  context(cpu: number, progType: ProgTypePlugin): ProgContext {
    const key = `${cpu}/${progType.type}`;
    const known = this.contexts.get(key);
    if (known !== undefined) return known;
    const { memory, maxPacketBytes, isTestRun, services } = this.options;
    const context = progType.createContext({
      memory,
      maxPacketBytes,
      isTestRun,
      devices: services.network.devices,
    });
    this.contexts.set(key, context);
    return context;
  }
}
