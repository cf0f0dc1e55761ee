import { equalBytes, InputError, joinBytes } from "@tsbpf/base";
import { type ByteSource, decompressCapture } from "../capture/decompress.ts";
import { SNIFF_BYTES, sniffFormat } from "../capture/sniff.ts";
import { namingFile } from "../name-file.ts";
import { type TraceWarning, WarningLog } from "../warnings.ts";
import { type Conversion, captureToTrace, PIECE_BYTES } from "./capture-to-trace.ts";
import { createDefined, TraceCopier } from "./copier.ts";
import { TraceCursor } from "./cursor.ts";
import { createTraceParser } from "./parser.ts";
import type { TraceItem, TraceOptions, TraceParser } from "./parser-types.ts";
import type { MapContents, TraceEvent, TraceInfo } from "./types.ts";
import { createTraceWriter } from "./writer.ts";

export interface MergeOptions {
  readonly trace?: TraceOptions;
}

/** One file to merge, with what error texts call it. */
export interface MergeSource {
  readonly name: string;
  readonly bytes: ByteSource;
}

/**
 * Merges traces and captures into one trace, by time. Runs of one file stay in their order; a run without a time keeps its
 * place behind the run before it; of equal times, the file named first comes first.
 *
 * @throws TRACE_MERGE_CONTENTS (InputError) when two files begin with different contents of one map; like `readTrace` and
 *   `captureToTrace`; all when iterated.
 */
export function mergeTraces(sources: readonly MergeSource[], options: MergeOptions = {}): Conversion {
  const log = new WarningLog(false);
  const inputs = sources.map((source) => new MergeInput(source, options));
  return {
    get warnings(): readonly TraceWarning[] {
      return [...inputs.flatMap((one) => one.warnings), ...log.list];
    },
    [Symbol.asyncIterator]: () => merge(inputs, log),
  };
}

/** One file, read as far as its next run. */
class MergeInput {
  readonly name: string;
  readonly parser: TraceParser;
  readonly cursor = new TraceCursor();
  /** Contents before the first run. */
  readonly contents: MapContents[] = [];
  /** Events that belong before the run at hand, which stand in an item of their own. */
  early: TraceEvent[] = [];
  /** Time that the run at hand is sorted by. */
  timeNs = 0n;
  private readonly chunks: AsyncIterator<Uint8Array>;
  private readonly sources: (readonly TraceWarning[])[] = [];
  private conversion: Conversion | undefined;
  private isOver = false;

  constructor({ name, bytes }: MergeSource, { trace }: MergeOptions) {
    this.name = name;
    this.parser = createTraceParser(trace);
    const plain = decompressCapture(bytes, trace);
    this.sources.push(plain.warnings);
    this.chunks = this.toTrace(plain)[Symbol.asyncIterator]();
  }

  get warnings(): readonly TraceWarning[] {
    return [...this.sources.flat(), ...(this.conversion?.warnings ?? []), ...this.parser.warnings].map(
      (warning) => ({ ...warning, message: `${this.name}: ${warning.message}` }),
    );
  }

  /** Goes on to the next run; false at the end. */
  advance(): Promise<boolean> {
    return namingFile(this.name, () => this.toNextRun());
  }

  private async toNextRun(): Promise<boolean> {
    const { parser, cursor } = this;
    for (;;) {
      const item: TraceItem | undefined = parser.next(cursor);
      if (item === "run") {
        if (cursor.hasTime) this.timeNs = cursor.tsNs();
        return true;
      }
      if (item === "contents") this.contents.push(cursor.contents);
      else if (item === "events") this.early.push(...cursor.events);
      else if (this.isOver) return false;
      else {
        const { done, value } = await this.chunks.next();
        if (done === true) {
          this.isOver = true;
          parser.end();
        } else parser.push(value);
      }
    }
  }

