import { InputError } from "@tsbpf/base";
import { describe, expect, it } from "vitest";
import { type BtfTypeInput, encodeBtf, formatMap, formatValue, parseBtf } from "../src/index.ts";

const int = (
  name: string,
  sizeBytes: number,
  encoding: "signed" | "unsigned" | "char" | "bool" = "unsigned",
): BtfTypeInput => ({ kind: "int", name, sizeBytes, encoding, offsetBits: 0, sizeBits: 8 * sizeBytes });
const member = (name: string, type: number, offsetBits: number, bitfieldBits = 0) => ({
  name,
  type,
  offsetBits,
  bitfieldBits,
});

const TYPES: readonly BtfTypeInput[] = [
  int("u32", 4), // 1
  int("char", 1, "signed"), // 2
  { kind: "array", name: "", elem: 2, index: 1, count: 4 }, // 3
  int("u64", 8), // 4
  int("_Bool", 1, "bool"), // 5
  { kind: "ptr", name: "", type: 0 }, // 6
  {
    kind: "enum",
    name: "color",
    sizeBytes: 4,
    isSigned: true,
    values: [
      { name: "RED", value: 0n },
      { name: "NEG", value: -3n },
    ],
  }, // 7
  { kind: "array", name: "", elem: 1, index: 1, count: 2 }, // 8
  {
    kind: "struct",
    name: "",
    sizeBytes: 4,
    hasBitfields: true,
    members: [member("a", 1, 0, 3), member("b", 1, 3, 29)],
  }, // 9
  {
    kind: "struct",
    name: "all",
    sizeBytes: 48,
    hasBitfields: false,
    members: [
      member("flag", 5, 0),
      member("text", 3, 32),
      member("wide", 4, 64),
      member("ptr", 6, 128),
      member("color", 7, 192),
      member("pair", 8, 224),
      member("", 9, 288),
      member("", 9, 320),
    ],
  }, // 10
  { kind: "float", name: "double", sizeBytes: 8 }, // 11
  int("s64", 8, "signed"), // 12
  int("__int128", 16), // 13
  int("character", 1, "char"), // 14
  {
    kind: "enum64",
    name: "big",
    sizeBytes: 8,
    isSigned: false,
    values: [{ name: "BIG", value: 1n << 40n }],
  }, // 15
  { kind: "var", name: "counter", type: 1, linkage: "global" }, // 16
  { kind: "datasec", name: ".bss", sizeBytes: 8, vars: [{ type: 16, offset: 4, sizeBytes: 4 }] }, // 17
  { kind: "array", name: "", elem: 18, index: 1, count: 0xffff_ffff }, // 18
  { kind: "struct", name: "empty", sizeBytes: 0, hasBitfields: false, members: [] }, // 19
  { kind: "array", name: "", elem: 19, index: 1, count: 0xffff_ffff }, // 20
  { kind: "struct", name: "self", sizeBytes: 4, hasBitfields: false, members: [member("me", 21, 0)] }, // 21
  { kind: "struct", name: "out", sizeBytes: 4, hasBitfields: false, members: [member("far", 1, 320)] }, // 22
];
const btf = parseBtf(encodeBtf(TYPES));
const bytes = (...values: number[]) => Uint8Array.from(values);
const ALL = bytes(
  ...[1, 0, 0, 0, 0x68, 0x69, 0, 0],
  ...[0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff],
  ...[0x10, 0x20, 0, 0, 0, 0, 0, 0],
  ...[0xfd, 0xff, 0xff, 0xff, 1, 0, 0, 0, 2, 0, 0, 0],
  ...[0x2d, 0, 0, 0, 0, 0, 0, 0x80, 0, 0, 0, 0],
);

