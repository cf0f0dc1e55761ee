import { InputError } from "@tsbpf/base";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  CBPF_ROWS,
  CBPF_TEXT_CODES,
  type CbpfInsn,
  type CbpfTextCode,
  compileFilter,
  isCbpfText,
  makeCbpf,
  parseCbpf,
  printCbpfDecimal,
  printCbpfFragment,
  printCbpfListing,
} from "../src/index.ts";
import { EXPRESSIONS } from "./expressions.ts";
import { askTcpdump, hasTcpdump } from "./tcpdump.ts";

const LISTING = `(000) ldh      [12]
(001) jeq      #0x800           jt 2\tjf 10
(002) ldb      [23]
(003) jeq      #0x6             jt 4\tjf 10
(004) ldh      [20]
(005) jset     #0x1fff          jt 10\tjf 6
(006) ldxb     4*([14]&0xf)
(007) ldb      [x + 27]
(008) jset     #0x2             jt 9\tjf 10
(009) ret      #262144
(010) ret      #0
`;
const SYN = compileFilter("tcp[tcpflags] & tcp-syn != 0");

const insn = fc
  .record({ row: fc.constantFrom(...CBPF_ROWS), k: fc.nat(0xffff_ffff), jt: fc.nat(255), jf: fc.nat(255) })
  .map(({ row, k, jt, jf }): CbpfInsn => {
    const { kind } = row.action;
    const isBranch = kind === "branch";
    const hasK = !(kind === "neg" || kind === "move" || kind === "len");
    const takesX = "operand" in row.action && row.action.operand === "x";
    const returnsA = kind === "return" && row.action.value === "a";
    return makeCbpf(row.code, hasK && !takesX && !returnsA ? k : 0, isBranch ? jt : 0, isBranch ? jf : 0);
  });

describe("listings", () => {
  it("are those of tcpdump -d, -dd and -ddd", () => {
    expect(printCbpfListing(SYN)).toBe(LISTING);
    expect(printCbpfFragment(compileFilter("ip"))).toBe(
      "{ 0x28, 0, 0, 0x0000000c },\n{ 0x15, 0, 1, 0x00000800 },\n{ 0x6, 0, 0, 0x00040000 },\n{ 0x6, 0, 0, 0x00000000 },\n",
    );
    expect(printCbpfDecimal(compileFilter("ip"))).toBe("4\n40 0 0 12\n21 0 1 2048\n6 0 0 262144\n6 0 0 0\n");
  });

  it("name facts, jumps and what is no instruction", () => {
    const lines = printCbpfListing([
      ...parseCbpf("ld proto\nldh type\nld #len\nldx #len\nja over\nret a\nover: neg\ntax\nret #-1"),
      makeCbpf(0xff),
    ]);
    expect(lines.split("\n")).toEqual([
      "(000) ld       [proto]",
      "(001) ldh      [type]",
      "(002) ld       #pktlen",
      "(003) ldx      #pktlen",
      "(004) ja       6",
      "(005) ret      ",
      "(006) neg      ",
      "(007) tax      ",
      "(008) ret      #-1",
      "(009) unimp    0xff",
      "",
    ]);
  });

  it.skipIf(!hasTcpdump())("are equal to the installed tcpdump's", () => {
    const differ = EXPRESSIONS.filter((filter, i) => {
      if (i % 9 !== 0) return false;
      const isOptimized = i % 18 === 0;
      const listing = askTcpdump(filter, { flag: "-d", isOptimized });
      if (!listing.isOk) return false;
      const ours = compileFilter(filter, { optimize: isOptimized });
      const fragment = askTcpdump(filter, { flag: "-dd", isOptimized }).text;
      return printCbpfListing(ours) !== listing.text || printCbpfFragment(ours) !== fragment;
    });
    expect(differ).toEqual([]);
  });
});

