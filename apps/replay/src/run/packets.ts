import { type CaptureParser, createCaptureParser, decompressCapture, PacketCursor } from "@tsbpf/trace";
import type { Execution } from "@tsbpf/vm";
import { type PacketOutcome, printPacket, printPacketJson } from "../report/packet.ts";
import { TraceRecorder } from "../report/trace.ts";
import { replayInBatches } from "./batches.ts";
import { frameOf, takesLinkType } from "./frame.ts";
import { choose, countFailure, mustStop, noteRefusal, REFUSED, reportWarnings } from "./progress.ts";
import type { Session } from "./session.ts";

const ETHERNET = 1;

/** Whether only totals are asked for: then nothing is made for a packet. */
const wantsTotalsOnly = ({ options, output }: Session): boolean =>
  !options.json &&
  options.verbosity === 0 &&
  options.trace === "none" &&
  options.hex === "none" &&
  output === undefined &&
  options.ingressIfindex === undefined &&
  options.rxQueue === undefined;

/** Replays one capture; what is whole of a truncated one counts. */
export async function replayCapture(session: Session, capture: string): Promise<void> {
  const { io, options } = session;
  if (wantsTotalsOnly(session) && (await replayInBatches(session, capture))) return;
  const parser = createCaptureParser({ strict: options.strict });
  const source = decompressCapture(io.read(capture), { strict: options.strict });
  const cursor = new PacketCursor();
  const walk = wantsTotalsOnly(session)
    ? async () => walkForTotals(session, capture, cursor, parser)
    : () => walkInDetail(session, capture, cursor, parser);
  let goesOn = true;
  for await (const chunk of source) {
    parser.push(chunk);
    goesOn = await walk();
    if (!goesOn) break;
  }
  if (goesOn) {
    parser.end();
    await walk();
  }
  reportWarnings(session, capture, [...source.warnings, ...parser.warnings]);
}

/** Packets between two looks at the signal. */
const SIGNAL_MASK = 0xfff;

function walkForTotals(
  session: Session,
  capture: string,
  cursor: PacketCursor,
  parser: CaptureParser,
): boolean {
  const { prog, tally, clock } = session;
  while (parser.next(cursor)) {
    const choice = choose(session, cursor);
    if (choice === "stop") return false;
    if (choice === "skip") continue;
    if (cursor.capturedBytes < cursor.originalBytes) session.cutShort += 1;
    clock(cursor.tsSec, cursor.tsNanos);
    try {
      tally.addResult(prog.executePacket(frameOf(session, capture, cursor)), cursor.capturedBytes);
    } catch (error) {
      countFailure(session, error, cursor.capturedBytes);
    }
    if (session.options.count !== undefined || (tally.packets & SIGNAL_MASK) === 0) {
      if (mustStop(session)) return false;
    }
  }
  return true;
}

async function walkInDetail(
  session: Session,
  capture: string,
  cursor: PacketCursor,
  parser: CaptureParser,
): Promise<boolean> {
  while (parser.next(cursor)) {
    const choice = choose(session, cursor);
    if (choice === "stop") return false;
    if (choice === "skip") continue;
    if (cursor.capturedBytes < cursor.originalBytes) session.cutShort += 1;
    session.clock(cursor.tsSec, cursor.tsNanos);
    await replayPacket(session, capture, cursor, parser);
    if (mustStop(session)) return false;
  }
  return true;
}

async function replayPacket(
  session: Session,
  capture: string,
  cursor: PacketCursor,
  parser: CaptureParser,
): Promise<void> {
  const { prog, options, io, output, tally } = session;
  const { before, execution, trace } = runPacket(session, capture, cursor);
  tally.add(execution.verdict, before.length);
  const wasRun = execution.verdict !== REFUSED;
  const after = wasRun ? prog.packetView() : before;
  if (options.json || options.verbosity >= 1 || options.trace !== "none" || options.hex !== "none") {
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
      trace,
    };
    await io.out(options.json ? printPacketJson(outcome) : printPacket(outcome, options, io.paintVerdict));
  }
  const isWritten = options.writeVerdicts === undefined || options.writeVerdicts.includes(execution.verdict);
  if (output === undefined || !isWritten) return;
  const isXdp = prog.linked.spec.type === "xdp" && wasRun && execution.trap === undefined;
  await output.add(
    cursor,
    {
      capture,
      data: prog.context().packet === undefined ? before : after,
      comment: `${prog.name}: ${execution.verdict}`,
      ...(isXdp ? { retval: execution.retval } : {}),
    },
    parser.interfaces[cursor.interfaceIdx],
  );
}

const NOT_RUN: Execution = { r0: 0n, retval: 0, verdict: REFUSED, effects: [], insnCount: 0 };

interface PacketRun {
  /** What the program got. */
  readonly before: Uint8Array;
  readonly execution: Execution;
  readonly trace: readonly string[];
}

/** Runs one packet; a trapped packet is traced when the verbosity asks for it. */
function runPacket(session: Session, capture: string, cursor: PacketCursor): PacketRun {
  const { options, prog } = session;
  const fields = {
    ...(options.ingressIfindex === undefined ? {} : { ingress_ifindex: options.ingressIfindex }),
    ...(options.rxQueue === undefined ? {} : { rx_queue_index: options.rxQueue }),
  };
  const what = options.trace !== "none" ? options.trace : options.verbosity >= 3 ? "insns" : undefined;
  const recorder = what === undefined ? undefined : new TraceRecorder(what);
  let before = cursor.data();
  let execution: Execution;
  try {
    before = frameOf(session, capture, cursor);
    const input = { packet: before, ...(Object.keys(fields).length === 0 ? {} : { fields }) };
    execution = prog.execute(input, recorder === undefined ? {} : { hooks: recorder.hooks() });
  } catch (error) {
    noteRefusal(session, error);
    return { before, execution: NOT_RUN, trace: [] };
  }
  if (execution.trap !== undefined) session.trapped += 1;
  const isShown = options.trace !== "none" || options.verbosity >= 4 || execution.trap !== undefined;
  return { before, execution, trace: isShown ? (recorder?.lines ?? []) : [] };
}
