import { readFileSync } from "node:fs";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { printCrc32c } from "../gen/crc32c.ts";
import { crc32c, crc32cIn, locateWrongByte } from "../src/msgtrace/crc32c.ts";
import { CHECKSUM_AREA_BYTES } from "../src/msgtrace/crc32c-wasm.ts";
import { ascii } from "./bytes.ts";

function bitwise(bytes: Uint8Array): number {
  let crc = 0xffff_ffff;
  for (const byte of bytes) {
    crc ^= byte;
    for (let bit = 0; bit < 8; bit++) crc = (crc & 1) === 0 ? crc >>> 1 : (crc >>> 1) ^ 0x82f6_3b78;
  }
  return ~crc >>> 0;
}

describe("crc32c", () => {
  it.each([
    ["check value", ascii("123456789"), 0xe306_9283],
    ["no bytes", new Uint8Array(0), 0],
    ["32 zeros", new Uint8Array(32), 0x8a91_36aa],
    ["32 ones", new Uint8Array(32).fill(0xff), 0x62a8_ab43],
    ["rising", Uint8Array.from({ length: 32 }, (_, i) => i), 0x46dd_794e],
    ["falling", Uint8Array.from({ length: 32 }, (_, i) => 31 - i), 0x113f_db5c],
  ])("gives the published value for %s (RFC 3720 §B.4)", (_, bytes, crc) => {
    expect(crc32c(bytes)).toBe(crc);
  });

  it("agrees with the bitwise definition at any place and length", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 2000 }), fc.nat(50), fc.nat(50), (bytes, skip, cut) => {
        const start = Math.min(skip, bytes.length);
        const end = Math.max(start, bytes.length - cut);
        expect(crc32c(bytes, start, end)).toBe(bitwise(bytes.subarray(start, end)));
      }),
    );
  });

  it("agrees with the bitwise definition over more than one window of the generated code", () => {
    const bytes = Uint8Array.from({ length: 700_003 }, (_, i) => Math.imul(i, 2_654_435_761) >>> 24);
    expect(crc32c(bytes)).toBe(bitwise(bytes));
    expect(crc32c(bytes, 5, 300_000)).toBe(bitwise(bytes.subarray(5, 300_000)));
  });

  it("comes from generated code that is what its source says", async () => {
    const text = readFileSync(new URL("../src/msgtrace/crc32c.gen.ts", import.meta.url), "utf8");
    expect(await printCrc32c()).toBe(text);
  });

  it("agrees with the bitwise definition around the lengths where bytes are folded", () => {
    // Odd multipliers make rows that differ in every byte; 12,288 bytes are the fewest that are folded.
    fc.assert(
      fc.property(fc.integer({ min: 12_200, max: 40_000 }), fc.nat(20), fc.nat(), (length, start, seed) => {
        const bytes = Uint8Array.from({ length }, (_, i) => Math.imul(i + seed, 2_654_435_761) >>> 23);
        expect(crc32c(bytes, start)).toBe(bitwise(bytes.subarray(start)));
      }),
      { numRuns: 60 },
    );
    for (const length of [12_287, 12_288, 12_304, 21_663, 21_664, 21_680, 38_048, 38_049]) {
      const bytes = new Uint8Array(length).fill(0xff);
      expect(crc32c(bytes)).toBe(bitwise(bytes));
    }
  });

  it("takes bytes of a linear memory where they lie, and leaves them as they are", () => {
    const areaAddress = 4096;
    const first = areaAddress + CHECKSUM_AREA_BYTES;
    const wasm = new WebAssembly.Memory({ initial: 4 });
    const checksum = crc32cIn({ wasm, areaAddress });
    const all = new Uint8Array(wasm.buffer);
    const fill = (): void => {
      for (let i = 0; i < areaAddress; i++) all[i] = i;
      for (let i = first; i < all.length; i++) all[i] = Math.imul(i, 2_654_435_761) >>> 24;
    };
    fill();
    fc.assert(
      fc.property(fc.nat(100), fc.nat(100_000), (skip, length) => {
        const bytes = all.subarray(first + skip, first + skip + length);
        expect(checksum(bytes)).toBe(bitwise(bytes));
      }),
      { numRuns: 60 },
    );
    expect(checksum(ascii("123456789"))).toBe(0xe306_9283);
    expect(checksum(new Uint8Array(20_000))).toBe(bitwise(new Uint8Array(20_000)));
    const before = all.slice();
    fill();
    expect(Buffer.compare(before, all)).toBe(0);
  });

  it("tells which byte of a row was changed, and from what", () => {
    fc.assert(
      fc.property(
        fc.uint8Array({ minLength: 1, maxLength: 3000 }),
        fc.nat(),
        fc.integer({ min: 1, max: 255 }),
        (bytes, place, change) => {
          const crc = crc32c(bytes);
          const at = place % bytes.length;
          const bad = bytes.slice();
          bad[at]! ^= change;
          expect(locateWrongByte(bad, 0, bad.length, crc)).toContainEqual({ at, expected: bytes[at] });
        },
      ),
    );
    expect(locateWrongByte(ascii("abc"), 0, 3, crc32c(ascii("abc")))).toEqual([]);
  });
});
