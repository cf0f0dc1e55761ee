import { INSN_ROWS } from "@tsbpf/isa";
import { describe, expect, it } from "vitest";
import { OP } from "../src/ops.gen.ts";
import { addArray, Harness } from "./support.ts";

const harness = new Harness();
const NEG1 = 0xffff_ffff_ffff_ffffn;

/** Programs by rule of the reference, with r0. */
const RULES: readonly (readonly [rule: string, code: string, r0: bigint])[] = [
  ["ISA-5", "r0 = r2; r0 |= r3; r0 |= r4; r0 |= r5; r0 |= r6; r0 |= r7; r0 |= r8; r0 |= r9; exit", 0n],
  ["ISA-12 alu64", "r0 = 0; r0 += -1; exit", NEG1],
  ["ISA-12 alu32", "r0 = 0; w0 += -1; exit", 0xffff_ffffn],
  ["ISA-12 jmp", "r0 = 1; r1 = -1; if r1 > -1 goto +1; r0 = 2; exit", 2n],
  ["ISA-12 st", "*(u64 *)(r10 - 8) = -2; r0 = *(u64 *)(r10 - 8); exit", 0xffff_ffff_ffff_fffen],
  ["ISA-30 mov32", "r0 = -1; w0 = 5; exit", 5n],
  ["ISA-30 shift", "r0 = -1; w0 <<= 4; exit", 0xffff_fff0n],
  ["ISA-30 neg32", "r0 = -1; w0 = -w0; exit", 1n],
  ["ISA-30 div32 by zero", "r0 = -1; r1 = 0; w0 /= w1; exit", 0n],
  ["ISA-31", "w0 = -1; w0 += 1; exit", 0n],
  ["ISA-32 64", "r0 = 7; r1 = 0; r0 /= r1; exit", 0n],
  ["ISA-32 32", "r0 = 7; r1 = 0; w0 /= w1; exit", 0n],
  ["ISA-33 64", "r0 = 0xffffffff12345678 ll; r1 = 0; r0 %= r1; exit", 0xffff_ffff_1234_5678n],
  ["ISA-33 32", "r0 = 0xffffffff12345678 ll; r1 = 0; w0 %= w1; exit", 0x1234_5678n],
  ["ISA-34 overflow 64", "r0 = 0x8000000000000000 ll; r1 = -1; r0 s/= r1; exit", 0x8000_0000_0000_0000n],
  ["ISA-34 overflow 32", "r0 = 0x80000000 ll; r1 = -1; w0 s/= w1; exit", 0x8000_0000n],
  ["ISA-34 by zero", "r0 = -5; r1 = 0; r0 s/= r1; exit", 0n],
  ["ISA-35", "r0 = -13; r1 = 4; r0 s%= r1; exit", NEG1],
  ["ISA-35 sign of the dividend", "r0 = 13; r1 = -3; r0 s%= r1; exit", 1n],
  ["ISA-35 by zero 32", "r0 = 0xffffffff12345678 ll; r1 = 0; w0 s%= w1; exit", 0x1234_5678n],
  ["ISA-35 overflow", "r0 = 0x8000000000000000 ll; r1 = -1; r0 s%= r1; exit", 0n],
  ["ISA-36", "r0 = -13; w0 s/= 4; exit", 0xffff_fffdn],
  ["ISA-37", "r0 = -1; r0 &= -8; exit", 0xffff_ffff_ffff_fff8n],
  ["ISA-38 64", "r0 = 1; r1 = 65; r0 <<= r1; exit", 2n],
  ["ISA-38 32", "r0 = 1; r1 = 33; w0 <<= w1; exit", 2n],
  ["ISA-39", "w0 = -2147483648; w0 s>>= 31; exit", 0xffff_ffffn],
  ["ISA-40", "r0 = 5; r0 = -r0; exit", 0xffff_ffff_ffff_fffbn],
  ["ISA-41", "r0 = -1; exit", NEG1],
  ["ISA-42 8", "r1 = 0x80f0f0f0f0f0f0f0 ll; r0 = (s8)r1; exit", 0xffff_ffff_ffff_fff0n],
  ["ISA-42 16 of 32", "r1 = 0x80f0f0f0f0f0f0f0 ll; w0 = (s16)w1; exit", 0xffff_f0f0n],
  ["ISA-42 32", "r1 = 0x80f0f0f0f0f0f0f0 ll; r0 = (s32)r1; exit", 0xffff_ffff_f0f0_f0f0n],
  ["ISA-44", "r0 = r10; r1 = r10; r1 -= 8; r0 -= r1; exit", 8n],
  ["ISA-50 16", "r0 = 0x1122334455667788 ll; r0 = le16 r0; exit", 0x7788n],
  ["ISA-50 64", "r0 = 0x1122334455667788 ll; r0 = le64 r0; exit", 0x1122_3344_5566_7788n],
  ["ISA-51 16", "r0 = 0x1122334455667788 ll; r0 = be16 r0; exit", 0x8877n],
  ["ISA-51 32", "r0 = 0x1122334455667788 ll; r0 = be32 r0; exit", 0x8877_6655n],
  ["ISA-51 64", "r0 = 0x1122334455667788 ll; r0 = be64 r0; exit", 0x8877_6655_4433_2211n],
  ["ISA-52", "r0 = 0x1122334455667788 ll; r0 = bswap32 r0; exit", 0x8877_6655n],
  ["ISA-60 8", "*(u64 *)(r10 - 8) = -1; r0 = *(u8 *)(r10 - 8); exit", 0xffn],
  ["ISA-60 32", "*(u64 *)(r10 - 8) = -1; r0 = *(u32 *)(r10 - 8); exit", 0xffff_ffffn],
  ["ISA-61 8", "*(u8 *)(r10 - 1) = 128; r0 = *(s8 *)(r10 - 1); exit", 0xffff_ffff_ffff_ff80n],
  ["ISA-61 16", "*(u16 *)(r10 - 2) = 0x8001; r0 = *(s16 *)(r10 - 2); exit", 0xffff_ffff_ffff_8001n],
  ["ISA-61 32", "*(u32 *)(r10 - 4) = -2; r0 = *(s32 *)(r10 - 4); exit", 0xffff_ffff_ffff_fffen],
  ["ISA-62 16", "*(u64 *)(r10 - 8) = 0; *(u16 *)(r10 - 8) = -1; r0 = *(u64 *)(r10 - 8); exit", 0xffffn],
  [
    "ISA-63 8",
    "r1 = 0x11223344 ll; *(u64 *)(r10 - 8) = 0; *(u8 *)(r10 - 7) = r1; r0 = *(u64 *)(r10 - 8); exit",
    0x4400n,
  ],
  [
    "ISA-63 64",
    "r1 = 0x1122334455667788 ll; *(u64 *)(r10 - 8) = r1; r0 = *(u32 *)(r10 - 4); exit",
    0x1122_3344n,
  ],
  ["ISA-80", "r0 = 1; goto +1; r0 = 2; exit", 1n],
  ["ISA-81 jeq", "r0 = 0; r1 = 0xffffffff00000001 ll; if r1 == 1 goto +1; r0 = 1; exit", 1n],
  ["ISA-81 jeq32", "r0 = 0; r1 = 0xffffffff00000001 ll; if w1 == 1 goto +1; r0 = 1; exit", 0n],
  ["ISA-81 jslt", "r0 = 0; r1 = 0xffffffff00000001 ll; if r1 s< 1 goto +1; r0 = 1; exit", 0n],
  ["ISA-81 jslt32", "r0 = 0; r1 = 0xffffffff00000001 ll; if w1 s< 1 goto +1; r0 = 1; exit", 1n],
  ["ISA-82", "r0 = 0; r1 = 5; if r1 < -1 goto +1; r0 = 1; exit", 0n],
  ["ISA-83", "r0 = 1; gotol +1; r0 = 2; exit", 1n],
  ["ISA-88", "r0 = 0x1122334455667788 ll; exit", 0x1122_3344_5566_7788n],
  ["ISA-100", "r0 = 0xfedcba9876543210 ll; exit", 0xfedc_ba98_7654_3210n],
];

