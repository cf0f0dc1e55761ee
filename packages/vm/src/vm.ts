import type { MapSpec, ObjectSpec, ProgSpec } from "@tsbpf/abi";
import { InputError, UnsupportedError } from "@tsbpf/base";
import type { Btf } from "@tsbpf/btf";
import { createServices, kernelHelpers, kernelKfuncs } from "@tsbpf/helpers";
import { kernelMapTypes } from "@tsbpf/maps";
import { LinearMemory, type SharedMemory } from "@tsbpf/memory";
import type { BpfMap, Services } from "@tsbpf/plugin";
import { kernelProgTypes } from "@tsbpf/progs";
import type { RunLimits } from "@tsbpf/runtime";
import type { VerifyOptions } from "@tsbpf/verifier";
import { LiveMaps } from "./live-maps.ts";
import { LiveObject } from "./live-object.ts";
import { Machines } from "./machines.ts";
import { type MapShorthand, type ProgOptions, toMapSpec, type VmOptions } from "./options.ts";
import type { Prog } from "./prog.ts";
import { Registry } from "./registry.ts";
import { type ProgSource, type SourceOptions, toObjectSpec } from "./source.ts";

const DEFAULT_MAX_PACKET_BYTES = 65_535 + 64;
const DEFAULT_THREAD_BYTES = 4 * 1024 * 1024;

/** What other threads need to take part in a VM; structured-cloneable. */
export interface SharedVm {
  readonly memory: SharedMemory;
  /** Where the maps lie, in the order in which they were made. */
  readonly maps: readonly (readonly [name: string, address: number])[];
}

export interface LoadOptions extends SourceOptions, ProgOptions {
  /** Name of the program of an object with several. */
  readonly prog?: string;
}

/** A userspace machine for BPF: one memory, its maps, its CPUs, and the plugins that programs may use. */
export class Vm {
  readonly memory: LinearMemory;
  readonly registry: Registry;
  readonly services: Services;
  readonly cpuCount: number;
  /** What every run may use up, where the options said. */
  readonly limits: Partial<RunLimits>;
  /** Types of the kernel that programs are judged by. */
  readonly kernelBtf: Btf | undefined;
  readonly liveMaps: LiveMaps;
  readonly machines: Machines;
  /** Maps by name: those of the options, then those of loaded objects. */
  readonly maps = new Map<string, BpfMap>();

  constructor(options: VmOptions = {}) {
    this.registry = new Registry({
      helpers: options.helpers ?? kernelHelpers,
      replaceHelpers: options.replaceHelpers ?? [],
      kfuncs: options.kfuncs ?? kernelKfuncs,
      mapTypes: options.mapTypes ?? kernelMapTypes,
      progTypes: options.progTypes ?? kernelProgTypes,
    });
    this.kernelBtf = options.kernelBtf;
    this.memory = new LinearMemory(options.memory);
    this.cpuCount = options.cpuCount ?? 1;
    this.limits = options.budget === undefined ? {} : { budget: options.budget };
    this.services = { ...createServices(), ...options.services };
    this.liveMaps = new LiveMaps(this.memory, this.cpuCount, this.registry);
    this.machines = new Machines({
      memory: this.memory,
      maps: this.liveMaps,
      services: this.services,
      servicesOf: options.servicesOf,
      cpuCount: this.cpuCount,
      isRecording: options.recordEffects ?? true,
      maxPacketBytes: options.maxPacketBytes ?? DEFAULT_MAX_PACKET_BYTES,
      isTestRun: options.isTestRun ?? false,
    });
    for (const [name, given] of Object.entries(options.maps ?? {})) this.createMap(name, given);
  }

  /** What the verifier has to know of this VM: its plugins, and the kernel's types. */
  verifyOptions(): VerifyOptions {
    return {
      helpers: this.registry.customProtos(),
      kfuncs: this.registry.customKfuncs(),
      ...(this.kernelBtf === undefined ? {} : { kernelBtf: this.kernelBtf }),
    };
  }

