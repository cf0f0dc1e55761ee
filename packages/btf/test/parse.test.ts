import { InputError, UnsupportedError } from "@tsbpf/base";
import { describe, expect, it } from "vitest";
import { createBtfBuilder, encodeBtf, parseBtf, printRawBtf } from "../src/index.ts";
import { EVERY_KIND, everyKindBytes } from "./sample.ts";

const codeOf = (bytes: Uint8Array): string => {
  try {
    parseBtf(bytes);
  } catch (error) {
    expect(error).toBeInstanceOf(InputError);
    return (error as InputError).code;
  }
  return "none";
};

const patched = (at: number, value: number, size: 1 | 2 | 4 = 4): Uint8Array => {
  const bytes = everyKindBytes().slice();
  const view = new DataView(bytes.buffer);
  if (size === 1) view.setUint8(at, value);
  else if (size === 2) view.setUint16(at, value, true);
  else view.setUint32(at, value, true);
  return bytes;
};

/** Offset within the blob of a type. */
const offsetOf = (id: number): number => 24 + encodedBytes(id - 1);
const encodedBytes = (count: number): number => {
  const bytes = encodeBtf(EVERY_KIND.slice(0, count));
  return new DataView(bytes.buffer).getUint32(12, true);
};

describe.each(["little", "big"] as const)("parseBtf, %s endian", (endian) => {
  it("reads back every kind as written", () => {
    const btf = parseBtf(everyKindBytes(endian));
    expect(btf.endian).toBe(endian);
    expect([...btf.types()]).toEqual(EVERY_KIND.map((type, i) => ({ ...type, id: i + 1 })));
    expect(EVERY_KIND.map((_, i) => btf.kindOf(i + 1))).toEqual(EVERY_KIND.map(({ kind }) => kind));
  });

  it("writes the same bytes again", () => {
    const bytes = everyKindBytes(endian);
    expect(encodeBtf(parseBtf(bytes).types(), endian)).toEqual(bytes);
  });
});

