import { describe, expect, it } from "vitest";
import {
  ascii,
  block,
  cat,
  epb,
  frame,
  idb,
  isb,
  type Order,
  obsoletePb,
  option,
  options,
  pad4,
  shb,
  spb,
  u16,
  u32,
  u64,
} from "./bytes.ts";
import { readAll, readWhole, warningCodes } from "./reading.ts";

const data = frame(61);
const orders: readonly Order[] = ["little", "big"];
const resolution = (byte: number): readonly [number, Uint8Array] => [9, Uint8Array.of(byte)];

describe("pcapng sections and interfaces (pcapng §4.1, §4.2)", () => {
  it.each(orders)("keeps what a %s-endian section and its interfaces say", (order) => {
    const file = cat(
      shb(order, [
        [1, ascii("first comment")],
        [1, ascii("second")],
        [2, ascii("a machine")],
        [3, ascii("an os")],
        [4, ascii("a program\0")],
        [99, ascii("later")],
      ]),
      idb(
        order,
        [
          [2, ascii("eth7")],
          [3, ascii("the seventh")],
          [6, Uint8Array.of(2, 0, 0, 0, 0, 9)],
          [8, u64(10_000_000_000n, order)],
          [11, ascii("\0tcp port 80")],
          [12, ascii("linux")],
          [13, Uint8Array.of(4)],
          [14, u64(-3600n, order)],
          [15, ascii("a card")],
          [1, ascii("note")],
          [200, ascii("x")],
        ],
        113,
        96,
      ),
    );
    const { parser } = readWhole(file);
    expect(parser.format).toBe("pcapng");
    expect(parser.sections).toEqual([
      {
        endian: order,
        fileOffset: 0,
        comments: ["first comment", "second"],
        hardware: "a machine",
        os: "an os",
        application: "a program",
        otherOptions: [{ code: 99, value: ascii("later"), endian: order }],
      },
    ]);
    expect(parser.interfaces).toEqual([
      {
        index: 0,
        sectionIdx: 0,
        linkType: 113,
        snaplenBytes: 96,
        timeResolution: { base: 10, exponent: 6 },
        timeOffsetSec: -3600n,
        name: "eth7",
        description: "the seventh",
        macAddress: Uint8Array.of(2, 0, 0, 0, 0, 9),
        speedBitsPerSec: 10_000_000_000n,
        filter: "tcp port 80",
        os: "linux",
        fcsBytes: 4,
        hardware: "a card",
        comments: ["note"],
        otherOptions: [{ code: 200, value: ascii("x"), endian: order }],
      },
    ]);
  });

  it("changes byte order from section to section and counts interfaces on", () => {
    const file = cat(
      shb("little"),
      idb("little", [], 1),
      epb(data, { ticks: 1n }),
      shb("big"),
      idb("big", [resolution(9)], 101),
      idb("big", [resolution(0x80 | 10)], 113),
      epb(data, { order: "big", iface: 1, ticks: 1024n * 5n + 512n }),
      epb(data, { order: "big", iface: 0, ticks: 77n }),
      shb("little"),
      idb("little", [], 228),
      epb(data, { ticks: 3n }),
    );
    const { records, parser } = readWhole(file);
    expect(records.map(({ interfaceIdx, linkType, tsNs }) => [interfaceIdx, linkType, tsNs])).toEqual([
      [0, 1, 1000n],
      [2, 113, 5_500_000_000n],
      [1, 101, 77n],
      [3, 228, 3000n],
    ]);
    expect(parser.sections.map((section) => section.endian)).toEqual(["little", "big", "little"]);
    expect(parser.interfaces.map((iface) => iface.sectionIdx)).toEqual([0, 1, 1, 2]);
  });

  it("does not let a packet refer to an earlier section's interface", () => {
    const { error } = readAll(cat(shb(), idb(), shb(), epb(data)));
    expect(error).toMatchObject({
      code: "PCAPNG_INTERFACE",
      message: "block refers to interface 0, the section has 0, at offset 84",
    });
    expect(readAll(cat(shb(), spb(data))).error?.code).toBe("PCAPNG_INTERFACE");
    expect(readAll(cat(shb(), idb(), obsoletePb(data, { iface: 1 }))).error?.code).toBe("PCAPNG_INTERFACE");
    expect(readAll(cat(shb(), idb(), isb(3, 0n, []))).error?.code).toBe("PCAPNG_INTERFACE");
  });

  it("reads minor version 2 as 0 and refuses others", () => {
    expect(readWhole(shb("little", [], 2)).error).toBeUndefined();
    expect(readAll(shb("little", [], 1)).error).toMatchObject({
      code: "UNSUPPORTED_PCAPNG_VERSION",
      message: "pcapng version 1.1 is not supported, version 1.0 is, at offset 12",
    });
  });

  it("refuses an unknown byte-order magic", () => {
    const file = shb();
    file[8] = 0;
    expect(readAll(file).error?.code).toBe("PCAPNG_BYTE_ORDER");
  });
});

