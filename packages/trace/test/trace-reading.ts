import type { InputError } from "@tsbpf/base";
import {
  createTraceParser,
  createTraceWriter,
  TraceCursor,
  type TraceOptions,
  type TraceParser,
  type TraceRecord,
  type TraceWriter,
} from "../src/index.ts";
import { frame } from "./bytes.ts";
import { feedChunks } from "./reading.ts";

export interface TraceReading {
  readonly records: readonly TraceRecord[];
  readonly parser: TraceParser;
  readonly error: InputError | undefined;
}

/** Reads a trace in chunks of the given sizes; an InputError ends the reading, anything else is thrown. */
export function readTraceAll(
  bytes: Uint8Array,
  options: TraceOptions = {},
  chunkSizes: readonly number[] = [],
): TraceReading {
  const parser = createTraceParser(options);
  const cursor = new TraceCursor();
  const records: TraceRecord[] = [];
  const error = feedChunks(parser, bytes, chunkSizes, () => {
    for (let kind = parser.next(cursor); kind !== undefined; kind = parser.next(cursor)) {
      if (kind === "run") records.push({ kind, run: parser.run(cursor) });
      else if (kind === "contents") records.push({ kind, contents: cursor.contents });
      else records.push({ kind, events: cursor.events });
    }
  });
  return { records, parser, error };
}

export function readTraceWhole(bytes: Uint8Array, options: TraceOptions = {}): TraceReading {
  const reading = readTraceAll(bytes, options);
  if (reading.error !== undefined) throw reading.error;
  return reading;
}

export const runsOf = (reading: TraceReading) =>
  reading.records.flatMap((record) => (record.kind === "run" ? [record.run] : []));

export interface SampleOptions {
  readonly runs?: number;
  readonly runsPerBlock?: number;
  readonly isClosed?: boolean;
}

/** A trace of several blocks with something of every kind, and where its blocks start. */
export function sampleTrace({ runs = 12, runsPerBlock = 4, isClosed = true }: SampleOptions = {}): {
  readonly bytes: Uint8Array;
  readonly blockStarts: readonly number[];
} {
  const writer = createTraceWriter({
    info: { application: "test", settings: { cpus: 2, seed: 7n, profile: "6.18" } },
    programs: [{ name: "demo", progType: "xdp", section: "xdp", tag: "00ff" }],
    maps: [{ name: "flows", type: "hash", keyBytes: 4, valueBytes: 8, maxEntries: 16 }],
    interfaces: [{ ifindex: 3, linkType: 1, name: "eth0" }],
  });
  writer.writeContents({ mapIdx: 0, entryCount: 2, keys: frame(8), values: frame(16, 1) });
  for (let i = 0; i < runs; i++) {
    if (i > 0 && i % runsPerBlock === 0) writer.flush();
    writeSampleRun(writer, i);
  }
  writer.writeEvent({ phase: "before", kind: "map", mapIdx: 0, change: "delete", key: frame(4), flags: 0n });
  if (isClosed) writer.end();
  else writer.flush();
  const bytes = writer.take();
  const blockStarts: number[] = [];
  const view = new DataView(bytes.buffer);
  for (let at = 16; at < bytes.length; at += 24 + view.getUint32(at + 12, true)) blockStarts.push(at);
  return { bytes, blockStarts };
}

function writeSampleRun(writer: TraceWriter, i: number): void {
  if (i % 3 === 0)
    writer.writeEvent({
      phase: "before",
      kind: "map",
      mapIdx: 0,
      change: "update",
      key: frame(4, i),
      value: frame(8, i),
      flags: 1n,
    });
  writer.writeRun({
    tsNs: 1_700_000_000_000_000_000n + BigInt(i),
    packet: frame(20 + i, i),
    interfaceIdx: 0,
    cpu: i % 2,
    r0: 2n,
    ...(i % 4 === 1
      ? { ctx: frame(24, i), queue: i, direction: "inbound" as const, originalBytes: 1500 }
      : {}),
  });
  writer.writeEvent({ phase: "during", kind: "clock", clock: "mono", value: BigInt(i) << 40n });
  if (i % 3 === 1) {
    writer.writeEvent({ phase: "during", kind: "random", value: 0xffff_ffffn });
    writer.writeEvent({
      phase: "during",
      kind: "call",
      name: "flow_tag",
      result: 1n,
      writes: [{ arg: 3, offset: 0, bytes: frame(5, i) }],
    });
  }
}
