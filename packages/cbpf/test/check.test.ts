import { InputError } from "@tsbpf/base";
import { describe, expect, it } from "vitest";
import {
  CBPF,
  CBPF_CHECK_CODES,
  type CbpfCheckCode,
  type CbpfInsn,
  checkCbpf,
  findCbpfIssue,
  makeCbpf,
  runCbpf,
  translateCbpf,
} from "../src/index.ts";
import { classic } from "./classic.ts";

const RET = makeCbpf(CBPF.retK, 1);

const REFUSED: Readonly<
  Record<CbpfCheckCode, readonly (readonly [insns: readonly CbpfInsn[], message: string])[]>
> = {
  CBPF_LENGTH: [
    [[], "0 instructions found, 1..4096 allowed"],
    [new Array(4097).fill(RET), "4097 instructions found, 1..4096 allowed"],
  ],
  CBPF_OPCODE: [
    [[makeCbpf(0xff), RET], "opcode 0xff found, which is no classic instruction, at 0"],
    // ret x, which libpcap's header has and Linux refuses.
    [[makeCbpf(0x0e)], "opcode 0xe found, which is no classic instruction, at 0"],
    [[makeCbpf(0x128), RET], "opcode 0x128 found, which is no classic instruction, at 0"],
  ],
  CBPF_DIVISION: [
    [classic("div #0\nret a"), "div by the constant 0, at 0"],
    [classic("mod #0\nret a"), "mod by the constant 0, at 0"],
  ],
  CBPF_SHIFT: [
    [classic("lsh #32\nret a"), "lsh by 32 bits, 0..31 allowed, at 0"],
    [classic("rsh #40\nret a"), "rsh by 40 bits, 0..31 allowed, at 0"],
  ],
  CBPF_SCRATCH: [
    [classic("st M[16]\nret a"), "st M[16], M[0]..M[15] allowed, at 0"],
    [classic("st M[0]\nldx M[99]\nret a"), "ldx M[99], M[0]..M[15] allowed, at 1"],
  ],
  CBPF_SCRATCH_UNSET: [
    [classic("ld M[3]\nret a"), "M[3] is loaded, and not stored on every way there, at 0"],
    [
      classic("ldb [0]\njeq #1, yes, no\nyes: st M[0]\nno: ld M[0]\nret a"),
      "M[0] is loaded, and not stored on every way there, at 3",
    ],
  ],
  CBPF_ANCILLARY: [
    [[makeCbpf(CBPF.ldAbs(4), 0xffff_f041), RET], "ld [-4031], which is no ancillary load, at 0"],
  ],
  CBPF_JUMP: [
    [[makeCbpf(CBPF.branch("jeq", "k"), 0, 0, 1), RET], "jeq to 2, 1..1 allowed, at 0"],
    [[makeCbpf(CBPF.ja, 5), RET], "ja to 6, 1..1 allowed, at 0"],
    [[makeCbpf(CBPF.ja, -1), RET], "ja to 0, 1..1 allowed, at 0"],
  ],
  CBPF_NO_RETURN: [[classic("ret #0\nld #1"), "the last instruction, 1, is no ret"]],
};

describe("the check of classic programs", () => {
  it.each(
    CBPF_CHECK_CODES.flatMap((code) => REFUSED[code].map(([insns, message]) => ({ code, insns, message }))),
  )("$code: $message", ({ code, insns, message }) => {
    expect(findCbpfIssue(insns)).toMatchObject({ code, message });
    expect(() => checkCbpf(insns)).toThrow(InputError);
  });

  it("takes what Linux takes", () => {
    const programs = [
      "ret #0",
      "div x\nret a",
      "lsh #31\nrsh x\nret a",
      "ld #len\nldx #len\nret a",
      "ld proto\nld vlan_tci\nld rand\nldb [-1048576]\nret a",
      "st M[15]\nldx M[15]\nret a",
      "ldb [0]\njeq #1, a, b\na: st M[0]\nja c\nb: st M[0]\nc: ld M[0]\nret a",
    ];
    for (const text of programs) expect(findCbpfIssue(classic(text))).toBeUndefined();
    expect(findCbpfIssue(new Array(4096).fill(RET))).toBeUndefined();
  });

  it("takes loads at any offset where they are allowed, which find no packet there", () => {
    const insns = [makeCbpf(CBPF.ldAbs(4), 0xffff_f041), RET];
    expect(findCbpfIssue(insns, { allowAnyOffset: true })).toBeUndefined();
    expect(runCbpf(insns, { bytes: new Uint8Array(64) })).toBe(0);
    const translated = translateCbpf(insns, { form: "frame", allowAnyOffset: true });
    expect(translated.at(-1)).toMatchObject({ op: 0x95 });
  });

  it("takes jumps backwards where they are allowed, and follows them to unset scratch memory", () => {
    const loop = classic("again: ldb [0]\njeq #1, out, on\non: ja again\nout: ret #1");
    expect(findCbpfIssue(loop)).toMatchObject({ code: "CBPF_JUMP" });
    expect(findCbpfIssue(loop, { allowLoops: true })).toBeUndefined();
    const unset = classic(
      "ja first\nsecond: ld M[0]\nret a\nfirst: ldb [0]\njeq #1, out, on\non: ja second\nout: ret #0",
    );
    expect(findCbpfIssue(unset, { allowLoops: true })).toMatchObject({ code: "CBPF_SCRATCH_UNSET", at: 1 });
    const set = classic(
      "ja first\nsecond: ld M[0]\nret a\nfirst: st M[0]\njeq #1, out, on\non: ja second\nout: ret #0",
    );
    expect(findCbpfIssue(set, { allowLoops: true })).toBeUndefined();
  });
});
