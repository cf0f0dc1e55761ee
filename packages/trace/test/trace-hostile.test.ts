import { describe, expect, it } from "vitest";
import { verifyTrace } from "../src/index.ts";
import { encodeBlockHeader, encodeFileHeader } from "../src/msgtrace/frame.ts";
import { type MsgpackMap, packMap } from "../src/msgtrace/msgpack.ts";
import { cat, frame, u32 } from "./bytes.ts";
import { readTraceAll, sampleTrace } from "./trace-reading.ts";

type Block = readonly [type: number, payload: MsgpackMap | Uint8Array];

/** A file of blocks with sound frames, whatever is in them. */
function file(...blocks: readonly Block[]): Uint8Array {
  return cat(
    encodeFileHeader(),
    ...blocks.flatMap(([type, payload], idx) => {
      const bytes = payload instanceof Uint8Array ? payload : packMap(payload);
      return [encodeBlockHeader(type, idx, bytes), bytes];
    }),
  );
}

const codeOf = (...blocks: readonly Block[]): string | undefined => readTraceAll(file(...blocks)).error?.code;
const time = (count: number): Uint8Array => new Uint8Array(8 * count);
const DEFS: Block = [1, { maps: [{ name: "m", type: "hash", key: 4, value: 8, max: 1 }] }];

