import { InputError } from "@tsbpf/base";
import { type BtfTypeInput, encodeBtf } from "@tsbpf/btf";
import { encodeInsns, makeInsn, makeWide } from "@tsbpf/isa";
import { describe, expect, it } from "vitest";
import { loadObject } from "../src/index.ts";
import { buildElf, type ElfInput } from "./build-elf.ts";
import { readObject, sampleObjects } from "./objects.ts";

const EXIT = makeInsn(0x95);

/** Types 1 and 2 are int and the prototype of no arguments; 3 u64. */
const BASE_TYPES: readonly BtfTypeInput[] = [
  { kind: "int", name: "int", sizeBytes: 4, encoding: "signed", offsetBits: 0, sizeBits: 32 },
  { kind: "func_proto", name: "", returns: 1, params: [], isVariadic: false },
  { kind: "int", name: "u64", sizeBytes: 8, encoding: "unsigned", offsetBits: 0, sizeBits: 64 },
];

type Attribute =
  | { readonly uint: number }
  | { readonly ulong: bigint }
  | { readonly type: number }
  | { readonly raw: number }
  | { readonly values: readonly [string, Attribute][] | "prog" | "int" };

/** Builds the types of one map definition as the macros of bpf_helpers.h do. */
class Types {
  readonly list: BtfTypeInput[] = [...BASE_TYPES];
  add(type: BtfTypeInput): number {
    return this.list.push(type);
  }
  pointer(type: number): number {
    return this.add({ kind: "ptr", name: "", type });
  }
  array(elem: number, count: number): number {
    return this.add({ kind: "array", name: "", elem, index: 1, count });
  }
  attribute(attribute: Attribute): number {
    if ("uint" in attribute) return this.pointer(this.array(1, attribute.uint));
    if ("type" in attribute) return this.pointer(attribute.type);
    if ("raw" in attribute) return attribute.raw;
    if ("ulong" in attribute) {
      const values = [{ name: "v", value: attribute.ulong }];
      return this.add({ kind: "enum64", name: "", sizeBytes: 8, isSigned: false, values });
    }
    const { values } = attribute;
    const target = values === "prog" ? 2 : values === "int" ? 1 : this.struct(values);
    return this.array(this.pointer(target), 0);
  }
  struct(attributes: readonly [string, Attribute][]): number {
    const members = attributes.map(([name, attribute], i) => ({
      name,
      type: this.attribute(attribute),
      offsetBits: 64 * i,
      bitfieldBits: 0,
    }));
    const isOpen = attributes.some(([, attribute]) => "values" in attribute);
    const sizeBytes = 8 * (attributes.length - (isOpen ? 1 : 0));
    return this.add({ kind: "struct", name: "", sizeBytes, hasBitfields: false, members });
  }
}

type Definition = readonly [name: string, attributes: readonly [string, Attribute][]];

function objectWith(definitions: readonly Definition[], more: Partial<ElfInput> = {}): Uint8Array {
  const types = new Types();
  const vars = definitions.map(([name, attributes], i) => {
    const type = types.add({ kind: "var", name, type: types.struct(attributes), linkage: "global" });
    return { type, offset: 64 * i, sizeBytes: 64 };
  });
  types.add({ kind: "datasec", name: ".maps", sizeBytes: 0, vars });
  return buildElf({
    sections: [
      { name: "xdp", flags: 6, bytes: encodeInsns([...makeWide(1, 0, 0n), EXIT]) },
      { name: ".maps", flags: 3, bytes: new Uint8Array(64 * definitions.length) },
      { name: ".BTF", bytes: encodeBtf(types.list) },
    ],
    symbols: [
      { name: "prog", binding: 1, type: 2, section: "xdp", sizeBytes: 24 },
      ...definitions.map(([name], i) => ({
        name,
        binding: 1,
        type: 1,
        section: ".maps",
        value: 64 * i,
        sizeBytes: 64,
      })),
    ],
    ...more,
  });
}

const HASH: [string, Attribute][] = [
  ["type", { uint: 1 }],
  ["max_entries", { uint: 16 }],
  ["key", { type: 1 }],
  ["value", { type: 3 }],
];
const mapOf = (...attributes: [string, Attribute][]) => loadObject(objectWith([["m", attributes]])).maps[0];