describe("pcapng timestamps (pcapng §4.2 if_tsresol, if_tsoffset)", () => {
  const NS = 1_000_000_000n;
  const big = 1_700_000_000n * NS + 123_456_789n;
  it.each([
    ["seconds", 0, 1_700_000_000n, 1_700_000_000n * NS],
    ["milliseconds", 3, 1_700_000_000_123n, 1_700_000_000_123n * 1_000_000n],
    ["microseconds", 6, big / 1000n, (big / 1000n) * 1000n],
    ["nanoseconds", 9, big, big],
    ["the last nanosecond", 9, (1n << 64n) - 1n, (1n << 64n) - 1n],
    ["the last microsecond", 6, (1n << 64n) - 1n, ((1n << 64n) - 1n) * 1000n],
    ["the last second", 0, (1n << 64n) - 1n, ((1n << 64n) - 1n) * NS],
    ["2^-1 seconds", 0x81, 3n, 1_500_000_000n],
    ["2^-9 seconds", 0x89, 513n, NS + 1_953_125n],
  ])("are exact in %s", (_, byte, ticks, tsNs) => {
    const { records } = readWhole(cat(shb(), idb("little", [resolution(byte)]), epb(data, { ticks })));
    expect(records[0]).toMatchObject({ tsNs, hasTime: true });
    expect(records[0]).not.toHaveProperty("tsTicks");
  });

  it.each([
    ["picoseconds", 12, 1_999n, 1n],
    ["10^-127 seconds", 127, (1n << 64n) - 1n, 0n],
    ["2^-32 seconds", 0xa0, (5n << 32n) + 1n, 5n * NS],
    ["2^-127 seconds", 0xff, (1n << 64n) - 1n, 0n],
  ])("are rounded down in %s, and the raw value is kept", (_, byte, ticks, tsNs) => {
    const { records } = readWhole(cat(shb(), idb("little", [resolution(byte)]), epb(data, { ticks })));
    expect(records[0]).toMatchObject({ tsNs, tsTicks: ticks });
  });

  it("add the interface's offset, also a negative one", () => {
    for (const [offset, ticks, tsNs] of [
      [1_700_000_000n, 5n, 1_700_000_000n * NS + 5000n],
      [-1n, 1n, -NS + 1000n],
      [(1n << 63n) - 1n, 0n, ((1n << 63n) - 1n) * NS],
    ] as const) {
      for (const byte of [6, 0x80 | 20]) {
        const file = cat(
          shb(),
          idb("little", [resolution(byte), [14, u64(offset, "little")]]),
          epb(data, { ticks }),
        );
        const expected = byte === 6 ? tsNs : offset * NS + (ticks * NS) / (1n << 20n);
        expect(readWhole(file).records[0]?.tsNs).toBe(expected);
      }
    }
  });
});