describe("payloads with sound checksums", () => {
  const nested = (depth: number, head: number[]): Uint8Array =>
    cat(...Array.from({ length: depth }, () => Uint8Array.from(head)), Uint8Array.of(0xc0));
  it.each([
    ["nothing", new Uint8Array(0)],
    ["an end within a value", Uint8Array.of(0x81, 0xa4, 0x69)],
    ["bytes after the map", Uint8Array.of(0x80, 0x80)],
    ["an extension", Uint8Array.of(0x81, 0xa1, 0x61, 0xd4, 1, 1)],
    ["the unused byte", Uint8Array.of(0xc1)],
    ["a list of 2^32-1", Uint8Array.of(0xdd, 0xff, 0xff, 0xff, 0xff)],
    ["a map of 2^32-1", Uint8Array.of(0xdf, 0xff, 0xff, 0xff, 0xff, 0xa0, 0xa0)],
    ["bytes of 2^32-1", Uint8Array.of(0xc6, 0xff, 0xff, 0xff, 0xff, 0)],
    ["a cut length", Uint8Array.of(0xdd, 0xff)],
    ["100,000 levels of lists", nested(100_000, [0x91])],
    [
      "lists of millions within lists",
      cat(nested(7, [0xdd, 0, 0x10, 0, 0]), new Uint8Array(1 << 21).fill(0xc0)),
    ],
    ["two million values", cat(Uint8Array.of(0xdd, 0, 0x20, 0, 0), new Uint8Array(1 << 21).fill(0xc0))],
  ])("of %s are refused as TRACE_PAYLOAD", (_, payload) => {
    expect(codeOf([3, payload])).toBe("TRACE_PAYLOAD");
  });

  it("that are no map are refused", () => {
    expect(codeOf([3, Uint8Array.of(0x90)])).toBe("TRACE_PAYLOAD_KIND");
    expect(codeOf([3, Uint8Array.of(0xc0)])).toBe("TRACE_PAYLOAD_KIND");
  });

  it("name keys that JavaScript treats specially without harm", () => {
    const key = Uint8Array.of(0xa9, ...new TextEncoder().encode("__proto__"));
    const payload = cat(
      Uint8Array.of(0x81),
      key,
      Uint8Array.of(0x81, 0xa5),
      new TextEncoder().encode("count"),
      Uint8Array.of(5),
    );
    expect(codeOf([3, payload])).toBe("TRACE_FIELD");
    expect(({} as { count?: number }).count).toBeUndefined();
  });

  const fields: readonly [string, ...Block[]][] = [
    ["runs without a count", [3, { first: 0 }]],
    ["runs that start elsewhere", [3, { first: 1, count: 0, time: time(0) }]],
    ["many runs in few bytes", [3, { first: 0, count: 0xffff_ffff }]],
    ["many runs and one number for their times", [3, { first: 0, count: 1000, time: 5 }]],
    ["a column that is too short", [3, { first: 0, count: 2, time: time(2), cpu: time(1).subarray(0, 4) }]],
    [
      "packets that are too few",
      [3, { first: 0, count: 2, time: time(2), packetBytes: 5, packets: time(1) }],
    ],
    ["packets of 2^32-1 bytes", [3, { first: 0, count: 1, time: time(1), packetBytes: 0xffff_ffff }]],
    ["ctxs without their sizes", [3, { first: 0, count: 1, time: time(1), ctxs: time(1) }]],
    ["a negative count", [3, { first: 0, count: -1, time: time(1) }]],
    ["a fraction", [3, { first: 0.5, count: 0, time: time(0) }]],
    ["events that are no list", [3, { first: 0, count: 1, time: time(1), events: 5 }]],
    ["an event that is no list", [3, { first: 0, count: 1, time: time(1), events: [5] }]],
    ["an event of a run outside", [3, { first: 0, count: 1, time: time(1), events: [[2, 0, 3, 1]] }]],
    ["an event of a third phase", [3, { first: 0, count: 1, time: time(1), events: [[0, 2, 3, 1]] }]],
    ["a random event without a value", [3, { first: 0, count: 1, time: time(1), events: [[0, 1, 3]] }]],
    [
      "a call with a write through register 6",
      [3, { first: 0, count: 1, time: time(1), events: [[0, 1, 4, "f", 0, [[6, 0, time(1)]]]] }],
    ],
    ["notes that are no map", [3, { first: 0, count: 1, time: time(1), events: [[0, 0, 6, 1]] }]],
    [
      "a verdict of no kind",
      [3, { first: 0, count: 1, time: time(1), events: [[0, 0, 6, { verdicts: [{ kind: "y" }] }]] }],
    ],
    ["contents of no map", [2, { map: 0, count: 0, keys: time(0), values: time(0) }]],
    ["contents that are too short", DEFS, [2, { map: 0, count: 1, keys: frame(4), values: frame(4) }]],
    [
      "contents of 2^32-1 entries",
      DEFS,
      [2, { map: 0, count: 0xffff_ffff, keys: frame(4), values: frame(8) }],
    ],
    ["a program without a name", [1, { programs: [{ type: "xdp" }] }]],
    ["settings of lists", [1, { info: { settings: { a: [] } } }]],
    [
      "an interface with base 7 time",
      [1, { interfaces: [{ ifindex: 1, link: 1, timeBase: 7, timeExponent: 1 }] }],
    ],
    ["an end that counts other runs", [4, { runs: 5, blocks: 0 }]],
    ["an end that counts other blocks", [4, { runs: 0, blocks: 3 }]],
  ];
  it.each(fields.map(([name, ...blocks]) => ({ name, blocks })))(
    "with $name are refused as TRACE_FIELD",
    ({ blocks }) => {
      const { error } = readTraceAll(file(...blocks));
      expect(error?.code).toBe("TRACE_FIELD");
      expect(error?.message).toMatch(/field ".*" of .*block \d+ is .* expected, at offset \d+$/);
    },
  );

  it("that refer to what is not defined are refused", () => {
    const one = { first: 0, count: 1, time: time(1) };
    expect(codeOf([3, { ...one, program: 1 }])).toBe("TRACE_UNDEFINED_INDEX");
    expect(codeOf([3, { ...one, flags: 16, iface: 0 }])).toBe("TRACE_UNDEFINED_INDEX");
    expect(codeOf([3, { ...one, events: [[0, 0, 1, 0, 0, null, null, 0]] }])).toBe("TRACE_UNDEFINED_INDEX");
  });

  it("whose events go back are refused", () => {
    const events = [
      [1, 1, 3, 1],
      [0, 1, 3, 1],
    ];
    expect(codeOf([3, { first: 0, count: 2, time: time(2), events }])).toBe("TRACE_EVENT_ORDER");
  });

  it("of a later version are passed over with a warning", () => {
    const events = [
      [0, 1, 99, "later"],
      [0, 1, 3, 7],
    ];
    const { records, parser } = readTraceAll(
      file([77, { any: 1 }], [3, { first: 0, count: 1, time: time(1), flags: 0x204, events }]),
    );
    expect(records).toMatchObject([{ kind: "run", run: { events: [{ kind: "random", value: 7n }] } }]);
    expect(parser.warnings).toMatchObject([
      { code: "TRACE_LATER_VERSION", count: 3 },
      { code: "TRACE_NOT_CLOSED" },
    ]);
  });

  it("are limited in size, and in what is kept of them", () => {
    const bytes = file([1, { info: { comments: ["x".repeat(5000)] } }]);
    expect(readTraceAll(bytes, { maxBlockBytes: 1000 }).error?.code).toBe("TRACE_BLOCK_LENGTH");
    expect(readTraceAll(bytes, { maxMetadataBytes: 1000 }).error?.code).toBe("TRACE_METADATA_LIMIT");
    expect(readTraceAll(bytes).error).toBeUndefined();
  });

  it("behind damage are all looked at, and the damage counted", async () => {
    const bad: Block = [3, { first: 0 }];
    const report = await verifyTrace(
      file(bad, bad, [3, { first: 0, count: 1, time: time(1) }], bad, [4, { runs: 1, blocks: 4 }]),
    );
    expect(report).toMatchObject({ runCount: 1, isClosed: true, damageCount: 3 });
    expect(report.damage.map((damage) => damage.blockIdx)).toEqual([0, 1, 3]);
  });
});

