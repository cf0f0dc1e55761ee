import { InputError } from "@tsbpf/base";
import { parsePacketRange, runReplay } from "@tsbpf/replay";
import type { EngineName, VerifyMode } from "@tsbpf/vm";
import type { ColourMode } from "../colour.ts";
import { EXIT } from "../exit.ts";
import { namesOption } from "./input.ts";
import { createNodeIo } from "./node-io.ts";

interface ReplayWords {
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
  readonly hex?: boolean;
  readonly hexText?: boolean;
  readonly trace?: string | true;
  readonly json?: boolean;
  readonly pretty?: boolean;
  readonly cpus: number;
  readonly ifindex?: number;
  readonly queue?: number;
  readonly fuel?: number;
  readonly ethernet?: boolean;
  readonly strict?: boolean;
  readonly color: ColourMode;
  readonly engine: EngineName;
  readonly verify: VerifyMode;
}

const TRACES = ["calls", "insns", "mem"] as const;

function traceOption(value: string | true | undefined): "none" | (typeof TRACES)[number] {
  if (value === undefined) return "none";
  const found = TRACES.find((one) => one === (value === true ? "insns" : value));
  if (found !== undefined) return found;
  throw new InputError("OPTION_TRACE", `--trace ${value} found, one of ${TRACES.join(", ")} needed`);
}

/** Runs `tsbpf replay`; 1 when a packet trapped, 2 when a capture was cut short and `--strict` asks. */
export async function runReplayVerb(
  object: string,
  captures: readonly string[],
  words: ReplayWords,
): Promise<number> {
  const all = [...captures, ...words.read];
  if (all.length === 0)
    throw new InputError(
      "REPLAY_NO_CAPTURE",
      "no capture given, name a pcap or pcapng file, or - for standard input",
    );
  const summary = await runReplay(
    {
      object,
      captures: all,
      engine: words.engine,
      verify: words.verify,
      cpuCount: words.cpus,
      verbosity: words.verbose,
      isQuiet: words.quiet ?? false,
      json: words.json ?? false,
      pretty: words.pretty ?? false,
      showLink: words.link ?? false,
      hex: words.hexText === true ? "text" : words.hex === true ? "hex" : "none",
      trace: traceOption(words.trace),
      plugins: words.plugin,
      makesEthernet: words.ethernet ?? false,
      strict: words.strict ?? false,
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
    createNodeIo(words.color),
  );
  if (summary.isInterrupted) return EXIT.interrupted;
  return summary.trapped > 0 ? EXIT.negative : EXIT.ok;
}