describe("reading", () => {
  it("gives back what was printed, in all three forms", () => {
    fc.assert(
      fc.property(fc.array(insn, { minLength: 1, maxLength: 40 }), (insns) => {
        expect(parseCbpf(printCbpfDecimal(insns))).toEqual(insns);
        expect(parseCbpf(printCbpfFragment(insns))).toEqual(insns);
        const jumpsNowhere = insns.some(({ code }) => code === 0x05);
        if (!jumpsNowhere) expect(parseCbpf(printCbpfListing(insns))).toEqual(insns);
      }),
    );
  });

  it("takes the variants that other tools write", () => {
    expect(parseCbpf("4,40 0 0 12,21 0 1 2048,6 0 0 262144,6 0 0 0")).toEqual(compileFilter("ip"));
    expect(
      parseCbpf(`struct sock_filter code[] = { /* ip */
        { 0x28,  0,  0, 0x0000000c },
        { 0x15,  0,  1, 0x00000800 }, // type
        { 0x06,  0,  0, 0x00040000 },
        { 0x06,  0,  0, 0000000000 },
      };`),
    ).toEqual(compileFilter("ip"));
    expect(parseCbpf(LISTING)).toEqual(SYN);
  });

  it("takes the kernel's assembly", () => {
    const text = `
      ; IPv4 TCP packets
      ldh [12]
      jne #0x800, drop
      ldb [23]
      jneq #6, drop   /* no TCP */
      ret #-1
      drop: ret #0`;
    expect(printCbpfListing(parseCbpf(text))).toBe(
      [
        "(000) ldh      [12]",
        "(001) jeq      #0x800           jt 2\tjf 5",
        "(002) ldb      [23]",
        "(003) jeq      #0x6             jt 4\tjf 5",
        "(004) ret      #-1",
        "(005) ret      #0",
        "",
      ].join("\n"),
    );
    const all = parseCbpf(`
      ldi #1
      ldxi #0x10
      ldx #017
      ld [%x + 3]
      ldb [x]
      ldh [x + 2]
      ldx 4 * ([14] & 0xf)
      ldxb 4*([14]&0xf)
      ld vlan_avail
      ld rand
      jlt #5, a, b
      a: jle x, b
      b: jmp c
      c: add %x
      st M[2]
      ret %a`);
    expect(all.map(({ code }) => code)).toEqual([
      0x00, 0x01, 0x01, 0x40, 0x50, 0x48, 0xb1, 0xb1, 0x20, 0x20, 0x35, 0x2d, 0x05, 0x0c, 0x02, 0x16,
    ]);
    expect(all[2]?.k).toBe(15);
    expect(all[10]).toMatchObject({ jt: 1, jf: 0 });
    expect(all[11]).toMatchObject({ jt: 0, jf: 0 });
  });

  it("tells classic text from other programs", () => {
    for (const text of [
      printCbpfDecimal(SYN),
      printCbpfFragment(SYN),
      LISTING,
      "ldh [12]\nret a",
      "ret #0",
    ]) {
      expect(isCbpfText(text)).toBe(true);
    }
    const others = [
      "",
      " \n",
      "r0 = 2\nexit",
      "mov r0, 2\nexit",
      "; nothing",
      "ldxw r1, [r2+4]\nexit",
      "ld #1",
      "ret",
    ];
    for (const text of others) expect(isCbpfText(text)).toBe(false);
  });

  const REFUSED: Readonly<Record<CbpfTextCode, readonly (readonly [text: string, message: string])[]>> = {
    CBPF_EMPTY: [[" \n", "the text is empty, a classic program needed"]],
    CBPF_NUMBER: [
      [
        "1\n40 300 0 0",
        "40 300 0 0 found for instruction 0, code 0..65535, jt and jf 0..255, k 0..4294967295 needed",
      ],
      [
        "{ 0x28, 0, 0, 0x1ffffffff },",
        "40 0 0 8589934591 found for instruction 0, code 0..65535, jt and jf 0..255, k 0..4294967295 needed",
      ],
    ],
    CBPF_COUNT: [
      ["2\n6 0 0 0", "count 2 and 4 numbers found, 4 numbers for each instruction needed"],
      ["1", "count 1 and 0 numbers found, 4 numbers for each instruction needed"],
    ],
    CBPF_MNEMONIC: [["ldh [12]\nfoo #1", `"foo" found, which is no classic instruction, at line 2`]],
    CBPF_OPERAND: [
      ["ldh #1\nret a", `ldh with operand "#1", at line 1`],
      ["ld\nret a", "ld with no operand, at line 1"],
      ["jeq #1\nret a", "jeq without a target, at line 1"],
      ["ret x", `ret with operand "x", at line 1`],
      ["{ 0x28, 0, 0 },", `"{ 0x28, 0, 0 }," found, { code, jt, jf, k } needed`],
    ],
    CBPF_LABEL: [
      ["jeq #1, nowhere\nret a", `label "nowhere" is not there, at line 1`],
      ["a: ld #1\na: ret a", "label a is there twice, at line 2"],
      ["(001) ret #1", "instruction 0 is numbered 1, at line 1"],
    ],
    CBPF_FAR_JUMP: [
      [
        `jeq #1, far\n${"ld #1\n".repeat(300)}far: ret a`,
        "jump over 300 and 0 instructions, 0..255 allowed, at line 1",
      ],
      ["back: ld #1\njeq #1, back\nret a", "jump over -2 and 0 instructions, 0..255 allowed, at line 2"],
    ],
  };

  it.each(
    CBPF_TEXT_CODES.flatMap((code) => REFUSED[code].map(([text, message]) => ({ code, text, message }))),
  )("refuses with $code: $message", ({ code, text, message }) => {
    expect(() => parseCbpf(text)).toThrow(InputError);
    try {
      parseCbpf(text);
    } catch (error) {
      expect(error).toMatchObject({ code, message });
    }
  });
});
