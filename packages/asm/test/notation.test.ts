import { encodeInsns, rowsOfOp } from "@tsbpf/isa";
import { describe, expect, it } from "vitest";
import opcodes from "../../isa/test/fixtures/opcodes.json" with { type: "json" };
import { type AssembleOptions, assemble } from "../src/index.ts";
import { mnemonicsOf } from "../src/parse/mnemonic-names.ts";

const hex = (text: string, options?: AssembleOptions): string =>
  Buffer.from(encodeInsns(assemble(text, options).insns)).toString("hex");

/** Text and slots of isa.md §14, form by form; the bytes are those of llvm-mc, or follow isa.md §17. */
type Case = readonly [text: string, hex: string];

const LLVM: readonly Case[] = [
  ["r1 = 5", "b701000005000000"],
  ["r1 = r2", "bf21000000000000"],
  ["w1 = 5", "b401000005000000"],
  ["w1 = w2", "bc21000000000000"],
  ["r1 = (s8)r2", "bf21080000000000"],
  ["r1 = (s16)r2", "bf21100000000000"],
  ["r1 = (s32)r2", "bf21200000000000"],
  ["w1 = (s8)w2", "bc21080000000000"],
  ["r1 += r2", "0f21000000000000"],
  ["r1 -= 0x10", "1701000010000000"],
  ["r1 s/= r2", "3f21010000000000"],
  ["w1 s%= 5", "9401010005000000"],
  ["r1 s>>= 5", "c701000005000000"],
  ["r1 = -r1", "8701000000000000"],
  ["w1 = -w1", "8401000000000000"],
  ["r1 = be16 r1", "dc01000010000000"],
  ["r1 = le64 r1", "d401000040000000"],
  ["r1 = bswap32 r1", "d701000020000000"],
  ["r0 = *(u8 *)(r1 + 4)", "7110040000000000"],
  ["w0 = *(u32 *)(r1 + 4)", "6110040000000000"],
  ["r0 = *(u64 *)(r10 - 8)", "79a0f8ff00000000"],
  ["r0 = *(s32 *)(r1 + 0x7fff)", "8110ff7f00000000"],
  ["*(u32 *)(r10 - 4) = r1", "631afcff00000000"],
  ["*(u32 *)(r10 - 4) = 7", "620afcff07000000"],
  ["*(u8 *)(r1 + 0) = w2", "7321000000000000"],
  ["r1 = 0x1122334455667788 ll", "18010000887766550000000044332211"],
  ["r1 = 5ll", "18010000050000000000000000000000"],
  ["r1 = -1 ll", "18010000ffffffff00000000ffffffff"],
  ["goto +5", "0500050000000000"],
  ["goto -1", "0500ffff00000000"],
  ["gotol +5", "0600000005000000"],
  ["if r1 == r2 goto +3", "1d21030000000000"],
  ["if w1 s> 5 goto -3", "6601fdff05000000"],
  ["if r1 & 8 goto +1", "4501010008000000"],
  ["may_goto +3", "e500030000000000"],
  ["gotox r1", "0d01000000000000"],
  ["call 1", "8500000001000000"],
  ["callx r1", "8d01000000000000"],
  ["exit", "9500000000000000"],
  ["lock *(u64 *)(r1 + 0) += r2", "db21000000000000"],
  ["lock *(u32 *)(r1 + 4) ^= w2", "c3210400a0000000"],
  ["r2 = atomic_fetch_or((u64 *)(r1 + 0), r2)", "db21000041000000"],
  ["w2 = atomic_fetch_and((u32 *)(r1 + 0), w2)", "c321000051000000"],
  ["r2 = xchg_64(r1 + 0, r2)", "db210000e1000000"],
  ["w2 = xchg32_32(r1 + 0, w2)", "c3210000e1000000"],
  ["r0 = cmpxchg_64(r1 + 0, r0, r2)", "db210000f1000000"],
  ["w0 = cmpxchg32_32(r1 + 0, w0, w2)", "c3210000f1000000"],
  ["r0 = load_acquire((u64 *)(r1 + 0))", "db10000000010000"],
  ["store_release((u16 *)(r1 - 2), w2)", "cb21feff10010000"],
  ["r0 = *(u8 *)skb[4]", "3000000004000000"],
  ["r0 = *(u16 *)skb[r2]", "4820000000000000"],
  ["r0 = *(u32 *)skb[r2 - 4]", "40200000fcffffff"],
  ["r1 = addr_space_cast(r2, 0, 1)", "bf21010001000000"],
];

