import { describe, expect, it } from "vitest";
import { createTraceWriter, type TraceEvent, type TraceRunInput } from "../src/index.ts";
import { frame } from "./bytes.ts";
import { readTraceAll, readTraceWhole, runsOf } from "./trace-reading.ts";

const run: TraceRunInput = { tsNs: 1n, packet: frame(10) };
const create = () =>
  createTraceWriter({
    programs: [{ name: "p", progType: "xdp" }],
    maps: [{ name: "m", type: "array", keyBytes: 4, valueBytes: 4, maxEntries: 1 }],
  });

describe("trace writers", () => {
  const badRuns: readonly (readonly [string, Partial<TraceRunInput>])[] = [
    ["TRACE_FIELD_RANGE", { tsNs: -1n }],
    ["TRACE_FIELD_RANGE", { tsNs: 1n << 64n }],
    ["TRACE_FIELD_RANGE", { cpu: -1 }],
    ["TRACE_FIELD_RANGE", { queue: 2 ** 32 }],
    ["TRACE_FIELD_RANGE", { r0: -1n }],
    ["TRACE_FIELD_RANGE", { originalBytes: 0.5 }],
    ["TRACE_UNDEFINED", { programIdx: 1 }],
    ["TRACE_UNDEFINED", { interfaceIdx: 0 }],
    ["TRACE_TOO_BIG", { packet: new Uint8Array(5 * 1024 * 1024) }],
    ["TRACE_TOO_BIG", { ctx: new Uint8Array(5 * 1024 * 1024) }],
  ];
  it.each(badRuns)("refuse a run with %s: %o, and stay usable", (code, change) => {
    const writer = create();
    expect(() => writer.writeRun({ ...run, ...change })).toThrow(expect.objectContaining({ code }));
    writer.writeRun(run);
    writer.end();
    expect(runsOf(readTraceWhole(writer.take(), { strict: true }))).toHaveLength(1);
  });

  const badEvents: readonly (readonly [string, TraceEvent])[] = [
    ["TRACE_UNDEFINED", { phase: "during", kind: "map", mapIdx: 1, change: "pop", flags: 0n }],
    ["TRACE_FIELD_RANGE", { phase: "during", kind: "map", mapIdx: 0, change: "pop", flags: -1n }],
    ["TRACE_FIELD_RANGE", { phase: "during", kind: "clock", clock: "mono", value: 1n << 64n }],
    ["TRACE_FIELD_RANGE", { phase: "during", kind: "random", value: -1n }],
    ["TRACE_FIELD_RANGE", { phase: "during", kind: "call", name: "f", result: -1n, writes: [] }],
    [
      "TRACE_FIELD_RANGE",
      {
        phase: "during",
        kind: "call",
        name: "f",
        result: 0n,
        writes: [{ arg: 0, offset: 2 ** 31, bytes: frame(0) }],
      },
    ],
    [
      "TRACE_FIELD_RANGE",
      {
        phase: "during",
        kind: "call",
        name: "f",
        result: 0n,
        writes: [{ arg: 6, offset: 0, bytes: frame(0) }],
      },
    ],
    [
      "TRACE_FIELD_RANGE",
      { phase: "during", kind: "call", name: "f", result: 0n, writes: [], asked: [1n << 64n] },
    ],
    [
      "TRACE_UNDEFINED",
      {
        phase: "during",
        kind: "call",
        name: "f",
        result: 0n,
        writes: [],
        changes: [{ mapIdx: 7, change: "pop", flags: 0n }],
      },
    ],
    ["TRACE_FIELD_RANGE", { phase: "during", kind: "effect", effect: { a: 1n << 64n } }],
    ["TRACE_FIELD_RANGE", { phase: "during", kind: "effect", effect: { a: [[[[[1]]]]] } }],
    ["TRACE_FIELD_RANGE", { phase: "before", kind: "notes", notes: { flags: -1 } }],
    ["TRACE_FIELD_RANGE", { phase: "before", kind: "notes", notes: { packetId: 1n << 64n } }],
    [
      "TRACE_FIELD_RANGE",
      { phase: "before", kind: "notes", notes: { verdicts: [{ kind: "xdp", value: -1n }] } },
    ],
    [
      "TRACE_TOO_BIG",
      { phase: "during", kind: "output", channel: "packet", bytes: new Uint8Array(5 * 1024 * 1024) },
    ],
  ];
  it.each(badEvents.map(([code, event], idx) => [idx, code, event] as const))(
    "refuse event %i with %s, and stay usable",
    (_idx, code, event) => {
      const writer = create();
      writer.writeRun(run);
      expect(() => writer.writeEvent(event)).toThrow(expect.objectContaining({ code }));
      writer.end();
      expect(runsOf(readTraceWhole(writer.take(), { strict: true }))[0]?.events).toEqual([]);
    },
  );

  it("refuse what comes in the wrong order", () => {
    const writer = create();
    const clock: TraceEvent = { phase: "during", kind: "clock", clock: "mono", value: 0n };
    expect(() => writer.writeEvent(clock)).toThrow(expect.objectContaining({ code: "TRACE_NO_RUN" }));
    writer.writeRun(run);
    writer.flush();
    expect(() => writer.writeEvent(clock)).toThrow(expect.objectContaining({ code: "TRACE_NO_RUN" }));
    writer.end();
    for (const call of [
      () => writer.writeRun(run),
      () => writer.writeEvent(clock),
      () => writer.flush(),
      () => writer.end(),
    ]) {
      expect(call).toThrow(expect.objectContaining({ code: "TRACE_WRITER_ENDED" }));
    }
  });

  it("refuse contents that do not fit their map", () => {
    const writer = create();
    const contents = { mapIdx: 0, entryCount: 1, keys: frame(4), values: frame(3) };
    expect(() => writer.writeContents(contents)).toThrow(
      expect.objectContaining({ code: "TRACE_CONTENTS_LENGTH" }),
    );
    expect(() => writer.writeContents({ ...contents, mapIdx: 7 })).toThrow(
      expect.objectContaining({ code: "TRACE_UNDEFINED" }),
    );
  });

  it("refuse definitions that msgpack cannot hold or no block can", () => {
    expect(() => createTraceWriter({ info: { settings: { seed: 1n << 70n } } })).toThrow(
      expect.objectContaining({ code: "TRACE_ENCODE" }),
    );
    const comments = Array.from({ length: 3 }, () => "x".repeat(6 * 1024 * 1024));
    expect(() => createTraceWriter({ info: { comments } })).toThrow(
      expect.objectContaining({ code: "TRACE_TOO_BIG" }),
    );
  });

  it("refuse more events of one run than readers take, and keep those before", () => {
    const writer = create();
    writer.writeRun(run);
    const event: TraceEvent = { phase: "during", kind: "random", value: 1n };
    let count = 0;
    expect(() => {
      for (; count < 1_000_000; count++) writer.writeEvent(event);
    }).toThrow(expect.objectContaining({ code: "TRACE_TOO_MANY_EVENTS" }));
    expect(count).toBeGreaterThan(100_000);
    writer.end();
    const { records, error } = readTraceAll(writer.take(), { strict: true });
    expect(error).toBeUndefined();
    expect(records[0]?.kind === "run" && records[0].run.events.length).toBe(count);
  });

  it("define more while they write", () => {
    const writer = createTraceWriter();
    writer.writeRun(run);
    expect(writer.defineProgram({ name: "a", progType: "xdp" })).toBe(0);
    expect(writer.defineProgram({ name: "b", progType: "xdp" })).toBe(1);
    expect(writer.defineInterface({ ifindex: 1, linkType: 1 })).toBe(0);
    expect(writer.defineMap({ name: "m", type: "hash", keyBytes: 1, valueBytes: 1, maxEntries: 1 })).toBe(0);
    expect([writer.programCount, writer.interfaceCount, writer.mapCount, writer.runCount]).toEqual([
      2, 1, 1, 1,
    ]);
    writer.writeRun({ ...run, programIdx: 1, interfaceIdx: 0 });
    writer.end();
    const reading = readTraceWhole(writer.take(), { strict: true });
    expect(runsOf(reading).map((found) => [found.programIdx, found.interfaceIdx])).toEqual([
      [0, undefined],
      [1, 0],
    ]);
  });
});