describe("maps defined by types", () => {
  it("reads all attributes (L-50, L-52)", () => {
    const map = mapOf(
      ...HASH,
      ["map_flags", { uint: 5 }],
      ["numa_node", { uint: 1 }],
      ["pinning", { uint: 1 }],
      ["map_extra", { ulong: 0x1_0000_0003n }],
    );
    expect(map).toEqual({
      name: "m",
      type: "hash",
      keyBytes: 4,
      valueBytes: 8,
      maxEntries: 16,
      flags: 5,
      numaNode: 1,
      mapExtra: 0x1_0000_0003n,
      pinning: "by_name",
      btfKeyTypeId: 1,
      btfValueTypeId: 3,
    });
  });

  it("takes sizes instead of types", () => {
    const map = mapOf(["type", { uint: 2 }], ["key_size", { uint: 4 }], ["value_size", { uint: 100 }]);
    expect(map).toEqual({ name: "m", type: "array", keyBytes: 4, valueBytes: 100, maxEntries: 0, flags: 0 });
  });

  it.each([
    [0, 0],
    [1, 4096],
    [4096, 4096],
    [4097, 8192],
    [100_000, 131_072],
  ])("rounds a ring buffer of %i bytes to %i (L-50)", (asked, expected) => {
    expect(mapOf(["type", { uint: 27 }], ["max_entries", { uint: asked }])?.maxEntries).toBe(expected);
  });

  it.each([3, 4, 7, 8, 12, 13, 14, 15, 16, 17, 18, 22, 23, 25, 33])(
    "leaves type ids off maps of type %i as libbpf does (L-53)",
    (type) => {
      const map = mapOf(["type", { uint: type }], ["key", { type: 1 }], ["value", { type: 1 }]);
      if (type === 3) expect(map).toHaveProperty("btfKeyTypeId", 1);
      else expect(map).not.toHaveProperty("btfKeyTypeId");
    },
  );

  it("reads the template and initial entries of maps of maps (L-51)", () => {
    const outer: Definition = [
      "outer",
      [
        ["type", { uint: 12 }],
        ["max_entries", { uint: 4 }],
        ["key_size", { uint: 4 }],
        ["values", { values: HASH }],
      ],
    ];
    const spec = loadObject(
      objectWith([["inner", HASH], outer], {
        relocations: [
          { section: ".maps", offset: 64 + 24, symbol: "inner", type: 2 },
          { section: ".maps", offset: 64 + 24 + 16, symbol: "inner", type: 2 },
        ],
      }),
    );
    expect(spec.maps[1]).toMatchObject({
      valueBytes: 4,
      inner: { name: "outer.inner", type: "hash", keyBytes: 4, valueBytes: 8, maxEntries: 16 },
      contents: [
        { key: new Uint8Array([0, 0, 0, 0]), value: { map: "inner" } },
        { key: new Uint8Array([2, 0, 0, 0]), value: { map: "inner" } },
      ],
    });
  });

  it("reads the initial entries of a program array", () => {
    const progs: Definition = [
      "progs",
      [
        ["type", { uint: 3 }],
        ["max_entries", { uint: 4 }],
        ["key_size", { uint: 4 }],
        ["values", { values: "prog" }],
      ],
    ];
    const relocations = [{ section: ".maps", offset: 24 + 8, symbol: "prog", type: 2 }];
    expect(loadObject(objectWith([progs], { relocations })).maps[0]?.contents).toEqual([
      { key: new Uint8Array([1, 0, 0, 0]), value: { prog: "prog" } },
    ]);
    const refuse = (offset: number, symbol: string) =>
      loadObject(objectWith([progs], { relocations: [{ section: ".maps", offset, symbol, type: 2 }] }));
    expect(() => refuse(24, "progs")).toThrowError("value progs of map progs is no program");
    expect(() => refuse(20, "prog")).toThrowError("at byte -4 of its values");
    expect(() => refuse(27, "prog")).toThrowError("at byte 3 of its values");
  });

  it.each<[string, [string, Attribute][]]>([
    ["map type isn't specified", [["max_entries", { uint: 1 }]]],
    ["map type isn't specified", [["type", { uint: 0 }]]],
    ['unknown field "colour"', [...HASH, ["colour", { uint: 1 }]]],
    ['unknown field "toString"', [...HASH, ["toString", { uint: 1 }]]],
    ["conflicting key size 4 and 8", [...HASH, ["key_size", { uint: 8 }]]],
    ["conflicting value size 8 and 4", [...HASH, ["value_size", { uint: 4 }]]],
    ["attribute type: ptr expected, int found", [["type", { raw: 1 }]]],
    ["attribute type: array expected, int found", [["type", { type: 1 }]]],
    ["key: ptr expected, int found", [["key", { raw: 1 }]]],
    ["invalid pinning value 2", [...HASH, ["pinning", { uint: 2 }]]],
    ["attribute map_extra: enum or enum64 expected, int found", [...HASH, ["map_extra", { raw: 1 }]]],
    [
      "values should be the last member",
      [
        ["type", { uint: 12 }],
        ["values", { values: HASH }],
        ["key_size", { uint: 4 }],
      ],
    ],
    ["only maps of maps and of programs have values", [...HASH.slice(0, 3), ["values", { values: HASH }]]],
    [
      "values: func_proto expected, int found",
      [
        ["type", { uint: 3 }],
        ["values", { values: "int" }],
      ],
    ],
    [
      "a struct defines a map, int found",
      [
        ["type", { uint: 12 }],
        ["values", { values: "int" }],
      ],
    ],
    [
      "multi-level inner maps are not supported",
      [
        ["type", { uint: 12 }],
        [
          "values",
          {
            values: [
              ["type", { uint: 12 }],
              ["values", { values: HASH }],
            ],
          },
        ],
      ],
    ],
  ])("refuses a definition: %s", (text, attributes) => {
    const load = () => mapOf(...attributes);
    expect(load).toThrowError(text);
    expect(load).toThrowError(InputError);
    expect(load).toThrowError(/in \.maps at offset 0$/);
  });

  it("refuses a map type it does not know, naming the number", () => {
    expect(() => mapOf(["type", { uint: 99 }])).toThrowError("map m of unknown type 99");
  });

  it("refuses maps without types and two maps of one name", () => {
    const bare: ElfInput = { sections: [{ name: ".maps", flags: 3, bytes: new Uint8Array(32) }] };
    expect(() => loadObject(buildElf(bare))).toThrowError("BTF is needed for maps, and is missing, in .maps");
    expect(() =>
      loadObject(
        objectWith([
          ["m", HASH],
          ["m", HASH],
        ]),
      ),
    ).toThrowError("two maps named m");
  });

  it("resolves references to maps by symbol and by section (L-32)", () => {
    const wide = { section: "xdp", offset: 0, symbol: "b", type: 1 };
    const spec = loadObject(
      objectWith(
        [
          ["a", HASH],
          ["b", HASH],
        ],
        { relocations: [wide] },
      ),
    );
    expect(spec.progs[0]).toMatchObject({ maps: [{ name: "b" }], mapRefs: [{ slot: 0, mapIdx: 0 }] });
    expect(spec.progs[0]?.insns[0]).toMatchObject({ src: 1, imm: 0 });
  });
});