describe("formatValue", () => {
  // Text as bpftool 7.1 prints the same bytes.
  it("prints a struct as bpftool does", () => {
    expect(formatValue(btf, 10, ALL).text()).toBe(`{
    "flag": true,
    "text": "hi",
    "wide": 18446744073709551615,
    "ptr": 0x2010,
    "color": "NEG",
    "pair": [1,2
    ],
    "": {
        "a": 0x5,
        "b": 0x5
    },
    "": {
        "a": 0x0,
        "b": 0x10000000
    }
}`);
  });

  it("gives JSON without losing digits or fields", () => {
    expect(formatValue(btf, 10, ALL).json).toEqual({
      flag: true,
      text: "hi",
      wide: "0xffffffffffffffff",
      ptr: "0x2010",
      color: "NEG",
      pair: [1, 2],
      "": { a: "0x5", b: "0x5" },
      "#2": { a: "0x0", b: "0x10000000" },
    });
  });

  it.each<[number, Uint8Array, string, unknown]>([
    [1, bytes(0xff, 0xff, 0xff, 0xff), "4294967295", 4_294_967_295],
    [2, bytes(0xff), "-1", -1],
    [3, bytes(0x61, 0x62, 0x63, 0x64), "[97,98,99,100\n]", [97, 98, 99, 100]],
    [3, bytes(7, 0, 0, 0), "[7,0,0,0\n]", [7, 0, 0, 0]],
    [3, bytes(0, 7, 0, 0), '""', ""],
    [6, new Uint8Array(8), "(nil)", "0x0"],
    [7, bytes(9, 0, 0, 0), "9", 9],
    [11, new Uint8Array(new Float64Array([1.5]).buffer), "1.5", 1.5],
    [11, new Uint8Array(new Float64Array([Number.NaN]).buffer), "NaN", "NaN"],
    [12, bytes(0xfe, 255, 255, 255, 255, 255, 255, 255), "-2", "-0x2"],
    [
      13,
      bytes(1, ...new Array(14).fill(0), 0x80),
      "0x80000000000000000000000000000001",
      "0x80000000000000000000000000000001",
    ],
    [14, bytes(0x41), '"A"', "A"],
    [14, bytes(7), "0x7", "\u0007"],
    [15, bytes(0, 0, 0, 0, 0, 1, 0, 0), '"BIG"', "BIG"],
    [15, bytes(0, 0, 0, 0, 0, 0, 0, 0x80), "-9223372036854775808", "0x8000000000000000"],
    [
      17,
      bytes(0, 0, 0, 0, 5, 0, 0, 0),
      '{\n    ".bss": [{\n            "counter": 5\n        }\n    ]\n}',
      { ".bss": [{ counter: 5 }] },
    ],
    [0, bytes(), "null", null],
  ])("formats type %i", (id, value, text, json) => {
    const formatted = formatValue(btf, id, value);
    expect(formatted.text()).toBe(text);
    expect(formatted.json).toEqual(json);
  });

  it("reads big-endian values of big-endian types", () => {
    const big = parseBtf(encodeBtf(TYPES, "big"));
    expect(formatValue(big, 1, bytes(0, 0, 1, 2)).json).toBe(258);
    // The first bit-field takes the highest bits.
    expect(formatValue(big, 9, bytes(0xa0, 0, 0, 1)).json).toEqual({ a: "0x5", b: "0x1" });
  });

  it.each([
    [1, bytes(1, 2), "BTF_VALUE_SIZE"],
    [10, bytes(1), "BTF_VALUE_SIZE"],
    [18, bytes(1), "BTF_SIZE"],
    [20, bytes(), "BTF_VALUE_LIMIT"],
    [21, bytes(0, 0, 0, 0), "BTF_VALUE_LIMIT"],
    [22, bytes(0, 0, 0, 0), "BTF_VALUE_SIZE"],
  ])("refuses type %i for %j with %s", (id, value, code) => {
    try {
      formatValue(btf, id, value);
      expect.unreachable();
    } catch (error) {
      expect(error).toBeInstanceOf(InputError);
      expect((error as InputError).code).toBe(code);
    }
  });
});

describe("formatMap", () => {
  const key = bytes(1, 0, 0, 0);
  const value = bytes(2, 0, 0, 0);

  it("prints elements by their types as bpftool does", () => {
    expect(
      formatMap(btf, { keyTypeId: 1, valueTypeId: 7 }, [
        { key, value: bytes(0, 0, 0, 0) },
        { key, value },
      ]),
    ).toEqual({
      text: `[{
        "key": 1,
        "value": "RED"
    },{
        "key": 1,
        "value": 2
    }
]
`,
      json: [
        {
          key: ["0x01", "0x00", "0x00", "0x00"],
          value: ["0x00", "0x00", "0x00", "0x00"],
          formatted: { key: 1, value: "RED" },
        },
        {
          key: ["0x01", "0x00", "0x00", "0x00"],
          value: ["0x02", "0x00", "0x00", "0x00"],
          formatted: { key: 1, value: 2 },
        },
      ],
    });
  });

  it("prints a value for each CPU, and no key where the map has no type for it", () => {
    const { text } = formatMap(btf, { valueTypeId: 1 }, [{ key, value: [value, key] }]);
    expect(text).toBe(`[{
        "values": [{
                "cpu": 0,
                "value": 2
            },{
                "cpu": 1,
                "value": 1
            }
        ]
    }
]
`);
  });

  it("prints hex without types", () => {
    const long = new Uint8Array(17);
    const hexOf = (...elements: Parameters<typeof formatMap>[2]) => formatMap(undefined, {}, elements).text;
    expect(hexOf({ key, value })).toBe("key: 01 00 00 00  value: 02 00 00 00\nFound 1 element\n");
    expect(hexOf()).toBe("Found 0 elements\n");
    expect(hexOf({ key, value: long })).toBe(
      `key:\n01 00 00 00\nvalue:\n${"00 ".repeat(16)}00\nFound 1 element\n`,
    );
    expect(hexOf({ key: long.subarray(0, 12), value: long.subarray(0, 13) })).toMatch(
      /^key: .*\nvalue: .*\n/,
    );
    expect(hexOf({ key, value: [value, key] })).toBe(
      "key:\n01 00 00 00\nvalue (CPU 00): 02 00 00 00\nvalue (CPU 01): 01 00 00 00\nFound 1 element\n",
    );
  });
});
