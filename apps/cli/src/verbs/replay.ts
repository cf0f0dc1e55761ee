import { InputError } from "@tsbpf/base";
import { parsePacketRange, runReplay, type SpreadName, type TimeStyle, traceKind } from "@tsbpf/replay";
import type { EngineName, VerifyMode } from "@tsbpf/vm";
import type { ColourMode } from "../colour.ts";
import { EXIT } from "../exit.ts";
import type { FilterWords } from "../filter-options.ts";
import { readKernelTypes } from "../kernel-types.ts";
import { createFilter, dumpFilter, splitTargets } from "./filter.ts";
import { namesOption } from "./input.ts";
import { createNodeIo, exitCodeOfSignal } from "./node-io.ts";
import { refuseSameFile } from "./same-file.ts";

interface ReplayWords extends FilterWords {
  readonly read: string[];
  readonly write?: string;
  readonly writeVerdict?: string;
  readonly count?: number;
  readonly packets?: string;
  readonly prog?: string;
  readonly plugin: string[];
  readonly maps?: string | true;
  readonly verbose: number;
  readonly quiet?: boolean;
  readonly link?: boolean;
  readonly hex: number;
  readonly hexText: number;
  /** How often `-t` was given. */
  readonly t: number;
  readonly absoluteTcpSequenceNumbers?: boolean;
  readonly showVerdict?: string;
  readonly histogram?: boolean;
  readonly profile?: string;
  readonly coverage?: string;
  readonly trace?: string | true;
  readonly traceJson?: string;
  readonly json?: boolean;
  readonly pretty?: boolean;
  readonly cpus?: number;
  readonly spread?: SpreadName;
  readonly ifindex?: number;
  readonly queue?: number;
  readonly fuel?: number;
  readonly ethernet?: boolean;
  readonly live?: boolean;
  readonly against: string[];
  readonly diffWrite?: string;
  readonly expect?: string;
  readonly writeExpect?: string;
  readonly examples?: number;
  readonly strict?: boolean;
  readonly color: ColourMode;
  readonly engine: EngineName;
  readonly verify: VerifyMode;
  readonly kernelBtf?: string;
}

/** By how often `-t` was given. */
const TIMES: readonly TimeStyle[] = ["clock", "none", "epoch", "delta", "date", "since"];

/** Runs `tsbpf replay`; 1 when a packet trapped, 2 when a capture was cut short and `--strict` asks. */
export async function runReplayVerb(
  object: string | undefined,
  targets: readonly string[],
  words: ReplayWords,
): Promise<number> {
  if (words.dumpFilter > 0) {
    await dumpFilter([...(object === undefined ? [] : [object]), ...targets], words);
    return EXIT.ok;
  }
  if (object === undefined) {
    throw new InputError(
      "REPLAY_NO_OBJECT",
      "no program given, name an object, assembly text or classic BPF",
    );
  }
  const { captures, expression } = splitTargets(targets, words.read.length > 0);
  const filter = await createFilter(expression, words);
  const all = [...captures, ...words.read];
  if (all.length === 0)
    throw new InputError(
      "REPLAY_NO_CAPTURE",
      `no capture given behind the program, ${object}: name a pcap, pcapng or trace file, or - for standard input`,
    );
  const types = await readKernelTypes(words.kernelBtf);
  if (words.against.length > 0 || words.expect !== undefined || words.writeExpect !== undefined)
    return (await import("./compare.ts")).runCompareVerb(object, all, { ...words, filter, types });
  for (const [given, option] of [
    [words.diffWrite, "--diff-write"],
    [words.examples, "--examples"],
  ] as const) {
    if (given !== undefined)
      throw new InputError("OPTION_CONFLICT", `${option} found without --against or --expect`);
  }
  for (const output of [words.write, words.profile, words.coverage, words.traceJson])
    if (output !== undefined) refuseSameFile([object, ...all, ...words.plugin], output);
  const io = createNodeIo(words.color);
  const summary = await runReplay(
    {
      object,
      captures: all,
      engine: words.engine,
      verify: words.verify,
      ...(types === undefined ? {} : { kernelBtf: types }),
      cpuCount: words.cpus,
      verbosity: words.verbose,
      isQuiet: words.quiet ?? false,
      json: words.json ?? false,
      pretty: words.pretty ?? false,
      showLink: words.link ?? false,
      hex: words.hexText > 0 ? "text" : words.hex > 0 ? "hex" : "none",
      hexFromLink: words.hexText > 1 || words.hex > 1,
      times: TIMES[Math.min(words.t, TIMES.length - 1)] ?? "clock",
      absoluteSeq: words.absoluteTcpSequenceNumbers ?? false,
      histogram: words.histogram ?? false,
      ...(words.showVerdict === undefined ? {} : { showVerdicts: words.showVerdict.split(",") }),
      ...(words.profile === undefined ? {} : { profile: words.profile }),
      ...(words.coverage === undefined ? {} : { coverage: words.coverage }),
      ...(words.traceJson === undefined ? {} : { stepLog: words.traceJson }),
      trace: words.trace === undefined ? "none" : traceKind(words.trace),
      plugins: words.plugin,
      makesEthernet: words.ethernet ?? false,
      asksAnew: words.live ?? false,
      strict: words.strict ?? false,
      ...(words.spread === undefined ? {} : { spread: words.spread }),
      ...(filter === undefined ? {} : { filter }),
      ...(words.prog === undefined ? {} : { prog: words.prog }),
      ...(words.count === undefined ? {} : { count: words.count }),
      ...(words.packets === undefined ? {} : { packets: parsePacketRange(words.packets) }),
      ...(words.write === undefined ? {} : { write: words.write }),
      ...(words.writeVerdict === undefined ? {} : { writeVerdicts: words.writeVerdict.split(",") }),
      ...(words.maps === undefined ? {} : { dumpMaps: namesOption(words.maps) ?? [] }),
      ...(words.ifindex === undefined ? {} : { ingressIfindex: words.ifindex }),
      ...(words.queue === undefined ? {} : { rxQueue: words.queue }),
      ...(words.fuel === undefined ? {} : { budget: words.fuel }),
    },
    io,
  );
  if (summary.isInterrupted) return exitCodeOfSignal(io.signal);
  return summary.trapped > 0 ? EXIT.negative : EXIT.ok;
}
