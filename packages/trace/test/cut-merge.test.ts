import { describe, expect, it } from "vitest";
import {
  type Conversion,
  createTraceWriter,
  cutTrace,
  encodeCapture,
  mergeTraces,
  type TraceRun,
  type TraceWriterOptions,
} from "../src/index.ts";
import { cat, frame } from "./bytes.ts";
import { readTraceWhole, runsOf, sampleTrace } from "./trace-reading.ts";

async function bytesOf(conversion: Conversion): Promise<Uint8Array> {
  const parts: Uint8Array[] = [];
  for await (const part of conversion) parts.push(part);
  return cat(...parts);
}

const codes = (conversion: Conversion): string[] => conversion.warnings.map((warning) => warning.code);
const { bytes: sample } = sampleTrace();
const whole = runsOf(readTraceWhole(sample));
/** A run without its number, and without what the host did before it, which may stand in an item of its own. */
const bare = ({ index: _, events, ...run }: TraceRun) => ({
  ...run,
  events: events.filter((event) => event.phase === "during"),
});

describe("cutting", () => {
  it("keeps chosen runs with their events, contents and the host's changes", async () => {
    const conversion = cutTrace(sample, { keeps: (index) => index >= 7 && index !== 9 });
    const { records, parser } = readTraceWhole(await bytesOf(conversion), { strict: true });
    const runs = records.flatMap((record) => (record.kind === "run" ? [record.run] : []));
    expect(runs.map(bare)).toEqual([7, 8, 10, 11].map((index) => bare(whole[index]!)));
    expect(runs.map((run) => run.index)).toEqual([0, 1, 2, 3]);
    expect(records[0]).toMatchObject({ kind: "contents", contents: { entryCount: 2 } });
    const changes = records
      .flatMap((record) =>
        record.kind === "run" ? record.run.events : record.kind === "events" ? record.events : [],
      )
      .filter((event) => event.kind === "map");
    // Before runs 1, 4, 7 and 10, and after the last.
    expect(changes).toHaveLength(5);
    expect(parser.maps).toHaveLength(1);
    expect(codes(conversion)).toEqual(["TRACE_STATE_CUT"]);
  });

  it("keeps everything when nothing is left out", async () => {
    const conversion = cutTrace(sample, {});
    const { parser, records } = readTraceWhole(await bytesOf(conversion), { strict: true });
    expect(runsOf({ parser, records, error: undefined }).map(bare)).toEqual(whole.map(bare));
    expect(parser.info).toEqual(readTraceWhole(sample).parser.info);
    expect(codes(conversion)).toEqual([]);
  });

  it("goes by time, counted from 1970 or from the first run", async () => {
    const first = 1_700_000_000_000_000_000n;
    for (const limits of [
      { fromNs: first + 3n, toNs: first + 6n },
      { fromNs: (start: bigint) => start + 3n, toNs: (start: bigint) => start + 6n },
    ]) {
      const runs = runsOf(readTraceWhole(await bytesOf(cutTrace(sample, limits))));
      expect(runs.map((run) => run.tsNs - first)).toEqual([3n, 4n, 5n]);
    }
    expect(runsOf(readTraceWhole(await bytesOf(cutTrace(sample, { fromNs: 1n << 63n }))))).toEqual([]);
  });

  it("hands on damage and truncation", async () => {
    const bad = sample.slice();
    bad[sample.length - 60]! ^= 1;
    await expect(bytesOf(cutTrace(bad, {}))).rejects.toMatchObject({
      code: expect.stringMatching(/^TRACE_/),
    });
    const cut = cutTrace(sample.subarray(0, sample.length - 60), {});
    await bytesOf(cut);
    expect(codes(cut)).toEqual(["TRACE_TRUNCATED", "TRACE_NOT_CLOSED"]);
  });
});

