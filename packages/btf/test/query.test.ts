import { InputError } from "@tsbpf/base";
import { describe, expect, it } from "vitest";
import {
  alignOf,
  type BtfTypeInput,
  declTagsOf,
  encodeBtf,
  fieldsOf,
  findDatasec,
  findField,
  findPath,
  funcProtoOf,
  parseBtf,
  resolveType,
  sectionVariables,
  sizeOf,
  skipModifiers,
} from "../src/index.ts";
import { EVERY_KIND, everyKindBytes } from "./sample.ts";

const btf = parseBtf(everyKindBytes());
const of = (...types: BtfTypeInput[]) => parseBtf(encodeBtf(types));
const INT = EVERY_KIND[0]!;

const codeOf = (run: () => unknown): string => {
  try {
    run();
  } catch (error) {
    expect(error).toBeInstanceOf(InputError);
    return (error as InputError).code;
  }
  return "none";
};

describe("chains", () => {
  it("follows modifiers up to a typedef, and typedefs to the type (L-71)", () => {
    expect(skipModifiers(btf, 10)).toMatchObject({ kind: "typedef", name: "flow_t" });
    expect(resolveType(btf, 10)).toMatchObject({ kind: "struct", name: "flow" });
    expect(resolveType(btf, 18)).toMatchObject({ kind: "struct", name: "flow" });
    expect(resolveType(btf, 0)).toMatchObject({ kind: "void" });
  });

  it("bounds cycles", () => {
    const cycle = of(
      { kind: "const", name: "", type: 2 },
      { kind: "typedef", name: "t", type: 1 },
      { kind: "array", name: "", elem: 3, index: 3, count: 1 },
    );
    expect(codeOf(() => resolveType(cycle, 1))).toBe("BTF_DEPTH");
    expect(codeOf(() => sizeOf(cycle, 1))).toBe("BTF_DEPTH");
    expect(codeOf(() => sizeOf(cycle, 3))).toBe("BTF_DEPTH");
    expect(codeOf(() => alignOf(cycle, 3))).toBe("BTF_DEPTH");
    const modifiers = of({ kind: "const", name: "", type: 1 });
    expect(codeOf(() => skipModifiers(modifiers, 1))).toBe("BTF_DEPTH");
  });

  it("follows chains of 32 links and refuses longer ones", () => {
    const chain = of(
      INT,
      ...Array.from(
        { length: 40 },
        (_, i): BtfTypeInput => ({ kind: "typedef", name: `t${i}`, type: i + 1 }),
      ),
    );
    expect(resolveType(chain, 33).kind).toBe("int");
    expect(codeOf(() => resolveType(chain, 34))).toBe("BTF_DEPTH");
  });
});

describe("sizes", () => {
  it.each([
    [1, 4, 4],
    [2, 8, 8],
    [3, 24, 4],
    [4, 48, 8],
    [5, 4, 4],
    [6, 4, 4],
    [8, 48, 8],
    [10, 48, 8],
    [14, 48, 8],
    [16, 8, 8],
    [19, 8, 8],
  ])("type %i takes %i bytes, aligned to %i", (id, size, align) => {
    expect(sizeOf(btf, id)).toBe(size);
    expect(alignOf(btf, id)).toBe(align);
  });

  it.each([0, 7, 12, 13])("type %i has none", (id) => {
    expect(codeOf(() => sizeOf(btf, id))).toBe("BTF_UNSIZED");
    expect(codeOf(() => alignOf(btf, id))).toBe("BTF_UNSIZED");
  });

  it("refuses arrays that multiply past 32 bits", () => {
    const huge = of(
      INT,
      { kind: "array", name: "", elem: 1, index: 1, count: 0x4000_0000 },
      { kind: "array", name: "", elem: 1, index: 1, count: 0x3fff_ffff },
      { kind: "array", name: "", elem: 2, index: 1, count: 0xffff_ffff },
    );
    expect(codeOf(() => sizeOf(huge, 2))).toBe("BTF_SIZE");
    expect(sizeOf(huge, 3)).toBe(0xffff_fffc);
    expect(codeOf(() => sizeOf(huge, 4))).toBe("BTF_SIZE");
  });

  it("tells packed structs by members off their alignment, and by their size", () => {
    const member = (offsetBits: number) => [{ name: "m", type: 1, offsetBits, bitfieldBits: 0 }];
    const struct = (sizeBytes: number, offsetBits: number): BtfTypeInput => ({
      kind: "struct",
      name: "s",
      sizeBytes,
      hasBitfields: false,
      members: member(offsetBits),
    });
    const packed = of(INT, struct(8, 8), struct(5, 0), struct(8, 32));
    expect([2, 3, 4].map((id) => alignOf(packed, id))).toEqual([1, 1, 4]);
  });

  it("computes alignment of deep sharing in linear time", () => {
    const types: BtfTypeInput[] = [INT];
    for (let i = 1; i <= 30; i++) {
      const members = Array.from({ length: 50 }, () => ({
        name: "m",
        type: i,
        offsetBits: 0,
        bitfieldBits: 0,
      }));
      types.push({ kind: "union", name: `u${i}`, sizeBytes: 4, hasBitfields: false, members });
    }
    expect(alignOf(of(...types), 31)).toBe(4);
  });
});

