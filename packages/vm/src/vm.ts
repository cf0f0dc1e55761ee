import type { MapSpec, ObjectSpec, ProgSpec } from "@tsbpf/abi";
import { InputError } from "@tsbpf/base";
import { createServices, kernelHelpers, kernelKfuncs } from "@tsbpf/helpers";
import { kernelMapTypes } from "@tsbpf/maps";
import { LinearMemory } from "@tsbpf/memory";
import type { BpfMap, Services } from "@tsbpf/plugin";
import { kernelProgTypes } from "@tsbpf/progs";
import type { RunLimits } from "@tsbpf/runtime";
import { LiveMaps } from "./live-maps.ts";
import { LiveObject } from "./live-object.ts";
import { Machines } from "./machines.ts";
import { type MapShorthand, type ProgOptions, toMapSpec, type VmOptions } from "./options.ts";
import type { Prog } from "./prog.ts";
import { Registry } from "./registry.ts";
import { type ProgSource, type SourceOptions, toObjectSpec } from "./source.ts";

const DEFAULT_MAX_PACKET_BYTES = 65_535 + 64;

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
    this.memory = new LinearMemory(options.memory);
    this.cpuCount = options.cpuCount ?? 1;
    this.limits = options.budget === undefined ? {} : { budget: options.budget };
    this.services = { ...createServices(), ...options.services };
    this.liveMaps = new LiveMaps(this.memory, this.cpuCount, this.registry);
    this.machines = new Machines({
      memory: this.memory,
      maps: this.liveMaps,
      services: this.services,
      cpuCount: this.cpuCount,
      isRecording: options.recordEffects ?? true,
      maxPacketBytes: options.maxPacketBytes ?? DEFAULT_MAX_PACKET_BYTES,
      isTestRun: options.isTestRun ?? false,
    });
    for (const [name, given] of Object.entries(options.maps ?? {})) this.createMap(name, given);
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
