import { describe, expect, it } from "vitest";
import {
  type BtfTypeInput,
  createBtfBuilder,
  createCoreResolver,
  encodeBtf,
  essentialName,
  parseBtf,
} from "../src/index.ts";

const int = (name: string, sizeBytes: number, encoding: "signed" | "unsigned" = "signed"): BtfTypeInput => ({
  kind: "int",
  name,
  sizeBytes,
  encoding,
  offsetBits: 0,
  sizeBits: 8 * sizeBytes,
});
const member = (name: string, type: number, offsetBits: number, bitfieldBits = 0) => ({
  name,
  type,
  offsetBits,
  bitfieldBits,
});
const struct = (name: string, sizeBytes: number, members: ReturnType<typeof member>[]): BtfTypeInput => ({
  kind: "struct",
  name,
  sizeBytes,
  hasBitfields: members.some(({ bitfieldBits }) => bitfieldBits > 0),
  members,
});
const of = (...types: BtfTypeInput[]) => parseBtf(encodeBtf(types));

describe("essentialName", () => {
  it.each([
    ["task_struct___v2", "task_struct"],
    ["a___b___c", "a___b"],
    ["___a", "___a"],
    ["a___", "a___"],
    ["a____b", "a____b"],
    ["a__b", "a__b"],
    ["x___1", "x"],
    ["", ""],
  ])("of %s is %s (L-91)", (name, expected) => {
    expect(essentialName(name)).toBe(expected);
  });
});

