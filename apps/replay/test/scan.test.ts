import { readFileSync } from "node:fs";
import { LinearMemory } from "@tsbpf/memory";
import { createCaptureParser, createCaptureWriter, walkCapture } from "@tsbpf/trace";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { printScan } from "../gen/scan.ts";
import { SCAN_STOP, Scanner } from "../src/scan/scanner.ts";

const lab = new Uint8Array(readFileSync(new URL("../../../samples/captures/lab.pcap", import.meta.url)));
const DESC_BYTES = 32;

/** Scans a whole pcap file; gives the described packets and where it stopped. */
function scanFile(file: Uint8Array) {
  const memory = new LinearMemory({ initialBytes: 1 << 22, maxBytes: 1 << 26 });
  const scanner = new Scanner(memory);
  const at = memory.allocRaw(file.length, 64);
  memory.u8.set(file, at);
  const parser = createCaptureParser();
  parser.push(memory.u8.subarray(at, at + file.length));
  const span = parser.span();
  if (span === undefined) throw new Error("no span");
  const room = 4096;
  const desc = memory.allocRaw(room * DESC_BYTES, 64);
  scanner.describe(span);
  const base = span.bytes.byteOffset;
  const range = {
    start: base + span.start,
    end: base + span.end,
    desc,
    descEnd: desc + room * DESC_BYTES,
  };
  const { descEnd, reason, cutShort, at: stop } = scanner.scan(range);
  const rows = Array.from({ length: (descEnd - desc) / DESC_BYTES }, (_, idx) => {
    const words = memory.i32.subarray((desc + idx * DESC_BYTES) >>> 2);
    return memory.u8.slice(words[0], words[1]);
  });
  return { rows, reason, cutShort, stop: stop - at };
}

const write = (packets: readonly Uint8Array[]): Uint8Array => {
  const writer = createCaptureWriter({ format: "pcap", linkType: 1 });
  for (const [idx, data] of packets.entries()) writer.write({ tsNs: BigInt(idx) * 1_500_000_000n, data });
  return writer.take();
};

describe("the scanner of pcap records", () => {
  it("is what its source says", async () => {
    const text = readFileSync(new URL("../src/scan/scan.gen.ts", import.meta.url), "utf8");
    expect(await printScan()).toBe(text);
  });

  it("describes the lab's packets as the slow way reads them", () => {
    const { rows, reason, cutShort, stop } = scanFile(lab);
    const packets = [...walkCapture(lab)];
    expect([reason, stop]).toEqual([SCAN_STOP.bytes, lab.length]);
    expect(rows).toEqual(packets.map(({ data }) => data));
    expect(cutShort).toBe(packets.filter(({ data, originalBytes }) => data.length < originalBytes).length);
  });

  it("describes frames of any bytes", () => {
    const frames = fc.array(fc.uint8Array({ minLength: 14, maxLength: 120 }), {
      minLength: 1,
      maxLength: 30,
    });
    fc.assert(
      fc.property(frames, (packets) => {
        expect(scanFile(write(packets)).rows).toEqual(packets);
      }),
      { numRuns: 60 },
    );
  });

  it("reads files of the other byte order, and stops at what is not plain or not whole", () => {
    const frames = [60, 60, 10, 60].map((length) => new Uint8Array(length));
    const file = write(frames);
    const odd = scanFile(file);
    expect([odd.rows.length, odd.reason]).toEqual([2, SCAN_STOP.odd]);
    const cut = scanFile(file.subarray(0, 24 + 76 + 50));
    expect([cut.rows.length, cut.reason, cut.stop]).toEqual([1, SCAN_STOP.bytes, 24 + 76]);
    const swapped = write([new Uint8Array(60), new Uint8Array(70)]);
    const view = new DataView(swapped.buffer, swapped.byteOffset, swapped.byteLength);
    const swap32 = (at: number) => view.setUint32(at, view.getUint32(at, true), false);
    for (const at of [0, 16, 20, 24, 28, 32, 36, 100, 104, 108, 112]) swap32(at);
    for (const at of [4, 6]) view.setUint16(at, view.getUint16(at, true), false);
    expect(scanFile(swapped).rows.map(({ length }) => length)).toEqual([60, 70]);
  });
});
