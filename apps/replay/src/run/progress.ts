import { InputError } from "@tsbpf/base";
import type { PacketCursor, TraceWarning } from "@tsbpf/trace";
import type { Session } from "./session.ts";

const ETHERNET = 1;
const NEEDS_ETHERNET: ReadonlySet<string> = new Set(["xdp", "sched_cls", "sched_act"]);

/** Says whether the count that the user asked for is reached. */
export const isDone = ({ options, tally }: Session): boolean =>
  options.count !== undefined && tally.packets >= options.count;

/** What to do with the packet under the cursor. */
export function choose(session: Session, cursor: PacketCursor): "run" | "skip" | "stop" {
  const { packets } = session.options;
  if (packets === undefined) return "run";
  if (cursor.index + 1 > packets.last) return "stop";
  return packets.has(cursor.index + 1) ? "run" : "skip";
}

/** Stops after the packet at hand when the count is reached or Ctrl-C was pressed. */
export function mustStop(session: Session): boolean {
  if (session.io.signal?.aborted === true) session.isInterrupted = true;
  return session.isInterrupted || isDone(session);
}

/** @throws REPLAY_LINK_TYPE (InputError) for frames that the program type cannot take. */
export function checkLinkType({ prog }: Session, capture: string, cursor: PacketCursor): void {
  const { type } = prog.linked.spec;
  if (cursor.linkType === ETHERNET || !NEEDS_ETHERNET.has(type)) return;
  throw new InputError(
    "REPLAY_LINK_TYPE",
    `${capture}: packet ${cursor.index + 1} has link type ${cursor.linkType}, ${type} programs take Ethernet (1)`,
  );
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
