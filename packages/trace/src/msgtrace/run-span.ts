import type { Column } from "./columns.ts";
import { runOfEvent } from "./events.ts";
import { RUN_FLAG, RUN_FLAGS_MASK, type RunsBlock } from "./runs.ts";
import type { TraceInterface } from "./types.ts";

/** A number of each run of a block. */
export interface RunNumbers {
  at(run: number): number;
  /** The numbers as words, little endian; undefined when all are alike. */
  readonly bytes: Uint8Array | undefined;
}

/** Runs in a row that are a packet each and nothing else, all from one place. Valid until the parser is asked for more. */
export interface RunSpan {
  /** Number of the first run in the trace, from 0. */
  readonly index: number;
  readonly count: number;
  /** What the first run is called in `sizes` and `wireSizes`; the others follow. */
  readonly first: number;
  /** Bytes that each packet has here, and had on the wire; undefined: as many. */
  readonly sizes: RunNumbers;
  readonly wireSizes: RunNumbers | undefined;
  /** The packets in a row, the first from `start` on. */
  readonly packets: Uint8Array;
  readonly start: number;
  /** -1 when the runs have no interface; the link type is 0 then. */
  readonly interfaceIdx: number;
  readonly linkType: number;
  /** -1 when the runs have no queue. */
  readonly queue: number;
  readonly hasAnswers: boolean;
}

/** Where a parser is in a block: numbers of the next run and event, and where the next packet starts. */
export interface BlockPlace {
  readonly run: number;
  readonly event: number;
  readonly packetAt: number;
}

/** Finds the runs from a place on that are alike and have no ctx, no events and no CPU but the first. */
export function findRunSpan(
  block: RunsBlock,
  { run, event, packetAt }: BlockPlace,
  interfaces: readonly TraceInterface[],
): RunSpan | undefined {
  const flags = block.flags.at(run);
  const isPlain = (flags & RUN_FLAG.packet) !== 0 && (flags & RUN_FLAG.ctx) === 0 && flags <= RUN_FLAGS_MASK;
  if (!isPlain || block.cpu.at(run) !== 0) return undefined;
  const columns: readonly Column[] = [block.flags, block.cpu, block.iface, block.queue, block.ctxSizes];
  let end = Math.min(block.count, runOfEvent(block.events, event) ?? block.count);
  for (const column of columns) end = column.sameUntil(run, end);
  if (end <= run || block.ctxSizes.at(run) !== 0) return undefined;
  const hasInterface = (flags & RUN_FLAG.interface) !== 0;
  const description = hasInterface ? interfaces[block.iface.at(run)] : undefined;
  if (hasInterface && description === undefined) return undefined;
  return {
    index: block.first + run,
    count: end - run,
    first: run,
    sizes: block.packetSizes,
    wireSizes: block.wireSizes,
    packets: block.packets,
    start: packetAt,
    interfaceIdx: hasInterface ? block.iface.at(run) : -1,
    linkType: description?.linkType ?? 0,
    queue: (flags & RUN_FLAG.queue) === 0 ? -1 : block.queue.at(run),
    hasAnswers: (flags & RUN_FLAG.answers) !== 0,
  };
}
