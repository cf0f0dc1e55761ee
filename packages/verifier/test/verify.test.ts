import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { verifyProg } from "../src/index.ts";
import { ARRAY_8, judge, type ProgParts, progOf } from "./prog.ts";

interface Refusal {
  readonly rule: string;
  readonly text: string;
  readonly parts?: ProgParts;
  readonly message: string;
  readonly errno: string;
  readonly code: string;
}

const REFUSED: readonly Refusal[] = [
  {
    rule: "S-124",
    text: "r0 = r2\nexit",
    message: "R2 !read_ok",
    errno: "EACCES",
    code: "REG_UNINIT",
  },
  {
    rule: "S-124 frame pointer",
    text: "r10 += 8\nr0 = 0\nexit",
    message: "frame pointer is read only",
    errno: "EACCES",
    code: "REG_FP_READ_ONLY",
  },
  {
    rule: "X-13",
    text: "r0 = 0\nexit\nr0 = 1\nexit",
    message: "unreachable insn 2",
    errno: "EINVAL",
    code: "CFG_UNREACHABLE",
  },
  {
    rule: "C-21",
    text: "r0 = 0\nif r0 == 0 goto l\nl: r0 = 1",
    message: "last insn is not an exit or jmp",
    errno: "EINVAL",
    code: "CFG_FALL_THROUGH",
  },
  {
    rule: "X-50",
    text: "r0 = 0\nl: goto l\nexit",
    message: "unreachable insn 2",
    errno: "EINVAL",
    code: "CFG_UNREACHABLE",
  },
  {
    rule: "A-20",
    text: "*(u64 *)(r10 - 520) = 0\nr0 = 0\nexit",
    message: "invalid write to stack R10 off=-520 size=8",
    errno: "EACCES",
    code: "MEM_STACK_BOUNDS",
  },
  {
    rule: "A-14",
    text: "*(u64 *)(r10 - 9) = 0\nr0 = 0\nexit",
    message: "misaligned stack access off 0+0+-9 size 8",
    errno: "EACCES",
    code: "MEM_ALIGN",
  },
  {
    rule: "A-31",
    text: "r0 = *(u32 *)(r1 + 1000)\nexit",
    message: "invalid bpf_context access off=1000 size=4",
    errno: "EACCES",
    code: "MEM_CTX_ACCESS",
  },
  {
    rule: "S-181",
    text: "r1 = map[a8]\nr2 = r10\nr2 += -8\n*(u32 *)(r10 - 8) = 1\ncall bpf_map_lookup_elem\nr0 += 4\nr0 = 0\nexit",
    parts: { maps: [ARRAY_8] },
    message: "R0 pointer arithmetic on map_value_or_null prohibited, null-check it first",
    errno: "EACCES",
    code: "REG_POINTER_ARITHMETIC",
  },
  {
    rule: "H-22",
    text: "r1 = 1\nr2 = r10\ncall bpf_map_lookup_elem\nr0 = 0\nexit",
    message: "R1 type=scalar expected=map_ptr",
    errno: "EACCES",
    code: "CALL_ARG_TYPE",
  },
  {
    rule: "H-3",
    text: "r1 = r10\nr1 += -8\nr2 = 8\ncall bpf_trace_printk\nr0 = 0\nexit",
    parts: { license: "MIT" },
    message: "cannot call GPL-restricted function from non-GPL compatible program",
    errno: "EINVAL",
    code: "CALL_HELPER_LICENSE",
  },
  {
    rule: "A-92",
    text: "r2 = *(u32 *)(r1 + 0)\nr0 = *(u8 *)(r2 + 0)\nexit",
    parts: { type: "xdp" },
    message: "R2 offset is outside of the packet",
    errno: "EACCES",
    code: "MEM_PACKET_BOUNDS",
  },
];

const ACCEPTED: readonly { readonly rule: string; readonly text: string; readonly parts?: ProgParts }[] = [
  { rule: "S-3", text: "r0 = 0\nexit" },
  { rule: "X-51 counted loop", text: "r0 = 0\nl: r0 += 1\nif r0 < 1000 goto l\nr0 = 0\nexit" },
  {
    rule: "S-171 packet range",
    text: "r2 = *(u32 *)(r1 + 0)\nr3 = *(u32 *)(r1 + 4)\nr4 = r2\nr4 += 14\nif r4 > r3 goto e\nr0 = *(u8 *)(r2 + 13)\ne: r0 = 2\nexit",
    parts: { type: "xdp" },
  },
  {
    rule: "H-26 constant key",
    text: "r1 = map[a8]\nr2 = r10\nr2 += -8\n*(u32 *)(r10 - 8) = 0\ncall bpf_map_lookup_elem\nr0 = *(u64 *)(r0 + 0)\nexit",
    parts: { maps: [ARRAY_8] },
  },
  {
    rule: "C-51 call",
    text: "r1 = 5\ncall f\nexit\nf: r0 = r1\nexit",
  },
  {
    rule: "S-144 a proven pointer is not NULL",
    text: "r1 = map[a8]\nr2 = r10\nr2 += -8\n*(u32 *)(r10 - 8) = 1\ncall bpf_map_lookup_elem\nif r0 == 0 goto e\nif r0 == 0 goto b\ne: r0 = 0\nexit\nb: r0 = r9\nexit",
    parts: { maps: [ARRAY_8] },
  },
];