describe("pcapng packets (pcapng §4.3, §4.4)", () => {
  it.each(orders)("reads every option of an enhanced packet, %s endian", (order) => {
    const file = cat(
      shb(order),
      idb(order, [resolution(9)]),
      epb(data, {
        order,
        ticks: 9n,
        orig: 2000,
        opts: [
          [1, ascii("one")],
          [1, ascii("two")],
          [2, u32(0x0001_0002, order)],
          [3, Uint8Array.of(2, 1, 2, 3, 4)],
          [4, u64(17n, order)],
          [5, u64(0xffff_ffff_ffff_ffffn, order)],
          [6, u32(42, order)],
          [7, cat(Uint8Array.of(2), u64(1n, order))],
          [7, cat(Uint8Array.of(1), u64(2n, order))],
          [7, Uint8Array.of(0, 9, 9)],
          [7, Uint8Array.of(200)],
        ],
      }),
    );
    expect(readWhole(file).records[0]).toEqual({
      index: 0,
      tsNs: 9n,
      hasTime: true,
      capturedBytes: 61,
      originalBytes: 2000,
      data,
      interfaceIdx: 0,
      linkType: 1,
      fileOffset: 28 + 32,
      comments: ["one", "two"],
      direction: "outbound",
      flags: 0x0001_0002,
      dropCount: 17n,
      packetId: 0xffff_ffff_ffff_ffffn,
      queue: 42,
      verdicts: [
        { kind: "xdp", value: 1n },
        { kind: "tc", value: 2n },
        { kind: "hardware", bytes: Uint8Array.of(9, 9) },
        { kind: "other", type: 200, bytes: new Uint8Array(0) },
      ],
      otherOptions: [{ code: 3, value: Uint8Array.of(2, 1, 2, 3, 4), endian: order }],
    });
  });

  it("reads the direction in the flags", () => {
    const directions = [0, 1, 2, 3].map((bits) => {
      const file = cat(shb(), idb(), epb(data, { opts: [[2, u32(bits, "little")]] }));
      return readWhole(file).records[0]?.direction;
    });
    expect(directions).toEqual([undefined, "inbound", "outbound", undefined]);
  });

  it.each(orders)("reads simple packets, %s endian, cut by the interface's snaplen", (order) => {
    const file = cat(
      shb(order),
      idb(order, [], 1, 40),
      spb(data.subarray(0, 40), 61, order),
      spb(data.subarray(0, 13), 13, order),
    );
    expect(readWhole(file).records).toEqual([
      expect.objectContaining({
        hasTime: false,
        tsNs: 0n,
        capturedBytes: 40,
        originalBytes: 61,
        data: data.subarray(0, 40),
      }),
      expect.objectContaining({ hasTime: false, capturedBytes: 13, originalBytes: 13, index: 1 }),
    ]);
  });

  it("refuses a simple packet that is longer than its block", () => {
    expect(readAll(cat(shb(), idb(), spb(data, 100))).error).toMatchObject({
      code: "PCAPNG_PACKET_LENGTH",
      message: "packet 0 claims 100 captured bytes, its block has room for 64, at offset 48",
    });
  });

  it.each(orders)("reads the obsolete packet block with its drop count, %s endian", (order) => {
    const file = cat(
      shb(order),
      idb(order),
      idb(order, [], 101),
      obsoletePb(data, { order, iface: 1, drops: 3, ticks: 8n, orig: 70, opts: [[2, u32(1, order)]] }),
      obsoletePb(data, { order }),
    );
    const { records } = readWhole(file);
    expect(records[0]).toMatchObject({
      interfaceIdx: 1,
      linkType: 101,
      dropCount: 3n,
      tsNs: 8000n,
      originalBytes: 70,
      direction: "inbound",
    });
    expect(records[1]).not.toHaveProperty("dropCount");
  });

  it("refuses captured lengths that do not fit, near 2^32 too", () => {
    for (const cap of [62 + 3, 0xffff_fffc, 0xffff_ffff, 0x8000_0000]) {
      const packet = epb(data);
      packet.set(u32(cap, "little"), 20);
      expect(readAll(cat(shb(), idb(), packet)).error?.code).toBe("PCAPNG_PACKET_LENGTH");
    }
  });

  it("warns of a packet longer than it was on the wire", () => {
    expect(warningCodes(readWhole(cat(shb(), idb(), epb(data, { orig: 1 }))))).toEqual([
      "PCAPNG_ORIGINAL_LENGTH",
    ]);
  });
});

