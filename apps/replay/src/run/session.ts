import { createServices, kernelHelpers, type VirtualClock } from "@tsbpf/helpers";
import { kernelMapTypes } from "@tsbpf/maps";
import { kernelProgTypes } from "@tsbpf/progs";
import { chooseProg, createVm, type LiveObject, type Prog, textOrBytes } from "@tsbpf/vm";
import type { ReplayIo } from "../io.ts";
import type { ReplayOptions } from "../options.ts";
import { VerdictTally } from "../report/verdicts.ts";
import { loadPlugins } from "./plugins.ts";
import { CaptureOutput } from "./write-capture.ts";

/** Sets the program's clock to the time of a packet, so that a replay is the same every time. */
export type PacketClock = (sec: number, nanos: number) => void;

/** State of one replay: the program, what is counted, and where results go. */
export interface Session {
  readonly options: ReplayOptions;
  readonly io: ReplayIo;
  readonly object: LiveObject;
  readonly prog: Prog;
  readonly clock: PacketClock;
  readonly tally: VerdictTally;
  readonly output: CaptureOutput | undefined;
  trapped: number;
  /** Packets that the program type cannot take, and why the first of them. */
  refused: number;
  refusal: string;
  /** Packets that the capture holds only in part. */
  cutShort: number;
  isTruncated: boolean;
  isInterrupted: boolean;
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
 * Loads the program and opens the output.
 *
 * @throws InputError for inputs that cannot be read, RejectError when the verifier refuses the program.
 */
export async function openSession(options: ReplayOptions, io: ReplayIo): Promise<Session> {
  const bytes = await io.readAll(options.object);
  const plugins = await loadPlugins(options.plugins, io);
  const services = createServices();
  const vm = createVm({
    helpers: [...kernelHelpers, ...plugins.helpers],
    mapTypes: [...kernelMapTypes, ...plugins.mapTypes],
    progTypes: [...kernelProgTypes, ...plugins.progTypes],
    cpuCount: options.cpuCount,
    services,
    ...(options.budget === undefined ? {} : { budget: options.budget }),
  });
  const object = vm.loadObject(textOrBytes(bytes), {
    name: options.object.split("/").at(-1) ?? options.object,
    engine: options.engine,
    verify: options.verify,
  });
  const prog = object.prog(chooseProg(object.spec.progs, options.prog).name);
  const { progType } = prog.linked;
  return {
    options,
    io,
    object,
    prog,
    clock: packetClock(services.clock),
    tally: new VerdictTally((retval) => progType.verdictName(retval) ?? String(retval)),
    output:
      options.write === undefined
        ? undefined
        : new CaptureOutput(options.write, await io.write(options.write)),
    trapped: 0,
    refused: 0,
    refusal: "",
    cutShort: 0,
    isTruncated: false,
    isInterrupted: false,
  };
}
