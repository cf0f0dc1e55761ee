import { createServices, kernelHelpers, kernelKfuncs, type VirtualClock } from "@tsbpf/helpers";
import { kernelMapTypes } from "@tsbpf/maps";
import type { LinearMemoryOptions } from "@tsbpf/memory";
import type { HelperPlugin, Services } from "@tsbpf/plugin";
import { kernelProgTypes } from "@tsbpf/progs";
import type { Verdict } from "@tsbpf/verifier";
import { chooseProg, createVm, type LiveObject, type Prog, type Vm } from "@tsbpf/vm";
import { onLinkHeaders, readProgram } from "../filter/classic.ts";
import type { ReplayIo } from "../io.ts";
import type { ReplayOptions } from "../options.ts";
import { loadPlugins, type Plugins } from "./plugins.ts";

/** Sets the program's clock to the time of a packet, so that a replay is the same every time. */
export interface PacketClock {
  (sec: number, nanos: number): void;
  /** Nanoseconds since boot at the time of a packet. */
  nsOf(sec: number, nanos: number): number;
  /** Second since 1970 of the boot, which is that before the first packet's. @param sec - of the next packet. */
  bootSec(sec: number): number;
}

/** Which program to load, and how. */
export type LoadOptions = Pick<
  ReplayOptions,
  "object" | "prog" | "engine" | "verify" | "kernelBtf" | "plugins" | "cpuCount" | "budget"
>;

/** What a recording or a trace puts between a program and the world around it. */
export interface Surroundings {
  /** Replaces what helpers learn from outside. */
  services?(services: Services): Services;
  /** Replaces or adds helpers; `plugins` are those that the user loaded. */
  helpers?(kernel: readonly HelperPlugin[], plugins: Plugins): readonly HelperPlugin[];
  /** Seed of the random numbers; 1 when omitted. */
  readonly seed?: number;
  /** Whether inputs are refused as BPF_PROG_TEST_RUN refuses them, and only slots of perf arrays that are filled are read. */
  readonly isTestRun?: boolean;
  /** Memory that other threads may join, or that this one joins. */
  readonly memory?: LinearMemoryOptions;
  /** What the verifier has said already, by program name. */
  readonly verdicts?: ReadonlyMap<string, Verdict | undefined>;
  /** Whether effects are recorded; true when omitted. */
  readonly recordsEffects?: boolean;
}

export interface LoadedProgram {
  readonly vm: Vm;
  readonly object: LiveObject;
  readonly prog: Prog;
  readonly clock: PacketClock;
  /** Sets the program's clock, in nanoseconds since boot. */
  readonly setClockNs: (ns: number) => void;
  /** Addresses that the maps lie between, but for elements that a map takes memory for while programs run. */
  readonly mapSpan: { readonly start: number; readonly end: number };
}

const NS_PER_SEC = 1e9;

/** Keeps the distances between packets: the first one comes one second after boot. */
function packetClock(clock: VirtualClock): PacketClock {
  let boot: number | undefined;
  const bootSec = (sec: number): number => {
    boot ??= sec - 1;
    return boot;
  };
  const nsOf = (sec: number, nanos: number): number => Math.max(0, sec - bootSec(sec)) * NS_PER_SEC + nanos;
  return Object.assign((sec: number, nanos: number) => clock.setWholeNs(nsOf(sec, nanos)), { nsOf, bootSec });
}

/**
 * Loads plugins, the object and one program of it.
 *
 * @throws InputError for inputs that cannot be read, RejectError when the verifier refuses the program.
 */
export async function loadProgram(
  options: LoadOptions,
  io: Pick<ReplayIo, "readAll" | "loadPlugin">,
  surroundings: Surroundings = {},
): Promise<LoadedProgram> {
  const bytes = await io.readAll(options.object);
  const name = options.object.split("/").at(-1) ?? options.object;
  const { source, isClassic } = readProgram(bytes, name);
  const plugins = await loadPlugins(options.plugins, io);
  const { seed, isTestRun = false } = surroundings;
  const services = createServices({
    ...(seed === undefined ? {} : { seed }),
    ...(isTestRun ? { perfReaders: "slots" as const } : {}),
  });
  const vm = createVm({
    helpers: surroundings.helpers?.(kernelHelpers, plugins) ?? [...kernelHelpers, ...plugins.helpers],
    kfuncs: [...kernelKfuncs, ...(plugins.kfuncs ?? [])],
    mapTypes: [...kernelMapTypes, ...plugins.mapTypes],
    // The test run of Linux pulls the link header of every socket filter, so does a side that is held to it.
    progTypes: [
      ...(isClassic && !isTestRun ? onLinkHeaders(kernelProgTypes) : kernelProgTypes),
      ...plugins.progTypes,
    ],
    cpuCount: options.cpuCount ?? 1,
    services: surroundings.services?.(services) ?? services,
    // Random numbers of each CPU are its own, so that they do not depend on what others do.
    ...(surroundings.services === undefined
      ? {
          servicesOf: (cpu) =>
            cpu === 0 ? {} : { random: createServices({ seed: (seed ?? 1) + cpu }).random },
        }
      : {}),
    isTestRun,
    recordEffects: surroundings.recordsEffects ?? true,
    ...(surroundings.memory === undefined ? {} : { memory: surroundings.memory }),
    ...(options.budget === undefined ? {} : { budget: options.budget }),
    ...(options.kernelBtf === undefined ? {} : { kernelBtf: options.kernelBtf }),
  });
  const start = vm.memory.allocatedEnd;
  const object = vm.loadObject(source, {
    name,
    engine: options.engine,
    verify: options.verify,
    ...(surroundings.verdicts === undefined ? {} : { verdicts: surroundings.verdicts }),
  });
  const mapSpan = { start, end: vm.memory.allocatedEnd };
  const prog = object.prog(chooseProg(object.spec.progs, options.prog).name);
  return {
    vm,
    object,
    prog,
    clock: packetClock(services.clock),
    setClockNs: (ns) => services.clock.setWholeNs(ns),
    mapSpan,
  };
}