  /**
   * Makes a map that programs find by name.
   *
   * @throws MAP_REFUSED (InputError) when Linux would refuse it.
   */
  createMap(name: string, given: MapSpec | MapShorthand): BpfMap {
    const map = this.liveMaps.create(toMapSpec(name, given));
    this.maps.set(name, map);
    return map;
  }

  /**
   * Lets threads join that have made a VM with the same options, its memory joining this one's, and have loaded the
   * same. From here on maps can be used but not made.
   *
   * @param bytesEach - memory for each thread's stacks, contexts and packets.
   * @throws MEM_SHARE (InputError) when the options did not ask for shared memory.
   */
  share(threadCount: number, bytesEach = DEFAULT_THREAD_BYTES): SharedVm {
    const memory = this.memory.share(threadCount, bytesEach);
    this.liveMaps.isRunning = true;
    return { memory, maps: this.mapAddresses() };
  }

  /**
   * Takes its place among the threads of a shared VM, when all is loaded and before anything runs.
   *
   * @throws UNSUPPORTED_SHARED_LAYOUT (UnsupportedError) when something lies elsewhere than in the VM that was shared.
   */
  enter(shared: SharedVm, thread: number): void {
    const made = this.mapAddresses();
    const other = shared.maps.find(([name, address], idx) => {
      const [ownName, ownAddress] = made[idx] ?? [];
      return ownName !== name || ownAddress !== address;
    });
    const span = shared.memory.spans[thread];
    const isSame =
      made.length === shared.maps.length && this.memory.allocatedEnd === shared.memory.allocatedEnd;
    if (other !== undefined || span === undefined || !isSame) {
      throw new UnsupportedError(
        "UNSUPPORTED_SHARED_LAYOUT",
        `${other === undefined ? "the memory" : `map ${other[0]}`} came out differently in another thread: helpers or map types allocate in an order of their own`,
      );
    }
    this.memory.enter(span);
    this.liveMaps.isRunning = true;
  }

  private mapAddresses(): [name: string, address: number][] {
    return [...this.maps].map(([name, { address }]) => [name, address]);
  }

  /** Reads a source without making anything live. */
  readSource(source: ProgSource, options: SourceOptions = {}): ObjectSpec {
    const maps = new Map([...this.maps].map(([name, map]) => [name, map.spec]));
    return toObjectSpec(source, { registry: this.registry, maps }, options);
  }

  /** Makes the maps of an object live; its programs are prepared when asked for. */
  loadObject(source: ProgSource, options: LoadOptions = {}): LiveObject {
    return new LiveObject(this, this.readSource(source, options), options);
  }

  /**
   * Loads one program: the only one of its source, or the one that `options.prog` names.
   *
   * @throws PROG_CHOICE (InputError) when the choice is not clear; RejectError when the verifier refuses it and
   *   `verify` is "strict".
   */
  load(source: ProgSource, options: LoadOptions = {}): Prog {
    const object = this.loadObject(source, options);
    return object.prog(chooseProg(object.spec.progs, options.prog).name);
  }
}

/** Makes a VM; every part has a deterministic default. */
export const createVm = (options: VmOptions = {}): Vm => new Vm(options);

/**
 * Finds the program that a name means, or the only one there is.
 *
 * @throws PROG_CHOICE (InputError) listing the names there are.
 */
export function chooseProg(progs: readonly ProgSpec[], name: string | undefined): ProgSpec {
  const names = progs.map((one) => one.name).join(", ");
  if (name !== undefined) {
    const found = progs.find((one) => one.name === name) ?? onlySection(progs, name);
    if (found !== undefined) return found;
    throw new InputError("PROG_CHOICE", `no program ${name} in the object, it has: ${names}`, {
      details: { name },
    });
  }
  const [first, second] = progs;
  if (first === undefined) throw new InputError("PROG_CHOICE", "the object has no programs");
  if (second !== undefined) {
    throw new InputError("PROG_CHOICE", `the object has ${progs.length} programs, name one of: ${names}`);
  }
  return first;
}

function onlySection(progs: readonly ProgSpec[], section: string): ProgSpec | undefined {
  const found = progs.filter((one) => one.section === section);
  return found.length === 1 ? found[0] : undefined;
}
