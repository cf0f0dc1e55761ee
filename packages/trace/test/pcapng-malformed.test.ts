import { describe, expect, it } from "vitest";
import { ascii, block, cat, epb, frame, idb, isb, option, pad4, shb, u16, u32 } from "./bytes.ts";
import { readAll, readWhole, warningCodes } from "./reading.ts";

const data = frame(61);

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
