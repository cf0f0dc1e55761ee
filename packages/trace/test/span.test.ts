import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { createCaptureParser, createCaptureWriter, PacketCursor } from "../src/index.ts";

const sizes = fc.array(fc.nat(80), { maxLength: 40 });

function capture(lengths: readonly number[]): Uint8Array {
  const writer = createCaptureWriter({ format: "pcap", linkType: 1 });
  for (const [idx, length] of lengths.entries()) {
    writer.write({ tsNs: BigInt(idx) * 1000n, data: new Uint8Array(length).fill(idx) });
  }
  return writer.take();
}

describe("records walked in bulk", () => {
  it("are the packets that `next` gives, in any mixture and with chunks of any size", () => {
    fc.assert(
      fc.property(
        sizes,
        fc.integer({ min: 1, max: 400 }),
        fc.infiniteStream(fc.nat(5)),
        (lengths, step, bulk) => {
          const file = capture(lengths);
          const parser = createCaptureParser();
          const cursor = new PacketCursor();
          const found: number[] = [];
          const walk = () => {
            for (;;) {
              const span = parser.span();
              let wanted = bulk.next().value;
              if (span !== undefined && wanted > 0) {
                expect(span.index).toBe(found.length);
                const view = new DataView(span.bytes.buffer, span.bytes.byteOffset);
                let at = span.start;
                const before = found.length;
                while (wanted-- > 0 && at + 16 <= span.end) {
                  const length = view.getUint32(at + 8, true);
                  if (at + 16 + length > span.end) break;
                  found.push(length);
                  at += 16 + length;
                }
                parser.skip(at - span.start, found.length - before);
              }
              if (!parser.next(cursor)) return;
              expect(cursor.index).toBe(found.length);
              found.push(cursor.capturedBytes);
            }
          };
          for (let at = 0; at < file.length; at += step) {
            parser.push(file.slice(at, at + step));
            walk();
          }
          parser.end();
          walk();
          expect(found).toEqual(lengths);
          expect(parser.warnings).toEqual([]);
        },
      ),
    );
  });

  it("may lie in a part of the file that is never pushed: places count on", () => {
    const file = capture([60, 60, 60]);
    const parser = createCaptureParser();
    const cursor = new PacketCursor();
    parser.push(file.subarray(0, 24));
    expect(parser.next(cursor)).toBe(false);
    parser.skip(76, 1);
    parser.push(file.subarray(100));
    expect(parser.next(cursor)).toBe(true);
    expect([cursor.index, cursor.fileOffset]).toEqual([1, 100]);
    parser.end();
    expect(parser.next(cursor)).toBe(true);
    expect(parser.next(cursor)).toBe(false);
    expect(parser.warnings).toEqual([]);
  });

  it("may lie behind bytes that were pushed, which nobody looks at again", () => {
    const file = capture([60, 60, 60]);
    const parser = createCaptureParser();
    const cursor = new PacketCursor();
    parser.push(file.subarray(0, 24));
    parser.push(file.subarray(24, 40));
    expect(parser.span()).toMatchObject({ start: 0, end: 16, index: 0 });
    parser.skip(2 * 76, 2);
    parser.push(file.subarray(24 + 2 * 76));
    parser.end();
    expect(parser.next(cursor)).toBe(true);
    expect([cursor.index, cursor.fileOffset, cursor.capturedBytes]).toEqual([2, 24 + 2 * 76, 60]);
    expect(parser.next(cursor)).toBe(false);
    expect(parser.warnings).toEqual([]);
  });

  it("are not there for pcapng, nor before the header", () => {
    const writer = createCaptureWriter({ format: "pcapng" });
    writer.addInterface({ linkType: 1 });
    writer.write({ tsNs: 0n, data: new Uint8Array(60) });
    const parser = createCaptureParser();
    parser.push(writer.take());
    expect(parser.span()).toBeUndefined();
    const early = createCaptureParser();
    early.push(capture([60]).subarray(0, 20));
    expect(early.span()).toBeUndefined();
  });
});