const KERNEL: readonly Case[] = [
  ["0: (61) r2 = *(u32 *)(r1 +4)", "6112040000000000"],
  ["(61) r2 = *(u32 *)(r1 +4)       ; R1=ctx() R2=pkt(r=0)", "6112040000000000"],
  ["12: (85) call bpf_map_lookup_elem#1", "8500000001000000"],
  ["(85) call unknown#-5", "85000000fbffffff"],
  ["(85) call kernel-function#4711", "8520000067120000"],
  ["(85) call pc+7", "8510000007000000"],
  ["(85) call pc-7#bpf_prog_0123_f", "85100000f9ffffff"],
  ["(18) r1 = 0xffff888101020304", "18010000040302010000000081 88ffff".replace(" ", "")],
  ["(18) r1 = map[id:5]", "18110000050000000000000000000000"],
  ["(18) r1 = map[id:5][0]+8", "18210000050000000000000008000000"],
  ["(18) r1 = map[idx:5]", "18510000050000000000000000000000"],
  ["(18) r1 = map[idx:5]+8", "18610000050000000000000008000000"],
  ["(18) r1 = subprog[-2]", "18410000feffffff0000000000000000"],
  ["(05) goto pc+1", "0500010000000000"],
  ["(06) gotol pc+1", "0600000001000000"],
  ["(db) r1 = atomic64_fetch_add((u64 *)(r10 -8), r1)", "db1af8ff01000000"],
  ["(c3) r1 = atomic_xchg((u32 *)(r10 -8), r1)", "c31af8ffe1000000"],
  ["(db) lock *(u64 *)(r10 -8) += r1", "db1af8ff00000000"],
  ["(db) r0 = atomic64_cmpxchg((u64 *)(r10 -8), r0, r1)", "db1af8fff1000000"],
  ["(e5) may_goto pc+1", "e500010000000000"],
  ["(bf) r1 = (s8)r2", "bf21080000000000"],
  ["(dc) r0 = be16 r0", "dc00000010000000"],
  ["(d7) r0 = bswap16 r0", "d700000010000000"],
  ["(50) r0 = *(u8 *)skb[r2 + -4]", "50200000fcffffff"],
  ["(15) if r0 == 0xffffffff goto pc+2", "15000200ffffffff"],
  ["(95) exit", "9500000000000000"],
  ["       3:\tb7 01 00 00 05 00 00 00\tr1 = 0x5", "b701000005000000"],
  ["       6:\t05 00 05 00 00 00 00 00\tgoto +0x5 <foo+0x60>", "0500050000000000"],
];

const MNEMONIC: readonly Case[] = [
  ["add %r1, %r2", "0f21000000000000"],
  ["add r1, r2", "0f21000000000000"],
  ["add64 %r1, 5", "0701000005000000"],
  ["add32 %r1, 5", "0401000005000000"],
  ["add32 w1, w2", "0c21000000000000"],
  ["sdiv %r1, -3", "37010100fdffffff"],
  ["smod32 %r1, %r2", "9c21010000000000"],
  ["neg %r1", "8701000000000000"],
  ["mov %r0, %fp", "bfa0000000000000"],
  ["movsx864 %r1, %r2", "bf21080000000000"],
  ["movsx1632 %r1, %r2", "bc21100000000000"],
  ["be16 %r0", "dc00000010000000"],
  ["le64 %r0", "d400000040000000"],
  ["swap32 %r0", "d700000020000000"],
  ["bswap16 %r0", "d700000010000000"],
  ["lddw %r1, 0x1122334455667788", "18010000887766550000000044332211"],
  ["lddw %r1, map_by_fd(7)", "18110000070000000000000000000000"],
  ["lddw %r1, map_by_idx(7)", "18510000070000000000000000000000"],
  ["lddw %r1, map_val(map_by_fd(7))+4", "18210000070000000000000004000000"],
  ["lddw %r1, var_addr(7)", "18310000070000000000000000000000"],
  ["lddw %r1, code_addr(+7)", "18410000070000000000000000000000"],
  ["ldxdw %r0, [%r1+4]", "7910040000000000"],
  ["ldxb %r0, [%r1]", "7110000000000000"],
  ["ldxsw %r0, [%r1-0x4]", "8110fcff00000000"],
  ["stb [%r1+2], 0x11", "7201020011000000"],
  ["stdw [%r1+2], -1", "7a010200ffffffff"],
  ["stxdw [%r1-4], %r2", "7b21fcff00000000"],
  ["ja +5", "0500050000000000"],
  ["ja32 -5", "06000000fbffffff"],
  ["jeq %r1, 5, +2", "1501020005000000"],
  ["jsle32 %r1, %r2, -2", "de21feff00000000"],
  ["call helper 7", "8500000007000000"],
  ["call local 1", "8510000001000000"],
  ["call local +1", "8510000001000000"],
  ["call runtime 7", "8520000007000000"],
  ["call kfunc 7, 2", "8520020007000000"],
  ["call %r2", "8d02000000000000"],
  ["callx %r2", "8d02000000000000"],
  ["callx.imm %r2", "8d00000002000000"],
  ["lock add [%r10-8], %r1", "db1af8ff00000000"],
  ["lock fetch add32 [%r10-8], %r1", "c31af8ff01000000"],
  ["lock xchg [%r10-8], %r1", "db1af8ffe1000000"],
  ["lock cmpxchg32 [%r10-8], %r1", "c31af8fff1000000"],
  ["ldacqh %r0, [%r1+2]", "cb10020000010000"],
  ["strelb [%r1+2], %r0", "d301020010010000"],
];

