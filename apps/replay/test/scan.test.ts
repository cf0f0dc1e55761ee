import { readFileSync } from "node:fs";
import { LinearMemory } from "@tsbpf/memory";
import { createCaptureParser, createCaptureWriter, walkCapture } from "@tsbpf/trace";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { printScan } from "../gen/scan.ts";
import { SCAN_STOP, Scanner } from "../src/scan/scanner.ts";
import { flowHash } from "../src/spread/flow-hash.ts";
import { cpuOfHash, type SpreadName } from "../src/spread/spread.ts";
import { SYMMETRIC_KEY, symmetricHash, toeplitz } from "../src/spread/toeplitz.ts";

const lab = new Uint8Array(readFileSync(new URL("../../../samples/captures/lab.pcap", import.meta.url)));
const DESC_BYTES = 32;

/** Scans a whole pcap file; gives descriptors by CPU and where it stopped. */
function scanFile(file: Uint8Array, cpuCount: number, spread: SpreadName, isShared = false) {
  const memory = new LinearMemory({ initialBytes: 1 << 22, maxBytes: 1 << 26, isShared });
  const scanner = new Scanner(memory, { cpuCount, spread });
  const at = memory.allocRaw(file.length, 64);
  memory.u8.set(file, at);
  const parser = createCaptureParser();
  parser.push(memory.u8.subarray(at, at + file.length));
  const span = parser.span();
  if (span === undefined) throw new Error("no span");
  const room = 4096;
  const [desc, sorted] = [memory.allocRaw(room * DESC_BYTES, 64), memory.allocRaw(room * DESC_BYTES, 64)];
  const [times, timesTo] = [memory.allocRaw(room * 8, 64), memory.allocRaw(room * 8, 64)];
  scanner.describe(span, 0);
  const base = span.bytes.byteOffset;
  const range = {
    start: base + span.start,
    end: base + span.end,
    desc,
    descEnd: desc + room * DESC_BYTES,
    times,
  };
  const { descEnd, reason, cutShort, at: stop } = scanner.scan(range);
  const starts = scanner.sort({ ...range, descEnd }, { desc: sorted, times: timesTo });
  const rows = Array.from({ length: (descEnd - desc) / DESC_BYTES }, (_, idx) => {
    const words = memory.i32.subarray((sorted + idx * DESC_BYTES) >>> 2);
    return {
      data: memory.u8.slice(words[0], words[1]),
      time: memory.view.getFloat64(timesTo + idx * 8, true),
    };
  });
  return { starts, rows, reason, cutShort, stop: stop - at };
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

  it.each([false, true])(
    "spreads the lab's packets as the slow way does, on shared memory: %s",
    (isShared) => {
      const packets = [...walkCapture(lab)].map(({ data }) => data);
      for (const cpuCount of [1, 2, 3, 8]) {
        const { starts, rows, reason, stop } = scanFile(lab, cpuCount, "flow", isShared);
        expect([reason, stop]).toEqual([SCAN_STOP.bytes, lab.length]);
        for (let cpu = 0; cpu < cpuCount; cpu++) {
          const own = packets.filter(
            (data) => cpuOfHash(flowHash(data, 0, data.length, 1), cpuCount) === cpu,
          );
          expect(rows.slice(starts[cpu], starts[cpu + 1]).map(({ data }) => data)).toEqual(own);
        }
      }
    },
  );

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
        const { starts, rows } = scanFile(write(frames), 5, "flow");
        for (let cpu = 0; cpu < 5; cpu++) {
          const own = frames.filter((data) => cpuOfHash(flowHash(data, 0, data.length, 1), 5) === cpu);
          expect(rows.slice(starts[cpu], starts[cpu + 1]).map(({ data }) => data)).toEqual(own);
        }
      }),
      { numRuns: 60 },
    );
  });

  it("takes turns, keeps the order, and tells the time", () => {
    const frames = Array.from({ length: 7 }, (_, idx) => new Uint8Array(60).fill(idx));
    const { starts, rows } = scanFile(write(frames), 3, "round-robin");
    expect([...starts]).toEqual([0, 3, 5, 7]);
    expect(rows.map(({ data }) => data[0])).toEqual([0, 3, 6, 1, 4, 2, 5]);
    expect(rows.map(({ time }) => time / 1.5e9)).toEqual([0, 3, 6, 1, 4, 2, 5]);
  });

  it("reads files of the other byte order, and stops at what is not plain or not whole", () => {
    const frames = [60, 60, 10, 60].map((length) => new Uint8Array(length));
    const file = write(frames);
    const odd = scanFile(file, 1, "flow");
    expect([odd.rows.length, odd.reason]).toEqual([2, SCAN_STOP.odd]);
    const cut = scanFile(file.subarray(0, 24 + 76 + 50), 1, "flow");
    expect([cut.rows.length, cut.reason, cut.stop]).toEqual([1, SCAN_STOP.bytes, 24 + 76]);
    const swapped = write([new Uint8Array(60), new Uint8Array(70)]);
    const view = new DataView(swapped.buffer, swapped.byteOffset, swapped.byteLength);
    const swap32 = (at: number) => view.setUint32(at, view.getUint32(at, true), false);
    for (const at of [0, 16, 20, 24, 28, 32, 36, 100, 104, 108, 112]) swap32(at);
    for (const at of [4, 6]) view.setUint16(at, view.getUint16(at, true), false);
    expect(scanFile(swapped, 1, "flow").rows.map(({ data }) => data.length)).toEqual([60, 70]);
  });
});

describe("the hash of receive-side scaling", () => {
  /** Microsoft's key and two rows of its verification suite: source, destination, ports; hashes without and with ports. */
  const key = Uint8Array.from(
    "6d5a56da255b0ec24167253d43a38fb0d0ca2bcbae7b30b477cb2da38030f20c6a42b73bbeac01fa".match(/../g) ?? [],
    (byte) => Number.parseInt(byte, 16),
  );
  it.each([
    [
      [66, 9, 149, 187, 161, 142, 100, 80, 2794 >> 8, 2794 & 255, 1766 >> 8, 1766 & 255],
      0x323e8fc2,
      0x51ccc178,
    ],
    [
      [199, 92, 111, 2, 65, 69, 140, 83, 14230 >> 8, 14230 & 255, 4739 >> 8, 4739 & 255],
      0xd718262a,
      0xc626b0ea,
    ],
  ])("is Microsoft's", (bytes, addresses, all) => {
    expect(toeplitz(key, Uint8Array.from(bytes.slice(0, 8)))).toBe(addresses);
    expect(toeplitz(key, Uint8Array.from(bytes))).toBe(all);
  });

  it("is a fold with the symmetric key, equal in both halves and for both directions", () => {
    fc.assert(
      fc.property(
        fc.uint8Array({ minLength: 12, maxLength: 36 }).filter(({ length }) => length % 4 === 0),
        (bytes) => {
          let folded = 0;
          for (let at = 0; at < bytes.length; at += 2)
            folded ^= ((bytes[at] ?? 0) << 8) | (bytes[at + 1] ?? 0);
          const half = symmetricHash(folded);
          expect(toeplitz(SYMMETRIC_KEY, bytes)).toBe(((half << 16) | half) >>> 0);
        },
      ),
    );
    const forth = Uint8Array.from([10, 0, 0, 1, 10, 0, 0, 2, 1, 2, 3, 4]);
    const back = Uint8Array.from([10, 0, 0, 2, 10, 0, 0, 1, 3, 4, 1, 2]);
    expect(toeplitz(SYMMETRIC_KEY, forth)).toBe(toeplitz(SYMMETRIC_KEY, back));
  });
});
