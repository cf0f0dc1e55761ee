import { InputError } from "@tsbpf/base";
import { describe, expect, it } from "vitest";
import { createBtfBuilder, parseBtf, parseBtfExt } from "../src/index.ts";
import { EVERY_KIND, everyKindBytes } from "./sample.ts";

/** Types of every kind, with the strings that records name. */
function sample(endian: "little" | "big" = "little") {
  const builder = createBtfBuilder({ endian });
  for (const type of EVERY_KIND) builder.addType(type);
  const strings = {
    xdp: builder.addString("xdp"),
    file: builder.addString("a.c"),
    text: builder.addString("x++;"),
  };
  const access = builder.addString("0:1");
  return { btf: parseBtf(builder.encode()), strings, access };
}

interface Area {
  readonly recordBytes: number;
  readonly words: readonly number[];
}

function encode(areas: readonly Area[], endian: "little" | "big" = "little", headerBytes = 32): Uint8Array {
  const bodies = areas.map(({ recordBytes, words }) => [recordBytes, ...words]);
  const total = bodies.reduce((sum, body) => sum + 4 * body.length, 0);
  const bytes = new Uint8Array(headerBytes + total);
  const view = new DataView(bytes.buffer);
  const little = endian === "little";
  view.setUint16(0, 0xeb9f, little);
  bytes[2] = 1;
  view.setUint32(4, headerBytes, little);
  let at = 0;
  bodies.forEach((body, i) => {
    if (8 + 8 * i + 8 <= headerBytes) {
      view.setUint32(8 + 8 * i, at, little);
      view.setUint32(12 + 8 * i, 4 * body.length, little);
    }
    body.forEach((word, k) => {
      view.setUint32(headerBytes + at + 4 * k, word, little);
    });
    at += 4 * body.length;
  });
  return bytes;
}

const codeOf = (bytes: Uint8Array): string => {
  try {
    parseBtfExt(bytes, sample().btf);
  } catch (error) {
    expect(error).toBeInstanceOf(InputError);
    return (error as InputError).code;
  }
  return "none";
};

describe("parseBtfExt", () => {
  it.each(["little", "big"] as const)("reads %s-endian records", (endian) => {
    const { btf, strings, access } = sample(endian);
    const bytes = encode(
      [
        { recordBytes: 8, words: [strings.xdp, 1, 0, 12] },
        {
          recordBytes: 16,
          words: [strings.xdp, 2, 0, strings.file, strings.text, (7 << 10) | 3, 8, strings.file, 0, 0],
        },
        { recordBytes: 16, words: [strings.xdp, 1, 16, 4, access, 2] },
      ],
      endian,
    );
    const ext = parseBtfExt(bytes, btf);
    expect(ext.funcInfo).toEqual([{ section: "xdp", records: [{ insnOffset: 0, typeId: 12 }] }]);
    expect(ext.lineInfo[0]?.records).toEqual([
      { insnOffset: 0, fileOffset: strings.file, textOffset: strings.text, line: 7, column: 3 },
      { insnOffset: 8, fileOffset: strings.file, textOffset: 0, line: 0, column: 0 },
    ]);
    expect(ext.coreRelos[0]?.records).toEqual([
      { insnOffset: 16, typeId: 4, accessOffset: access, kind: "field_exists" },
    ]);
  });

  it("reads the shorter header without CO-RE records, and longer records with zero tails", () => {
    const { strings } = sample();
    const bytes = encode([{ recordBytes: 12, words: [strings.xdp, 1, 0, 12, 0] }], "little", 24);
    const ext = parseBtfExt(bytes, sample().btf);
    expect(ext.funcInfo[0]?.records).toHaveLength(1);
    expect(ext.coreRelos).toEqual([]);
  });

  it("passes over tables that a compiler names behind the known ones", () => {
    const { strings, btf } = sample();
    const plain = encode([{ recordBytes: 8, words: [strings.xdp, 1, 0, 12] }]);
    const longer = new Uint8Array(plain.length + 8);
    longer.set(plain.subarray(0, 32));
    longer.set(plain.subarray(32), 40);
    new DataView(longer.buffer).setUint32(4, 40, true);
    longer[32] = 0xe0;
    longer[36] = 8;
    expect(parseBtfExt(longer, btf)).toEqual(parseBtfExt(plain, btf));
  });

  it("takes functions of any type, which the kernel judges", () => {
    const { strings, btf } = sample();
    const bytes = encode([{ recordBytes: 8, words: [strings.xdp, 2, 0, 99, 8, 4] }]);
    expect(parseBtfExt(bytes, btf).funcInfo[0]?.records.map(({ typeId }) => typeId)).toEqual([99, 4]);
  });

  const { xdp } = sample().strings;
  it.each<[string, string, Uint8Array]>([
    ["record size", "BTF_EXT_RECORD", encode([{ recordBytes: 4, words: [] }])],
    ["record size alignment", "BTF_EXT_RECORD", encode([{ recordBytes: 10, words: [] }])],
    ["record tail", "BTF_EXT_RECORD", encode([{ recordBytes: 12, words: [xdp, 1, 0, 12, 5] }])],
    ["record count", "BTF_EXT_TRUNCATED", encode([{ recordBytes: 8, words: [xdp, 0xffff_ffff, 0, 12] }])],
    ["section head", "BTF_EXT_TRUNCATED", encode([{ recordBytes: 8, words: [xdp] }])],
    ["section name", "BTF_STRING_OFFSET", encode([{ recordBytes: 8, words: [99_999, 1, 0, 12] }])],
    [
      "relocation type",
      "BTF_TYPE_ID",
      encode([
        { recordBytes: 8, words: [] },
        { recordBytes: 16, words: [] },
        { recordBytes: 16, words: [xdp, 1, 0, 99, 0, 1] },
      ]),
    ],
    [
      "relocation kind",
      "BTF_CORE_KIND",
      encode([
        { recordBytes: 8, words: [] },
        { recordBytes: 16, words: [] },
        { recordBytes: 16, words: [xdp, 1, 0, 4, 0, 13] },
      ]),
    ],
    ["byte order", "BTF_ENDIAN", encode([], "big")],
    ["magic", "BTF_MAGIC", new Uint8Array(32)],
    ["header length", "BTF_TRUNCATED", encode([]).subarray(0, 20)],
    ["types instead", "BTF_EXT_RECORD", everyKindBytes()],
  ])("refuses a wrong %s with %s", (_what, code, bytes) => {
    expect(codeOf(bytes)).toBe(code);
  });
});