describe("parseBtf", () => {
  it("finds types by name and kind", () => {
    const btf = parseBtf(everyKindBytes());
    expect(btf.idsOf("flow")).toEqual([4]);
    expect(btf.idsOf("flow", "union")).toEqual([]);
    expect(btf.idsOf("missing")).toEqual([]);
    expect(btf.type(0)).toEqual({ kind: "void", id: 0, name: "" });
  });

  it("reads a split table after its base (L-73)", () => {
    const base = parseBtf(everyKindBytes());
    const builder = createBtfBuilder({ base });
    expect(builder.addType({ kind: "typedef", name: "mod_flow", type: 4 })).toBe(20);
    builder.addType({ kind: "ptr", name: "", type: 20 });
    const split = parseBtf(builder.encode(), { base, what: "module" });
    expect(split.firstId).toBe(20);
    expect(split.type(20)).toMatchObject({ kind: "typedef", name: "mod_flow", type: 4 });
    expect(split.type(4).name).toBe("flow");
    expect(split.idsOf("flow")).toEqual([4]);
    expect(split.idsOf("mod_flow")).toEqual([20]);
    expect(printRawBtf(split)).toBe("[20] TYPEDEF 'mod_flow' type_id=4\n[21] PTR '(anon)' type_id=20\n");
  });

  it("decodes names beyond ASCII", () => {
    const bytes = encodeBtf([{ kind: "fwd", name: "größe", isUnion: true }]);
    expect(parseBtf(bytes).type(1).name).toBe("größe");
  });

  // L-70: each refusal of the header, the strings and the types.
  it.each<[string, string, Uint8Array]>([
    ["magic", "BTF_MAGIC", patched(0, 0x1234, 2)],
    ["version", "BTF_VERSION", patched(2, 2, 1)],
    ["flags", "BTF_FLAGS", patched(3, 1, 1)],
    ["header length", "BTF_HEADER", patched(4, 20)],
    ["type part past the end", "BTF_LAYOUT", patched(12, 0xffff_fff0)],
    ["type part misaligned", "BTF_LAYOUT", patched(8, 2)],
    ["overlap", "BTF_LAYOUT", patched(16, 0)],
    ["empty file", "BTF_TRUNCATED", new Uint8Array(0)],
    ["strings without end", "BTF_STRINGS", patched(20, 3)],
    ["reserved info bits", "BTF_INFO", patched(offsetOf(1) + 4, (1 << 24) | (1 << 16))],
    ["kind 0", "BTF_KIND_ZERO", patched(offsetOf(1) + 4, 0)],
    ["unknown kind", "BTF_KIND", patched(offsetOf(1) + 4, 20 << 24)],
    ["type id", "BTF_TYPE_ID", patched(offsetOf(2) + 8, 20)],
    ["member type id", "BTF_TYPE_ID", patched(offsetOf(4) + 16, 0xffff_ffff)],
    ["name offset", "BTF_NAME_OFFSET", patched(offsetOf(1), 0xffff)],
    ["int size", "BTF_INT", patched(offsetOf(1) + 8, 3)],
    ["int bits", "BTF_INT", patched(offsetOf(1) + 12, 33)],
    ["int encoding", "BTF_INT", patched(offsetOf(1) + 12, (3 << 24) | 32)],
    ["enum size", "BTF_ENUM", patched(offsetOf(6) + 8, 3)],
    ["func linkage", "BTF_LINKAGE", patched(offsetOf(12) + 4, (12 << 24) | 3)],
    ["var linkage", "BTF_LINKAGE", patched(offsetOf(14) + 12, 3)],
    ["func without prototype", "BTF_REF_KIND", patched(offsetOf(12) + 8, 1)],
    ["section entry that is no variable", "BTF_REF_KIND", patched(offsetOf(15) + 12, 1)],
    ["component", "BTF_COMPONENT", patched(offsetOf(17) + 12, 0xffff_fffe)],
    ["count past the end", "BTF_TRUNCATED", patched(offsetOf(19) + 4, (19 << 24) | 0xffff)],
  ])("refuses a wrong %s with %s", (_what, code, bytes) => {
    expect(codeOf(bytes)).toBe(code);
  });

  it("names type and offset in the error", () => {
    expect(() => parseBtf(patched(offsetOf(2) + 8, 20))).toThrowError(
      `type id 20, the last is 19, at type 2, at offset ${offsetOf(2) + 8} of .BTF`,
    );
  });

  it("refuses an unknown kind as unsupported", () => {
    expect(() => parseBtf(patched(offsetOf(1) + 4, 31 << 24))).toThrowError(UnsupportedError);
  });

  it("refuses names longer than any compiler makes", () => {
    const name = (length: number) => encodeBtf([{ kind: "fwd", name: "n".repeat(length), isUnion: false }]);
    expect(codeOf(name(1024))).toBe("none");
    expect(codeOf(name(1025))).toBe("BTF_NAME_LENGTH");
  });

  it("refuses an id, kind and string that are not there", () => {
    const btf = parseBtf(everyKindBytes());
    expect(() => btf.type(20)).toThrowError(/type id 20, the last is 19/);
    expect(() => btf.type(1.5)).toThrowError(/BTF|type id/);
    expect(() => btf.typeOfKind(1, "struct")).toThrowError("int found, struct needed, at type 1 of .BTF");
    expect(() => btf.stringAt(100_000)).toThrowError(/string offset 100000/);
  });
});

describe("createBtfBuilder", () => {
  it("refuses what does not fit the format", () => {
    const encode = (...types: Parameters<typeof encodeBtf>[0] extends Iterable<infer T> ? T[] : never) =>
      encodeBtf(types);
    expect(() => encode({ kind: "float", name: "f", sizeBytes: -1 })).toThrowError(/BTF|unsigned/);
    expect(() => encode({ kind: "fwd", name: "a\0b", isUnion: false })).toThrowError(/NUL/);
    const values = Array.from({ length: 65_536 }, () => ({ name: "X", value: 0n }));
    expect(() => encode({ kind: "enum", name: "e", sizeBytes: 4, isSigned: false, values })).toThrowError(
      /65536 items/,
    );
  });

  it("replaces a type in place", () => {
    const builder = createBtfBuilder();
    const id = builder.addType({ kind: "fwd", name: "x", isUnion: false });
    builder.replaceType(id, { kind: "fwd", name: "y", isUnion: true });
    expect(parseBtf(builder.encode()).type(id)).toEqual({ kind: "fwd", id, name: "y", isUnion: true });
    expect(() => builder.replaceType(2, { kind: "fwd", name: "z", isUnion: true })).toThrowError(
      /no such type/,
    );
  });
});