describe("maps of fixed layout", () => {
  const legacy = (words: readonly number[], size = words.length * 4): Uint8Array => {
    const bytes = new Uint8Array(size);
    const view = new DataView(bytes.buffer);
    words.forEach((word, i) => {
      view.setUint32(4 * i, word, true);
    });
    return buildElf({
      sections: [{ name: "maps", flags: 3, bytes }],
      symbols: [{ name: "old", binding: 1, type: 1, section: "maps", sizeBytes: size }],
    });
  };

  it("reads struct bpf_map_def with a warning (L-140)", () => {
    const spec = loadObject(legacy([1, 4, 8, 100, 1]));
    expect(spec.maps).toEqual([
      { name: "old", type: "hash", keyBytes: 4, valueBytes: 8, maxEntries: 100, flags: 1 },
    ]);
    expect(spec.warnings[0]).toContain("libbpf 1.0 and later refuse");
  });

  it("reads the longer layout with pinning and says what it does not use", () => {
    const spec = loadObject(legacy([1, 4, 8, 100, 0, 7, 2, 5, 0]));
    expect(spec.maps[0]).toMatchObject({ pinning: "by_name" });
    expect(spec.warnings.join()).toContain("field at offset 28");
  });

  it("refuses short definitions and unknown types", () => {
    expect(() => loadObject(legacy([1, 4, 8, 100]))).toThrowError("definition of 16 bytes, 20 needed");
    expect(() => loadObject(legacy([77, 4, 8, 100, 0]))).toThrowError("unknown type 77");
  });

  it("reads the legacy sample like its libbpf twin", () => {
    const path = sampleObjects().find((name) => name.endsWith("legacy-maps.bpf.o"));
    const spec = loadObject(readObject(path!), { name: path! });
    expect(spec.maps.map(({ name, type }) => [name, type])).toEqual([
      ["packets_by_type", "hash"],
      ["verdicts", "array"],
    ]);
    expect(spec.progs[0]?.mapRefs.length).toBeGreaterThan(0);
  });
});