describe("headers", () => {
  it("with reserved bytes set are refused even when their checksum is right", async () => {
    const { crc32c } = await import("../src/msgtrace/crc32c.ts");
    const bytes = file([1, {}]);
    bytes[16 + 6] = 1;
    bytes.set(u32(crc32c(bytes, 16, 36), "little"), 36);
    expect(readTraceAll(bytes).error?.code).toBe("TRACE_BLOCK_RESERVED");
  });

  it("that claim much allocate nothing", async () => {
    const { crc32c } = await import("../src/msgtrace/crc32c.ts");
    const before = process.memoryUsage().arrayBuffers;
    for (let i = 0; i < 100; i++) {
      const bytes = file([1, {}]);
      bytes.set(u32(16 * 1024 * 1024, "little"), 16 + 12);
      bytes.set(u32(crc32c(bytes, 16, 36), "little"), 36);
      expect(readTraceAll(bytes, {}, [3]).parser.warnings[0]?.code).toBe("TRACE_TRUNCATED");
    }
    expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(32 * 1024 * 1024);
  });
});

describe("mutated traces", () => {
  it("end in items, damage reports or an input error, thousands of times", () => {
    const { bytes } = sampleTrace({ runs: 6, runsPerBlock: 2 });
    let state = 99;
    const random = (end: number): number => {
      state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
      return Math.floor((state / 2 ** 32) * end);
    };
    for (let run = 0; run < 3000; run++) {
      const bad = bytes.slice();
      for (let i = 1 + random(4); i > 0; i--) {
        const at = random(bad.length);
        if (random(2) === 0) bad[at] = random(256);
        else bad.copyWithin(at, random(bad.length), random(bad.length));
      }
      const cut = random(4) === 0 ? bad.subarray(0, random(bad.length)) : bad;
      const strict = readTraceAll(cut);
      let damages = 0;
      const lenient = readTraceAll(cut, { onDamage: () => damages++ }, [1 + random(60)]);
      expect(lenient.records.length).toBeGreaterThanOrEqual(strict.records.length);
      if (strict.error !== undefined && lenient.error === undefined) expect(damages).toBeGreaterThan(0);
    }
  });
});
