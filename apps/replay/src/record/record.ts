import { errnoName } from "@tsbpf/abi";
import { InputError } from "@tsbpf/base";
import type { RunInput } from "@tsbpf/plugin";
import type { TraceEvent, TraceInfo, TraceRunInput } from "@tsbpf/trace";
import type { Execution } from "@tsbpf/vm";
import type { ReplayIo } from "../io.ts";
import { chooseMap } from "../report/maps.ts";
import { frameOf, takesLinkType } from "../run/frame.ts";
import { type LoadedProgram, loadProgram } from "../run/load.ts";
import { createSpread, type Spread } from "../spread/spread.ts";
import { TraceFeed } from "../trace/feed.ts";
import { applyChange, slotsOf } from "../trace/maps.ts";
import { createPeekingIo, type PeekingIo } from "../trace/peek.ts";
import { originFields } from "../trace/run-input.ts";
import { type Visit, type WalkEnd, walkInputs } from "../trace/walk.ts";
import { type HostChange, parseMapChanges } from "./map-file.ts";
import type { RecordOptions, RecordSummary } from "./options.ts";
import { failureEvent, outputEvents } from "./outputs.ts";
import { Recorder } from "./recorder.ts";

const ETHERNET = 1;
const FLUSH_MS = 1000;

/** State of one recording. */
interface Recording {
  readonly options: RecordOptions;
  readonly io: ReplayIo;
  readonly recorder: Recorder;
  readonly feed: TraceFeed;
  readonly loaded: LoadedProgram | undefined;
  readonly spread: Spread;
  /** Changes of maps by the host that are still to come. */
  readonly changes: HostChange[];
  trapped: number;
  refused: number;
  refusal: string;
}

/**
 * Records the packets of captures, with the settings that a replay needs; with an object, runs its program on them and
 * records what it learns from outside.
 *
 * @throws InputError for inputs that cannot be read, RejectError when the verifier refuses the program. What was recorded
 *   before is on disk then.
 */
export async function runRecord(options: RecordOptions, io: ReplayIo): Promise<RecordSummary> {
  const peeking = createPeekingIo(io);
  const feed = new TraceFeed(await peekAll(options, peeking));
  const changes =
    options.mapChanges === undefined
      ? []
      : parseMapChanges(await io.readAll(options.mapChanges), options.mapChanges);
  const contexts = await Promise.all(options.contexts.map((path) => io.readAll(path)));
  if (options.object === undefined) refuseWithoutObject(options);
  const prepared = await prepare(options, io, feed, changes);
  const { recorder } = prepared;
  let walked: WalkEnd;
  try {
    walked = await walkAll(prepared, peeking.io);
    for (const ctx of contexts) {
      if (walked.isInterrupted) break;
      recordContext(prepared, ctx);
      await recorder.drain();
    }
    applyChanges(prepared, Number.POSITIVE_INFINITY);
  } catch (error) {
    await recorder.abort();
    throw error;
  }
  await recorder.close();
  await report(prepared);
  return {
    runs: recorder.runs,
    trapped: prepared.trapped,
    refused: prepared.refused,
    bytes: recorder.bytes,
    isTruncated: walked.isTruncated,
    isInterrupted: walked.isInterrupted,
  };
}

async function peekAll({ captures, object }: RecordOptions, peeking: PeekingIo) {
  if (object !== undefined) return peeking.peekAll(captures);
  for (const path of captures) {
    if ((await peeking.peek(path)) === undefined) continue;
    throw new InputError(
      "RECORD_TRACE",
      `${path} is a trace already: trace cut and trace merge work on traces, or name an object to run it through`,
    );
  }
  return [];
}

function refuseWithoutObject(options: RecordOptions): void {
  const needing = [
    ["--ctx", options.contexts.length > 0],
    ["--outputs", options.outputs],
    ["--map-changes", options.mapChanges !== undefined],
    ["--plugin", options.plugins.length > 0],
    ["--prog", options.prog !== undefined],
  ] as const;
  const found = needing.find(([, isGiven]) => isGiven);
  if (found === undefined) return;
  throw new InputError("RECORD_NO_OBJECT", `${found[0]} is given, which needs an object to record`);
}

