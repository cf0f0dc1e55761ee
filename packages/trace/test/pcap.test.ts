import { describe, expect, it } from "vitest";
import { decodePcapHeader } from "../src/pcap/header.ts";
import { ascii, cat, frame, pcapHead, pcapPacket, u32 } from "./bytes.ts";
import { readAll, readWhole, warningCodes } from "./reading.ts";

const data = frame(60);

describe("pcap reading", () => {
  it.each([
    ["microseconds, little endian", 0xa1b2c3d4, "little", 1_000_000_000n * 7n + 5_000n],
    ["microseconds, big endian", 0xa1b2c3d4, "big", 1_000_000_000n * 7n + 5_000n],
    ["nanoseconds, little endian", 0xa1b23c4d, "little", 1_000_000_000n * 7n + 5n],
    ["nanoseconds, big endian", 0xa1b23c4d, "big", 1_000_000_000n * 7n + 5n],
  ] as const)("reads the magic of %s", (_, magic, order, tsNs) => {
    const file = cat(
      pcapHead({ magic, order, snaplen: 1000, link: 101 }),
      pcapPacket(data, { sec: 7, frac: 5, orig: 1500 }, order),
      pcapPacket(frame(14), { sec: 0xffff_ffff, frac: 0 }, order),
    );
    const { records, parser } = readWhole(file);
    expect(records[0]).toEqual({
      index: 0,
      tsNs,
      hasTime: true,
      capturedBytes: 60,
      originalBytes: 1500,
      data,
      interfaceIdx: 0,
      linkType: 101,
      fileOffset: 24,
    });
    expect(records[1]?.tsNs).toBe(0xffff_ffffn * 1_000_000_000n);
    expect(records[1]?.fileOffset).toBe(24 + 16 + 60);
    expect(parser.format).toBe("pcap");
    expect(parser.sections).toEqual([{ endian: order, fileOffset: 0 }]);
    expect(parser.interfaces).toEqual([
      {
        index: 0,
        sectionIdx: 0,
        linkType: 101,
        snaplenBytes: 1000,
        timeResolution: { base: 10, exponent: magic === 0xa1b2c3d4 ? 6 : 9 },
        timeOffsetSec: 0n,
      },
    ]);
    expect(parser.warnings).toEqual([]);
  });

  it("reads a file without packets", () => {
    expect(readWhole(pcapHead()).records).toEqual([]);
  });

  it("reads a packet without bytes", () => {
    expect(readWhole(cat(pcapHead(), pcapPacket(new Uint8Array(0), { orig: 9 }))).records[0]).toMatchObject({
      capturedBytes: 0,
      originalBytes: 9,
    });
  });

  it("takes the frame check length out of the link type word", () => {
    const { parser } = readWhole(pcapHead({ link: 0x2400_0001 }));
    expect(parser.interfaces[0]).toMatchObject({ linkType: 1, fcsBytes: 4 });
  });

  it.each([
    [0xa1b2cd34, "Kuznetzov"],
    [0xa1b234cd, "Mesquita"],
    [0xa12b3c4d, "Navtel"],
    [0xa1e2cb12, "netsniff-ng"],
    [0x1c0001ac, "Ixia hardware"],
    [0x1c0001ab, "Ixia software"],
  ])("refuses the modified magic %i by name in both byte orders", (magic, name) => {
    for (const order of ["little", "big"] as const) {
      const { error } = readAll(pcapHead({ magic, order }));
      expect(error?.code).toBe("UNSUPPORTED_CAPTURE_FORMAT");
      expect(error?.message).toContain(name);
    }
  });

  it("refuses AIX captures by name, and other versions by number", () => {
    for (const link of [6, 9, 15, 24]) {
      expect(readAll(pcapHead({ minor: 2, link })).error).toMatchObject({
        code: "UNSUPPORTED_PCAP_AIX",
        message: expect.stringContaining("AIX"),
      });
    }
    for (const [major, minor] of [
      [2, 2],
      [2, 3],
      [2, 5],
      [1, 4],
      [543, 0],
    ]) {
      expect(readAll(pcapHead({ major: major!, minor: minor! })).error).toMatchObject({
        code: "UNSUPPORTED_PCAP_VERSION",
        message: `pcap version ${major}.${minor} is not supported, version 2.4 is, at offset 4`,
      });
    }
  });

  it("refuses reserved bits in the link type word", () => {
    expect(readAll(pcapHead({ link: 0x0001_0001 })).error?.code).toBe("PCAP_LINK_TYPE");
  });

  it("refuses lengths beyond the limit, and says where", () => {
    const file = cat(pcapHead(), pcapPacket(data), pcapPacket(data, { cap: 262_145 }));
    const { records, error } = readAll(file);
    expect(records).toHaveLength(1);
    expect(error).toMatchObject({
      code: "PCAP_PACKET_LENGTH",
      message: "packet 1 claims 262145 captured bytes, at most 262144 are allowed, at offset 108",
    });
    expect(readAll(cat(pcapHead(), pcapPacket(data, { cap: 0xffff_ffff }))).error?.code).toBe(
      "PCAP_PACKET_LENGTH",
    );
  });

  it("lets USB captures have longer packets, and callers choose", () => {
    const long = new Uint8Array(300_000);
    expect(
      readWhole(cat(pcapHead({ link: 220, snaplen: 0 }), pcapPacket(long))).records[0]?.capturedBytes,
    ).toBe(300_000);
    expect(readAll(cat(pcapHead({ snaplen: 0 }), pcapPacket(long))).error?.code).toBe("PCAP_PACKET_LENGTH");
    expect(
      readWhole(cat(pcapHead({ snaplen: 0 }), pcapPacket(long)), { maxPacketBytes: 300_000 }).records,
    ).toHaveLength(1);
    expect(readAll(cat(pcapHead(), pcapPacket(data)), { maxPacketBytes: 59 }).error?.code).toBe(
      "PCAP_PACKET_LENGTH",
    );
  });

  it("warns once a kind about odd packets and keeps them", () => {
    const file = cat(
      pcapHead({ snaplen: 32 }),
      pcapPacket(data),
      pcapPacket(data, { orig: 10 }),
      pcapPacket(data, { orig: 11, frac: 3_500_000 }),
    );
    const reading = readWhole(file);
    expect(reading.parser.warnings).toMatchObject([
      { code: "PCAP_SNAPLEN", count: 3, offset: 24 },
      { code: "PCAP_ORIGINAL_LENGTH", count: 2, offset: 100 },
      { code: "PCAP_TIME_FRACTION", count: 1, offset: 176 },
    ]);
    expect(reading.records[2]?.tsNs).toBe(4_500_000_000n);
    expect(readAll(file, { strict: true }).error?.code).toBe("PCAP_SNAPLEN");
  });

  it("yields what is whole of a truncated file, then warns; strict throws", () => {
    const whole = cat(pcapHead(), pcapPacket(data), pcapPacket(data));
    for (let size = 24; size <= whole.length; size++) {
      const reading = readWhole(whole.subarray(0, size));
      expect(reading.records).toHaveLength(size < 100 ? 0 : size < 176 ? 1 : 2);
      expect(warningCodes(reading)).toEqual([24, 100, 176].includes(size) ? [] : ["PCAP_TRUNCATED"]);
    }
    expect(readWhole(whole.subarray(0, 120)).parser.warnings[0]).toMatchObject({
      message: "file ends within packet 1: 20 of 76 bytes are there, at offset 100",
      offset: 100,
    });
    expect(readAll(whole.subarray(0, 120), { strict: true })).toMatchObject({
      records: { length: 1 },
      error: { code: "PCAP_TRUNCATED" },
    });
  });

  it("cannot use a file whose header is cut", () => {
    for (let size = 4; size < 24; size++) {
      expect(readAll(pcapHead().subarray(0, size)).error?.code).toBe("PCAP_TRUNCATED");
    }
    expect(readAll(new Uint8Array(0)).error?.code).toBe("TRACE_EMPTY");
  });

  it("throws the same error again after it has failed", () => {
    const { parser, error } = readAll(ascii("this is no capture"));
    expect(error).toMatchObject({
      code: "TRACE_MAGIC",
      message: "the file starts with bytes 74686973, a pcap or pcapng capture expected",
    });
    let again: unknown;
    try {
      parser.next({} as never);
    } catch (caught) {
      again = caught;
    }
    expect(again).toBe(error);
  });

  it.each([
    [[0x28, 0xb5, 0x2f, 0xfd], "zstd"],
    [[0xfd, 0x37, 0x7a, 0x58, 0x5a, 0x00], "xz"],
    [[0x04, 0x22, 0x4d, 0x18], "lz4"],
    [[...ascii("BZh9")], "bzip2"],
    [[...ascii("snoop\0\0\0")], "snoop"],
    [[...ascii("btsnoop\0")], "btsnoop"],
    [[...ascii("GMBU")], "Network Monitor"],
    [[...ascii("TRSNIFF data    ")], "Sniffer"],
  ])("names what it does not read: %o", (head, name) => {
    const { error } = readAll(cat(Uint8Array.from(head), new Uint8Array(40)));
    expect(error?.code).toBe("UNSUPPORTED_CAPTURE_FORMAT");
    expect(error?.message).toContain(name);
  });

  it("checks the magic by itself where nobody has sniffed it", () => {
    expect(() => decodePcapHeader(pcapHead({ magic: 0x12345678 }))).toThrow(
      expect.objectContaining({ code: "PCAP_MAGIC" }),
    );
  });

  it("refuses bytes after the end", () => {
    const { parser } = readWhole(pcapHead());
    expect(() => parser.push(u32(0, "little"))).toThrow(expect.objectContaining({ code: "TRACE_ENDED" }));
  });
});
