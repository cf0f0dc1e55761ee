import { readFileSync } from "node:fs";
import { LinearMemory } from "@tsbpf/memory";
import { createCaptureParser, createCaptureWriter, walkCapture } from "@tsbpf/trace";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { SCAN_STOP } from "../src/scan/config.ts";
import { Spreader } from "../src/scan/spreader.ts";
import { flowHash } from "../src/spread/flow-hash.ts";
import { cpuOfHash } from "../src/spread/spread.ts";

const lab = new Uint8Array(readFileSync(new URL("../../../samples/captures/lab.pcap", import.meta.url)));
const DESC_BYTES = 32;
const RECORDS_MAX = 4096;
const FLOW = -1;

interface Given {
  readonly cpuCount: number;
  /** CPU of the first packet when they take turns. */
  readonly nextCpu?: number;
  readonly isShared?: boolean;
  /** Bytes of the file that lie in memory, and those of them that records may begin in. */
  readonly bytes?: number;
  readonly limit?: number;
  /** Bytes of the file that lie in memory at first: a walk of its own sees no more. */
  readonly firstBytes?: number;
}

/** Spreads the records of a pcap file; gives the packets of each CPU with their times, and where it stopped. */
function spread(
  file: Uint8Array,
  { cpuCount, nextCpu = FLOW, isShared = false, bytes = file.length, limit = bytes, firstBytes }: Given,
) {
  const memory = new LinearMemory({ initialBytes: 1 << 22, maxBytes: 1 << 26, isShared });
  const spreader = new Spreader(memory, cpuCount, RECORDS_MAX);
  const at = memory.allocRaw(file.length, 64);
  memory.u8.set(file, at);
  const parser = createCaptureParser();
  parser.push(file);
  const span = parser.span();
  if (span === undefined) throw new Error("no span");
  spreader.describe({ ...span, bootSec: -1 });
  const desc = memory.allocRaw(RECORDS_MAX * DESC_BYTES, 64);
  const times = memory.allocRaw(RECORDS_MAX * 8, 64);
  spreader.begin(nextCpu);
  let start = at + span.start;
  if (firstBytes !== undefined) start = spreader.walk({ start, limit: at + limit, end: at + firstBytes }).at;
  const stop = spreader.walk({ start, limit: at + limit, end: at + bytes });
  const starts: number[] = [];
  spreader.place({ desc, times }, (cpu, start) => {
    starts[cpu] = start;
  });
  const seconds = new Float64Array(memory.u8.buffer, times, RECORDS_MAX);
  const rows = Array.from({ length: spreader.count }, (_, idx) => {
    const words = memory.i32.subarray((desc + idx * DESC_BYTES) >>> 2);
    return {
      data: memory.u8.slice(words[0], words[1]),
      sec: (seconds[idx] ?? 0) / 1e9 - 1,
      rest: [...words.subarray(2, 8)],
    };
  });
  const byCpu = Array.from({ length: cpuCount }, (_, cpu) => rows.slice(starts[cpu], starts[cpu + 1]));
  const { cutShort, small } = spreader;
  return { byCpu, rows, cutShort, small, reason: stop.reason, stop: stop.at - at };
}

const write = (packets: readonly Uint8Array[]): Uint8Array => {
  const writer = createCaptureWriter({ format: "pcap", linkType: 1 });
  for (const [idx, data] of packets.entries()) writer.write({ tsNs: BigInt(idx) * 1_500_000_000n, data });
  return writer.take();
};

/** Bytes as text, which compares fast. */
const hex = (packets: readonly Uint8Array[]): string[] =>
  packets.map((data) => Buffer.from(data).toString("hex"));

const ofCpu = (packets: readonly Uint8Array[], cpu: number, cpuCount: number) =>
  packets.filter((data) => cpuOfHash(flowHash(data, 0, data.length, 1), cpuCount) === cpu);

