import { InputError } from "@tsbpf/base";
import type { Btf } from "@tsbpf/btf";
import {
  type CompareOptions,
  type PacketTest,
  parsePacketRange,
  runCompare,
  writeExpectations,
} from "@tsbpf/replay";
import type { EngineName, VerifyMode } from "@tsbpf/vm";
import type { ColourMode } from "../colour.ts";
import { EXIT } from "../exit.ts";
import { createNodeIo, exitCodeOfSignal } from "./node-io.ts";
import { refuseSameFile } from "./same-file.ts";

/** What a replay that compares takes of the words of `tsbpf replay`. */
export interface CompareWords {
  readonly against: readonly string[];
  readonly diffWrite?: string;
  readonly expect?: string;
  readonly writeExpect?: string;
  readonly examples?: number;
  readonly count?: number;
  readonly packets?: string;
  readonly prog?: string;
  readonly plugin: string[];
  readonly quiet?: boolean;
  readonly json?: boolean;
  readonly pretty?: boolean;
  readonly cpus?: number;
  readonly ifindex?: number;
  readonly queue?: number;
  readonly fuel?: number;
  readonly ethernet?: boolean;
  readonly live?: boolean;
  readonly strict?: boolean;
  readonly color: ColourMode;
  readonly engine: EngineName;
  readonly verify: VerifyMode;
}

/** Options that print or write what one program does, which a comparison does not. */
const FOREIGN: Readonly<Record<string, string>> = {
  write: "-w",
  writeVerdict: "--write-verdict",
  showVerdict: "--show-verdict",
  maps: "--maps",
  verbose: "-v",
  link: "-e",
  absoluteTcpSequenceNumbers: "-S",
  t: "-t",
  hex: "-x",
  hexText: "-X",
  trace: "--trace",
  traceJson: "--trace-json",
  histogram: "--histogram",
  profile: "--profile",
  coverage: "--coverage",
  spread: "--spread",
};

const isGiven = (value: unknown): boolean => value !== undefined && value !== 0 && value !== false;

/** Refuses options that would be ignored. */
function refuseForeign(words: object, why: string): void {
  for (const [name, option] of Object.entries(FOREIGN)) {
    if (!isGiven((words as Readonly<Record<string, unknown>>)[name])) continue;
    throw new InputError(
      "OPTION_CONFLICT",
      `${option} and ${why} found, which do not go together: replay one program for that`,
    );
  }
}

/** Makes the options of a comparison out of words. */
function compareOptions(
  object: string,
  captures: readonly string[],
  words: CompareWords & { readonly filter?: PacketTest | undefined; readonly types?: Btf | undefined },
): CompareOptions {
  return {
    object,
    captures,
    against: words.against,
    engine: words.engine,
    verify: words.verify,
    ...(words.types === undefined ? {} : { kernelBtf: words.types }),
    cpuCount: words.cpus,
    plugins: words.plugin,
    makesEthernet: words.ethernet ?? false,
    asksAnew: words.live ?? false,
    strict: words.strict ?? false,
    isQuiet: words.quiet ?? false,
    json: words.json ?? false,
    pretty: words.pretty ?? false,
    ...(words.filter === undefined ? {} : { filter: words.filter }),
    ...(words.prog === undefined ? {} : { prog: words.prog }),
    ...(words.count === undefined ? {} : { count: words.count }),
    ...(words.packets === undefined ? {} : { packets: parsePacketRange(words.packets) }),
    ...(words.ifindex === undefined ? {} : { ingressIfindex: words.ifindex }),
    ...(words.queue === undefined ? {} : { rxQueue: words.queue }),
    ...(words.fuel === undefined ? {} : { budget: words.fuel }),
    ...(words.expect === undefined ? {} : { expect: words.expect }),
    ...(words.diffWrite === undefined ? {} : { diffWrite: words.diffWrite }),
    ...(words.examples === undefined ? {} : { examples: words.examples }),
  };
}

/** Which of the three the words ask for; they exclude each other. */
function modeOf({ against, expect, writeExpect }: CompareWords): string {
  const given = [
    ...(against.length > 0 ? ["--against"] : []),
    ...(expect === undefined ? [] : ["--expect"]),
    ...(writeExpect === undefined ? [] : ["--write-expect"]),
  ];
  const [first = "--against", second] = given;
  if (second === undefined) return first;
  throw new InputError("OPTION_CONFLICT", `${first} and ${second} found, one of them at a time`);
}

/** Runs `tsbpf replay` with `--against`, `--expect` or `--write-expect`; 1 when something differs. */
export async function runCompareVerb(
  object: string,
  captures: readonly string[],
  words: CompareWords & { readonly filter?: PacketTest | undefined; readonly types?: Btf | undefined },
): Promise<number> {
  const mode = modeOf(words);
  refuseForeign(words, mode);
  const options = compareOptions(object, captures, words);
  const io = createNodeIo(words.color);
  for (const output of [words.diffWrite, words.writeExpect])
    if (output !== undefined) refuseSameFile([object, ...captures, ...words.plugin], output);
  if (words.writeExpect !== undefined) {
    for (const [option, given] of [
      ["--diff-write", words.diffWrite],
      ["--examples", words.examples],
    ] as const) {
      if (given !== undefined)
        throw new InputError("OPTION_CONFLICT", `${option} and --write-expect found, nothing is compared`);
    }
    const { isInterrupted } = await writeExpectations(options, words.writeExpect, io);
    return isInterrupted ? exitCodeOfSignal(io.signal) : EXIT.ok;
  }
  const summary = await runCompare(options, io);
  if (summary.isInterrupted) return exitCodeOfSignal(io.signal);
  return summary.isDifferent ? EXIT.negative : EXIT.ok;
}
