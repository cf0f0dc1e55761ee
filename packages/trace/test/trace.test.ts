import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  createTraceWriter,
  type MapChangeEntry,
  type PacketNotes,
  readTrace,
  type TraceEvent,
  type TraceRunInput,
  type TraceWriterOptions,
} from "../src/index.ts";
import { cat, frame } from "./bytes.ts";
import { annotations, compact, interfaces, packetBytes, u32s, u64s } from "./random.ts";
import { readTraceAll, readTraceWhole, runsOf, sampleTrace } from "./trace-reading.ts";

const { bytes: sample, blockStarts } = sampleTrace();
const codes = (reading: { parser: { warnings: readonly { code: string }[] } }): string[] =>
  reading.parser.warnings.map((warning) => warning.code);

describe("the trace format", () => {
  it("starts as FORMAT.md says", () => {
    const bytes = createTraceWriter().take();
    expect([...bytes.subarray(0, 12)]).toEqual([0x89, 0x54, 0x53, 0x42, 0x50, 0x46, 0x0d, 0x0a, 1, 0, 0, 0]);
    expect([...bytes.subarray(16, 24)]).toEqual([0xf5, 0x54, 0x42, 0x4b, 1, 0, 0, 0]);
    // Block 0 holds {"info": {}}.
    expect([...bytes.subarray(40)]).toEqual([0x81, 0xa4, 0x69, 0x6e, 0x66, 0x6f, 0x80]);
    expect(bytes).toEqual(createTraceWriter().take());
  });

  it("gives back what was written, in order", () => {
    const { records, parser } = readTraceWhole(sample, { strict: true });
    expect(parser.info).toEqual({ application: "test", settings: { cpus: 2, seed: 7n, profile: "6.18" } });
    expect(parser.programs).toEqual([{ name: "demo", progType: "xdp", section: "xdp", tag: "00ff" }]);
    expect(parser.maps).toEqual([
      { name: "flows", type: "hash", keyBytes: 4, valueBytes: 8, maxEntries: 16 },
    ]);
    expect(parser.interfaces).toEqual([{ ifindex: 3, linkType: 1, name: "eth0" }]);
    expect(parser.isClosed).toBe(true);
    expect(records.map((record) => record.kind)).toEqual(["contents", ...Array(12).fill("run"), "events"]);
    expect(records[0]).toMatchObject({
      contents: { mapIdx: 0, entryCount: 2, keys: frame(8), values: frame(16, 1) },
    });
    expect(records[2]).toEqual({
      kind: "run",
      run: {
        index: 1,
        tsNs: 1_700_000_000_000_000_001n,
        hasTime: true,
        programIdx: 0,
        cpu: 1,
        interfaceIdx: 0,
        queue: 1,
        direction: "inbound",
        packet: frame(21, 1),
        originalBytes: 1500,
        ctx: frame(24, 1),
        r0: 2n,
        events: [
          { phase: "during", kind: "clock", clock: "mono", value: 1n << 40n },
          { phase: "during", kind: "random", value: 0xffff_ffffn },
          {
            phase: "during",
            kind: "call",
            name: "flow_tag",
            result: 1n,
            writes: [{ arg: 3, offset: 0, bytes: frame(5, 1) }],
          },
        ],
      },
    });
    expect(records.at(-1)).toEqual({
      kind: "events",
      events: [{ phase: "before", kind: "map", mapIdx: 0, change: "delete", key: frame(4), flags: 0n }],
    });
  });

  it("gives the same in chunks of every size, and at every split", () => {
    const whole = readTraceWhole(sample).records;
    for (let size = 1; size < 200; size++) expect(readTraceAll(sample, {}, [size]).records).toEqual(whole);
    for (let at = 1; at < sample.length; at += 3) {
      expect(readTraceAll(sample, {}, [at, sample.length]).records).toEqual(whole);
    }
  });

  it("closes blocks by size, so that a crash loses little", () => {
    const writer = createTraceWriter({ blockBytes: 1000 });
    writer.take();
    let written = 0;
    for (let i = 0; i < 100; i++) {
      writer.writeRun({ tsNs: BigInt(i), packet: frame(60) });
      written += writer.take().length;
    }
    expect(written).toBeGreaterThan(5000);
    expect(written).toBeLessThan(10_000);
  });
});

