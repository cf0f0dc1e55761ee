import { decodeInsns, INSN_ROWS, type Insn, type InsnRow } from "@tsbpf/isa";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { assemble, insnSlots, printInsn } from "../src/index.ts";
import { arbSlotsOf } from "./arbitrary.ts";
import { assembleWithLlvm, hasTool, runTool, sectionHex, withDirectory } from "./tools.ts";

const hasLlvm = ["llvm-mc-22", "llvm-objdump-22", "llvm-objcopy-22"].every(hasTool);
const SEED = 20_251_125;
const SAMPLES = 12;

/** LLVM's text has no way to say these: the kinds of wide loads and calls live in relocations. */
const hasLlvmText = ({ action, id }: InsnRow): boolean =>
  !(action.kind === "wide" && action.wideKind !== "imm") &&
  !["call.subprog", "call.kfunc", "callx.imm"].includes(id);

/** LLVM drops the immediate of an indirect packet load, has no negative helper ids and reads 16 bits after gotol. */
const tame = (insn: Insn): Insn => {
  if ([0x40, 0x48, 0x50].includes(insn.op)) return { ...insn, imm: 0 };
  if (insn.op === 0x06) return { ...insn, imm: (insn.imm << 16) >> 16 };
  if (insn.op === 0x85) return { ...insn, imm: insn.imm & 0x7fff_ffff };
  return insn;
};

const PROGRAM: readonly Insn[] = INSN_ROWS.filter(hasLlvmText).flatMap((row, k) =>
  fc.sample(arbSlotsOf(row), { seed: SEED + k, numRuns: SAMPLES }).flatMap((slots) => slots.map(tame)),
);

const bytesOf = (hex: string): Uint8Array =>
  Uint8Array.from(hex.match(/../g) ?? [], (pair) => Number.parseInt(pair, 16));

const textOf = (insns: readonly Insn[], numbers: "hex" | "dec"): string =>
  insnSlots(insns)
    .map((slot) => `${printInsn(insns, slot, { syntax: "llvm", numbers })}\n`)
    .join("");

describe.skipIf(!hasLlvm)("against LLVM 22", () => {
  it.each(["hex", "dec"] as const)("llvm-mc assembles our text to our slots (%s)", (numbers) => {
    const hex = withDirectory((dir) =>
      sectionHex(dir, assembleWithLlvm(dir, textOf(PROGRAM, numbers)), ".text"),
    );
    expect(decodeInsns(bytesOf(hex))).toEqual(PROGRAM);
  });

  it("we read llvm-mc's own text as llvm-mc does", () => {
    const printed = withDirectory((dir) => {
      assembleWithLlvm(dir, textOf(PROGRAM, "dec"));
      return runTool("llvm-mc-22", ["-arch=bpfel", "-mcpu=v4", `${dir}/prog.s`]);
    });
    expect(assemble(printed).insns).toEqual(PROGRAM);
  });

  it.each([
    ["hex", "--print-imm-hex"],
    ["dec", "--no-print-imm-hex"],
  ] as const)("llvm-objdump prints instructions as we do (%s)", (numbers, flag) => {
    const listing = withDirectory((dir) =>
      runTool("llvm-objdump-22", ["-d", flag, assembleWithLlvm(dir, textOf(PROGRAM, numbers))]),
    );
    const lines = listing.split("\n").filter((line) => /^\s*\d+:\t/.test(line));
    const slots = insnSlots(PROGRAM);
    expect(lines).toHaveLength(slots.length);
    slots.forEach((slot, k) => {
      const theirs = lines[k]!.split("\t")
        .at(-1)!
        .replace(/ <\.text[^>]*>$/, "");
      const ours = printInsn(PROGRAM, slot, { syntax: "llvm", numbers });
      expect([slot, ours]).toEqual([slot, theirs]);
    });
  });

  it("we read llvm-objdump's listing, bytes and notes included", () => {
    const listing = withDirectory((dir) =>
      runTool("llvm-objdump-22", ["-d", assembleWithLlvm(dir, textOf(PROGRAM, "dec"))]),
    );
    const code = listing.slice(listing.indexOf("<.text>:") + "<.text>:".length);
    expect(assemble(code).insns).toEqual(PROGRAM);
  });

  it("labels, calls and symbols of a program come out as LLVM resolves them", () => {
    const text = `
      r1 = 5
      if r1 > 3 goto .Lend
    again:
      r1 += -1
      call inner
      if r1 != 0 goto again
      gotol .Lend
      may_goto again
    .Lend:
      exit
    inner:
      r0 = 0
      exit
    `;
    const hex = withDirectory((dir) => sectionHex(dir, assembleWithLlvm(dir, text), ".text"));
    expect(assemble(text).insns).toEqual(decodeInsns(bytesOf(hex)));
  });
});
