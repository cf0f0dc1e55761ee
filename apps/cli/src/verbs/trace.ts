import { InputError } from "@tsbpf/base";
import {
  checkFile,
  convertFile,
  cutFile,
  type FileReport,
  formatOfName,
  mergeFiles,
  parsePacketRange,
  parseTimeLimit,
  printReport,
  type ReplayIo,
  showTrace,
  TARGET_FORMATS,
  type TargetFormat,
  toPlain,
} from "@tsbpf/replay";
import { EXIT } from "../exit.ts";
import { createNodeIo } from "./node-io.ts";
import { refuseSameFile } from "./same-file.ts";

interface JsonWords {
  readonly json?: boolean;
  readonly pretty?: boolean;
}

async function tellWritten(io: ReplayIo, to: string, bytes: number, words: JsonWords & { quiet?: boolean }) {
  if (to === "-" || words.quiet === true) return;
  if (words.json === true) {
    await io.out(`${JSON.stringify({ file: to, bytes }, null, words.pretty === true ? 2 : undefined)}\n`);
  } else await io.out(`${to}: ${bytes} bytes written\n`);
}

export interface ShowWords extends JsonWords {
  readonly blocks?: boolean;
  readonly runs?: string | true;
  readonly strict?: boolean;
}

/** Runs `tsbpf trace show`. */
export async function runTraceShow(path: string, words: ShowWords): Promise<number> {
  const { runs } = words;
  await showTrace(
    path,
    {
      blocks: words.blocks ?? false,
      runs: runs === undefined ? undefined : parsePacketRange(runs === true ? "1-" : runs),
      json: words.json ?? false,
      pretty: words.pretty ?? false,
      strict: words.strict ?? false,
    },
    createNodeIo(),
  );
  return EXIT.ok;
}

export interface CutWords extends JsonWords {
  readonly write: string;
  readonly runs?: string;
  readonly from?: string;
  readonly to?: string;
  readonly quiet?: boolean;
}

/** Runs `tsbpf trace cut`. */
export async function runTraceCut(path: string, words: CutWords): Promise<number> {
  refuseSameFile([path], words.write);
  const io = createNodeIo();
  const range = words.runs === undefined ? undefined : parsePacketRange(words.runs);
  const bytes = await cutFile(
    path,
    words.write,
    {
      ...(range === undefined ? {} : { keeps: (index: number) => range.has(index + 1) }),
      ...(words.from === undefined ? {} : { fromNs: parseTimeLimit(words.from) }),
      ...(words.to === undefined ? {} : { toNs: parseTimeLimit(words.to) }),
    },
    io,
  );
  await tellWritten(io, words.write, bytes, words);
  return EXIT.ok;
}

export interface MergeWords extends JsonWords {
  readonly write: string;
  readonly quiet?: boolean;
}

/** Runs `tsbpf trace merge`. */
export async function runTraceMerge(paths: readonly string[], words: MergeWords): Promise<number> {
  refuseSameFile(paths, words.write);
  if (paths.filter((path) => path === "-").length > 1)
    throw new InputError("OPTION_STDIN_TWICE", "- is named twice, standard input can be read once");
  const io = createNodeIo();
  await tellWritten(io, words.write, await mergeFiles(paths, words.write, io), words);
  return EXIT.ok;
}

export interface ConvertWords extends JsonWords {
  readonly to?: TargetFormat;
  readonly strict?: boolean;
  readonly quiet?: boolean;
}

/** Runs `tsbpf trace convert`. */
export async function runTraceConvert(from: string, to: string, words: ConvertWords): Promise<number> {
  refuseSameFile([from], to);
  const format = words.to ?? formatOfName(to);
  if (format === undefined) {
    throw new InputError(
      "OPTION_FORMAT",
      `${to} does not say its format, name a file ending in .${TARGET_FORMATS.join(", .")} or give --to`,
    );
  }
  const io = createNodeIo();
  const bytes = await convertFile(from, to, { format, strict: words.strict ?? false }, io);
  await tellWritten(io, to, bytes, words);
  return EXIT.ok;
}

export interface VerifyWords extends JsonWords {
  readonly strict?: boolean;
}

const reportToJson = (report: FileReport): unknown => {
  const { path, isSound, isClosed, damage, ...rest } = report;
  return toPlain({
    trace: path,
    sound: isSound,
    closed: isClosed,
    ...rest,
    damage: damage.map(({ blockIdx, runFirst, runEnd, ...one }) => ({
      block: blockIdx,
      ...one,
      runs: {
        first: runFirst + 1,
        ...(runEnd === undefined ? {} : { last: runEnd, count: runEnd - runFirst }),
      },
    })),
  });
};

/** Runs `tsbpf trace verify`; 1 when a file is damaged, or not closed and `--strict` asks. */
export async function runTraceVerify(paths: readonly string[], words: VerifyWords): Promise<number> {
  const io = createNodeIo();
  let isSound = true;
  for (const path of paths) {
    const report = await checkFile(path, io);
    isSound &&= report.isSound && (report.isClosed || words.strict !== true);
    await io.out(
      words.json === true
        ? `${JSON.stringify(reportToJson(report), null, words.pretty === true ? 2 : undefined)}\n`
        : printReport(report),
    );
  }
  return isSound ? EXIT.ok : EXIT.negative;
}