describe("round trips", () => {
  const notes: fc.Arbitrary<TraceEvent> = annotations("big").map((fields) => {
    const { direction: _, queue: __, ...rest } = fields;
    return { phase: "before", kind: "notes", notes: rest as PacketNotes };
  });
  const mapChanges = fc
    .record({
      change: fc.constantFrom(
        "update" as const,
        "delete" as const,
        "push" as const,
        "pop" as const,
        "write" as const,
      ),
      key: fc.option(packetBytes, { nil: undefined }),
      value: fc.option(packetBytes, { nil: undefined }),
      flags: u64s,
    })
    .map((fields) => compact({ kind: "map" as const, mapIdx: 0, ...fields }));
  const asked = fc.oneof(
    u64s,
    packetBytes,
    fc.string(),
    fc.constant(null),
    fc.record({ bytes: u32s, crc: u32s }),
  );
  const plain = fc.oneof(fc.constant(null), fc.boolean(), fc.integer(), u64s, fc.string(), packetBytes);
  const effects = fc.record({
    kind: fc.constantFrom("printk", "redirect", "custom"),
    plain,
    list: fc.array(plain, { maxLength: 2 }),
    map: fc.record({ inner: plain }),
  });
  const calls = fc
    .record({
      kind: fc.constant("call" as const),
      name: fc.string(),
      result: u64s,
      writes: fc.array(
        fc.oneof(
          fc.record({ arg: fc.integer({ min: 1, max: 5 }), offset: u32s, bytes: packetBytes }),
          fc.record({ arg: fc.constant(0), offset: fc.integer({ min: -300, max: 300 }), bytes: packetBytes }),
        ),
        { maxLength: 2 },
      ),
      asked: fc.option(fc.array(asked, { maxLength: 5 }), { nil: undefined }),
      changes: fc.option(
        fc.array(
          mapChanges.map(({ kind: _, ...change }) => change as unknown as MapChangeEntry),
          { maxLength: 2 },
        ),
        { nil: undefined },
      ),
      effects: fc.option(fc.array(effects, { maxLength: 2 }), { nil: undefined }),
      error: fc.option(fc.record({ code: fc.string(), message: fc.string() }), { nil: undefined }),
    })
    .map(compact);
  const others = fc.oneof(
    mapChanges,
    fc.record({ kind: fc.constant("clock" as const), clock: fc.string(), value: u64s }),
    fc.record({ kind: fc.constant("random" as const), value: u64s }),
    fc.record({ kind: fc.constant("output" as const), channel: fc.string(), bytes: packetBytes }),
    calls,
    effects.map((effect) => ({ kind: "effect" as const, effect })),
  );
  const some = <T>(arbitrary: fc.Arbitrary<T>) => fc.option(arbitrary, { nil: undefined });
  const runs = fc
    .record({
      tsNs: u64s,
      hasTime: fc.boolean(),
      programIdx: fc.nat(1),
      cpu: fc.constantFrom(0, 0, 1, 0xffff_ffff),
      interfaceIdx: some(fc.constant(0)),
      queue: some(u32s),
      direction: some(fc.constantFrom("inbound" as const, "outbound" as const)),
      packet: some(packetBytes),
      ctx: some(packetBytes),
      r0: some(u64s),
      hasAnswers: some(fc.constant(true)),
      more: fc.constantFrom(0, 0, 7),
      before: fc.array(fc.oneof(others, notes), { maxLength: 2 }),
      during: fc.array(others, { maxLength: 3 }),
    })
    .map(({ before, during, more, ...fields }) => {
      const size = fields.packet === undefined ? undefined : fields.packet.length + more;
      return {
        run: compact({
          ...fields,
          tsNs: fields.hasTime ? fields.tsNs : 0n,
          originalBytes: size,
        }) as TraceRunInput,
        before: before.map((event) => ({ ...event, phase: "before" as const })) as TraceEvent[],
        during: during.map((event) => ({ ...event, phase: "during" as const })) as TraceEvent[],
      };
    });

  it("keep every field of runs and events", () => {
    fc.assert(
      fc.property(
        fc.array(runs, { maxLength: 20 }),
        fc.integer({ min: 64, max: 600 }),
        interfaces("big"),
        (all, blockBytes, iface) => {
          const definitions: TraceWriterOptions = {
            programs: [
              { name: "a", progType: "xdp" },
              { name: "b", progType: "socket_filter" },
            ],
            maps: [
              {
                name: "m",
                type: "percpu_hash",
                keyBytes: 1,
                valueBytes: 2,
                maxEntries: 3,
                flags: 1,
                slotCount: 4,
              },
            ],
            interfaces: [{ ...iface, ifindex: 9 }],
            helpers: [
              {
                id: 0x1_0001,
                name: "flow_tag",
                args: [
                  { name: "map", kind: "map" },
                  { name: "flags", kind: "scalar", max: 1n << 40n },
                ],
                returns: { kind: "int" },
                traits: ["packet_mem"],
                progTypes: ["xdp"],
              },
              { id: 0x1_0002, name: "bare", args: [], returns: { kind: "void" } },
            ],
          };
          const writer = createTraceWriter({ ...definitions, blockBytes });
          for (const { run, before, during } of all) {
            for (const event of before) writer.writeEvent(event);
            writer.writeRun(run);
            for (const event of during) writer.writeEvent(event);
          }
          writer.end();
          const reading = readTraceWhole(writer.take(), { strict: true });
          const { programs, maps, interfaces: ifaces, helpers } = reading.parser;
          expect({ programs, maps, interfaces: ifaces, helpers }).toEqual(definitions);
          // A block may end between a "before" event and its run; then the event comes as an item of its own.
          const early: TraceEvent[] = [];
          const found = reading.records.flatMap((record) => {
            if (record.kind === "events") early.push(...record.events);
            if (record.kind !== "run") return [];
            const { index: _, events, ...run } = record.run;
            return [{ run, events: [...early.splice(0), ...events] }];
          });
          expect(found).toEqual(
            all.map(({ run, before, during }) => ({ run, events: [...before, ...during] })),
          );
        },
      ),
      { numRuns: 150 },
    );
  });

  it("keep map contents larger than a block", () => {
    const writer = createTraceWriter({
      maps: [{ name: "m", type: "percpu_array", keyBytes: 4, valueBytes: 8, maxEntries: 100, slotCount: 2 }],
      blockBytes: 500,
    });
    const keys = frame(400);
    const values = frame(1600, 3);
    writer.writeContents({ mapIdx: 0, entryCount: 100, keys, values });
    writer.end();
    const parts = readTraceWhole(writer.take()).records.flatMap((record) =>
      record.kind === "contents" ? [record.contents] : [],
    );
    expect(parts.length).toBeGreaterThan(3);
    expect(cat(...parts.map((part) => part.keys))).toEqual(keys);
    expect(cat(...parts.map((part) => part.values))).toEqual(values);
  });
});

