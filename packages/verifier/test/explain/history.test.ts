import type { MapSpec } from "@tsbpf/abi";
import { describe, expect, it } from "vitest";
import { printExplanation } from "../../src/index.ts";
import { verifyProg } from "../../src/verify.ts";
import { ARRAY_8, judge, type ProgParts, progOf } from "../prog.ts";

interface History {
  readonly name: string;
  readonly text: string;
  readonly parts?: ProgParts;
  readonly code: string;
  readonly slots: readonly number[];
}

const RINGBUF: MapSpec = {
  name: "rb",
  type: "ringbuf",
  keyBytes: 0,
  valueBytes: 0,
  maxEntries: 4096,
  flags: 0,
};
const LOOKUP = "*(u32 *)(r10 - 4) = 1\nr2 = r10\nr2 += -4\nr1 = map[a8] ll\ncall bpf_map_lookup_elem\n";
const PACKET = "r2 = *(u32 *)(r1 + 0)\nr3 = *(u32 *)(r1 + 4)\nr4 = r2\nr4 += 14\nif r4 > r3 goto e\n";

const HISTORIES: readonly History[] = [
  {
    name: "follows an argument through the call to what the caller set",
    text: "r1 = r10\nr1 += -8\n*(u64 *)(r10 - 8) = 0\ncall f\nr1 = 0\ncall f\nexit\nf: r0 = *(u64 *)(r1 + 0)\nexit",
    code: "MEM_BASE",
    slots: [4, 5, 7],
  },
  {
    name: "takes a callee's own registers for none of the caller's",
    text: "r6 = 0\ncall f\nr0 = *(u64 *)(r6 + 0)\nexit\nf: r6 = 7\nr0 = r6\nexit",
    code: "MEM_BASE",
    slots: [0, 2],
  },
  {
    name: "goes into the callee whose result is refused",
    text: "call f\nr0 = *(u64 *)(r0 + 0)\nexit\nf: r3 = 7\nr0 = r3\nexit",
    code: "MEM_BASE",
    slots: [3, 4, 1],
  },
  {
    name: "names the call that left nothing in a register",
    text: "r1 = 5\ncall f\nr0 = r1\nexit\nf: r0 = 0\nexit",
    code: "REG_UNINIT",
    slots: [1, 2],
  },
  {
    name: "follows a pointer through its spill",
    text: `${LOOKUP}*(u64 *)(r10 - 16) = r0\nr7 = *(u64 *)(r10 - 16)\nr0 = *(u64 *)(r7 + 0)\nexit`,
    parts: { maps: [ARRAY_8] },
    code: "MEM_BASE",
    slots: [5, 6, 7, 8],
  },
  {
    name: "shows where an offset came from beside the pointer",
    text: `call bpf_get_prandom_u32\nr7 = r0\nr7 &= 63\n${LOOKUP}if r0 == 0 goto e\nr0 += r7\nr0 = *(u8 *)(r0 + 0)\ne: r0 = 0\nexit`,
    parts: { maps: [ARRAY_8] },
    code: "MEM_BOUNDS",
    slots: [0, 1, 2, 8, 9, 10, 11],
  },
  {
    name: "shows the compare that gave a packet its range",
    text: `${PACKET}r0 = *(u8 *)(r2 + 14)\ne: r0 = 2\nexit`,
    parts: { type: "xdp" },
    code: "MEM_PACKET_BOUNDS",
    slots: [0, 3, 4, 5],
  },
  {
    name: "names the call that moved the packet",
    text: "r6 = *(u32 *)(r1 + 0)\nr2 = 0\ncall bpf_xdp_adjust_head\nr0 = *(u8 *)(r6 + 0)\nexit",
    parts: { type: "xdp" },
    code: "MEM_BASE",
    slots: [0, 2, 3],
  },
  {
    name: "names each instruction of a loop once, with what came before the loop",
    text: "r7 = 0\nl: r7 += 1\nif r7 < 20 goto l\nr0 = *(u8 *)(r7 + 0)\nexit",
    code: "MEM_BASE",
    slots: [0, 1, 2, 3],
  },
  {
    name: "shows what wrote part of a slot",
    text: "*(u32 *)(r10 - 8) = 0\nr0 = *(u64 *)(r10 - 8)\nexit",
    code: "MEM_STACK_UNINIT",
    slots: [0, 1],
  },
];

