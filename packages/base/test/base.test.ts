import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  alignUp,
  BugError,
  ByteReader,
  hiOf,
  InputError,
  invariant,
  joinBytes,
  joinU64,
  loOf,
  parseHexBytes,
  printHex,
  printHexBytes,
  toS64,
  toU64,
  unreachable,
} from "../src/index.ts";

describe("errors", () => {
  it("carry code, details and cause, and name their root", () => {
    const cause = new Error("below");
    const error = new InputError("ELF_MAGIC", "no ELF file", { details: { offset: 0 }, cause });
    expect(error).toMatchObject({ name: "InputError", code: "ELF_MAGIC", details: { offset: 0 }, cause });
    expect(error.summary()).toBe("ELF_MAGIC: no ELF file");
  });

  it("ask for a report when an invariant breaks", () => {
    expect(() => invariant(false, "two is three")).toThrow(
      /two is three \(this is a bug in tsbpf, please report it\)/,
    );
    expect(() => invariant(true, "fine")).not.toThrow();
    expect(() => unreachable("x" as never)).toThrow(BugError);
  });
});

describe("integers", () => {
  const u64 = fc.bigInt(0n, (1n << 64n) - 1n);

  it("split and join 64 bits", () => {
    fc.assert(
      fc.property(u64, (value) => {
        expect(joinU64(loOf(value), hiOf(value))).toBe(value);
      }),
    );
  });

  it("wrap as the machine does", () => {
    fc.assert(
      fc.property(u64, (value) => {
        expect(toU64(toS64(value))).toBe(value);
      }),
    );
    expect(toS64(1n << 63n)).toBe(-(1n << 63n));
  });

  it("round up and print hex", () => {
    expect([alignUp(0, 8), alignUp(1, 8), alignUp(8, 8), alignUp(2 ** 40 + 1, 4096)]).toEqual([
      0,
      8,
      8,
      2 ** 40 + 4096,
    ]);
    expect([printHex(255), printHex(-16n)]).toEqual(["0xff", "-0x10"]);
  });
});

describe("bytes", () => {
  it("print and parse as hex", () => {
    fc.assert(
      fc.property(fc.uint8Array(), (bytes) => {
        expect(parseHexBytes(printHexBytes(bytes))).toEqual(bytes);
      }),
    );
    expect(parseHexBytes("0a 0B\n0c")).toEqual(new Uint8Array([10, 11, 12]));
    expect(() => parseHexBytes("0g")).toThrow(/hex digit expected, found "g" at digit 2/);
    expect(() => parseHexBytes("abc")).toThrow(/even number of digits, found 3/);
  });

  it("join in order, in memory of their own", () => {
    const part = Uint8Array.of(1, 2);
    const joined = joinBytes([part, new Uint8Array(0), Uint8Array.of(3)]);
    part.fill(9);
    expect([...joined]).toEqual([1, 2, 3]);
    expect(joinBytes([])).toHaveLength(0);
  });

  it("read both byte orders, and never past the end", () => {
    const bytes = new Uint8Array([1, 2, 3, 4, 5, 6, 7, 8]);
    const place = { what: ".text", area: "ELF", baseOffset: 64 };
    expect(new ByteReader(bytes, "little", place).u32(0)).toBe(0x04030201);
    expect(new ByteReader(bytes, "big", place).u64(0)).toBe(0x0102030405060708n);
    fc.assert(
      fc.property(fc.integer({ min: -4, max: 12 }), fc.integer({ min: 0, max: 12 }), (offset, size) => {
        const read = () => new ByteReader(bytes, "little", place).slice(offset, size);
        if (offset >= 0 && offset + size <= 8) expect(read()).toHaveLength(size);
        else expect(read).toThrow(`.text ends at offset 72, ${size} bytes needed at offset ${64 + offset}`);
      }),
    );
  });

  it("end strings at their NUL", () => {
    const reader = new ByteReader(new Uint8Array([97, 98, 0, 99]), "little", {
      what: "strings",
      area: "BTF",
    });
    expect(reader.cString(0)).toBe("ab");
    expect(() => reader.cString(3)).toThrow(expect.objectContaining({ code: "BTF_TRUNCATED" }));
  });
});