describe("a trace whose writer was killed", () => {
  it("is readable up to the last whole block, wherever it was cut", () => {
    const whole = readTraceWhole(sample).records;
    const starts = [...blockStarts, sample.length];
    for (let size = 16; size < sample.length; size++) {
      const reading = readTraceWhole(sample.subarray(0, size));
      expect(reading.parser.blockCount).toBe(
        starts.filter((start) => start <= size).length - (size < starts[0]! ? 0 : 1),
      );
      expect(reading.records).toEqual(whole.slice(0, reading.records.length));
      expect(reading.parser.isClosed).toBe(false);
      expect(codes(reading)).toEqual(
        starts.includes(size) ? ["TRACE_NOT_CLOSED"] : ["TRACE_TRUNCATED", "TRACE_NOT_CLOSED"],
      );
    }
  });

  it("keeps every run of its whole blocks", () => {
    const lastRuns = blockStarts.at(-2)!;
    const cut = sample.subarray(0, lastRuns + 30);
    expect(runsOf(readTraceWhole(cut))).toHaveLength(8);
    expect(readTraceAll(cut, { strict: true }).error?.code).toBe("TRACE_TRUNCATED");
    const unclosed = sampleTrace({ isClosed: false }).bytes;
    expect(runsOf(readTraceWhole(unclosed))).toHaveLength(12);
    expect(readTraceAll(unclosed, { strict: true }).error?.code).toBe("TRACE_NOT_CLOSED");
  });

  it("cannot be used when not even its header is whole", () => {
    for (let size = 0; size < 16; size++) {
      expect(readTraceAll(sample.subarray(0, size)).error?.code).toBe("TRACE_HEADER_TRUNCATED");
    }
  });
});

describe("readTrace", () => {
  it("reads from chunks and from gzip, and can be walked once", async () => {
    const { gzipSync } = await import("node:zlib");
    const whole = readTraceWhole(sample).records;
    for (const source of [
      sample,
      [sample.subarray(0, 99), sample.subarray(99)],
      new Uint8Array(gzipSync(sample)),
    ]) {
      const reader = readTrace(source);
      const records = [];
      for await (const record of reader) records.push(record);
      expect(records).toEqual(whole);
      expect([reader.isClosed, reader.blockCount, reader.warnings]).toEqual([true, blockStarts.length, []]);
      expect(() => reader[Symbol.asyncIterator]()).toThrow(
        expect.objectContaining({ code: "TRACE_CONSUMED" }),
      );
    }
  });
});
