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