describe("merging", () => {
  const part = (options: TraceWriterOptions, times: readonly bigint[], mark: number): Uint8Array => {
    const writer = createTraceWriter(options);
    for (const tsNs of times)
      writer.writeRun({
        tsNs,
        packet: frame(20, mark),
        ...((options.interfaces?.length ?? 0) > 0 ? { interfaceIdx: 0 } : {}),
      });
    writer.end();
    return writer.take();
  };
  const program = (name: string) => ({ programs: [{ name, progType: "xdp" }] });
  const iface = (ifindex: number) => ({ interfaces: [{ ifindex, linkType: 1 }] });

  it("goes by time; equal times go by file", async () => {
    const merged = mergeTraces([
      { name: "a", bytes: part({ ...program("p"), ...iface(1) }, [1n, 5n, 9n], 1) },
      { name: "b", bytes: part({ ...program("q"), ...iface(2) }, [0n, 5n, 6n], 2) },
      { name: "c", bytes: part({ ...program("p"), ...iface(1) }, [7n], 3) },
    ]);
    const { parser, records } = readTraceWhole(await bytesOf(merged), { strict: true });
    const runs = runsOf({ parser, records, error: undefined });
    expect(runs.map((run) => [run.tsNs, run.packet?.[0], run.programIdx, run.interfaceIdx])).toEqual(
      [
        [0n, frame(1, 2)[0], 1, 1],
        [1n, frame(1, 1)[0], 0, 0],
        [5n, frame(1, 1)[0], 0, 0],
        [5n, frame(1, 2)[0], 1, 1],
        [6n, frame(1, 2)[0], 1, 1],
        [7n, frame(1, 3)[0], 0, 0],
        [9n, frame(1, 1)[0], 0, 0],
      ].sort((a, b) => Number((a[0] as bigint) - (b[0] as bigint))),
    );
    // Equal definitions are written once.
    expect(parser.programs.map(({ name }) => name).sort()).toEqual(["p", "q"]);
    expect(parser.interfaces.map(({ ifindex }) => ifindex).sort()).toEqual([1, 2]);
  });

  it("takes captures, and makes a whole of what was cut apart", async () => {
    const parts = await Promise.all(
      [0, 1].map(async (rest) => ({
        name: `part ${rest}`,
        bytes: await bytesOf(cutTrace(sample, { keeps: (index) => index % 2 === rest })),
      })),
    );
    const merged = mergeTraces(parts);
    expect(runsOf(readTraceWhole(await bytesOf(merged), { strict: true })).map(bare)).toEqual(
      whole.map(bare),
    );
    const capture = encodeCapture([{ tsNs: 1_700_000_000_000_000_003n, data: frame(30, 9) }], {
      format: "pcap",
      linkType: 1,
      resolution: "ns",
    });
    const mixed = mergeTraces([
      { name: "t", bytes: sample },
      { name: "c", bytes: capture },
    ]);
    const runs = runsOf(readTraceWhole(await bytesOf(mixed), { strict: true }));
    expect(runs).toHaveLength(13);
    expect(runs[4]?.packet).toEqual(frame(30, 9));
  });

  it("refuses two beginnings of one map, and names settings that differ", async () => {
    const maps = [{ name: "m", type: "hash", keyBytes: 1, valueBytes: 1, maxEntries: 4 }];
    const begin = (value: number): Uint8Array => {
      const writer = createTraceWriter({ maps, info: { settings: { seed: value, cpus: value } } });
      writer.writeContents({
        mapIdx: 0,
        entryCount: 1,
        keys: Uint8Array.of(1),
        values: Uint8Array.of(value),
      });
      writer.end();
      return writer.take();
    };
    const twice = mergeTraces([
      { name: "a", bytes: begin(1) },
      { name: "b", bytes: begin(2) },
    ]);
    await expect(bytesOf(twice)).rejects.toMatchObject({
      code: "TRACE_MERGE_CONTENTS",
      message: expect.stringContaining("b and a begin with different contents of map m"),
    });
    const plain = (settings: Record<string, number>) => {
      const writer = createTraceWriter({ info: { settings } });
      writer.end();
      return writer.take();
    };
    const settings = mergeTraces([
      { name: "a", bytes: plain({ seed: 1, cpus: 2 }) },
      { name: "b", bytes: plain({ seed: 2, cpus: 8 }) },
    ]);
    expect(readTraceWhole(await bytesOf(settings)).parser.info.settings).toEqual({ seed: 1, cpus: 8 });
    expect(codes(settings)).toEqual(["TRACE_SETTING_DROPPED"]);
    const same = mergeTraces([
      { name: "a", bytes: begin(1) },
      { name: "b", bytes: begin(1) },
    ]);
    const { records } = readTraceWhole(await bytesOf(same), { strict: true });
    expect(records.filter((record) => record.kind === "contents")).toHaveLength(1);
  });
});