describe("members", () => {
  const flow = btf.typeOfKind(4, "struct");

  it("lists those of anonymous members in their place", () => {
    expect(
      fieldsOf(btf, flow).map(({ name, offsetBits, sizeBits, isBitfield }) => [
        name,
        offsetBits,
        sizeBits,
        isBitfield,
      ]),
    ).toEqual([
      ["a", 0, 3, true],
      ["b", 3, 5, true],
      ["p", 64, 64, false],
      ["list", 128, 192, false],
      ["u", 320, 32, false],
      ["e", 320, 32, false],
    ]);
  });

  it("finds by name and by path", () => {
    expect(findField(btf, flow, "e")).toMatchObject({ offsetBits: 320, type: 6 });
    expect(findField(btf, flow, "zz")).toBeUndefined();
    const nested = of(INT, ...EVERY_KIND.slice(1, 6), {
      kind: "struct",
      name: "outer",
      sizeBytes: 64,
      hasBitfields: false,
      members: [{ name: "flow", type: 4, offsetBits: 128, bitfieldBits: 0 }],
    });
    expect(findPath(nested, 7, "flow.u")).toMatchObject({ path: "flow.u", offsetBits: 448, sizeBits: 32 });
    expect(findPath(nested, 7, "flow.u.x")).toBeUndefined();
    expect(findPath(nested, 7, "nothing")).toBeUndefined();
  });

  it("reads the older encoding of bit-fields", () => {
    const old = of(
      { kind: "int", name: "int", sizeBytes: 4, encoding: "unsigned", offsetBits: 2, sizeBits: 5 },
      {
        kind: "struct",
        name: "s",
        sizeBytes: 4,
        hasBitfields: false,
        members: [{ name: "m", type: 1, offsetBits: 8, bitfieldBits: 0 }],
      },
    );
    expect(fieldsOf(old, old.typeOfKind(2, "struct"))[0]).toMatchObject({
      offsetBits: 10,
      sizeBits: 5,
      isBitfield: true,
    });
  });

  it("bounds anonymous members that contain themselves", () => {
    const cycle = of({
      kind: "struct",
      name: "",
      sizeBytes: 4,
      hasBitfields: false,
      members: [{ name: "", type: 1, offsetBits: 0, bitfieldBits: 0 }],
    });
    expect(codeOf(() => fieldsOf(cycle, cycle.typeOfKind(1, "struct")))).toBe("BTF_DEPTH");
    const empty: BtfTypeInput[] = [
      { kind: "struct", name: "", sizeBytes: 0, hasBitfields: false, members: [] },
    ];
    for (let i = 1; i <= 31; i++) {
      const members = [0, 1].map(() => ({ name: "", type: i, offsetBits: 0, bitfieldBits: 0 }));
      empty.push({ kind: "struct", name: "", sizeBytes: 0, hasBitfields: false, members });
    }
    const doubling = of(...empty);
    expect(codeOf(() => fieldsOf(doubling, doubling.typeOfKind(32, "struct")))).toBe("BTF_FIELDS");
    const wide: BtfTypeInput[] = [INT];
    for (let i = 1; i <= 6; i++) {
      const members = Array.from({ length: 10 }, () => ({
        name: i === 1 ? "m" : "",
        type: i,
        offsetBits: 0,
        bitfieldBits: 0,
      }));
      wide.push({ kind: "struct", name: "", sizeBytes: 4, hasBitfields: false, members });
    }
    const table = of(...wide);
    expect(codeOf(() => fieldsOf(table, table.typeOfKind(7, "struct")))).toBe("BTF_FIELDS");
  });
});

describe("functions, sections, tags", () => {
  it("finds a function's prototype", () => {
    expect(funcProtoOf(btf, 12)).toMatchObject({ returns: 1, isVariadic: true });
    expect(codeOf(() => funcProtoOf(btf, 1))).toBe("BTF_KIND_MISMATCH");
  });

  it("lists the variables of a section", () => {
    const section = findDatasec(btf, ".data");
    expect(sectionVariables(btf, section!)).toMatchObject([
      { variable: { name: "total", linkage: "static" }, offset: 0, sizeBytes: 48 },
    ]);
    expect(findDatasec(btf, ".bss")).toBeUndefined();
  });

  it("finds declaration tags by type and component (L-74)", () => {
    expect(declTagsOf(btf, 12).map(({ name }) => name)).toEqual(["arg:ctx"]);
    expect(declTagsOf(btf, 12, 0)).toHaveLength(1);
    expect(declTagsOf(btf, 12, -1)).toEqual([]);
    expect(declTagsOf(btf, 4)).toEqual([]);
  });
});
