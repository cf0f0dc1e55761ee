import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  type CaptureParser,
  createCaptureParser,
  createCaptureWriter,
  encodeCapture,
  PacketCursor,
  type PacketInput,
  type PacketRecord,
} from "../src/index.ts";
import { annotations, interfaces, packetBytes, sections, u32s, u64s } from "./random.ts";
import { readWhole } from "./reading.ts";

const endians = fc.constantFrom("little" as const, "big" as const);

const pcapPackets = (unitNs: bigint): fc.Arbitrary<PacketInput[]> =>
  fc.array(
    fc
      .record({
        sec: u32s,
        fraction: fc.integer({ min: 0, max: Number(1_000_000_000n / unitNs) - 1 }),
        data: packetBytes,
        more: fc.nat(2000),
      })
      .map(({ sec, fraction, data, more }) => ({
        tsNs: BigInt(sec) * 1_000_000_000n + BigInt(fraction) * unitNs,
        data,
        originalBytes: data.length + more,
      })),
    { maxLength: 8 },
  );

/** What a record says beyond its place in the file. */
function contents(record: PacketRecord): object {
  const { index: _, fileOffset: __, linkType: ___, capturedBytes: ____, ...rest } = record;
  return rest;
}

describe("round trips", () => {
  it.each(["us", "ns"] as const)("pcap in %s is lossless", (resolution) => {
    fc.assert(
      fc.property(
        endians,
        fc.integer({ min: 0, max: 0xffff }),
        pcapPackets(resolution === "us" ? 1000n : 1n),
        (endian, linkType, packets) => {
          const file = encodeCapture(packets, {
            format: "pcap",
            linkType,
            resolution,
            endian,
            fcsBytes: 4,
            strict: true,
          });
          const { records, parser } = readWhole(file, { strict: true });
          expect(records.map(contents)).toEqual(
            packets.map((packet) => ({ ...packet, hasTime: true, interfaceIdx: 0 })),
          );
          expect(parser.interfaces[0]).toMatchObject({ linkType, fcsBytes: 4 });
          expect(
            encodeCapture(records, { format: "pcap", linkType, resolution, endian, fcsBytes: 4 }),
          ).toEqual(file);
        },
      ),
      { numRuns: 100 },
    );
  });

  const captures = endians.chain((endian) =>
    fc.record({
      endian: fc.constant(endian),
      section: sections(endian),
      interfaces: fc.array(interfaces(endian), { minLength: 1, maxLength: 3 }),
      packets: fc.array(
        fc.record({
          notes: annotations(endian),
          ticks: u64s,
          interfaceIdx: fc.nat(2),
          hasTime: fc.constantFrom(true, true, false),
          data: packetBytes,
          more: fc.nat(3),
        }),
        { maxLength: 8 },
      ),
    }),
  );

  it("pcapng is lossless in everything a reader gives", () => {
    fc.assert(
      fc.property(captures, (capture) => {
        const writer = createCaptureWriter({
          format: "pcapng",
          endian: capture.endian,
          section: capture.section,
          interfaces: capture.interfaces,
          strict: true,
        });
        const written = capture.packets.map(({ notes, ticks, data, more, hasTime, interfaceIdx }) => {
          const isSimple = !hasTime && capture.interfaces[0]?.snaplenBytes === 0;
          const idx = isSimple ? 0 : interfaceIdx % capture.interfaces.length;
          const time = isSimple ? { hasTime: false, tsNs: 0n } : timeOf(ticks, capture.interfaces[idx]!);
          const packet: PacketInput = {
            ...(isSimple ? {} : notes),
            ...time,
            data,
            originalBytes: data.length + (isSimple ? 0 : more),
            interfaceIdx: idx,
          };
          writer.write(packet);
          return packet;
        });
        const file = writer.take();
        const { records, parser } = readWhole(file, { strict: true });
        expect(records.map(contents)).toEqual(written);
        expect(parser.sections).toEqual([{ ...capture.section, endian: capture.endian, fileOffset: 0 }]);
        expect(parser.interfaces).toEqual(
          capture.interfaces.map((description, index) => ({ ...description, index, sectionIdx: 0 })),
        );
        expect(rewrite(parser, records)).toEqual(file);
        expect(rewriteFromCursors(file)).toEqual(file);
      }),
      { numRuns: 200 },
    );
  });

  it("cursors give what records give when the time unit changes", () => {
    const units = fc
      .constantFrom(0, 3, 6, 9)
      .chain((from) => fc.constantFrom(9, 6, 12).map((to) => [from, to] as const));
    fc.assert(
      fc.property(
        units,
        fc.array(fc.bigInt({ min: 0n, max: 1n << 62n }), { maxLength: 5 }),
        ([from, to], all) => {
          const resolution = (exponent: number) => ({
            linkType: 1,
            timeResolution: { base: 10 as const, exponent },
          });
          const scale = 10n ** BigInt(9 - from);
          const file = encodeCapture(
            all.map((ticks) => ({ tsNs: (ticks / scale / 1000n) * scale, data: new Uint8Array(1) })),
            { format: "pcapng", interfaces: [resolution(from)] },
          );
          const options = { format: "pcapng", interfaces: [resolution(to)] } as const;
          const parser = createCaptureParser();
          const cursor = new PacketCursor();
          const writer = createCaptureWriter(options);
          parser.push(file);
          while (parser.next(cursor)) writer.writeFrom(cursor);
          expect(writer.take()).toEqual(encodeCapture(readWhole(file).records, options));
        },
      ),
      { numRuns: 200 },
    );
  });
});

/** A time as a reader gives it: rounded down, with the raw value only where that loses something. */
function timeOf(
  ticks: bigint,
  iface: { timeResolution?: { base: number; exponent: number }; timeOffsetSec?: bigint },
) {
  const unit = BigInt(iface.timeResolution!.base) ** BigInt(iface.timeResolution!.exponent);
  const scaled = ticks * 1_000_000_000n;
  const tsNs = scaled / unit + iface.timeOffsetSec! * 1_000_000_000n;
  return { hasTime: true, tsNs, ...(scaled % unit === 0n ? {} : { tsTicks: ticks }) };
}

function rewrite(parser: CaptureParser, records: readonly PacketRecord[]): Uint8Array {
  const section = parser.sections[0]!;
  return encodeCapture(records, {
    format: "pcapng",
    endian: section.endian,
    section,
    interfaces: parser.interfaces,
  });
}

function rewriteFromCursors(file: Uint8Array): Uint8Array {
  const parser = createCaptureParser();
  const cursor = new PacketCursor();
  parser.push(file);
  parser.next(cursor);
  const section = parser.sections[0]!;
  const writer = createCaptureWriter({
    format: "pcapng",
    endian: section.endian,
    section,
    interfaces: parser.interfaces,
  });
  if (cursor.index >= 0) {
    do writer.writeFrom(cursor, parser.annotations(cursor));
    while (parser.next(cursor));
  }
  return writer.take();
}
