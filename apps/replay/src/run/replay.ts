import { namingFile, type TraceDefinitions } from "@tsbpf/trace";
import type { ReplayIo } from "../io.ts";
import type { ReplayOptions } from "../options.ts";
import { compilationOf, printCompilation } from "../report/compilation.ts";
import { printMaps } from "../report/maps.ts";
import { startProgress } from "../report/progress-bar.ts";
import { TraceFeed } from "../trace/feed.ts";
import { createPeekingIo } from "../trace/peek.ts";
import { replayOnWorkers, usesWorkers } from "../workers/replay.ts";
import { writeInsight } from "./insight.ts";
import { replayCapture } from "./packets.ts";
import { isDone } from "./progress.ts";
import { openSession, type Session } from "./session.ts";
import { wantsTotalsOnly } from "./totals.ts";

/** What a replay did, for its caller's exit status. */
export interface ReplaySummary {
  readonly packets: number;
  readonly trapped: number;
  readonly isTruncated: boolean;
  readonly isInterrupted: boolean;
}

/**
 * Replays captures through a program.
 *
 * @throws InputError for inputs that cannot be read, RejectError when the verifier refuses the program.
 */
export async function runReplay(options: ReplayOptions, io: ReplayIo): Promise<ReplaySummary> {
  const { isQuiet, json, captures } = options;
  // Asking for it is what makes it listen.
  const { signal } = io;
  const printsPackets = !wantsTotalsOnly(options);
  const progress = await startProgress(captures, { isQuiet, json, printsPackets }, io);
  let session: Session;
  try {
    session = await replayAll(options, progress?.watch(io) ?? io);
  } finally {
    progress?.stop();
  }
  // What waits for input learns of the signal only by its end.
  if (signal?.aborted === true) session.isInterrupted = true;
  await session.output?.close();
  await session.insight.stepLog?.close();
  await printSummary(session);
  await writeInsight(session.insight, options, io);
  progress?.finish(session.tally.packets, session.tally.bytes);
  return {
    packets: session.tally.packets,
    trapped: session.trapped,
    isTruncated: session.isTruncated,
    isInterrupted: session.isInterrupted,
  };
}

/** Replays all inputs, in this thread or, where several CPUs only count, on worker threads. */
async function replayAll(options: ReplayOptions, io: ReplayIo): Promise<Session> {
  const peeking = createPeekingIo(io);
  const definitions = await peeking.peekAll(options.captures);
  if (definitions.length === 0 && usesWorkers(options, io)) return replayOnWorkers(options, peeking.io);
  const session = await openWithTraces(options, peeking.io, definitions);
  for (const warning of session.object.spec.warnings) io.err(`warning: ${warning}\n`);
  for (const capture of options.captures) {
    await namingFile(capture, () => replayCapture(session, capture));
    if (session.isInterrupted || isDone(session)) break;
  }
  return session;
}

/** Opens a session that gets what traces among its inputs hold. */
async function openWithTraces(
  options: ReplayOptions,
  io: ReplayIo,
  definitions: readonly TraceDefinitions[],
): Promise<Session> {
  if (definitions.length === 0) return openSession(options, io);
  const feed = new TraceFeed(definitions, options.asksAnew ?? false);
  return openSession({ ...options, cpuCount: options.cpuCount ?? feed.recordedCpus }, io, feed);
}

/** Tells what the program asked that traces do not answer, or did not ask that they do. */
function printFeedWarnings({ io, feed }: Session): void {
  if (feed === undefined) return;
  const { unasked, firstUnasked, missingMaps, diverged, firstDiverged } = feed.summary();
  if (diverged > 0)
    io.err(`warning: ${diverged} runs asked for something else than was recorded: ${firstDiverged}\n`);
  if (unasked > 0) io.err(`warning: ${unasked} runs asked for less than was recorded: ${firstUnasked}\n`);
  for (const name of missingMaps)
    io.err(`warning: the trace changes map ${name}, which the object does not have\n`);
}

function printWarnings({ io, options, prog, cutShort, trapped, refused, refusal }: Session): void {
  if (cutShort > 0)
    io.err(`warning: ${cutShort} packets were cut short by the capture, their programs saw less\n`);
  if (refused > 0) io.err(`warning: ${refused} packets were not run: ${refusal}\n`);
  if (trapped > 0 && wantsTotalsOnly(options))
    io.err(`warning: ${trapped} runs trapped: --show-verdict trap says where and why\n`);
  if (prog.verdict?.isAccepted === false) {
    io.err(`warning: Linux would refuse the program (${prog.verdict.errnoName}): ${prog.verdict.message}\n`);
  }
}

async function printSummary(session: Session): Promise<void> {
  const { options, io, tally, prog, object, output } = session;
  const { histogram } = session.insight;
  printWarnings(session);
  printFeedWarnings(session);
  const isTold = options.verbosity > 0;
  if (options.json) {
    const compilation = isTold ? compilationOf(prog) : undefined;
    const summary = {
      prog: prog.name,
      type: prog.linked.spec.type,
      engine: options.engine,
      ...(compilation === undefined ? {} : { compilation }),
      packets: tally.packets,
      bytes: tally.bytes,
      verdicts: Object.fromEntries(tally.byVerdict),
      ...(histogram === undefined ? {} : { insns: histogram.toJson() }),
    };
    await io.out(`${JSON.stringify({ summary }, null, options.pretty ? 2 : undefined)}\n`);
  } else if (!options.isQuiet) {
    await io.out(
      `program ${prog.name} (${prog.linked.spec.type}), ${options.engine}\n${tally.print(io.paintVerdict)}\n`,
    );
    if (isTold) io.err(printCompilation(prog));
  }
  if (histogram !== undefined && !options.json) await io.out(histogram.print());
  if (output !== undefined && !options.json && !options.isQuiet) {
    await io.out(`${output.packets} packets written to ${options.write}\n`);
  }
  if (options.dumpMaps !== undefined) await io.out(printMaps(object, options.dumpMaps, options));
}