async function prepare(
  options: RecordOptions,
  io: ReplayIo,
  feed: TraceFeed,
  changes: HostChange[],
): Promise<Recording> {
  const { object, seed } = options;
  const spreadOver = (cpuCount: number): Spread => createSpread(options.spread ?? "flow", cpuCount);
  const recording = { options, io, feed, changes, trapped: 0, refused: 0, refusal: "" };
  if (object === undefined) {
    const recorder = new Recorder(await io.write(options.write));
    const cpuCount = options.cpuCount ?? 1;
    recorder.start(infoOf(options, cpuCount));
    return { ...recording, recorder, loaded: undefined, spread: spreadOver(cpuCount) };
  }
  // The program first: a trace of nothing but an error helps nobody.
  const lazy: { sink: Awaited<ReturnType<ReplayIo["write"]>> | undefined } = { sink: undefined };
  const recorder = new Recorder({
    write: async (bytes) => lazy.sink?.write(bytes),
    close: async () => lazy.sink?.close(),
  });
  const surroundings = recorder.surroundings({
    ...feed.surroundings(),
    ...(seed === undefined ? {} : { seed }),
  });
  const loaded = await loadProgram({ ...options, object }, io, surroundings);
  feed.attach(loaded);
  for (const warning of loaded.object.spec.warnings) io.err(`warning: ${warning}\n`);
  lazy.sink = await io.write(options.write);
  const made: Recording = { ...recording, recorder, loaded, spread: spreadOver(loaded.vm.cpuCount) };
  // What the host puts in before the first run is the maps' initial contents.
  for (let next = changes[0]; next !== undefined && next.run <= 1; next = changes[0]) {
    changes.shift();
    changeOf(loaded, next);
  }
  recorder.start(infoOf(options, loaded.vm.cpuCount), {
    object: loaded.object,
    prog: loaded.prog,
    cpuCount: loaded.vm.cpuCount,
  });
  feed.listener = recorder;
  return made;
}

const infoOf = (options: RecordOptions, cpuCount: number): TraceInfo => ({
  application: "tsbpf record",
  ...(options.comments.length === 0 ? {} : { comments: options.comments }),
  settings: {
    ...options.settings,
    cpus: cpuCount,
    ...(options.seed === undefined ? {} : { seed: options.seed }),
    ...(options.outputs ? { outputs: true } : {}),
  },
});

async function walkAll(recording: Recording, io: ReplayIo) {
  const { options, recorder, feed, loaded } = recording;
  let flushed = Date.now();
  return walkInputs(
    io,
    options.captures,
    {
      strict: options.strict,
      packets: options.packets,
      filter: options.filter,
      count: options.count,
      feed: loaded === undefined ? undefined : feed,
      // Files are recorded as fast as they are read, in blocks that do not depend on the time it takes.
      ...(options.captures.includes("-")
        ? {
            onIdle: () => {
              if (Date.now() - flushed < FLUSH_MS) return undefined;
              flushed = Date.now();
              return recorder.flush();
            },
          }
        : {}),
    },
    (visit) => {
      if (loaded === undefined) recordPacket(recording, visit);
      else recordRun(recording, loaded, visit);
      return recorder.drain();
    },
  );
}

/** What a packet and the options say of a run, before it is run. */
function runOf(
  { options, recorder, spread }: Recording,
  { path, parser, cursor }: Visit,
  packet: Uint8Array | undefined,
  linkType: number,
): TraceRunInput {
  const origin = parser.originOf(cursor);
  const ifindex = options.ifindex ?? origin.ifindex;
  const queue = options.queue ?? origin.queue;
  const annotations = parser.annotations(cursor);
  recorder.notes(annotations);
  if (parser.trace !== undefined) {
    for (const event of cursor.events) if (event.kind === "notes") recorder.before(event);
  }
  const direction =
    options.direction ?? (parser.trace === undefined ? annotations.direction : cursor.direction);
  const isWhole = packet === undefined || packet.length === cursor.capturedBytes;
  return {
    tsNs: cursor.tsNs(),
    hasTime: cursor.hasTime,
    // A trace says where its runs took place; captures do not, and come to CPUs as in a replay.
    cpu: parser.trace === undefined ? spread.cpuOf(cursor, parser) : cursor.cpu,
    ...(packet === undefined
      ? {}
      : {
          packet,
          // A frame that was made for the program has as many bytes as it has.
          ...(isWhole ? { originalBytes: cursor.originalBytes } : {}),
          interfaceIdx: recorder.interfaceIdx(
            `${path}/${cursor.interfaceIdx}`,
            ifindex,
            linkType,
            parser.interfaces[cursor.interfaceIdx],
          ),
        }),
    ...(queue === 0 && annotations.queue === undefined && cursor.queue < 0 ? {} : { queue }),
    ...(direction === undefined ? {} : { direction }),
  };
}

function recordPacket(recording: Recording, visit: Visit): void {
  const { cursor } = visit;
  recording.recorder.write(runOf(recording, visit, cursor.data(), cursor.linkType), []);
}