describe("rules of reference/isa.md", () => {
  for (const [rule, code, r0] of RULES) it(rule, () => expect(harness.r0(code)).toBe(r0));

  it("ISA-4: unaligned accesses are plain accesses", () => {
    addArray(harness, { name: "bytes", valueBytes: 16, maxEntries: 1 });
    const code =
      "r1 = map_value[bytes]; r2 = 0x1122334455667788 ll; *(u64 *)(r1 + 3) = r2; r0 = *(u64 *)(r1 + 5); exit";
    expect(harness.r0(code)).toBe(0x1122_3344_5566n);
  });

  it("ISA-84: may_goto falls through 8388608 times in one frame, chained ones share the counter", () => {
    const { end, insnCount } = harness.run("r0 = 0; r0 += 1; may_goto +1; goto -3; exit", 100_000_000);
    expect(end).toEqual({ kind: "exit", r0: 8_388_609n });
    expect(insnCount).toBe(1 + 8_388_608 * 3 + 2 + 1);
    const chained = "r0 = 0; r0 += 1; may_goto +2; may_goto +1; goto -4; exit";
    expect(harness.run(chained, 100_000_000).end).toEqual({ kind: "exit", r0: 4_194_305n });
  });

  it("ISA-84: a function has a counter of its own", () => {
    const code = `
      call f
      r6 = r0
      call f
      r0 -= r6
      exit
    f:
      r0 = 0
    again:
      r0 += 1
      may_goto done
      goto again
    done:
      exit`;
    expect(harness.run(code, 100_000_000).end).toEqual({ kind: "exit", r0: 0n });
  });

  it("ISA-86: r1..r5 and, in a function, r0 and r6..r9 hold nothing that was there before", () => {
    const code = `
      r1 = 1; r2 = 2; r6 = 6; r7 = 7; r8 = 8; r9 = 9; r0 = 10
      call f
      r0 += r1; r0 += r2; r0 += r3; r0 += r4; r0 += r5
      exit
    f:
      r0 += r6; r0 += r7; r0 += r8; r0 += r9
      r1 = 11; r2 = 12; r3 = 13; r4 = 14; r5 = 15
      exit`;
    expect(harness.r0(code)).toBe(0n);
  });
});

describe("the loop has a case for every row", () => {
  it("names each row, or one case for rows that share it", () => {
    const shared = /^(wide\.|ld(abs|ind)\d|call|gotol$|atomic\d+\.(load_acquire|store_release)$)/;
    for (const { id } of INSN_ROWS) expect(id in OP || shared.test(id), id).toBe(true);
  });
});
