import { describe, expect, it } from "vitest";
import { toSelftest } from "../src/selftests/convert.ts";
import { Decls } from "../src/selftests/decls.ts";
import { CReader, evalConst } from "../src/selftests/expr.ts";
import { fillProgram } from "../src/selftests/fill.ts";
import { builtinMacros, preprocess } from "../src/selftests/preprocess.ts";
import { stripComments, tokenize } from "../src/selftests/tokens.ts";

const read = (text: string) => preprocess(text, builtinMacros());
const constant = (text: string): bigint => evalConst(tokenize(text));

describe("C constants", () => {
  it.each([
    ["0x80000000", 0x80000000n],
    ["-1 >> 1", -1n],
    ["(__u32)-1 >> 1", 0x7fffffffn],
    ["((__u64)(-8)) >> 32", 0xffffffffn],
    ["0xfffffffffULL & ~0xfULL", 0xffffffff0n],
    ["1 << 3 | 07", 15n],
    ["2 * (3 + 4) % 5", 4n],
    ["3 > 2 ? 10 : 20", 10n],
    ["0xcafe4all", 0xcafe4an],
    ["2147483647 + 1", -2147483648n],
    ["4294967295U + 1", 0n],
    ["'A'", 65n],
  ])("evaluates %s", (text, value) => {
    expect(constant(text)).toBe(value);
  });

  it("knows sizes", () => {
    expect(new CReader(tokenize("sizeof(int) == 4 && !0"), new Decls()).number().value).toBe(1n);
  });

  it("refuses names nobody declared", () => {
    expect(() => constant("1 + NOPE")).toThrow(/'NOPE' is not known/);
  });
});

describe("the preprocessor", () => {
  const text = (source: string): string =>
    read(source)
      .map((token) => token.text)
      .join(" ");

  it("expands macros within macros, pastes and takes spare arguments", () => {
    expect(text("#define NAME(x) op_ ## x\n#define TWICE(m, x...) m(x) m(x)\nTWICE(NAME, add)")).toBe(
      "op_add op_add",
    );
    expect(text("#define A 1\n#define F(x) (x + A)\nF(F(2))")).toBe("( ( 2 + 1 ) + 1 )");
  });

  it("leaves a macro's own name alone and forgets what is undefined", () => {
    expect(text("#define x x + 1\nx\n#undef x\nx")).toBe("x + 1 x");
  });

  it("takes the branch that holds", () => {
    expect(text("#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__\nlittle\n#else\nbig\n#endif")).toBe("little");
    expect(text("#ifdef NOPE\na\n#elif 1\nb\n#else\nc\n#endif")).toBe("b");
    expect(text("#if 0\n#if 1\na\n#else\nb\n#endif\n#endif\nc")).toBe("c");
  });

  it("drops comments, keeps strings that look like them", () => {
    expect(stripComments('a /* b */ "/* c */" // d\ne')).toBe('a   "/* c */" \ne');
  });
});

describe("declarations", () => {
  const decls = new Decls();
  decls.add(
    read(`enum kind { ONE = 1, TWO, TEN = TWO * 5 };
      struct pair { __u8 a; __u32 b[3]; };
      struct all { union { void *p; __u64 :64; } __attribute__((aligned(8))); __u32 f:4, g:30; struct pair two[2]; char c; };`),
  );

  it("counts enumerators", () => {
    expect(decls.constant("TWO")).toBe(2n);
    expect(decls.constant("TEN")).toBe(10n);
  });

  it("lays out structs as the x86-64 ABI does", () => {
    expect(decls.offsetOf("pair", ["b", 1])).toEqual({ offset: 8, size: 4 });
    expect(decls.offsetOf("all", ["p"])).toEqual({ offset: 0, size: 8 });
    expect(decls.offsetOf("all", ["two", 1, "b"])).toEqual({ offset: 36, size: 12 });
    expect(decls.sizeOf(tokenize("struct all"))).toBe(56);
    expect(decls.sizeOf(tokenize("unsigned long long"))).toBe(8);
    expect(decls.offsetOf("all", ["nope"])).toBeUndefined();
  });
});

describe("tests", () => {
  const convert = (source: string) => {
    const value = new CReader(read(source), new Decls()).value();
    return toSelftest("own.c", value.kind === "list" ? value.items : [], new Map(), "");
  };

  it("becomes a question with its maps", () => {
    const test = convert(`{ "two" " words",
      .insns = { ((struct bpf_insn) { .code = 0xb7, .dst_reg = 1, .imm = 0x80000000 }), { 0x95 }, { 0, 0, 0, 0, 0 } },
      .fixup_map_hash_8b = { 3 }, .result = 2, .flags = 2 }`);
    expect(test).toMatchObject({ name: "two words", expected: "reject", skipReason: "" });
    expect(test.question).toMatchObject({
      insns: "b7010000000000809500000000000000",
      flags: 1,
      fixups: [{ insn: 3, map: 0 }],
    });
    expect(test.question?.maps).toEqual([{ type: 1, key_size: 8, value_size: 8, max_entries: 1, flags: 1 }]);
  });

  it("says why a test cannot be asked", () => {
    expect(convert('{ "x", .insns = { { 0x95 } }, .fixup_nothing = { 1 } }').skipReason).toMatch(
      /no map known/,
    );
  });

  it("computes programs that are not spelled out", () => {
    expect(fillProgram("bpf_fill_torturous_jumps", 1)?.insns).toHaveLength(259);
    expect(fillProgram("bpf_fill_torturous_jumps", 2)?.insns).toHaveLength(4100);
    expect(fillProgram("bpf_fill_big_prog_with_loop_1", 0)).toMatchObject({ callbackSlot: 4069 });
    expect(fillProgram("bpf_fill_scale", 1)?.insns.length).toBeLessThanOrEqual(1_000_000);
    expect(fillProgram("bpf_fill_unheard_of", 1)).toBeUndefined();
  });
});