describe("history", () => {
  it.each(HISTORIES)("$name", ({ text, parts, code, slots }) => {
    const privilege = code === "MEM_STACK_UNINIT" ? "bpf" : "all";
    const verdict = judge(text, parts, { privilege });
    expect(verdict.code).toBe(code);
    expect(verdict.history.map((step) => step.slot)).toEqual(slots);
    expect(verdict.history.at(-1)?.slot).toBe(verdict.insnIdx);
  });

  it("names what acquired a reference that is not given back (H-64)", () => {
    const verdict = judge(
      "r1 = map[rb] ll\nr2 = 8\nr3 = 0\ncall bpf_ringbuf_reserve\nif r0 == 0 goto e\nr0 = 0\ne: exit",
      {
        maps: [RINGBUF],
      },
    );
    expect(verdict.code).toBe("REF_LEAK");
    expect(verdict.history.map((step) => step.slot)).toEqual([4, 7]);
  });

  it("names the calls that made and gave back what a call takes (H-100)", () => {
    const reserve = "r1 = map[rb] ll\nr2 = 8\nr3 = 0\nr4 = r10\nr4 += -16\ncall bpf_ringbuf_reserve_dynptr\n";
    const discard = "r1 = r10\nr1 += -16\nr2 = 0\ncall bpf_ringbuf_discard_dynptr\n";
    const verdict = judge(`${reserve}${discard}${discard}r0 = 0\nexit`, { maps: [RINGBUF] });
    expect(verdict.code).toBe("CALL_ARG_DYNPTR");
    expect(verdict.history.map((step) => step.slot)).toEqual([6, 10, 11, 12, 14]);
    const read = judge(`${reserve}r0 = *(u64 *)(r10 - 16)\n${discard}exit`, { maps: [RINGBUF] });
    expect(read.reason).toContain("there is a dynptr");
  });

  it("brings the source lines where there are line records", () => {
    const spec = progOf("r7 = 1\nr6 = r7\nr0 = *(u8 *)(r6 + 0)\nexit");
    const lineOf = (slot: number, line: number, text: string) => ({
      slot,
      fileName: "/src/a/prog.c",
      line,
      column: 1,
      text,
    });
    const lines = [
      lineOf(0, 11, "  int x = 1;"),
      lineOf(1, 12, "  char *p = x;"),
      lineOf(2, 14, "  return *p;"),
    ];
    const verdict = verifyProg({ ...spec, lines });
    expect(verdict.history.map((step) => step.source)).toEqual([
      "prog.c:11 int x = 1;",
      "prog.c:12 char *p = x;",
      "prog.c:14 return *p;",
    ]);
    expect(printExplanation(verdict)).toBe(
      "  what: MEM_BASE: R6 invalid mem access 'scalar', at slot 2\n" +
        "  why:  the register holds a number, not a pointer (r6 is 1)\n" +
        "  history:\n" +
        "       0: (b7) r7 = 1   ; prog.c:11 int x = 1;\n" +
        "       1: (bf) r6 = r7   ; prog.c:12 char *p = x;\n" +
        "       2: (71) r0 = *(u8 *)(r6 +0)   ; prog.c:14 return *p;\n" +
        "  try:  derive the pointer anew here: it was computed from numbers, released, or lost when a call changed the packet, or use bpf_probe_read_kernel/_user\n",
    );
  });
});

describe("a kernel function that Linux does not let programs call", () => {
  it("is told from one that nobody knows", () => {
    const verdict = judge("call bpf_none_such\nexit");
    expect(verdict.message).toBe("calling kernel function bpf_none_such is not allowed");
    expect(verdict.reason).toMatch(/Linux 6\.18 is not known to have a function of that name/);
    expect(judge("call bpf_xdp_pull_data\nexit").reason).toBe(
      "programs of this type may not call bpf_xdp_pull_data",
    );
  });
});

describe("an access beyond what is proven of the packet", () => {
  it.each([
    ["r0 = *(u32 *)(r2 + 20)", "r2 is pkt(r=14): 14 bytes are proven, the access ends at 24"],
    ["r2 += 8\n*(u64 *)(r2 + 0) = 1", "r2 is pkt(off=8,r=14): 14 bytes are proven, the access ends at 16"],
  ])("is told beside that: %s (A-91)", (access, said) => {
    const verdict = judge(`${PACKET}${access}\ne: r0 = 2\nexit`, { type: "xdp" });
    expect(verdict.code).toBe("MEM_PACKET_BOUNDS");
    expect(verdict.reason).toContain(`(${said})`);
  });
});

describe("refusals of a whole program", () => {
  it("name no instruction (C-101)", () => {
    const verdict = judge("*(u64 *)(r10 - 400) = 0\ncall f\nexit\nf: *(u64 *)(r10 - 120) = 0\nr0 = 0\nexit");
    expect(verdict.code).toBe("LIMIT_STACK");
    expect(verdict.insnIdx).toBeUndefined();
    expect(verdict.history).toEqual([]);
    expect(verdict.summary).toBe("LIMIT_STACK: combined stack size of 2 calls is 528. Too large");
    expect(verdict.reason).toContain("func#0 400, func#1 120");
  });

  it("name the call that leads outside of the program (C-12)", () => {
    const verdict = judge("r0 = 0\nr1 = 0\ncall local 7\nexit");
    expect(verdict.insnIdx).toBe(2);
  });
});