describe("pcapng names, statistics and other blocks (pcapng §4.5, §4.6)", () => {
  it.each(orders)("keeps names, %s endian", (order) => {
    const name = (type: number, value: Uint8Array): Uint8Array =>
      cat(u16(type, order), u16(value.length, order), pad4(value));
    const body = cat(
      name(1, cat(Uint8Array.of(10, 0, 0, 1), ascii("gateway\0gw\0"))),
      name(77, ascii("later")),
      name(3, cat(Uint8Array.of(2, 0, 0, 0, 0, 1), ascii("card\0"))),
      name(0, new Uint8Array(0)),
      options([[1, ascii("comment")]], order),
    );
    expect(readWhole(cat(shb(order), block(4, body, order))).parser.names).toEqual([
      { kind: "ipv4", address: Uint8Array.of(10, 0, 0, 1), names: ["gateway", "gw"] },
      { kind: "eui48", address: Uint8Array.of(2, 0, 0, 0, 0, 1), names: ["card"] },
    ]);
  });

  it("names where a name record ends outside its block", () => {
    const body = cat(u16(1, "little"), u16(500, "little"), new Uint8Array(8));
    expect(readAll(cat(shb(), block(4, body))).error).toMatchObject({
      code: "PCAPNG_NAME_LENGTH",
      message: "name record of type 1 claims 500 bytes, 8 are left in the block, at offset 36",
    });
  });

  it("keeps an interface's last statistics", () => {
    const stats = (received: bigint): Uint8Array =>
      isb(0, received, [
        [2, cat(u32(0, "little"), u32(7, "little"))],
        [4, u64(received, "little")],
        [5, u64(2n, "little")],
        [7, u64(3n, "little")],
      ]);
    expect(readWhole(cat(shb(), idb(), stats(10n), stats(20n))).parser.interfaces[0]?.statistics).toEqual({
      tsNs: 20_000n,
      startNs: 7000n,
      receivedCount: 20n,
      droppedCount: 2n,
      osDroppedCount: 3n,
    });
  });

  it("passes over blocks it does not know and counts them", () => {
    const custom = block(0x0bad, cat(u32(32473, "little"), ascii("anything")));
    const file = cat(
      shb(),
      custom,
      idb(),
      block(0x4000_0bad, u32(1, "little")),
      custom,
      block(0x8000_0077, custom),
      epb(data),
      block(10, pad4(ascii("key"))),
    );
    const { records, parser } = readWhole(file);
    expect(records).toHaveLength(1);
    expect(parser.skippedBlocks).toEqual([
      { type: 0x0bad, name: "custom", count: 2 },
      { type: 0x4000_0bad, name: "custom, not to be copied", count: 1 },
      { type: 0x8000_0077, name: "local use", count: 1 },
      { type: 10, name: "decryption secrets", count: 1 },
    ]);
  });

  it("counts unknown types beyond the 64th together", () => {
    const file = cat(shb(), ...Array.from({ length: 70 }, (_, i) => block(0x1000 + i, new Uint8Array(0))));
    const { skippedBlocks } = readWhole(file).parser;
    expect(skippedBlocks).toHaveLength(65);
    expect(skippedBlocks.at(-1)).toEqual({ type: -1, name: "further types", count: 6 });
  });
});

