import { InputError } from "@tsbpf/base";
import { namingFile } from "@tsbpf/trace";
import type { ReplayIo } from "../io.ts";
import type { ReplayOptions } from "../options.ts";
import { openSession, type Session } from "../run/session.ts";
import { wantsTotalsOnly } from "../run/totals.ts";
import { createSpread } from "../spread/spread.ts";
import { type Crew, startCrew } from "./crew.ts";
import { Feeder } from "./feeder.ts";
import { Lanes } from "./lanes.ts";
import { Stretches } from "./stretches.ts";
import type { WorkerEnd } from "./task.ts";
import type { CpuTotals } from "./totals.ts";

/** Time that CPUs have to end after Ctrl-C; a program that runs on is given up then. */
const GRACE_MS = 2000;
const MEMORY_BYTES_MAX = 2 ** 31;

/** Says whether a replay is for worker threads: where each packet is shown, one thread takes the CPUs in turns. */
export const usesWorkers = (options: ReplayOptions, io: ReplayIo): boolean =>
  (options.cpuCount ?? 1) > 1 &&
  io.workers !== undefined &&
  wantsTotalsOnly(options) &&
  options.histogram !== true;

/**
 * Replays captures on several threads, each a CPU, over one memory.
 *
 * @returns the session with all that was counted, its maps as the threads left them.
 * @throws what a thread ended with, after the others have been ended too.
 */
export async function replayOnWorkers(options: ReplayOptions, io: ReplayIo): Promise<Session> {
  const { workers } = io;
  const cpuCount = options.cpuCount ?? 1;
  if (workers === undefined) throw new InputError("REPLAY_WORKERS", "this host starts no worker threads");
  const crew = await startCrew(workers, cpuCount);
  try {
    const objectBytes = await io.readAll(options.object);
    const session = await openSession(options, { ...io, readAll: async () => objectBytes }, undefined, {
      memory: { isShared: true, maxBytes: MEMORY_BYTES_MAX },
      recordsEffects: false,
    });
    for (const warning of session.object.spec.warnings) io.err(`warning: ${warning}\n`);
    await runCrew(session, crew, cpuCount, objectBytes);
    return session;
  } finally {
    await crew.stop();
  }
}

async function runCrew(
  session: Session,
  crew: Crew,
  cpuCount: number,
  objectBytes: Uint8Array,
): Promise<void> {
  const { vm, object, options } = session;
  const lanes = new Lanes(vm.memory, cpuCount);
  const stretches = new Stretches(vm.memory, lanes);
  const shared = vm.share(cpuCount);
  lanes.reset();
  const { verdicts } = object;
  const { prog, engine, verify, plugins, budget, object: path } = options;
  const loadOptions = {
    object: path,
    engine,
    verify,
    plugins,
    cpuCount,
    ...(prog === undefined ? {} : { prog }),
    ...(budget === undefined ? {} : { budget }),
  };
  const { captures } = options;
  const ends = crew.start({ options: loadOptions, objectBytes, shared, verdicts, captures });
  // A thread that fails ends the run at once: the others would wait for it.
  const failure = Promise.all(ends).then(() => new Promise<never>(() => {}));
  const feeder = new Feeder(session, lanes, stretches, createSpread(options.spread ?? "flow", cpuCount));
  const { signal } = session.io;
  const abort = (): void => stretches.abort();
  if (signal?.aborted === true) abort();
  else signal?.addEventListener("abort", abort, { once: true });
  try {
    // Where a program runs on, no slot gets free any more.
    await Promise.race([failure, feedAll(feeder, captures), graceAfter(signal)]);
  } finally {
    feeder.end();
  }
  merge(session, await collect(session, ends));
}

async function feedAll(feeder: Feeder, captures: readonly string[]): Promise<void> {
  for (const [idx, capture] of captures.entries())
    if (!(await namingFile(capture, () => feeder.feed(capture, idx)))) return;
}

/** Waits for all CPUs; after Ctrl-C not longer than for a moment. */
async function collect(session: Session, ends: readonly Promise<WorkerEnd>[]): Promise<WorkerEnd[]> {
  const { io } = session;
  const found: (WorkerEnd | undefined)[] = ends.map(() => undefined);
  const all = Promise.all(
    ends.map(async (end, cpu) => {
      found[cpu] = await end;
    }),
  );
  await Promise.race([all, graceAfter(io.signal)]);
  const missing = found.flatMap((end, cpu) => (end === undefined ? [cpu] : []));
  if (io.signal?.aborted === true) session.isInterrupted = true;
  if (missing.length > 0) {
    io.err(`warning: CPU ${missing.join(", ")} did not end within ${GRACE_MS / 1000} s, it is not counted\n`);
  }
  return found.flatMap((end) => end ?? []);
}

/** Resolves some time after the signal. */
function graceAfter(signal: AbortSignal | undefined): Promise<void> {
  return new Promise((resolve) => {
    const begin = () => setTimeout(resolve, GRACE_MS).unref();
    if (signal?.aborted === true) begin();
    else signal?.addEventListener("abort", begin, { once: true });
  });
}

function merge(session: Session, ends: readonly WorkerEnd[]): void {
  const { tally, prog } = session;
  const nameOf = (retval: number): string => prog.linked.progType.verdictName(retval) ?? String(retval);
  for (const { totals } of ends) {
    for (const [retval, { packets, bytes }] of totals.results) tally.addMany(nameOf(retval), packets, bytes);
    session.cutShort += totals.cutShort;
    mergeFailures(session, totals);
  }
}

function mergeFailures(session: Session, totals: CpuTotals): void {
  const { tally } = session;
  if (totals.trapped > 0) tally.addMany("trap", totals.trapped, totals.trappedBytes);
  session.trapped += totals.trapped;
  if (totals.refused === 0) return;
  tally.addMany("not run", totals.refused, totals.refusedBytes);
  session.refused += totals.refused;
  if (session.refusal === "") session.refusal = totals.refusal;
}