const GNU: readonly Case[] = [
  ["movs %r1,%r2,8", "bf21080000000000"],
  ["movs32 %r1,%r2,16", "bc21100000000000"],
  ["endle %r1,16", "d401000010000000"],
  ["endbe %r1,32", "dc01000020000000"],
  ["bswap %r1,64", "d701000040000000"],
  ["ldabsw 4", "2000000004000000"],
  ["ldindw %r2,4", "4020000004000000"],
  ["jal 5", "0600000005000000"],
  ["callr %r1", "8d01000000000000"],
  ["aadd [%r1+8],%r2", "db21080000000000"],
  ["afor32 [%r1+8],%r2", "c321080041000000"],
  ["axchg [%r1+8],%r2", "db210800e1000000"],
  ["acmp32 [%r1+8],%r2", "c3210800f1000000"],
  ["xadddw [%r1+8],%r2", "db21080000000000"],
  ["xaddw [%r1+8],%r2", "c321080000000000"],
];

describe("notations (isa.md §14)", () => {
  it.each(LLVM)("LLVM: %s", (text, expected) => expect(hex(text)).toBe(expected));
  it.each(KERNEL)("kernel and listings: %s", (text, expected) => expect(hex(text)).toBe(expected));
  it.each(MNEMONIC)("mnemonics: %s", (text, expected) => expect(hex(text)).toBe(expected));
  it.each(GNU)("GNU as: %s", (text, expected) => expect(hex(text)).toBe(expected));

  it("mix line by line", () => {
    expect(hex("mov %r1, 5\nr1 += 2\njeq r1, 7, done\nw0 = w1\ndone:\nexit")).toBe(
      "b70100000500000007010000020000001501010007000000bc100000000000009500000000000000",
    );
  });

  it("takes numbers in signed and unsigned notation where bits are meant", () => {
    for (const text of ["w1 = -2", "w1 = 0xfffffffe", "w1 = 4294967294"]) {
      expect(hex(text)).toBe("b4010000feffffff");
    }
    expect(hex("r1 = 18446744073709551615 ll")).toBe(hex("r1 = -1 ll"));
    expect(hex("r1 = -9223372036854775808 ll")).toBe(hex("r1 = 0x8000000000000000 ll"));
  });

  it("writes any slot with .insn", () => {
    expect(hex(".insn 0xff, 15, 11, -2, 0x80000000")).toBe("ffbffeff00000080");
  });

  it("ignores directives that change nothing", () => {
    expect(hex(".text\n.p2align 3\n.type f,@function\nf:\nexit\n.size f, .-f")).toBe("9500000000000000");
  });
});

describe("listings", () => {
  it("of bpftool with opcodes are read, bytes checked", () => {
    const text = `   0: (b7) r0 = 1
       b7 00 00 00 01 00 00 00
   1: (18) r1 = 0x1122334455667788
       18 01 00 00 88 77 66 55 00 00 00 00 44 33 22 11
   3: (95) exit
       95 00 00 00 00 00 00 00
`;
    expect(hex(text)).toBe("b700000001000000180100008877665500000000443322119500000000000000");
  });

  it("may start at any slot", () => {
    expect(hex("  17: (b7) r0 = 1\n  18: (95) exit")).toBe("b7000000010000009500000000000000");
  });
});

describe("bpf_conformance's assembler", () => {
  const text = "mov32 %r1, 0x876543210\njeq %r1, 0, exit\nmov %r0, 1\nexit\nexit";

  it("wraps immediates and knows the first exit", () => {
    expect(hex(text, { conformance: true })).toBe(
      "b401000010325476150101000000000 0b70000000100000095000000000000009500000000000000".replace(" ", ""),
    );
  });

  it("is asked for, not guessed", () => {
    expect(() => assemble(text)).toThrow(/ASM_|outside/);
  });
});

describe("mnemonics", () => {
  it("are those of isa.md §17", () => {
    const named = (opcodes as [string, string, string][]).filter(
      ([, name]) => !/^(atomic|callx?)/.test(name),
    );
    expect(named).toHaveLength(124);
    for (const [op, name] of named) {
      const ours = rowsOfOp(Number.parseInt(op, 16)).flatMap(mnemonicsOf);
      const [family = "", ...widths] = name.includes("/") ? name.split(/(?=16)|\//) : [name];
      const expected = widths.length === 0 ? [family] : widths.map((width) => `${family}${width}`);
      expect([op, ours]).toEqual([op, expect.arrayContaining(expected)]);
    }
  });
});
