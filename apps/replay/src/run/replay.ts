import type { ReplayIo } from "../io.ts";
import type { ReplayOptions } from "../options.ts";
import { printMaps } from "../report/maps.ts";
import { replayCapture } from "./packets.ts";
import { isDone } from "./progress.ts";
import { openSession, type Session } from "./session.ts";

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
  const session = await openSession(options, io);
  for (const warning of session.object.spec.warnings) io.err(`warning: ${warning}\n`);
  for (const capture of options.captures) {
    await replayCapture(session, capture);
    if (session.isInterrupted || isDone(session)) break;
  }
  await session.output?.close();
  await printSummary(session);
  return {
    packets: session.tally.packets,
    trapped: session.trapped,
    isTruncated: session.isTruncated,
    isInterrupted: session.isInterrupted,
  };
}

function printWarnings({ io, prog, cutShort, refused, refusal }: Session): void {
  if (cutShort > 0)
    io.err(`warning: ${cutShort} packets were cut short by the capture, their programs saw less\n`);
  if (refused > 0) io.err(`warning: ${refused} packets were not run: ${refusal}\n`);
  if (prog.verdict?.isAccepted === false) {
    io.err(`warning: Linux would refuse the program (${prog.verdict.errnoName}): ${prog.verdict.message}\n`);
  }
}

async function printSummary(session: Session): Promise<void> {
  const { options, io, tally, prog, object, output } = session;
  printWarnings(session);
  if (options.json) {
    const summary = {
      prog: prog.name,
      type: prog.linked.spec.type,
      engine: options.engine,
      packets: tally.packets,
      bytes: tally.bytes,
      verdicts: Object.fromEntries(tally.byVerdict),
    };
    await io.out(`${JSON.stringify({ summary }, null, options.pretty ? 2 : undefined)}\n`);
  } else if (!options.isQuiet) {
    await io.out(
      `program ${prog.name} (${prog.linked.spec.type}), ${options.engine}\n${tally.print(io.paintVerdict)}\n`,
    );
  }
  if (output !== undefined && !options.json && !options.isQuiet) {
    await io.out(`${output.packets} packets written to ${options.write}\n`);
  }
  if (options.dumpMaps !== undefined) await io.out(printMaps(object, options.dumpMaps, options));
}
