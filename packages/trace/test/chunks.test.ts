import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { createCaptureParser, PacketCursor } from "../src/index.ts";
import { cat, epb, frame, idb, pcapHead, pcapPacket, shb } from "./bytes.ts";
import { readAll, readWhole } from "./reading.ts";
import { SAMPLES } from "./samples.ts";

const learned = ({ parser, records }: ReturnType<typeof readAll>): unknown => ({
  records,
  format: parser.format,
  sections: parser.sections,
  interfaces: parser.interfaces,
  names: parser.names,
  skipped: parser.skippedBlocks,
  warnings: parser.warnings,
});

describe.each(SAMPLES)("chunks of %s", (_, bytes) => {
  const whole = learned(readWhole(bytes));

  it("give the same whatever the chunk size", () => {
    for (let size = 1; size <= bytes.length; size++) {
      expect(learned(readAll(bytes, {}, [size]))).toEqual(whole);
    }
  });

  it("give the same at every single split", () => {
    for (let at = 1; at < bytes.length; at++)
      expect(learned(readAll(bytes, {}, [at, bytes.length]))).toEqual(whole);
  });

  it("give the same in random sizes", () => {
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 1, max: 50 }), { minLength: 1, maxLength: 20 }), (sizes) => {
        expect(learned(readAll(bytes, {}, sizes))).toEqual(whole);
      }),
      { numRuns: 100 },
    );
  });

  it("give the same when all are pushed before the first packet is asked for", () => {
    const parser = createCaptureParser();
    for (let at = 0; at < bytes.length; at += 7) parser.push(bytes.subarray(at, at + 7));
    parser.push(new Uint8Array(0));
    parser.end();
    const cursor = new PacketCursor();
    const records = [];
    while (parser.next(cursor)) records.push(parser.record(cursor));
    expect(records).toEqual(readWhole(bytes).records);
  });
});

describe("the cursor", () => {
  it("looks into the caller's chunk and allocates nothing", () => {
    const file = cat(pcapHead(), pcapPacket(frame(60, 1)), pcapPacket(frame(60, 2)));
    const parser = createCaptureParser();
    const cursor = new PacketCursor();
    parser.push(file);
    expect(parser.next(cursor)).toBe(true);
    expect(cursor.bytes).toBe(file);
    expect([cursor.dataOffset, cursor.capturedBytes, cursor.tsSec, cursor.tsNanos]).toEqual([
      40, 60, 1, 2000,
    ]);
    expect(cursor.data().buffer).toBe(file.buffer);
    expect(parser.next(cursor)).toBe(true);
    expect(cursor.data()).toEqual(frame(60, 2));
    expect(parser.next(cursor)).toBe(false);
  });

  it("splits timestamps as bigint arithmetic does", () => {
    const exponents = fc.integer({ min: 0, max: 9 });
    fc.assert(
      fc.property(
        exponents,
        fc.array(fc.bigInt({ min: 0n, max: (1n << 64n) - 1n }), { maxLength: 8 }),
        (exponent, all) => {
          const near = all.flatMap((ticks) => [ticks, ticks ^ 1n, ticks ^ 0xffffn, ticks ^ (1n << 32n)]);
          const parser = createCaptureParser();
          parser.push(
            cat(
              shb(),
              idb("little", [[9, Uint8Array.of(exponent)]]),
              ...near.map((ticks) => epb(frame(0), { ticks })),
            ),
          );
          const cursor = new PacketCursor();
          for (const ticks of near) {
            expect(parser.next(cursor)).toBe(true);
            const ns = ticks * 10n ** BigInt(9 - exponent);
            expect([cursor.tsSec, cursor.tsNanos]).toEqual([
              Number(ns / 1_000_000_000n),
              Number(ns % 1_000_000_000n),
            ]);
            expect(cursor.tsNs()).toBe(ns);
          }
        },
      ),
      { numRuns: 300 },
    );
  });
});