  /** Passes a trace's bytes on; those of a capture through a conversion. */
  private async *toTrace(bytes: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array, void, undefined> {
    const chunks = bytes[Symbol.asyncIterator]();
    let head = new Uint8Array(0);
    while (head.length < SNIFF_BYTES) {
      const { done, value } = await chunks.next();
      if (done === true) break;
      head = joinBytes([head, value]);
    }
    const all = async function* (): AsyncGenerator<Uint8Array, void, undefined> {
      yield head;
      for (let next = await chunks.next(); next.done !== true; next = await chunks.next()) yield next.value;
    };
    if (sniffFormat(head).kind === "trace") yield* all();
    else {
      this.conversion = captureToTrace(all());
      yield* this.conversion;
    }
  }
}

async function* merge(
  inputs: readonly MergeInput[],
  log: WarningLog,
): AsyncGenerator<Uint8Array, void, undefined> {
  const open: MergeInput[] = [];
  for (const input of inputs) if (await input.advance()) open.push(input);
  const writer = createTraceWriter({ info: mergeInfos(inputs, log) });
  const defined = createDefined();
  const copiers = new Map(inputs.map((input) => [input, new TraceCopier(input.parser, writer, defined)]));
  writeContents(inputs, copiers, (contents) => writer.writeContents(contents));
  while (open.length > 0) {
    let first = open[0] as MergeInput;
    for (const input of open) if (input.timeNs < first.timeNs) first = input;
    const copier = copiers.get(first) as TraceCopier;
    // Contents behind the first run: a trace recorded from several.
    for (const contents of first.contents.splice(0)) copier.contents(contents);
    copier.events(first.early.splice(0));
    copier.run(first.parser, first.cursor);
    if (!(await first.advance())) open.splice(open.indexOf(first), 1);
    if (writer.pendingBytes >= PIECE_BYTES) yield writer.take();
  }
  for (const [input, copier] of copiers) copier.events(input.early.splice(0));
  writer.end();
  yield writer.take();
}

/** Writes the contents that files begin with, each map's once. */
function writeContents(
  inputs: readonly MergeInput[],
  copiers: ReadonlyMap<MergeInput, TraceCopier>,
  write: (contents: MapContents) => void,
): void {
  const known = new Map<number, { readonly input: MergeInput; readonly parts: readonly MapContents[] }>();
  for (const input of inputs) {
    const copier = copiers.get(input) as TraceCopier;
    copier.define();
    const byMap = new Map<number, MapContents[]>();
    for (const contents of input.contents.splice(0)) {
      const parts = byMap.get(contents.mapIdx) ?? [];
      parts.push(contents);
      byMap.set(contents.mapIdx, parts);
    }
    for (const [from, parts] of byMap) {
      const mapIdx = copier.mapIdx(from);
      const other = known.get(mapIdx);
      if (other === undefined) {
        known.set(mapIdx, { input, parts });
        for (const part of parts) write({ ...part, mapIdx });
      } else if (!isSame(parts, other.parts)) {
        const name = input.parser.maps[from]?.name ?? `${from}`;
        throw new InputError(
          "TRACE_MERGE_CONTENTS",
          `${input.name} and ${other.input.name} begin with different contents of map ${name}, one replay cannot have both`,
          { details: { map: name } },
        );
      }
    }
  }
}

const isSame = (a: readonly MapContents[], b: readonly MapContents[]): boolean =>
  (["keys", "values"] as const).every((which) =>
    equalBytes(joinBytes(a.map((part) => part[which])), joinBytes(b.map((part) => part[which]))),
  );

/** Settings of the first file that has them; the greatest count of CPUs. */
function mergeInfos(inputs: readonly MergeInput[], log: WarningLog): TraceInfo {
  const settings: Record<string, string | number | bigint | boolean> = {};
  const comments: string[] = [];
  for (const { name, parser } of inputs) {
    comments.push(...(parser.info.comments ?? []).filter((comment) => !comments.includes(comment)));
    for (const [key, value] of Object.entries(parser.info.settings ?? {})) {
      const known = settings[key];
      if (known === undefined) settings[key] = value;
      else if (key === "cpus") settings[key] = Number(known) > Number(value) ? known : value;
      else if (known !== value)
        log.add(
          "TRACE_SETTING_DROPPED",
          0,
          () => `${name}: setting ${key} is ${value}, a file before has ${known}, which is kept`,
        );
    }
  }
  const application = inputs.find((input) => input.parser.info.application !== undefined)?.parser.info
    .application;
  return {
    ...(application === undefined ? {} : { application }),
    ...(comments.length === 0 ? {} : { comments }),
    ...(Object.keys(settings).length === 0 ? {} : { settings }),
  };
}
