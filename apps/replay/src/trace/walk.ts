import { decompressCapture, namingFile, TraceCursor, type TraceWarning } from "@tsbpf/trace";
import type { ReplayIo } from "../io.ts";
import type { PacketRange, PacketTest } from "../options.ts";
import { isWanted } from "../run/progress.ts";
import { InputParser, type TraceItems } from "./input.ts";

/** How captures and traces are walked. */
export interface WalkOptions {
  readonly strict: boolean;
  /** Which packets of each file, by number from 1; all when omitted. */
  readonly packets?: PacketRange | undefined;
  /** Which packets, by what they hold; all when omitted. */
  readonly filter?: PacketTest | undefined;
  /** Packets to visit at most, over all files. */
  readonly count?: number | undefined;
  readonly feed?: TraceItems | undefined;
  /** Called when a file's next bytes are waited for. */
  readonly onIdle?: () => Promise<void> | undefined;
}

/** A packet or run, as it is visited. */
export interface Visit {
  readonly path: string;
  readonly parser: InputParser;
  /** Valid until the visit is over. */
  readonly cursor: TraceCursor;
}

export interface WalkEnd {
  readonly packets: number;
  readonly isInterrupted: boolean;
  readonly isTruncated: boolean;
}

/**
 * Visits every packet of captures and every run of traces, one file after the other.
 *
 * @throws like the parsers, and what `visit` throws.
 */
export async function walkInputs(
  io: Pick<ReplayIo, "read" | "err" | "signal">,
  paths: readonly string[],
  options: WalkOptions,
  visit: (visit: Visit) => Promise<void> | void,
): Promise<WalkEnd> {
  const end = { packets: 0, isInterrupted: false, isTruncated: false };
  const isOver = (): boolean => {
    if (io.signal?.aborted === true) end.isInterrupted = true;
    return end.isInterrupted || (options.count !== undefined && end.packets >= options.count);
  };
  const walkFile = async (path: string): Promise<void> => {
    const parser = new InputParser({ strict: options.strict, feed: options.feed });
    const source = decompressCapture(io.read(path), { strict: options.strict });
    const cursor = new TraceCursor();
    const drain = async (): Promise<boolean> => {
      while (parser.next(cursor)) {
        if (options.packets !== undefined && cursor.index + 1 > options.packets.last) return false;
        if (!isWanted(options, cursor, parser)) {
          // What the host changed before a run that is left out holds for those behind it.
          if (parser.trace !== undefined) options.feed?.changes(parser.trace, cursor.events);
          continue;
        }
        const visited = visit({ path, parser, cursor });
        if (visited !== undefined) await visited;
        end.packets += 1;
        if (isOver()) return false;
      }
      return true;
    };
    let goesOn = true;
    for await (const chunk of source) {
      parser.push(chunk);
      goesOn = await drain();
      if (!goesOn) break;
      const idle = options.onIdle?.();
      if (idle !== undefined) await idle;
    }
    if (goesOn) {
      parser.end();
      await drain();
    }
    tell(io, path, [...source.warnings, ...parser.warnings], end);
  };
  for (const path of paths) {
    if (isOver()) break;
    await namingFile(path, () => walkFile(path));
  }
  return end;
}

function tell(
  io: Pick<ReplayIo, "err">,
  path: string,
  warnings: readonly TraceWarning[],
  end: { isTruncated: boolean },
): void {
  for (const warning of warnings) {
    end.isTruncated ||= /TRUNCATED|NOT_CLOSED/.test(warning.code);
    io.err(`warning: ${path}: ${warning.message}\n`);
  }
}