function recordRun(recording: Recording, loaded: LoadedProgram, visit: Visit): void {
  const { options, recorder, feed } = recording;
  const { parser, cursor } = visit;
  applyChanges(recording, recorder.runs + 1);
  feed.begin(parser.trace, cursor);
  loaded.clock(cursor.tsSec, cursor.tsNanos);
  const packet =
    parser.trace !== undefined && !cursor.hasPacket ? undefined : frameFor(recording, loaded, visit);
  const ctx = cursor.hasCtx && parser.trace !== undefined ? cursor.ctx() : undefined;
  const fields =
    ctx === undefined
      ? originFields(loaded.prog.linked.progType, parser.originOf(cursor), options)
      : undefined;
  const linkType = takesLinkType(loaded, cursor.linkType) ? cursor.linkType : ETHERNET;
  const run = runOf(recording, visit, packet, linkType);
  const hasTrapped = executeAndWrite(recording, loaded, {
    input: {
      ...(packet === undefined ? {} : { packet }),
      ...(ctx === undefined ? {} : { ctx }),
      ...(fields === undefined ? {} : { fields }),
    },
    run: ctx === undefined ? run : { ...run, ctx },
  });
  feed.end(cursor, hasTrapped);
}

function frameFor({ options }: Recording, { prog }: LoadedProgram, { path, cursor }: Visit): Uint8Array {
  try {
    return frameOf({ prog, options }, path, cursor);
  } catch (error) {
    // What no header can be made for is recorded as it is; the program refuses it again.
    if (error instanceof InputError && error.code === "RUN_INPUT") return cursor.data();
    throw error;
  }
}

/** Records a run on a context alone. */
function recordContext(recording: Recording, ctx: Uint8Array): void {
  const { loaded, recorder } = recording;
  if (loaded === undefined) return;
  applyChanges(recording, recorder.runs + 1);
  executeAndWrite(recording, loaded, { input: { ctx }, run: { tsNs: 0n, hasTime: false, ctx } });
}

/** Runs the program; true when it stopped early. */
function executeAndWrite(
  recording: Recording,
  { prog }: LoadedProgram,
  { input, run }: { readonly input: RunInput; readonly run: TraceRunInput },
): boolean {
  const { recorder, options } = recording;
  const cpu = run.cpu ?? 0;
  recorder.log.begin();
  let execution: Execution;
  try {
    execution = prog.execute(input, { cpu });
  } catch (error) {
    recorder.log.end();
    if (!(error instanceof InputError) || error.code !== "RUN_INPUT") throw error;
    recording.refused += 1;
    if (recording.refusal === "") recording.refusal = error.message;
    recorder.write(run, [failureEvent("refused", error)]);
    return true;
  }
  const events: TraceEvent[] = [...recorder.log.end()];
  if (execution.trap !== undefined) {
    recording.trapped += 1;
    recorder.write({ ...run, hasAnswers: true }, [...events, failureEvent("trap", execution.trap)]);
    return true;
  }
  if (options.outputs)
    events.push(...outputEvents(prog, execution, { packet: input.packet, ctx: input.ctx, cpu }));
  recorder.write({ ...run, r0: execution.r0, hasAnswers: true }, events);
  return false;
}

/** Makes the host's changes that come before a run, and writes them down. */
function applyChanges({ changes, loaded, recorder }: Recording, run: number): void {
  if (loaded === undefined) return;
  for (let next = changes[0]; next !== undefined && next.run <= run; next = changes[0]) {
    changes.shift();
    const { map, change } = changeOf(loaded, next);
    recorder.change(map, change);
  }
}

/** Makes one change of the host's. */
function changeOf({ object, vm }: LoadedProgram, { map: name, run, key, value, change, flags }: HostChange) {
  const map = chooseMap(object, name);
  const made = {
    change,
    ...(key === undefined ? {} : { key }),
    ...(value === undefined ? {} : { value }),
    flags,
  };
  const status = applyChange(map, made, slotsOf(map, vm.cpuCount));
  if (status >= 0) return { map, change: made };
  throw new InputError(
    "RECORD_MAP_CHANGE",
    `map ${name} refuses a change before run ${run}: ${errnoName(-status)}`,
  );
}

async function report({
  options,
  io,
  recorder,
  loaded,
  refused,
  refusal,
  trapped,
}: Recording): Promise<void> {
  if (refused > 0) io.err(`warning: ${refused} packets were not run: ${refusal}\n`);
  if (loaded?.prog.verdict?.isAccepted === false) {
    const { errnoName: name, message } = loaded.prog.verdict;
    io.err(`warning: Linux would refuse the program (${name}): ${message}\n`);
  }
  if (options.write === "-") return;
  if (options.json) {
    const summary = { runs: recorder.runs, trapped, refused, bytes: recorder.bytes, file: options.write };
    await io.out(`${JSON.stringify(summary, null, options.pretty ? 2 : undefined)}\n`);
  } else if (!options.isQuiet) {
    const of = loaded === undefined ? "packets" : `runs of ${loaded.prog.name}`;
    await io.out(`${recorder.runs} ${of} recorded to ${options.write}, ${recorder.bytes} bytes\n`);
  }
}
