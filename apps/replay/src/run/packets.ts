import { TrapError } from "@tsbpf/base";
import { decompressCapture, TraceCursor } from "@tsbpf/trace";
import type { Execution } from "@tsbpf/vm";
import type { ReplayOptions } from "../options.ts";
import { type PacketOutcome, printPacketJson } from "../report/packet.ts";
import { printTrapPlace } from "../report/trap-place.ts";
import { cpuFor, executeForTotals, planOf } from "../trace/execute.ts";
import { InputParser } from "../trace/input.ts";
import { replayInBatches } from "./batches.ts";
import { Breather } from "./breather.ts";
import { frameOf, takesLinkType } from "./frame.ts";
import { NO_DETAILS, type PacketDetails } from "./packet-watch.ts";
import { choose, countFailure, mustStop, noteRefusal, REFUSED, reportWarnings } from "./progress.ts";
import type { Session } from "./session.ts";
import { wantsTotalsOnly } from "./totals.ts";

const ETHERNET = 1;

/** Replays one capture; what is whole of a truncated one counts. */
export async function replayCapture(session: Session, capture: string): Promise<void> {
  const { io, options } = session;
  if (wantsTotalsOnly(options) && (await replayInBatches(session, capture))) return;
  const parser = new InputParser({ strict: options.strict, feed: session.feed });
  const source = decompressCapture(io.read(capture), { strict: options.strict });
  const cursor = new TraceCursor();
  const breather = new Breather(session.prog);
  const walk = wantsTotalsOnly(options)
    ? () => walkForTotals(session, { capture, cursor, parser, breather })
    : () => walkInDetail(session, { capture, cursor, parser, breather });
  let goesOn = true;
  for await (const chunk of source) {
    parser.push(chunk);
    goesOn = await walk();
    if (!goesOn) break;
  }
  // Where Ctrl-C ended the input, what is not there was not cut off.
  if (goesOn && !mustStop(session)) {
    parser.end();
    await walk();
  }
  reportWarnings(session, capture, [...source.warnings, ...parser.warnings]);
}

/** Packets between two looks at the signal. */
const SIGNAL_MASK = 0xfff;

/** Packets on their way. */
interface Walk {
  readonly capture: string;
  readonly cursor: TraceCursor;
  readonly parser: InputParser;
  readonly breather: Breather;
}

async function walkForTotals(
  session: Session,
  { capture, cursor, parser, breather }: Walk,
): Promise<boolean> {
  const { prog, tally, clock } = session;
  const { histogram } = session.insight;
  while (parser.next(cursor)) {
    const choice = choose(session, cursor, parser);
    if (choice === "stop") return false;
    if (choice === "skip") continue;
    if (cursor.capturedBytes < cursor.originalBytes) session.cutShort += 1;
    clock(cursor.tsSec, cursor.tsNanos);
    session.cpu = cpuFor(session, parser, cursor);
    try {
      tally.addResult(executeForTotals(session, capture, parser, cursor), cursor.capturedBytes);
      histogram?.add(prog.machine(session.cpu).insnCount);
    } catch (error) {
      countFailure(session, error, cursor.capturedBytes);
      if (error instanceof TrapError) histogram?.add(prog.machine(session.cpu).insnCount);
    }
    if (breather.isDue) await breather.breathe();
    if (session.options.count !== undefined || (tally.packets & SIGNAL_MASK) === 0) {
      if (mustStop(session)) return false;
    }
  }
  return true;
}

async function walkInDetail(session: Session, { capture, cursor, parser, breather }: Walk): Promise<boolean> {
  while (parser.next(cursor)) {
    const choice = choose(session, cursor, parser);
    if (choice === "stop") return false;
    if (choice === "skip") continue;
    if (cursor.capturedBytes < cursor.originalBytes) session.cutShort += 1;
    session.clock(cursor.tsSec, cursor.tsNanos);
    session.cpu = cpuFor(session, parser, cursor);
    await replayPacket(session, capture, cursor, parser);
    if (breather.isDue) await breather.breathe();
    if (mustStop(session)) return false;
  }
  return true;
}

async function replayPacket(
  session: Session,
  capture: string,
  cursor: TraceCursor,
  parser: InputParser,
): Promise<void> {
  const { prog, options, io, output, tally } = session;
  const { before, execution, details } = runPacket(session, capture, cursor, parser);
  tally.add(execution.verdict, before.length);
  if (execution.verdict !== REFUSED) await session.insight.stepLog?.end(execution);
  const wasRun = execution.verdict !== REFUSED;
  const after = wasRun ? prog.packetView(session.cpu) : before;
  if (isShown(options, execution)) {
    const outcome: PacketOutcome = {
      number: cursor.index + 1,
      capture,
      tsSec: cursor.tsSec,
      tsNanos: cursor.tsNanos,
      before,
      after,
      originalBytes: cursor.originalBytes,
      linkType: takesLinkType(session, cursor.linkType) ? cursor.linkType : ETHERNET,
      execution,
      ...(execution.trap === undefined
        ? {}
        : { trapPlace: printTrapPlace(execution.trap, prog, session.object) }),
      ...details,
    };
    await io.out(
      options.json ? printPacketJson(outcome) : session.insight.lines.print(outcome, io.paintVerdict),
    );
  }
  const isWritten = options.writeVerdicts === undefined || options.writeVerdicts.includes(execution.verdict);
  const hasPacket = parser.trace === undefined || cursor.hasPacket;
  if (output === undefined || !isWritten || !hasPacket) return;
  const isXdp = prog.linked.spec.type === "xdp" && wasRun && execution.trap === undefined;
  await output.add(
    cursor,
    {
      capture,
      data: prog.context(session.cpu).packet === undefined ? before : after,
      comment: `${prog.name}: ${execution.verdict}`,
      ...(isXdp ? { retval: execution.retval } : {}),
    },
    parser.interfaces[cursor.interfaceIdx],
  );
}

/** Whether the options ask to see a packet. */
function isShown(options: ReplayOptions, { verdict }: Execution): boolean {
  const { json, verbosity, trace, hex, showVerdicts } = options;
  if (showVerdicts !== undefined && !showVerdicts.includes(verdict)) return false;
  return json || verbosity >= 1 || trace !== "none" || hex !== "none" || showVerdicts !== undefined;
}

const NOT_RUN: Execution = { r0: 0n, retval: 0, verdict: REFUSED, effects: [], insnCount: 0 };

interface PacketRun {
  /** What the program got. */
  readonly before: Uint8Array;
  readonly execution: Execution;
  readonly details: PacketDetails;
}

/** Runs one packet, and watches it as the options ask. */
function runPacket(session: Session, capture: string, cursor: TraceCursor, parser: InputParser): PacketRun {
  const { prog, insight, feed } = session;
  let before = cursor.data();
  let execution: Execution;
  try {
    before = frameOf(session, capture, cursor);
    const { input, cpu } = planOf(session, parser, cursor, before);
    insight.stepLog?.begin(cursor.index + 1);
    const hooks = insight.watch.begin();
    feed?.begin(parser.trace, cursor);
    execution = prog.execute(input, { cpu, ...(hooks === undefined ? {} : { hooks }) });
    feed?.end(cursor, execution.trap !== undefined);
  } catch (error) {
    noteRefusal(session, error);
    return { before, execution: NOT_RUN, details: NO_DETAILS };
  }
  insight.histogram?.add(execution.insnCount);
  if (execution.trap !== undefined) session.trapped += 1;
  return { before, execution, details: insight.watch.end(execution) };
}
