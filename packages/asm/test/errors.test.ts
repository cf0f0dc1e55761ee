import { InputError } from "@tsbpf/base";
import { describe, expect, it } from "vitest";
import {
  ASM_ERROR_CODES,
  ASM_WARNING_CODES,
  AsmError,
  type AssembleOptions,
  assemble,
  formatDiagnostic,
  tryAssemble,
} from "../src/index.ts";

const errorOf = (text: string, options?: AssembleOptions): AsmError => {
  const result = tryAssemble(text, options);
  if (result.ok) throw new Error(`assembles: ${text}`);
  return result.error;
};

const symbols = {
  helperIdOf: (name: string) => ({ bpf_map_lookup_elem: 1, bpf_ktime_get_ns: 5 })[name],
  callNames: ["bpf_map_lookup_elem", "bpf_ktime_get_ns", "bpf_rcu_read_lock"],
  kfuncOf: (name: string) => (name === "bpf_rcu_read_lock" ? { btfId: 4711 } : undefined),
  mapNames: ["counts", "config"],
};

type Case = readonly [
  code: string,
  text: string,
  place: readonly [line: number, column: number, length: number],
  message: RegExp,
  suggestion?: RegExp,
];

const CASES: readonly Case[] = [
  ["ASM_CHARACTER", "r0 = `5`", [1, 6, 1], /unexpected character "`"/],
  ["ASM_CHARACTER", "r0 = 5 \u{1f41d}", [1, 8, 1], /unexpected character "\u{1f41d}"/u],
  ["ASM_COMMENT_OPEN", "exit\n  /* never closed\nexit", [2, 3, 2], /without its \*\//],
  ["ASM_SYNTAX", "r0 =", [1, 5, 1], /expected a register, a number or a load, found the end of the line/],
  ["ASM_SYNTAX", "r0 1", [1, 4, 1], /expected =, \+= or another assignment, found 1/],
  ["ASM_SYNTAX", "if r0 = 1 goto +1", [1, 7, 1], /expected a comparison such as == or s>, found =/],
  ["ASM_SYNTAX", "if r0 == 1 then +1", [1, 12, 4], /expected goto, found then/],
  ["ASM_SYNTAX", "r0 = *(u32 *)(r1 * 4)", [1, 18, 1], /expected \+, - or \), found \*/],
  ["ASM_SYNTAX", "ldxw %r0, %r1", [1, 11, 1], /expected \[, found %/],
  ["ASM_SYNTAX", "lock *(u64 *)(r1 + 0) -= r2", [1, 23, 2], /expected \+=, \|=, &= or \^=, found -=/],
  ["ASM_SYNTAX", "goto r1", [1, 6, 2], /expected a label or a distance such as \+2, found r1/],
  ["ASM_SYNTAX", "r1 = counts", [1, 12, 1], /expected ll after a symbol/],
  ["ASM_SYNTAX", "= 5", [1, 1, 1], /expected an instruction, a label or a directive, found =/],
  ["ASM_TRAILING", "exit now", [1, 6, 3], /unexpected now after the instruction/],
  ["ASM_TRAILING", "r0 = 1 + 2", [1, 8, 1], /unexpected \+ after the instruction/],
  ["ASM_UNKNOWN_INSN", "mvo %r0, 1", [1, 1, 3], /there is no instruction mvo/, /did you mean mov\?/],
  ["ASM_UNKNOWN_INSN", "lock fetch sub [%r1+0], %r2", [1, 6, 5], /no atomic operation fetch sub/],
  ["ASM_DIRECTIVE", ".globul f", [1, 1, 7], /there is no directive \.globul/, /did you mean \.global\?/],
  ["ASM_REGISTER", "r11 = 1", [1, 1, 3], /no register r11, r0\.\.r10 and w0\.\.w10 exist/],
  ["ASM_REGISTER", "R1 = 1", [1, 1, 2], /lower case, found R1/, /did you mean r1\?/],
  ["ASM_REGISTER", "callx.imm r10", [1, 11, 3], /callx\.imm takes r1\.\.r9/],
  ["ASM_REGISTER_WIDTH", "r1 = w2", [1, 6, 2], /do not mix, found r1 and w2/, /write r2/],
  ["ASM_REGISTER_WIDTH", "w1 += r2", [1, 7, 2], /do not mix, found w1 and r2/, /write w2/],
  ["ASM_REGISTER_WIDTH", "w1 = *(u64 *)(r2 + 0)", [1, 1, 2], /u64 needs a 64-bit register, found w1/],
  ["ASM_REGISTER_WIDTH", "r1 = *(u64 *)(w2 + 0)", [1, 15, 2], /64-bit register is needed here, found w2/],
  ["ASM_REGISTER_WIDTH", "add w1, 5", [1, 5, 2], /works on 64 bits, found w1/, /write r1/],
  ["ASM_REGISTER_WIDTH", "w1 = 5 ll", [1, 1, 2], /wide loads take r registers/],
  [
    "ASM_REGISTER_MATCH",
    "r1 = -r2",
    [1, 7, 2],
    /negation works on one register, found r1 and r2/,
    /write r1/,
  ],
  ["ASM_REGISTER_MATCH", "r1 = be16 r2", [1, 11, 2], /a byte swap works on one register/],
  ["ASM_REGISTER_MATCH", "r1 = *(u8 *)skb[4]", [1, 1, 2], /packet loads write r0, found r1/],
  [
    "ASM_REGISTER_MATCH",
    "r1 = cmpxchg_64(r2 + 0, r1, r3)",
    [1, 1, 2],
    /cmpxchg leaves the old value in r0, found r1/,
  ],
  [
    "ASM_REGISTER_MATCH",
    "r3 = atomic_fetch_add((u64 *)(r1 + 0), r2)",
    [1, 1, 2],
    /fetch_add leaves the old value in r2, found r3/,
  ],
  ["ASM_NUMBER", "r0 = 0x12g", [1, 6, 5], /0x12g is no number/],
  ["ASM_NUMBER", "r0 = 010", [1, 6, 3], /010 starts with 0, which other assemblers read as octal/],
  [
    "ASM_RANGE",
    "r0 = 0x100000000",
    [1, 6, 11],
    /immediate 0x100000000 is outside -2147483648\.\.4294967295/,
    /rN = VALUE ll/,
  ],
  ["ASM_RANGE", "r0 = -2147483649", [1, 6, 11], /immediate -2147483649 is outside/],
  ["ASM_RANGE", "r0 = *(u8 *)(r1 + 32768)", [1, 17, 5], /offset 32768 is outside -32768\.\.32767/],
  ["ASM_RANGE", "goto +32768", [1, 6, 5], /distance 32768 is outside/],
  [
    "ASM_RANGE",
    "r0 = 18446744073709551616 ll",
    [1, 6, 20],
    /64-bit immediate 18446744073709551616 is outside/,
  ],
  ["ASM_RANGE", `r0 = ${"9".repeat(60)} ll`, [1, 6, 60], /64-bit immediate 9{39}… is outside/],
  ["ASM_RANGE", ".insn 256, 0, 0, 0, 0", [1, 7, 3], /opcode 256 is outside 0\.\.255/],
  ["ASM_SIZE", "r0 = *(u12 *)(r1 + 0)", [1, 8, 3], /expected u8, u16, u32, u64, s8, s16 or s32, found u12/],
  ["ASM_SIZE", "*(s8 *)(r1 + 0) = 1", [1, 3, 2], /stores take u8, u16, u32 or u64, found s8/],
  ["ASM_SIZE", "lock *(u8 *)(r1 + 0) += r2", [1, 8, 2], /atomic operations take u32 or u64, found u8/],
  ["ASM_SIZE", "r0 = *(u64 *)skb[4]", [1, 8, 3], /packet loads take u8, u16 or u32, found u64/],
  ["ASM_SIZE", "w1 = (s32)w2", [1, 7, 3], /expected s8 or s16, found s32/],
  ["ASM_SIZE", "r2 = atomic64_fetch_add((u32 *)(r1 +0), r2)", [1, 26, 3], /atomic64 operation takes u64/],
  ["ASM_SIZE", "bswap %r1, 8", [1, 12, 1], /bswap takes the widths 16, 32, 64, found 8/],
  ["ASM_LABEL_NAME", "r5:\nexit", [1, 1, 2], /a label cannot be named like the register r5/],
  ["ASM_LABEL_DUPLICATE", "a:\nexit\na:", [3, 1, 1], /label a is already defined at line 1/],
  ["ASM_LABEL_UNKNOWN", "loop:\ngoto lop", [2, 6, 3], /there is no label lop/, /did you mean loop\?/],
  ["ASM_LABEL_UNKNOWN", "goto 1b\n1: exit", [1, 6, 2], /there is no label 1b/],
  ["ASM_LABEL_UNKNOWN", "exit\n.global f", [2, 9, 1], /there is no label f/],
  [
    "ASM_CALL_UNKNOWN",
    "call map_lookup_elem",
    [1, 6, 15],
    /no function, helper or kernel function named map_/,
    /did you mean bpf_map_lookup_elem\?/,
  ],
  [
    "ASM_CALL_UNKNOWN",
    "call helper bpf_ktime_get",
    [1, 13, 13],
    /no helper named/,
    /did you mean bpf_ktime_get_ns\?/,
  ],
  [
    "ASM_CALL_UNKNOWN",
    "call kfunc bpf_rcu_read_lok",
    [1, 12, 16],
    /no kernel function named/,
    /bpf_rcu_read_lock\?/,
  ],
  [
    "ASM_CALL_AMBIGUOUS",
    "call -21",
    [1, 6, 1],
    /may mean a distance or a helper id, found -21/,
    /call local -21/,
  ],
  ["ASM_HELPER_ID", "call bpf_ktime_get_ns#1", [1, 6, 16], /has the id 5, the text says 1/],
  [
    "ASM_SYMBOL_UNKNOWN",
    "r1 = map[count]",
    [1, 10, 5],
    /there is no map named count/,
    /did you mean counts\?/,
  ],
  ["ASM_SYMBOL_UNKNOWN", "r1 = conf ll", [1, 6, 4], /no function or map named conf/, /did you mean config\?/],
  ["ASM_OPCODE_PREFIX", "0: (bf) r0 = 1", [1, 1, 7], /the listing has opcode bf, the instruction is b7/],
  [
    "ASM_SLOT_PREFIX",
    "0: (b7) r0 = 1\n5: (95) exit",
    [2, 1, 7],
    /says slot 5, the instruction comes at slot 1/,
    /several paths/,
  ],
  [
    "ASM_BYTES",
    "   0: (b7) r0 = 1\n       b7 00 00 00 02 00 00 00\n",
    [2, 8, 16],
    /has the bytes b700000002000000, the instruction encodes to b700000001000000/,
  ],
];

describe("errors", () => {
  it.each(CASES.map((one) => [one[0], one[1], one] as const))("%s: %s", (_code, _text, one) => {
    const [code, text, [line, column, length], message, suggestion] = one;
    const [first, ...rest] = errorOf(text, { symbols }).diagnostics;
    expect(rest).toEqual([]);
    expect(first).toMatchObject({ code, line, column, length });
    expect(first?.message).toMatch(message);
    if (suggestion === undefined) return;
    expect(first?.suggestion).toMatch(suggestion);
  });

  it("every code is reached", () => {
    const elsewhere = ["ASM_LINE_LENGTH", "ASM_JUMP_RANGE", "ASM_PROGRAM_LENGTH", "ASM_TOO_MANY_ERRORS"];
    const reached = new Set([...CASES.map(([code]) => code), ...elsewhere]);
    expect(reached).toEqual(new Set(ASM_ERROR_CODES));
  });

  it("ASM_JUMP_RANGE: a label too far for 16 bits, which gotol reaches", () => {
    const far = `${"r0 = 0\n".repeat(32_768)}`;
    expect(errorOf(`goto end\n${far}end:\nexit`).diagnostics).toMatchObject([
      { code: "ASM_JUMP_RANGE", line: 1, column: 6, suggestion: "jump there with gotol" },
    ]);
    expect(assemble(`gotol end\n${far}end:\nexit`).insns[0]?.imm).toBe(32_768);
    expect(assemble(`goto end\n${"r0 = 0\n".repeat(32_767)}end:\nexit`).insns[0]?.off).toBe(32_767);
  });

  it("all errors of a text are told, in order of what is read, then of what is resolved", () => {
    const error = errorOf("r0 = \nr1 += w2\ngoto nowhere\nr3 = 1\nexit now");
    expect(error.diagnostics.map(({ code, line }) => `${line} ${code}`)).toEqual([
      "1 ASM_SYNTAX",
      "2 ASM_REGISTER_WIDTH",
      "5 ASM_TRAILING",
      "3 ASM_LABEL_UNKNOWN",
    ]);
    expect(error.code).toBe("ASM_SYNTAX");
    expect(error.message).toBe(
      "expected a register, a number or a load, found the end of the line, at asm:1:5, and 3 more",
    );
  });

  it("is an input error that renders with carets", () => {
    const error = errorOf("\tr0 = 1\n\tr1 = map[count]  // typo", { symbols, file: "prog.s" });
    expect(error).toBeInstanceOf(InputError);
    expect(error.summary()).toBe("ASM_SYMBOL_UNKNOWN: there is no map named count, at prog.s:2:11");
    expect(error.format()).toBe(
      [
        "prog.s:2:11: ASM_SYMBOL_UNKNOWN: there is no map named count",
        "    2 | \tr1 = map[count]  // typo",
        "      | \t         ^~~~~",
        "      = did you mean counts?",
      ].join("\n"),
    );
  });

  it("shows a window of long lines and no control characters", () => {
    const long = `/* ${"x".repeat(200)} \u001b[31m */ r0 = nope /* ${"y".repeat(200)} */`;
    const [, shown = "", carets = ""] = errorOf(long).format().split("\n");
    expect(shown.length).toBeLessThan(120);
    expect(shown).not.toContain("\u001b");
    const at = carets.indexOf("^");
    expect(shown[at - 1]).toBe("e");
  });

  it("assemble throws it", () => {
    expect(() => assemble("r0 = ")).toThrow(AsmError);
  });
});

describe("warnings", () => {
  const warningsOf = (text: string) => assemble(text).warnings;

  it.each([
    ["r1 = 0xffffffff", true],
    ["r1 = 0x7fffffff", false],
    ["r1 = -1", false],
    ["w1 = 0xffffffff", false],
    ["r1 &= 0x80000000", true],
    ["*(u64 *)(r10 - 8) = 0x80000000", true],
    ["*(u32 *)(r10 - 8) = 0x80000000", false],
    ["stdw [%r10-8], 0x80000000", true],
    ["if r1 > 0xfffffff0 goto +0", true],
    ["if w1 > 0xfffffff0 goto +0", false],
    ["mov %r1, 0xffffffff", true],
    ["0: (15) if r1 == 0xffffffff goto pc+0", false],
  ])("ASM_SIGN_EXTENDED: %s → %s", (text, isWarned) => {
    expect(warningsOf(text).map(({ code }) => code)).toEqual(isWarned ? ["ASM_SIGN_EXTENDED"] : []);
  });

  it("ASM_COMMENTED_CODE: code after a semicolon that is a comment", () => {
    const [warning, ...rest] = warningsOf("r0 = 1; exit");
    expect(rest).toEqual([]);
    expect(warning).toMatchObject({ code: "ASM_COMMENTED_CODE", line: 1, column: 7 });
    expect(formatDiagnostic(warning!)).toContain("      |       ^");
    expect(warningsOf("r0 = 1 ; sets the verdict\n; exit\nexit // r0 = 2")).toEqual([]);
  });

  it("every code is reached", () => {
    const codes = warningsOf("r1 = 0xffffffff ; exit").map(({ code }) => code);
    expect(new Set(codes)).toEqual(new Set(ASM_WARNING_CODES));
  });
});
