import type { LiveObject, Prog, Vm } from "@tsbpf/vm";
import type { ReplayIo } from "../io.ts";
import type { ReplayOptions } from "../options.ts";
import { chooseMap } from "../report/maps.ts";
import { StepLog } from "../report/step-log.ts";
import { VerdictTally } from "../report/verdicts.ts";
import { createSpread, type Spread } from "../spread/spread.ts";
import type { TraceFeed } from "../trace/feed.ts";
import { createInsight, engineFor, type Insight } from "./insight.ts";
import { loadProgram, type PacketClock, type Surroundings } from "./load.ts";
import { CaptureOutput } from "./write-capture.ts";

/** State of one replay: the program, what is counted, and where results go. */
export interface Session {
  readonly options: ReplayOptions;
  readonly io: ReplayIo;
  readonly vm: Vm;
  readonly object: LiveObject;
  readonly prog: Prog;
  readonly clock: PacketClock;
  readonly tally: VerdictTally;
  readonly output: CaptureOutput | undefined;
  readonly insight: Insight;
  /** What traces among the inputs hold beside packets; undefined when all are captures. */
  readonly feed: TraceFeed | undefined;
  /** Chooses the CPUs of packets. */
  readonly spread: Spread;
  /** CPU that the packet at hand runs on. */
  cpu: number;
  trapped: number;
  /** Packets that the program type cannot take, and why the first of them. */
  refused: number;
  refusal: string;
  /** Packets that the capture holds only in part. */
  cutShort: number;
  isTruncated: boolean;
  isInterrupted: boolean;
}

/**
 * Loads the program and opens the output.
 *
 * @throws InputError for inputs that cannot be read, RejectError when the verifier refuses the program.
 */
export async function openSession(
  given: ReplayOptions,
  io: ReplayIo,
  feed?: TraceFeed,
  surroundings?: Surroundings,
): Promise<Session> {
  const options = { ...given, engine: engineFor(given, io) };
  const loaded = await loadProgram(options, io, feed?.surroundings() ?? surroundings);
  feed?.attach(loaded);
  // Before anything is run: a long replay is not to end in a misspelt name.
  for (const name of options.dumpMaps ?? []) chooseMap(loaded.object, name);
  const { vm, object, prog, clock } = loaded;
  const { progType } = prog.linked;
  return {
    options,
    io,
    vm,
    object,
    prog,
    clock,
    tally: new VerdictTally((retval) => progType.verdictName(retval) ?? String(retval)),
    output:
      options.write === undefined
        ? undefined
        : new CaptureOutput(options.write, await io.write(options.write)),
    insight: createInsight(
      options,
      object,
      prog,
      options.stepLog === undefined ? undefined : new StepLog(await io.write(options.stepLog)),
    ),
    feed,
    spread: createSpread(options.spread ?? "flow", vm.cpuCount),
    cpu: 0,
    trapped: 0,
    refused: 0,
    refusal: "",
    cutShort: 0,
    isTruncated: false,
    isInterrupted: false,
  };
}