describe("spreading the records of a pcap file", () => {
  it.each([false, true])("takes the lab's flows as the slow way does, on shared memory: %s", (isShared) => {
    const packets = [...walkCapture(lab)];
    const frames = packets.map(({ data }) => data);
    for (const cpuCount of [1, 2, 3, 8]) {
      const { byCpu, reason, stop, cutShort } = spread(lab, { cpuCount, isShared });
      expect([reason, stop]).toEqual([SCAN_STOP.limit, lab.length]);
      expect(cutShort).toBe(packets.filter((one) => one.data.length < one.originalBytes).length);
      for (const [cpu, rows] of byCpu.entries())
        expect(hex(rows.map(({ data }) => data))).toEqual(hex(ofCpu(frames, cpu, cpuCount)));
    }
  });

  it("hashes frames of any bytes as the slow way does", () => {
    const types = fc.constantFrom([8, 0], [0x86, 0xdd], [0x81, 0], [0x88, 0xa8], [8, 6]);
    const frame = fc
      .tuple(fc.uint8Array({ minLength: 14, maxLength: 120 }), types, types)
      .map(([bytes, first, second]) => {
        bytes.set(first, 12);
        if (bytes.length >= 18) bytes.set(second, 16);
        return bytes;
      });
    fc.assert(
      fc.property(fc.array(frame, { minLength: 1, maxLength: 30 }), (frames) => {
        const { byCpu } = spread(write(frames), { cpuCount: 5 });
        for (const [cpu, rows] of byCpu.entries())
          expect(hex(rows.map(({ data }) => data))).toEqual(hex(ofCpu(frames, cpu, 5)));
      }),
      { numRuns: 60 },
    );
  });

  it("takes turns, keeps the order, tells the time, and fills descriptors", () => {
    const frames = Array.from({ length: 7 }, (_, idx) => new Uint8Array(60).fill(idx));
    const { rows, byCpu } = spread(write(frames), { cpuCount: 3, nextCpu: 2 });
    expect(byCpu.map((own) => own.map(({ data }) => data[0]))).toEqual([
      [1, 4],
      [2, 5],
      [0, 3, 6],
    ]);
    expect(rows.map(({ sec }) => sec / 1.5)).toEqual([1, 4, 2, 5, 0, 3, 6]);
    for (const { rest } of rows) expect(rest.slice(1)).toEqual([1, 0, 0, 0, 0]);
  });

  it("chooses the same CPUs however many walks a chunk takes, and all packets on each number of CPUs", () => {
    const frames = fc.array(fc.uint8Array({ minLength: 34, maxLength: 90 }), { minLength: 1, maxLength: 40 });
    const ipv4 = frames.map((list) => list.map((bytes) => new Uint8Array(bytes.with(12, 8).with(13, 0))));
    fc.assert(
      fc.property(
        ipv4,
        fc.constantFrom(1, 2, 4),
        fc.constantFrom(FLOW, 0),
        fc.nat(),
        (list, cpuCount, nextCpu, cut) => {
          const file = write(list);
          const firstBytes = 24 + (cut % (file.length - 23));
          const whole = spread(file, { cpuCount, nextCpu });
          expect(spread(file, { cpuCount, nextCpu, firstBytes })).toEqual(whole);
          expect(hex(whole.rows.map(({ data }) => data)).sort()).toEqual(hex(list).sort());
          for (const [cpu, rows] of whole.byCpu.entries()) {
            const own =
              nextCpu === FLOW ? ofCpu(list, cpu, cpuCount) : list.filter((_, idx) => idx % cpuCount === cpu);
            expect(hex(rows.map(({ data }) => data))).toEqual(hex(own));
          }
        },
      ),
      { numRuns: 100 },
    );
  });

  it("leaves records that begin behind the limit, and stops at what is not whole", () => {
    const file = write([60, 60, 60].map((length) => new Uint8Array(length)));
    const second = 24 + 76;
    const at = (limit: number, bytes: number) => {
      const { rows, reason, stop } = spread(file, { cpuCount: 2, limit, bytes });
      return [rows.length, reason, stop];
    };
    expect(at(second, file.length)).toEqual([1, SCAN_STOP.limit, second]);
    expect(at(second + 1, file.length)).toEqual([2, SCAN_STOP.limit, second + 76]);
    expect(at(file.length, second + 15)).toEqual([1, SCAN_STOP.bytes, second]);
    expect(at(file.length, second + 75)).toEqual([1, SCAN_STOP.bytes, second]);
    expect(at(file.length, second + 76)).toEqual([2, SCAN_STOP.bytes, second + 76]);
  });

  it("counts packets too small for a frame, and stops at what needs a closer look", () => {
    const small = spread(write([60, 10, 0, 60].map((length) => new Uint8Array(length))), { cpuCount: 2 });
    expect([small.rows.length, small.small]).toEqual([4, 2]);
    const huge = spread(write([60, 65_536, 60].map((length) => new Uint8Array(length))), { cpuCount: 2 });
    expect([huge.rows.length, huge.reason]).toEqual([1, SCAN_STOP.odd]);
    const odd = write([60, 60].map((length) => new Uint8Array(length)));
    new DataView(odd.buffer, odd.byteOffset).setUint32(24 + 76 + 12, 59, true);
    expect(spread(odd, { cpuCount: 2 })).toMatchObject({ rows: { length: 1 }, reason: SCAN_STOP.odd });
  });
});
