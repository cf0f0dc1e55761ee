import { describe, expect, it } from "vitest";
import {
  addMissingInterfaces,
  type CaptureWriterOptions,
  createCaptureParser,
  createCaptureWriter,
  encodeCapture,
  PacketCursor,
  type PacketInput,
} from "../src/index.ts";
import { ascii, cat, epb, frame, idb, pcapHead, pcapPacket, shb, u32 } from "./bytes.ts";
import { readWhole } from "./reading.ts";

const data = frame(20);
const packet: PacketInput = { tsNs: 1_000_002_000n, data };
const NG = {
  format: "pcapng",
  interfaces: [{ linkType: 1, timeResolution: { base: 10, exponent: 6 } }],
} as const;

describe("capture writers", () => {
  it.each(["little", "big"] as const)("write the bytes the formats ask for, %s endian", (endian) => {
    const us = encodeCapture([packet], {
      format: "pcap",
      linkType: 1,
      resolution: "us",
      snaplenBytes: 65535,
      endian,
    });
    expect(us).toEqual(cat(pcapHead({ order: endian }), pcapPacket(data, {}, endian)));
    const ng = encodeCapture([{ ...packet, comments: ["hi"] }], { ...NG, endian });
    expect(ng).toEqual(
      cat(
        shb(endian),
        idb(endian),
        epb(data, { order: endian, ticks: 1_000_002n, opts: [[1, ascii("hi")]] }),
      ),
    );
  });

  it("hand out their bytes piece by piece", () => {
    const writer = createCaptureWriter(NG);
    const pieces = [writer.take()];
    for (let i = 0; i < 3; i++) {
      writer.write(packet);
      expect(writer.pendingBytes).toBeGreaterThan(0);
      pieces.push(writer.take());
      expect(writer.pendingBytes).toBe(0);
    }
    expect(cat(...pieces)).toEqual(encodeCapture([packet, packet, packet], NG));
    expect(writer.take()).toHaveLength(0);
  });

  it("write sections, names and statistics that readers give back", () => {
    const writer = createCaptureWriter({
      format: "pcapng",
      section: { os: "one" },
      interfaces: [{ linkType: 1 }],
    });
    writer.write(packet);
    const statistics = {
      tsNs: 5n,
      startNs: 1n,
      endNs: 4n,
      receivedCount: 9n,
      droppedCount: 1n,
      comments: ["c"],
    };
    writer.writeStatistics(0, statistics);
    const names = [{ kind: "ipv6", address: new Uint8Array(16), names: ["any", "all"] }] as const;
    writer.writeNames(names);
    writer.startSection({ os: "two" }, "big");
    expect(writer.addInterface({ linkType: 101 })).toBe(1);
    writer.write({ ...packet, interfaceIdx: 1 });
    const { records, parser } = readWhole(writer.take());
    expect(records.map((record) => record.linkType)).toEqual([1, 101]);
    expect(parser.sections.map(({ endian, os }) => [endian, os])).toEqual([
      ["little", "one"],
      ["big", "two"],
    ]);
    expect(parser.interfaces[0]?.statistics).toEqual(statistics);
    expect(parser.names).toEqual(names);
    expect(() => writer.write({ ...packet, interfaceIdx: 0 })).toThrow(
      expect.objectContaining({ code: "TRACE_INTERFACE" }),
    );
  });

  it("change a packet under a cursor", () => {
    const parser = createCaptureParser();
    parser.push(
      cat(shb(), idb("little", [], 1), epb(data, { ticks: 7n, orig: 99, opts: [[1, ascii("old")]] })),
    );
    const cursor = new PacketCursor();
    parser.next(cursor);
    for (const options of [{ format: "pcap", linkType: 1 }, { format: "pcapng" }] as const) {
      const writer = createCaptureWriter(options);
      addMissingInterfaces(writer, parser.interfaces);
      addMissingInterfaces(writer, parser.interfaces);
      writer.writeFrom(cursor);
      writer.writeFrom(cursor, { data: frame(10) });
      writer.writeFrom(cursor, { data: frame(10), originalBytes: 30 });
      const { records } = readWhole(writer.take());
      expect(
        records.map(({ tsNs, capturedBytes, originalBytes }) => [tsNs, capturedBytes, originalBytes]),
      ).toEqual([
        [7000n, 20, 99],
        [7000n, 10, 10],
        [7000n, 10, 30],
      ]);
    }
  });

  it("say what pcap cannot hold, once a kind", () => {
    const options = { format: "pcap", linkType: 1, resolution: "us" } as const;
    const writer = createCaptureWriter(options);
    const rich: PacketInput = { tsNs: 1n, data, comments: ["x"] };
    writer.write(rich);
    writer.write(rich);
    writer.write({ tsNs: 0n, hasTime: false, data, queue: 0 });
    writer.writeNames([]);
    writer.writeStatistics(0, { tsNs: 0n });
    expect(writer.warnings.map(({ code, count }) => [code, count])).toEqual([
      ["PCAP_ANNOTATIONS_DROPPED", 3],
      ["PCAP_TIME_ROUNDED", 2],
      ["PCAP_TIME_MISSING", 1],
      ["PCAP_NAMES_DROPPED", 1],
      ["PCAP_STATISTICS_DROPPED", 1],
    ]);
    const strict = createCaptureWriter({ ...options, strict: true });
    expect(() => strict.write(rich)).toThrow(expect.objectContaining({ code: "PCAP_ANNOTATIONS_DROPPED" }));
    expect(() => strict.write({ tsNs: 1n, data })).toThrow(
      expect.objectContaining({ code: "PCAP_TIME_ROUNDED" }),
    );
    strict.write({ tsNs: 1000n, data });
    expect(readWhole(strict.take()).records).toHaveLength(1);
  });

  it("say what pcapng holds in part", () => {
    const writer = createCaptureWriter({ ...NG, interfaces: [...NG.interfaces, { linkType: 1 }] });
    writer.write({ tsNs: 1001n, data });
    writer.write({ tsNs: 0n, hasTime: false, data, interfaceIdx: 1 });
    writer.write({ tsNs: 0n, data, otherOptions: [{ code: 99, value: data, endian: "big" }] });
    expect(writer.warnings.map((warning) => warning.code)).toEqual([
      "PCAPNG_TIME_ROUNDED",
      "PCAPNG_TIME_MISSING",
      "PCAPNG_OPTION_DROPPED",
    ]);
  });

  it("turn the enterprise number of custom options to the other byte order", () => {
    const value = cat(u32(32473, "big"), ascii("text"));
    const writer = createCaptureWriter(NG);
    writer.write({ ...packet, otherOptions: [{ code: 2988, value, endian: "big" }] });
    expect(readWhole(writer.take()).records[0]?.otherOptions).toEqual([
      { code: 2988, value: cat(u32(32473, "little"), ascii("text")), endian: "little" },
    ]);
  });

  const refused: readonly (readonly [string, CaptureWriterOptions, PacketInput])[] = [
    ["PCAP_LINK_TYPE_RANGE", { format: "pcap", linkType: 65536 }, packet],
    ["PCAP_FCS_BYTES", { format: "pcap", linkType: 1, fcsBytes: 3 }, packet],
    ["PCAP_TIME_RANGE", { format: "pcap", linkType: 1 }, { tsNs: -1n, data }],
    ["PCAP_TIME_RANGE", { format: "pcap", linkType: 1 }, { tsNs: (1n << 32n) * 1_000_000_000n, data }],
    ["PCAP_PACKET_TOO_BIG", { format: "pcap", linkType: 1 }, { tsNs: 0n, data: new Uint8Array(262_145) }],
    ["PCAP_MIXED_LINK_TYPES", { format: "pcap", linkType: 1 }, { tsNs: 0n, data, linkType: 101 }],
    ["TRACE_FIELD_RANGE", { format: "pcap", linkType: 1 }, { ...packet, originalBytes: -1 }],
    ["TRACE_FIELD_RANGE", { format: "pcapng", interfaces: [{ linkType: -1 }] }, packet],
    [
      "TRACE_FIELD_RANGE",
      { format: "pcapng", interfaces: [{ linkType: 1, timeOffsetSec: (1n << 63n) << 1n }] },
      packet,
    ],
    ["TRACE_INTERFACE", { format: "pcapng" }, packet],
    ["TRACE_INTERFACE", NG, { ...packet, interfaceIdx: -1 }],
    ["TRACE_LINK_TYPE", NG, { ...packet, linkType: 101 }],
    ["TRACE_FIELD_RANGE", NG, { ...packet, queue: 1.5 }],
    ["TRACE_FIELD_RANGE", NG, { ...packet, dropCount: 1n << 64n }],
    ["TRACE_FIELD_RANGE", NG, { ...packet, verdicts: [{ kind: "xdp", value: -1n }] }],
    ["PCAPNG_TIME_RANGE", NG, { tsNs: -1n, data }],
    ["PCAPNG_TIME_RANGE", NG, { tsNs: 1n << 84n, data }],
    ["PCAPNG_OPTION_TOO_LONG", NG, { ...packet, comments: ["x".repeat(65_536)] }],
    ["PCAPNG_BLOCK_TOO_BIG", NG, { ...packet, data: new Uint8Array(16 * 1024 * 1024) }],
    ["PCAPNG_ADDRESS_LENGTH", { format: "pcapng", interfaces: [{ linkType: 1, macAddress: data }] }, packet],
  ];
  it.each(refused)("refuse with %s, and keep the file whole", (code, options, bad) => {
    let written: Uint8Array | undefined;
    let found: unknown;
    try {
      const writer = createCaptureWriter(options);
      const before = writer.pendingBytes;
      try {
        writer.write(bad);
      } finally {
        expect(writer.pendingBytes).toBe(before);
        written = writer.take();
      }
    } catch (error) {
      found = error;
    }
    expect(found).toMatchObject({ code });
    if (written !== undefined) expect(readWhole(written).records).toEqual([]);
  });

  it("refuse sections in pcap, other link types and bad names", () => {
    const pcap = createCaptureWriter({ format: "pcap", linkType: 1 });
    expect(() => pcap.startSection()).toThrow(expect.objectContaining({ code: "PCAP_NO_SECTIONS" }));
    expect(() => pcap.addInterface({ linkType: 113 })).toThrow(
      expect.objectContaining({ code: "PCAP_MIXED_LINK_TYPES" }),
    );
    const ng = createCaptureWriter(NG);
    const entry = { kind: "ipv4", address: new Uint8Array(4), names: ["a\0b"] } as const;
    expect(() => ng.writeNames([entry])).toThrow(expect.objectContaining({ code: "PCAPNG_NAME" }));
  });
});