describe("verdicts", () => {
  it.each(REFUSED)("refuses: $rule", (one) => {
    const verdict = judge(one.text, one.parts);
    expect(verdict.message).toBe(one.message);
    expect(verdict.errnoName).toBe(one.errno);
    expect(verdict.code).toBe(one.code);
    expect(verdict.isAccepted).toBe(false);
    expect(verdict.reason).not.toBe("");
    expect(verdict.suggestion).not.toBe("");
  });

  it.each(ACCEPTED)("accepts: $rule", (one) => {
    const verdict = judge(one.text, one.parts);
    expect(verdict.message).toBe("");
    expect(verdict.isAccepted).toBe(true);
    expect(verdict.facts?.reached[0]).toBe(1);
  });

  it("gives up at the instruction limit (X-20)", () => {
    const verdict = judge(
      "r0 = 0\nl: r0 += 1\nif r0 < 1000000 goto l\nexit",
      {},
      { insnLimit: 5000, logLevel: 0 },
    );
    expect(verdict.message).toBe("BPF program is too large. Processed 5001 insn");
    expect(verdict.errnoName).toBe("E2BIG");
  });
});

describe("the log", () => {
  it("shows a call as the kernel does (X-103)", () => {
    const verdict = judge("r1 = 5\ncall f\nexit\nf: r0 = r1\nexit");
    expect(verdict.log.split("\n")).toEqual([
      "func#0 @0",
      "func#1 @3",
      "Live regs before insn:",
      "      0: ..2345.... (b7) r1 = 5",
      "      1: .12345.... (85) call pc+1",
      "      2: 0......... (95) exit",
      "      3: .1........ (bf) r0 = r1",
      "      4: 0......... (95) exit",
      "0: R1=ctx() R10=fp0",
      "0: (b7) r1 = 5                        ; R1=5",
      "1: (85) call pc+1",
      "caller:",
      " R10=fp0",
      "callee:",
      " frame1: R1=5 R10=fp0",
      "3: frame1: R1=5 R10=fp0",
      "3: (bf) r0 = r1                       ; frame1: R0=5 R1=5",
      "4: (95) exit",
      "returning from callee:",
      " frame1: R0=5 R1=5 R10=fp0",
      "to caller at 2:",
      " R0=5 R10=fp0",
      "",
      "from 4 to 2: R0=5 R10=fp0",
      "2: (95) exit",
      "processed 5 insns (limit 1000000) max_states_per_insn 0 total_states 0 peak_states 0 mark_read 0",
      "",
    ]);
  });

  it("keeps nothing but statistics of an accepted program at level 1 (X-80)", () => {
    const verdict = judge("r0 = 0\nexit", {}, { logLevel: 1 });
    expect(verdict.log).toBe(
      "processed 2 insns (limit 1000000) max_states_per_insn 0 total_states 0 peak_states 0 mark_read 0\n",
    );
  });
});

describe("explanations", () => {
  it("tells which instructions shaped the refused register", () => {
    const verdict = judge("r2 = r1\nr3 = r2\nr3 += 4\nr0 = *(u32 *)(r3 + 0)\nexit");
    expect(verdict.message).toBe("dereference of modified ctx ptr R3 off=4 disallowed");
    expect(verdict.history.map((step) => step.slot)).toEqual([0, 1, 2, 3]);
  });
});

describe("facts", () => {
  it("names the region of an access and the map of a call", () => {
    const verdict = judge(
      "r1 = map[a8]\nr2 = r10\nr2 += -8\n*(u32 *)(r10 - 8) = 0\ncall bpf_map_lookup_elem\nr0 = *(u64 *)(r0 + 0)\nexit",
      { maps: [ARRAY_8] },
    );
    expect(verdict.facts?.accessRegion.get(4)).toBe("stack");
    expect(verdict.facts?.accessRegion.get(6)).toBe("map_value");
    expect(verdict.facts?.callMapIdx.get(5)).toBe(0);
  });
});

describe("hostile input", () => {
  const slot = fc.record({
    op: fc.integer({ min: 0, max: 255 }),
    dst: fc.integer({ min: 0, max: 15 }),
    src: fc.integer({ min: 0, max: 15 }),
    off: fc.integer({ min: -40, max: 40 }),
    imm: fc.oneof(fc.integer({ min: -20, max: 200 }), fc.integer({ min: -0x8000_0000, max: 0x7fff_ffff })),
  });
  it("gives every slot array a verdict", () => {
    const base = progOf("r0 = 0\nexit");
    fc.assert(
      fc.property(fc.array(slot, { maxLength: 30 }), (insns) => {
        const verdict = verifyProg(
          { ...base, insns: [...insns, ...base.insns] },
          { logLevel: 2, insnLimit: 20_000 },
        );
        expect(typeof verdict.isAccepted).toBe("boolean");
        if (!verdict.isAccepted) expect(verdict.code).toMatch(/^[A-Z]+_/);
      }),
      { numRuns: 300 },
    );
  });
});
