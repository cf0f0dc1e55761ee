import { InputError, LIMITS } from "@tsbpf/base";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { type AssembleResult, assemble, tryAssemble } from "../src/index.ts";

const MEGABYTE = 1 << 20;

/** Errors are few and short whatever the text. */
function checkRefused(result: AssembleResult): void {
  if (result.ok) throw new Error("assembles");
  expect(result.error).toBeInstanceOf(InputError);
  expect(result.error.diagnostics.length).toBeLessThanOrEqual(101);
  expect(result.error.message.length).toBeLessThan(300);
  for (const { message, suggestion } of result.error.diagnostics) {
    expect(message.length).toBeLessThan(250);
    expect(suggestion?.length ?? 0).toBeLessThan(250);
  }
  expect(result.error.format().length).toBeLessThan(100_000);
}

describe("hostile text", () => {
  it("of any characters assembles or gives errors", () => {
    fc.assert(
      fc.property(fc.string({ unit: "binary", maxLength: 300 }), (text) => {
        const result = tryAssemble(text);
        if (!result.ok) checkRefused(result);
      }),
      { numRuns: 500 },
    );
  });

  it("of the language's own words assembles or gives errors", () => {
    const words = (
      "r0 r1 w2 r10 r11 fp = += s>= == & ( ) [ ] * , - + : ; # // /* */ u32 u64 s8 skb ll if goto call exit lock " +
      "0 5 0xff -1 1f 1b pc map map_value func subprog btf ksym local helper kfunc mov add32 jeq ldxw stxdw lddw " +
      "atomic_fetch_add cmpxchg_64 .func .insn label: (b7) 0: \n \n \n"
    ).split(" ");
    fc.assert(
      fc.property(fc.array(fc.constantFrom(...words), { maxLength: 40 }), (parts) => {
        const result = tryAssemble(parts.join(" "));
        if (!result.ok) checkRefused(result);
      }),
      { numRuns: 1500 },
    );
  });

  it.each([
    ["one long name", "x".repeat(MEGABYTE)],
    ["one long number", `r0 = ${"9".repeat(MEGABYTE)}`],
    ["one long hex number", `r0 = 0x${"f".repeat(MEGABYTE)} ll`],
    ["one long run of brackets", "(".repeat(MEGABYTE)],
    ["one long run of spaces before a word", `${" ".repeat(MEGABYTE)}nope`],
    ["a prefix that never ends", `0: ${"b7 ".repeat(MEGABYTE / 4)}`],
    ["labels without end", "a:".repeat(MEGABYTE / 2)],
    ["a comment that never closes", `/*${"/*".repeat(MEGABYTE / 2)}`],
    ["many bad lines", "?\n".repeat(MEGABYTE / 2)],
    ["many unknown labels", "goto nowhere\n".repeat(MEGABYTE / 13)],
    ["many unknown mnemonics", "adq %r1, %r2\n".repeat(MEGABYTE / 13)],
    [
      "many labels and many near misses",
      `${Array.from({ length: 60_000 }, (_, k) => `label_${k}:\n`).join("")}${"goto labels_1\n".repeat(200)}`,
    ],
    ["many duplicate labels", "a:\n".repeat(MEGABYTE / 4)],
  ])("%s is refused", (_what, text) => checkRefused(tryAssemble(text)));

  it.each([
    ["a long line comment", `exit ; ${"r0 = 1 ".repeat(MEGABYTE / 8)}`],
    ["a long block comment", `exit /* ${"*/ /*".repeat(MEGABYTE / 8)} */`],
    ["many comment marks", `exit // ${"/;#*".repeat(MEGABYTE / 4)}`],
    ["many empty lines", `exit${"\n".repeat(MEGABYTE)}`],
    ["trailing spaces", `exit${" ".repeat(MEGABYTE)}`],
  ])("%s is read", (_what, text) => expect(assemble(text).insns).toHaveLength(1));

  it("ASM_LINE_LENGTH: a line may hold 4096 columns of code", () => {
    expect(assemble(`${" ".repeat(4092)}exit`).insns).toHaveLength(1);
    const result = tryAssemble(`${" ".repeat(4093)}exit`);
    expect(!result.ok && result.error.diagnostics).toMatchObject([
      { code: "ASM_LINE_LENGTH", line: 1, column: 4097 },
    ]);
  });

  it("ASM_TOO_MANY_ERRORS: reading stops after the errors asked for", () => {
    const result = tryAssemble("?\n".repeat(50), { errorsMax: 3 });
    expect(!result.ok && result.error.diagnostics.map(({ code }) => code)).toEqual([
      "ASM_CHARACTER",
      "ASM_CHARACTER",
      "ASM_CHARACTER",
      "ASM_TOO_MANY_ERRORS",
    ]);
  });

  it("ASM_PROGRAM_LENGTH: more slots than Linux takes are refused", () => {
    const line = "r0 = 0;".repeat(500);
    const text = `${line}\n`.repeat(LIMITS.progSlots / 500);
    const separator = { semicolon: "separator" } as const;
    expect(assemble(text, separator).insns).toHaveLength(LIMITS.progSlots);
    const result = tryAssemble(`${text}exit`, separator);
    expect(!result.ok && result.error.diagnostics).toMatchObject([{ code: "ASM_PROGRAM_LENGTH" }]);
  });
});
