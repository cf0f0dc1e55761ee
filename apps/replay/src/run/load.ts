import { createServices, kernelHelpers, type VirtualClock } from "@tsbpf/helpers";
import { kernelMapTypes } from "@tsbpf/maps";
import type { HelperPlugin, Services } from "@tsbpf/plugin";
import { kernelProgTypes } from "@tsbpf/progs";
import { chooseProg, createVm, type LiveObject, type Prog, textOrBytes, type Vm } from "@tsbpf/vm";
import type { ReplayIo } from "../io.ts";
import type { ReplayOptions } from "../options.ts";
import { loadPlugins, type Plugins } from "./plugins.ts";

/** Sets the program's clock to the time of a packet, so that a replay is the same every time. */
export type PacketClock = (sec: number, nanos: number) => void;

/** Which program to load, and how. */
export type LoadOptions = Pick<
  ReplayOptions,
  "object" | "prog" | "engine" | "verify" | "plugins" | "cpuCount" | "budget"
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
}

export interface LoadedProgram {
  readonly vm: Vm;
  readonly object: LiveObject;
  readonly prog: Prog;
  readonly clock: PacketClock;
}

const NS_PER_SEC = 1e9;

/** Keeps the distances between packets: the first one comes one second after boot. */
function packetClock(clock: VirtualClock): PacketClock {
  let bootSec: number | undefined;
  return (sec, nanos) => {
    bootSec ??= sec - 1;
    clock.setWholeNs(Math.max(0, sec - bootSec) * NS_PER_SEC + nanos);
  };
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
  const plugins = await loadPlugins(options.plugins, io);
  const { seed, isTestRun = false } = surroundings;
  const services = createServices({
    ...(seed === undefined ? {} : { seed }),
    ...(isTestRun ? { perfReaders: "slots" as const } : {}),
  });
  const vm = createVm({
    helpers: surroundings.helpers?.(kernelHelpers, plugins) ?? [...kernelHelpers, ...plugins.helpers],
    mapTypes: [...kernelMapTypes, ...plugins.mapTypes],
    progTypes: [...kernelProgTypes, ...plugins.progTypes],
    cpuCount: options.cpuCount,
    services: surroundings.services?.(services) ?? services,
    isTestRun,
    ...(options.budget === undefined ? {} : { budget: options.budget }),
  });
  const object = vm.loadObject(textOrBytes(bytes), {
    name: options.object.split("/").at(-1) ?? options.object,
    engine: options.engine,
    verify: options.verify,
  });
  const prog = object.prog(chooseProg(object.spec.progs, options.prog).name);
  return { vm, object, prog, clock: packetClock(services.clock) };
}
