import { writeFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { isBpfAllowed, probeBpf } from "../../../tooling/kernel/src/index.ts";
import {
  decodeInsns,
  findEncodingIssue,
  findWideHalfIssue,
  INSN_ROWS,
  type Insn,
  makeInsn,
  rowOf,
  rowsOfOp,
} from "../src/index.ts";
import recorded from "./fixtures/kernel-6.18.44-encoding.json" with { type: "json" };
import { askKernel, onStack } from "./kernel-cases.ts";
import { hexOf, negativesOfRows, sampleOf } from "./samples.ts";

const insnOfHex = (hex: string): Insn =>
  decodeInsns(Uint8Array.from(hex.match(/../g)!, (pair) => Number.parseInt(pair, 16)))[0]!;

/** Instructions that every release of Linux up to 6.18 knows. */
const isKnownToKernel = (insn: Insn): boolean => insn.op !== 0x0d && insn.op !== 0x8d;

/** One wrong instruction per row, field and value, and each again with a register number that does not exist. */
function wrongInsns(): Insn[] {
  const single = negativesOfRows().map((negative) => negative.insn);
  const double = negativesOfRows()
    .filter(({ row, field }) => row.dst === "reg" && field !== "dst")
    .map(({ insn }) => ({ ...insn, dst: 11 }));
  const bytes = Array.from({ length: 256 }, (_, op) => makeInsn(op)).filter(
    (insn) => rowsOfOp(insn.op).length === 0,
  );
  const seen = new Map(
    [...single, ...double, ...bytes].map((insn) => [hexOf([onStack(insn)]), onStack(insn)]),
  );
  return [...seen.values()];
}

/** What other checks of Linux say before it comes to the fields. */
const isOtherReason = (text: string): boolean =>
  /^(unreachable insn|last insn is not|jump out of range|fd \d+ is not|fd_idx without|pseudo btf_id|kernel btf_id|addr_space_cast insn)/.test(
    text,
  );

describe("findEncodingIssue", () => {
  it("finds nothing in a sample of any row", () => {
    for (const row of INSN_ROWS) expect(findEncodingIssue(sampleOf(row))).toBeUndefined();
  });

  it("refuses every generated negative", () => {
    const negatives = negativesOfRows();
    expect(negatives.length).toBeGreaterThan(1500);
    for (const { insn } of negatives) expect([insn, findEncodingIssue(insn)]).not.toEqual([insn, undefined]);
  });

  it.each([
    ["ISA-120", makeInsn(0x07, { dst: 1, src: 1 }), "BPF_ALU uses reserved fields", "src"],
    ["ISA-120", makeInsn(0x37, { dst: 1, off: 2, imm: 3 }), "BPF_ALU uses reserved fields", "off"],
    ["ISA-120", makeInsn(0x0f, { dst: 1, src: 1, imm: 1 }), "BPF_ALU uses reserved fields", "imm"],
    ["ISA-121", makeInsn(0xbf, { dst: 1, src: 1, off: 64 }), "BPF_MOV uses reserved fields", "off"],
    ["ISA-42", makeInsn(0xbc, { dst: 1, src: 1, off: 32 }), "BPF_MOV uses reserved fields", "off"],
    ["ISA-122", makeInsn(0x87, { dst: 1, imm: 1 }), "BPF_NEG uses reserved fields", "imm"],
    ["ISA-123", makeInsn(0xd4, { dst: 1, imm: 24 }), "BPF_END uses reserved fields", "imm"],
    ["ISA-124", makeInsn(0x15, { dst: 1, src: 1 }), "BPF_JMP/JMP32 uses reserved fields", "src"],
    ["ISA-124", makeInsn(0x1e, { dst: 1, src: 1, imm: 1 }), "BPF_JMP/JMP32 uses reserved fields", "imm"],
    ["ISA-125", makeInsn(0x05, { imm: 1 }), "BPF_JA uses reserved fields", "imm"],
    ["ISA-125", makeInsn(0x06, { off: 1 }), "BPF_JA uses reserved fields", "off"],
    ["ISA-126", makeInsn(0x85, { src: 3 }), "BPF_CALL uses reserved fields", "src"],
    ["ISA-126", makeInsn(0x85, { off: 1 }), "BPF_CALL uses reserved fields", "off"],
    ["ISA-127", makeInsn(0x95, { imm: 1 }), "BPF_EXIT uses reserved fields", "imm"],
    ["ISA-128", makeInsn(0x61, { imm: 1 }), "BPF_LDX uses reserved fields", "imm"],
    ["ISA-128", makeInsn(0x63, { imm: 1 }), "BPF_STX uses reserved fields", "imm"],
    ["ISA-128", makeInsn(0x62, { src: 1 }), "BPF_ST uses reserved fields", "src"],
    ["ISA-72", makeInsn(0xdb, { imm: 0x10 }), "BPF_ATOMIC uses invalid atomic opcode 10", "imm"],
    ["ISA-72", makeInsn(0xdb, { imm: 0x02 }), "BPF_ATOMIC uses invalid atomic opcode 02", "imm"],
    ["ISA-72", makeInsn(0xcb, { imm: 0x01 }), "invalid atomic operand size", "imm"],
    ["ISA-110", makeInsn(0x30, { dst: 1 }), "BPF_LD_[ABS|IND] uses reserved fields", "dst"],
    ["ISA-110", makeInsn(0x30, { src: 1 }), "BPF_LD_[ABS|IND] uses reserved fields", "src"],
    ["ISA-100", makeInsn(0x18, { off: 1 }), "BPF_LD_IMM64 uses reserved fields", "off"],
    ["ISA-100", makeInsn(0x18, { src: 7 }), "unrecognized bpf_ld_imm64 insn", "src"],
    ["ISA-84", makeInsn(0xe5, { imm: 5 }), "invalid may_goto imm 5", "imm"],
    ["ISA-84", makeInsn(0xe5, { dst: 1 }), "invalid may_goto imm 0", "dst"],
    ["ISA-1", makeInsn(0xbf, { dst: 11 }), "R11 is invalid", "dst"],
    ["ISA-20", makeInsn(0x8f), "unknown opcode 8f", "op"],
    ["ISA-22", makeInsn(0x01), "BPF_LDX uses reserved fields", "op"],
    ["ISA-22", makeInsn(0x99), "unknown opcode 99", "op"],
    ["ISA-22", makeInsn(0x06, { src: 1 }), "BPF_JA uses reserved fields", "src"],
  ])("%s: words it as the kernel does (%o)", (_rule, insn, text, field) => {
    expect(findEncodingIssue(insn)).toMatchObject({ text, field });
  });

  it("names the reserved field before a register that does not exist, as Linux does", () => {
    expect(findEncodingIssue(makeInsn(0x0f, { dst: 11, src: 1, imm: 1 }))).toMatchObject({
      code: "ISA_RESERVED_FIELD",
      field: "imm",
    });
  });
});

describe("findWideHalfIssue", () => {
  it("allows nothing but an immediate in the second slot (ISA-10)", () => {
    expect(findWideHalfIssue(makeInsn(0, { imm: -1 }))).toBeUndefined();
    for (const half of [
      undefined,
      makeInsn(0x95),
      makeInsn(0, { dst: 1 }),
      makeInsn(0, { src: 1 }),
      makeInsn(0, { off: 1 }),
    ]) {
      expect(findWideHalfIssue(half)).toMatchObject({
        code: "ISA_WIDE_HALF",
        text: "invalid bpf_ld_imm64 insn",
      });
    }
  });
});

/** Texts and checks differ between releases; what is recorded here is 6.18's. */
const isKernelKnown = isBpfAllowed() && probeBpf().kernel.startsWith("6.18.");

describe("the kernel's answers", () => {
  it("as recorded from 6.18.44 are ours: text and verdict of every wrong instruction", () => {
    const entries = Object.entries(recorded as Record<string, string>);
    expect(entries.flatMap(([, hexes]) => hexes.split(" ")).length).toBeGreaterThan(1500);
    for (const [text, hexes] of entries) {
      for (const hex of hexes.split(" ")) {
        expect([hex, findEncodingIssue(insnOfHex(hex))?.text]).toEqual([hex, text]);
      }
    }
  });

  it.skipIf(!isKernelKnown)("of the running kernel are ours", async () => {
    const insns = wrongInsns().filter(isKnownToKernel);
    const answers = await askKernel(insns);
    const byText = new Map<string, string[]>();
    insns.forEach((insn, k) => {
      const text = answers[k]!.errline ?? "";
      expect([hexOf([insn]), answers[k]!.loaded]).toEqual([hexOf([insn]), false]);
      if (isOtherReason(text)) return;
      expect([hexOf([insn]), findEncodingIssue(insn)?.text]).toEqual([hexOf([insn]), text]);
      byText.set(text, [...(byText.get(text) ?? []), hexOf([insn])]);
    });
    if (process.env.UPDATE_FIXTURES !== undefined) {
      const url = new URL("./fixtures/kernel-6.18.44-encoding.json", import.meta.url);
      const lines = [...byText].sort().map(([text, hexes]) => [text, hexes.sort().join(" ")]);
      writeFileSync(url, `${JSON.stringify(Object.fromEntries(lines), null, 2)}\n`);
    }
  });

  it.skipIf(!isKernelKnown)("of the running kernel accept the encoding of every row it knows", async () => {
    const rows = INSN_ROWS.filter((row) => isKnownToKernel(sampleOf(row)) && row.action.kind !== "exit");
    const answers = await askKernel(rows.map((row) => onStack(sampleOf(row))));
    rows.forEach((row, k) => {
      const { loaded, errline = "" } = answers[k]!;
      const isFine = loaded || isOtherReason(errline) || /^R1 type=scalar expected=/.test(errline);
      expect([row.id, errline, isFine]).toEqual([row.id, errline, true]);
    });
  });

  it("leave only callx and gotox to later kernels and other machines", () => {
    const unknown = INSN_ROWS.filter((row) => row.since === null || row.since === "6.19");
    expect(unknown.map((row) => row.id)).toEqual(["gotox", "callx", "callx.imm"]);
    expect(rowOf(makeInsn(0x8d))?.since).toBeNull();
  });
});