describe("pcapng malformed blocks", () => {
  const head = cat(shb(), idb());

  it.each([0, 8, 13, 14, 15, 0x0100_0004, 0xffff_fffc])("refuses the block length %i", (length) => {
    const bad = block(6, new Uint8Array(20));
    bad.set(u32(length, "little"), 4);
    expect(readAll(cat(head, epb(data), bad))).toMatchObject({
      records: { length: 1 },
      error: { code: "PCAPNG_BLOCK_LENGTH", details: { totalBytes: length, offset: head.length + 96 } },
    });
  });

  it("refuses two lengths that differ", () => {
    const bad = epb(data);
    bad.set(u32(bad.length + 4, "little"), bad.length - 4);
    expect(readAll(cat(head, bad)).error).toMatchObject({
      code: "PCAPNG_BLOCK_TRAILER",
      message: `block of type 0x6 starts with length 96 and ends with length 100, they must be equal, at offset ${head.length}`,
    });
  });

  it.each([
    [1, 4, "interface description block"],
    [2, 16, "packet block"],
    [3, 0, "simple packet block"],
    [5, 8, "interface statistics block"],
    [6, 16, "enhanced packet block"],
    [0x0a0d0d0a, 8, "section header block"],
  ])("refuses a block of type %i with too few bytes", (type, bodyBytes, name) => {
    const body = new Uint8Array(bodyBytes);
    if (type === 0x0a0d0d0a) body.set(u32(0x1a2b3c4d, "little"));
    const { error } = readAll(cat(head, block(type, body)));
    expect(error?.code).toBe("PCAPNG_BLOCK_SHORT");
    expect(error?.message).toContain(name);
  });

  it("names the option that does not fit its block", () => {
    const bad = cat(u16(1, "little"), u16(900, "little"), ascii("abcd"));
    const body = cat(u32(0, "little"), new Uint8Array(16), bad);
    expect(readAll(cat(head, block(6, body))).error).toMatchObject({
      code: "PCAPNG_OPTION_LENGTH",
      message: "option 1 of packet 0 claims 900 bytes, 4 are left in the block, at offset 76",
    });
  });

  it.each([
    [2, 3],
    [4, 4],
    [6, 8],
    [7, 0],
    [7, 4],
  ])("refuses option %i of a packet with %i bytes", (code, size) => {
    const value = new Uint8Array(size).fill(1);
    const { error } = readAll(cat(head, epb(data, { opts: [[code, value]] })));
    expect(error?.code).toBe("PCAPNG_OPTION_SIZE");
    expect(error?.message).toContain(`option ${code} of packet 0 has ${size} bytes`);
  });

  it("reads options up to the end of the block when no end option comes", () => {
    const body = cat(u32(0, "little"), new Uint8Array(16), option(1, ascii("hello")));
    expect(readWhole(cat(head, block(6, body))).records[0]?.comments).toEqual(["hello"]);
  });

  it("limits options, block sizes and what is kept", () => {
    const many = cat(...Array.from({ length: 65_537 }, () => option(1, new Uint8Array(0))));
    expect(readAll(cat(head, block(6, cat(new Uint8Array(20), many)))).error?.code).toBe(
      "PCAPNG_OPTION_COUNT",
    );
    expect(readAll(cat(head, epb(data)), { maxBlockBytes: 92 }).error?.code).toBe("PCAPNG_BLOCK_LENGTH");
    const interfaces = cat(shb(), ...Array.from({ length: 100 }, () => idb()));
    expect(readAll(interfaces, { maxMetadataBytes: 20_000 }).error?.code).toBe("PCAPNG_METADATA_LIMIT");
  });

  it("keeps many names and statistics within the same limit", () => {
    const name = cat(u16(1, "little"), u16(6, "little"), pad4(cat(new Uint8Array(4), ascii("a\0"))));
    const names = block(4, cat(...Array.from({ length: 1000 }, () => name)));
    expect(readAll(cat(shb(), names), { maxMetadataBytes: 100_000 }).error?.code).toBe(
      "PCAPNG_METADATA_LIMIT",
    );
    const stats = isb(0, 0n, [[1, new Uint8Array(2000)]]);
    const file = cat(shb(), idb(), ...Array.from({ length: 100 }, () => stats));
    expect(readWhole(file, { maxMetadataBytes: 10_000 }).error).toBeUndefined();
  });

  it("yields what is whole of a truncated file, then warns", () => {
    const whole = cat(head, epb(data), epb(data, { opts: [[1, ascii("last")]] }), isb(0, 0n, []));
    const ends = [head.length, head.length + 96, head.length + 96 + 108];
    for (let size = shb().length; size <= whole.length; size++) {
      const reading = readWhole(whole.subarray(0, size));
      const count = ends.slice(1).filter((end) => size >= end).length;
      expect(reading.records).toHaveLength(count);
      const isClean = [28, 48, ...ends, whole.length].includes(size);
      expect(warningCodes(reading)).toEqual(isClean ? [] : ["PCAPNG_TRUNCATED"]);
    }
    for (let size = 4; size < 28; size++) {
      expect(readAll(whole.subarray(0, size)).error?.code).toBe("PCAPNG_TRUNCATED");
    }
  });
});