describe("createCoreResolver", () => {
  const local = of(
    int("int", 4), // 1
    { kind: "array", name: "", elem: 1, index: 1, count: 4 }, // 2
    { kind: "array", name: "", elem: 1, index: 1, count: 0 }, // 3
    struct("s", 24, [member("a", 1, 0), member("list", 2, 32), member("open", 3, 160)]), // 4
    struct("bits", 8, [member("x", 1, 0, 3), member("y", 1, 3, 13)]), // 5
    { kind: "ptr", name: "", type: 4 }, // 6
    { kind: "typedef", name: "s_t", type: 4 }, // 7
  );
  const ask = (target: ReturnType<typeof of> | undefined, kind: string, typeId: number, access: string) =>
    createCoreResolver(local, target).resolve({ kind: kind as "field_exists", typeId, access });

  it("indexes arrays, also those without end (L-90)", () => {
    expect(ask(undefined, "field_byte_offset", 4, "0:1:3").target?.value).toBe(16n);
    expect(ask(undefined, "field_byte_offset", 4, "0:2:100").target?.value).toBe(420n);
    expect(ask(undefined, "field_byte_offset", 4, "2:0").target?.value).toBe(48n);
  });

  it.each([
    ["field_byte_offset", 4, ""],
    ["field_byte_offset", 4, "0:"],
    ["field_byte_offset", 4, "-1"],
    ["field_byte_offset", 4, "0:9"],
    ["field_byte_offset", 4, "0:1:4"],
    ["field_byte_offset", 4, "0:0:0"],
    ["field_byte_offset", 4, Array(65).fill("0").join(":")],
    ["type_exists", 4, "1"],
    ["enumval_value", 4, "0"],
    ["field_signed", 4, "0:1:0"],
  ])("refuses %s of type %i with access %j", (kind, typeId, access) => {
    expect(() => ask(undefined, kind, typeId, access)).toThrowError(
      expect.objectContaining({ code: "BTF_CORE_SPEC" }),
    );
  });

  it("refuses anonymous types of a target, and none without one (L-91)", () => {
    expect(() => ask(of(int("int", 4)), "type_exists", 6, "0")).toThrowError("anonymous type");
    expect(ask(undefined, "type_exists", 6, "0").target?.value).toBe(1n);
  });

  it("matches a member whose type differs in size but not in kind (L-92)", () => {
    const target = of(int("long", 8), struct("s", 16, [member("a", 1, 64)]));
    const { target: value, spec } = ask(target, "field_byte_offset", 4, "0:0");
    expect(value).toMatchObject({ value: 8n, access: { sizeBytes: 8 } });
    expect(spec).toMatchObject({ rootId: 2, offsetBits: 64 });
  });

  it("does not match a member of another kind, or an array that is too short", () => {
    const pointer = of({ kind: "ptr", name: "", type: 0 }, struct("s", 8, [member("a", 1, 0)]));
    expect(ask(pointer, "field_exists", 4, "0:0").target?.value).toBe(0n);
    expect(ask(pointer, "field_byte_offset", 4, "0:0").target).toBeUndefined();
    const short = of(
      int("int", 4),
      { kind: "array", name: "", elem: 1, index: 1, count: 2 },
      struct("s", 8, [member("list", 2, 0)]),
    );
    expect(ask(short, "field_exists", 4, "0:1:1").target?.value).toBe(1n);
    expect(ask(short, "field_exists", 4, "0:1:3").target?.value).toBe(0n);
  });

  it("chooses the load unit of a bit-field (L-99)", () => {
    expect(ask(undefined, "field_byte_offset", 5, "0:1").local).toMatchObject({ value: 0n, isExact: false });
    expect(ask(undefined, "field_lshift_u64", 5, "0:1").local.value).toBe(48n);
    expect(ask(undefined, "field_rshift_u64", 5, "0:1").local).toMatchObject({ value: 51n, isExact: true });
    const crossing = of(int("char", 1), struct("bits", 8, [member("y", 1, 12, 8)]));
    // Bits 12..19 need two bytes from 0, which do not cover them, so four.
    expect(ask(crossing, "field_byte_size", 5, "0:1").target?.value).toBe(4n);
    const tooWide = of(int("char", 1), struct("bits", 24, [member("y", 1, 60, 13)]));
    expect(() => ask(tooWide, "field_byte_size", 5, "0:1")).toThrowError(
      expect.objectContaining({ code: "BTF_CORE_BITFIELD" }),
    );
  });

  it("computes shifts of big-endian bit-fields from the other end", () => {
    const types = [int("int", 4), struct("bits", 8, [member("x", 1, 0, 3), member("y", 1, 3, 13)])];
    const big = parseBtf(encodeBtf(types, "big"));
    const resolver = createCoreResolver(big, undefined);
    expect(resolver.resolve({ kind: "field_lshift_u64", typeId: 2, access: "0:1" }).local.value).toBe(35n);
  });

  it("takes several candidates that agree and refuses those that do not (L-93)", () => {
    const target = (offset: number) =>
      of(int("int", 4), struct("s", 8, [member("a", 1, 0)]), struct("s___old", 8, [member("a", 1, offset)]));
    expect(ask(target(0), "field_byte_offset", 4, "0:0").target?.value).toBe(0n);
    expect(() => ask(target(32), "field_byte_offset", 4, "0:0")).toThrowError(
      expect.objectContaining({ code: "BTF_CORE_AMBIGUOUS" }),
    );
  });

  it("forgets candidates that did not fit once (L-93)", () => {
    const target = of(
      int("int", 4),
      struct("s", 32, [member("a", 1, 0), member("list", 1, 32)]),
      struct("s___new", 24, [member("a", 1, 64), member("list", 4, 0)]),
      { kind: "array", name: "", elem: 1, index: 1, count: 4 },
    );
    const resolver = createCoreResolver(local, target);
    const question = { typeId: 4, access: "0:0", kind: "field_byte_offset" } as const;
    expect(() => resolver.resolve(question)).toThrowError(/answer/);
    expect(resolver.resolve({ typeId: 4, access: "0:1:0", kind: "field_exists" }).spec?.rootId).toBe(3);
    expect(resolver.resolve(question).target?.value).toBe(8n);
  });

  it("looks through split targets (L-91)", () => {
    const base = of(int("int", 4), struct("other", 4, [member("a", 1, 0)]));
    const splitTypes = [struct("s", 16, [member("a", 1, 96)])];
    const builder = encodeBtfOn(base, splitTypes);
    expect(ask(builder, "field_byte_offset", 4, "0:0").target?.value).toBe(12n);
  });

  it("bounds the work of matching", () => {
    const wide = (name: string, count: number): BtfTypeInput =>
      struct(
        name,
        4,
        Array.from({ length: count }, () => member("m", 2, 0)),
      );
    const recursive = of(int("int", 4), wide("r", 2000));
    const resolver = createCoreResolver(recursive, of(int("int", 4), wide("r", 2001)));
    expect(() => resolver.resolve({ kind: "type_matches", typeId: 2, access: "0" })).toThrowError(
      expect.objectContaining({ code: "BTF_CORE_LIMIT" }),
    );
  });
});

function encodeBtfOn(base: ReturnType<typeof of>, types: readonly BtfTypeInput[]) {
  const builder = createBtfBuilder({ base });
  for (const type of types) builder.addType(type);
  return parseBtf(builder.encode(), { base });
}
