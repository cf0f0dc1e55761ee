import { InputError } from "@tsbpf/base";
import { parsePacketRange, type ReplayIo, runRecord, type SpreadName } from "@tsbpf/replay";
import { SNIFF_BYTES, sniffFormat } from "@tsbpf/trace";
import type { EngineName, VerifyMode } from "@tsbpf/vm";
import { EXIT } from "../exit.ts";
import type { FilterInput } from "../filter-options.ts";
import { createFilter, isNoFile, splitTargets } from "./filter.ts";
import { createNodeIo, exitCodeOfSignal } from "./node-io.ts";
import { refuseSameFile } from "./same-file.ts";

export interface RecordWords extends FilterInput {
  readonly read: string[];
  readonly write: string;
  readonly count?: number;
  readonly packets?: string;
  readonly prog?: string;
  readonly plugin: string[];
  readonly ctx: string[];
  readonly outputs?: boolean;
  readonly mapChanges?: string;
  readonly cpus?: number;
  readonly spread?: SpreadName;
  readonly seed?: number;
  readonly ifindex?: number;
  readonly queue?: number;
  readonly direction?: "inbound" | "outbound";
  readonly set: string[];
  readonly comment: string[];
  readonly fuel?: number;
  readonly ethernet?: boolean;
  readonly strict?: boolean;
  readonly quiet?: boolean;
  readonly json?: boolean;
  readonly pretty?: boolean;
  readonly engine: EngineName;
  readonly verify: VerifyMode;
}

/** Settings with a meaning of their own, which have options. */
const OWN_SETTINGS: ReadonlySet<string> = new Set(["cpus", "seed", "outputs"]);

/** Parses `name=value`; numbers and true and false are kept as such. */
function parseSetting(text: string): readonly [string, string | number | boolean] {
  const at = text.indexOf("=");
  const name = text.slice(0, Math.max(0, at));
  if (name === "" || OWN_SETTINGS.has(name)) {
    throw new InputError(
      "OPTION_SETTING",
      name === ""
        ? `--set ${text} found, NAME=VALUE needed`
        : `--set ${name} found, which the recording says by itself: --cpus, --seed, --outputs`,
    );
  }
  const value = text.slice(at + 1);
  if (value === "true" || value === "false") return [name, value === "true"];
  return [name, /^-?\d+$/.test(value) && Number.isSafeInteger(Number(value)) ? Number(value) : value];
}

/** Says whether a file is a capture or trace, by its first bytes; what can be read once only is taken for one. */
async function isCapture(path: string, io: ReplayIo): Promise<boolean> {
  const file = await io.open(path);
  if (file === undefined) return true;
  try {
    const head = new Uint8Array(SNIFF_BYTES);
    return sniffFormat(head.subarray(0, await file.read(head))).kind !== "unknown";
  } finally {
    await file.close();
  }
}

/** Runs `tsbpf record`; 1 when a run trapped, 2 when an input was cut short and `--strict` asks. */
export async function runRecordVerb(inputs: readonly string[], words: RecordWords): Promise<number> {
  const io = createNodeIo();
  const hasRead = words.read.length > 0;
  const [first, ...rest] = inputs;
  // Behind -r the first word may begin a filter.
  const isObject = first !== undefined && !(hasRead && isNoFile(first)) && !(await isCapture(first, io));
  const object = isObject ? first : undefined;
  const { captures, expression } = splitTargets(isObject ? rest : inputs, hasRead);
  const filter = await createFilter(expression, words);
  const all = [...captures, ...words.read];
  if (all.length === 0 && words.ctx.length === 0) {
    throw new InputError(
      "RECORD_NO_INPUT",
      "nothing to record: name captures or traces, - for standard input, or contexts with --ctx",
    );
  }
  const others = [object, words.mapChanges].filter((path) => path !== undefined);
  refuseSameFile([...all, ...others, ...words.ctx, ...words.plugin], words.write);
  const summary = await runRecord(
    {
      captures: all,
      write: words.write,
      engine: words.engine,
      verify: words.verify,
      plugins: words.plugin,
      cpuCount: words.cpus,
      makesEthernet: words.ethernet ?? false,
      strict: words.strict ?? false,
      isQuiet: words.quiet ?? false,
      json: words.json ?? false,
      pretty: words.pretty ?? false,
      contexts: words.ctx,
      outputs: words.outputs ?? false,
      settings: Object.fromEntries(words.set.map(parseSetting)),
      comments: words.comment,
      ...(object === undefined ? {} : { object }),
      ...(words.prog === undefined ? {} : { prog: words.prog }),
      ...(words.count === undefined ? {} : { count: words.count }),
      ...(filter === undefined ? {} : { filter }),
      ...(words.packets === undefined ? {} : { packets: parsePacketRange(words.packets) }),
      ...(words.spread === undefined ? {} : { spread: words.spread }),
      ...(words.seed === undefined ? {} : { seed: words.seed }),
      ...(words.ifindex === undefined ? {} : { ifindex: words.ifindex }),
      ...(words.queue === undefined ? {} : { queue: words.queue }),
      ...(words.direction === undefined ? {} : { direction: words.direction }),
      ...(words.mapChanges === undefined ? {} : { mapChanges: words.mapChanges }),
      ...(words.fuel === undefined ? {} : { budget: words.fuel }),
    },
    io,
  );
  if (summary.isInterrupted) return exitCodeOfSignal(io.signal);
  if (summary.isTruncated && words.strict === true) return EXIT.usage;
  return summary.trapped > 0 ? EXIT.negative : EXIT.ok;
}
