import { InputError, TrapError } from "@tsbpf/base";
import type { TraceCursor, TraceWarning } from "@tsbpf/trace";
import type { PacketRange, PacketTest } from "../options.ts";
import type { InputParser } from "../trace/input.ts";
import type { Session } from "./session.ts";

/** Verdict of packets that the program type cannot take. */
export const REFUSED = "not run";

/** Says whether the count that the user asked for is reached. */
export const isDone = ({ options, tally }: Session): boolean =>
  options.count !== undefined && tally.packets >= options.count;

/** What to do with the packet under the cursor. */
export function choose(session: Session, cursor: TraceCursor, parser: InputParser): "run" | "skip" | "stop" {
  const { packets } = session.options;
  if (packets !== undefined && cursor.index + 1 > packets.last) return "stop";
  if (isWanted(session.options, cursor, parser)) return "run";
  // What the host changed before a run that is left out holds for those behind it.
  if (parser.trace !== undefined) session.feed?.changes(parser.trace, cursor.events);
  return "skip";
}

/** Whether the options ask for the packet or run under the cursor; filters take none that has no packet. */
export function isWanted(
  {
    packets,
    filter,
  }: { readonly packets?: PacketRange | undefined; readonly filter?: PacketTest | undefined },
  cursor: TraceCursor,
  { trace }: InputParser,
): boolean {
  if (packets !== undefined && !packets.has(cursor.index + 1)) return false;
  return filter === undefined || ((trace === undefined || cursor.hasPacket) && filter.accepts(cursor));
}

/** Stops after the packet at hand when the count is reached or Ctrl-C was pressed. */
export function mustStop(session: Session): boolean {
  if (session.io.signal?.aborted === true) session.isInterrupted = true;
  return session.isInterrupted || isDone(session);
}

/** Counts a packet whose run trapped, or that the program type cannot take. */
export function countFailure(session: Session, error: unknown, bytes: number): void {
  if (error instanceof TrapError) {
    noteTrap(session, bytes);
    return;
  }
  noteRefusal(session, error);
  session.tally.add(REFUSED, bytes);
}

/** Counts a packet that was not run. @throws what is no refusal of the input. */
export function noteRefusal(session: Session, error: unknown): void {
  if (!(error instanceof InputError) || error.code !== "RUN_INPUT") throw error;
  session.refused += 1;
  if (session.refusal === "") session.refusal = error.message;
}

/** Counts a packet whose run trapped. */
export function noteTrap(session: Session, bytes: number): void {
  session.trapped += 1;
  session.tally.add("trap", bytes);
}

/** Tells what reading a capture met. */
export function reportWarnings(session: Session, capture: string, warnings: readonly TraceWarning[]): void {
  for (const warning of warnings) {
    session.isTruncated ||= warning.code.includes("TRUNCATED");
    session.io.err(`warning: ${capture}: ${warning.message}\n`);
  }
}
