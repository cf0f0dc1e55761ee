import type { MapSpec } from "@tsbpf/abi";
import { describe, expect, it } from "vitest";
import type { VerifyOptions } from "../../src/index.ts";
import { ARRAY_8, judge, type ProgParts } from "../prog.ts";

/** A refused program, and the same one after doing what the suggestion says. */
interface Mended {
  readonly code: string;
  readonly does: RegExp;
  readonly refused: string;
  readonly mended: string;
  readonly parts?: ProgParts;
  readonly mendedParts?: ProgParts;
  readonly options?: VerifyOptions;
}

const map = (type: MapSpec["type"], fields: Partial<MapSpec> = {}): MapSpec => ({
  ...ARRAY_8,
  type,
  ...fields,
});
const RINGBUF = map("ringbuf", { name: "rb", keyBytes: 0, valueBytes: 0, maxEntries: 4096 });
const HASH = map("hash", { name: "h" });
const ARRAYS: ProgParts = { maps: [ARRAY_8] };
const LOOKUP = "*(u32 *)(r10 - 4) = 1\nr2 = r10\nr2 += -4\nr1 = map[a8] ll\ncall bpf_map_lookup_elem\n";
const FOUND = `${LOOKUP}if r0 == 0 goto e\n`;
const RANDOM = "call bpf_get_prandom_u32\nr7 = r0\n";
const PACKET = "r2 = *(u32 *)(r1 + 0)\nr3 = *(u32 *)(r1 + 4)\nr4 = r2\n";
const XDP: ProgParts = { type: "xdp" };
const OUT = "r0 = 0\nexit";
const END = `e: ${OUT}`;
const BPF: VerifyOptions = { privilege: "bpf" };

const MENDED: readonly Mended[] = [
  {
    code: "REG_UNINIT",
    does: /^set r0 before on every path/,
    refused: "if r1 == 0 goto e\ne: exit",
    mended: "r0 = 0\nif r1 == 0 goto e\ne: exit",
  },
  {
    code: "MEM_BASE",
    does: /^compare the pointer with 0/,
    refused: `${LOOKUP}r0 = *(u64 *)(r0 + 0)\n${END}`,
    mended: `${FOUND}r0 = *(u64 *)(r0 + 0)\n${END}`,
    parts: ARRAYS,
  },
  {
    code: "MEM_BASE",
    does: /^derive the pointer anew here.*changed the packet/,
    refused: "r9 = r1\nr6 = *(u32 *)(r1 + 0)\nr2 = 0\ncall bpf_xdp_adjust_head\nr0 = *(u8 *)(r6 + 0)\nexit",
    mended: `r9 = r1\nr2 = 0\ncall bpf_xdp_adjust_head\nr1 = r9\n${PACKET}r4 += 1\nif r4 > r3 goto e\nr0 = *(u8 *)(r2 + 0)\n${END}`,
    parts: XDP,
  },
  {
    code: "MEM_PACKET_BOUNDS",
    does: /^check `data \+ offset \+ size <= data_end`/,
    refused: `${PACKET}r4 += 14\nif r4 > r3 goto e\nr0 = *(u8 *)(r2 + 14)\n${END}`,
    mended: `${PACKET}r4 += 15\nif r4 > r3 goto e\nr0 = *(u8 *)(r2 + 14)\n${END}`,
    parts: XDP,
  },
  {
    code: "MEM_BOUNDS",
    does: /a compare or a mask so that offset \+ size fits/,
    refused: `${RANDOM}r7 &= 15\n${FOUND}r0 += r7\nr0 = *(u8 *)(r0 + 0)\n${END}`,
    mended: `${RANDOM}r7 &= 15\nr7 &= 7\n${FOUND}r0 += r7\nr0 = *(u8 *)(r0 + 0)\n${END}`,
    parts: ARRAYS,
  },
  {
    code: "MEM_BOUNDS",
    does: /^keep offset >= 0/,
    refused: `${FOUND}r0 += -1\nr0 = *(u8 *)(r0 + 0)\n${END}`,
    mended: `${FOUND}r0 = *(u8 *)(r0 + 0)\n${END}`,
    parts: ARRAYS,
  },
  {
    code: "MEM_UNBOUNDED",
    does: /^compare the offset with an upper limit/,
    refused: `${FOUND}r7 = *(u64 *)(r0 + 0)\nr7 >>= 1\nr0 += r7\nr0 = *(u8 *)(r0 + 0)\n${END}`,
    mended: `${FOUND}r7 = *(u64 *)(r0 + 0)\nr7 >>= 1\nif r7 > 7 goto e\nr0 += r7\nr0 = *(u8 *)(r0 + 0)\n${END}`,
    parts: ARRAYS,
  },
  {
    code: "REG_POINTER_RANGE",
    does: /from below too: mask it, or compare it unsigned/,
    refused: `${FOUND}r7 = *(u64 *)(r0 + 0)\nif r7 s> 7 goto e\nr0 += r7\nr0 = *(u8 *)(r0 + 0)\n${END}`,
    mended: `${FOUND}r7 = *(u64 *)(r0 + 0)\nif r7 > 7 goto e\nr0 += r7\nr0 = *(u8 *)(r0 + 0)\n${END}`,
    parts: ARRAYS,
  },
  {
    code: "MEM_STACK_BOUNDS",
    does: /^keep offsets between -512 and -size/,
    refused: `*(u64 *)(r10 - 520) = 0\n${OUT}`,
    mended: `*(u64 *)(r10 - 512) = 0\n${OUT}`,
  },
  {
    code: "MEM_STACK_BOUNDS",
    does: /^write all of the bytes before they are read/,
    refused: "r0 = *(u64 *)(r10 - 8)\nexit",
    mended: "*(u64 *)(r10 - 8) = 0\nr0 = *(u64 *)(r10 - 8)\nexit",
    options: BPF,
  },
  {
    code: "MEM_STACK_UNINIT",
    does: /^write all of the bytes first/,
    refused: "*(u32 *)(r10 - 8) = 0\nr0 = *(u64 *)(r10 - 8)\nexit",
    mended: "*(u32 *)(r10 - 8) = 0\n*(u32 *)(r10 - 4) = 0\nr0 = *(u64 *)(r10 - 8)\nexit",
    options: BPF,
  },
  {
    code: "MEM_CTX_ACCESS",
    does: /^access a field that the type offers, at its own offset and size/,
    refused: "r0 = *(u16 *)(r1 + 0)\nr0 = 2\nexit",
    mended: "r0 = *(u32 *)(r1 + 0)\nr0 = 2\nexit",
    parts: XDP,
  },
  {
    code: "MEM_ALIGN",
    does: /one by one$/,
    refused: "*(u16 *)(r10 - 7) = 0\nr0 = 0\nexit",
    mended: "*(u8 *)(r10 - 7) = 0\n*(u8 *)(r10 - 6) = 0\nr0 = 0\nexit",
  },
  {
    code: "REG_POINTER_ARITHMETIC",
    does: /^compare the pointer with 0 before moving it$/,
    refused: `${LOOKUP}r0 += 4\nif r0 == 0 goto e\nr0 = *(u32 *)(r0 + 0)\n${END}`,
    mended: `${FOUND}r0 += 4\nr0 = *(u32 *)(r0 + 0)\n${END}`,
    parts: ARRAYS,
  },
  {
    code: "REG_POINTER_ARITHMETIC",
    does: /^add a negative number instead$/,
    refused: "r2 = r10\nr2 -= 8\n*(u64 *)(r2 + 0) = 0\nr0 = 0\nexit",
    mended: "r2 = r10\nr2 += -8\n*(u64 *)(r2 + 0) = 0\nr0 = 0\nexit",
  },
  {
    code: "REG_POINTER_ARITHMETIC",
    does: /^compute the offset in a register of its own/,
    refused: "r2 = r10\nr2 &= -8\nr0 = 0\nexit",
    mended: "r3 = -16\nr3 &= -8\nr2 = r10\nr2 += r3\nr0 = 0\nexit",
  },
  {
    code: "REG_OFFSET_FIXED",
    does: /unmoved, and put the offset into the load/,
    refused: "r1 += 4\nr0 = *(u32 *)(r1 + 0)\nexit",
    mended: "r0 = *(u32 *)(r1 + 4)\nexit",
  },
  {
    code: "REF_LEAK",
    does: /^release it on every path/,
    refused: `r1 = map[rb] ll\nr2 = 8\nr3 = 0\ncall bpf_ringbuf_reserve\nif r0 == 0 goto e\n${END}`,
    mended: `r1 = map[rb] ll\nr2 = 8\nr3 = 0\ncall bpf_ringbuf_reserve\nif r0 == 0 goto e\nr1 = r0\nr2 = 0\ncall bpf_ringbuf_discard\n${END}`,
    parts: { maps: [RINGBUF] },
  },
  {
    code: "REF_REGION",
    does: /^leave the section on every path before this/,
    refused: `call bpf_preempt_disable#1\n${OUT}`,
    mended: `call bpf_preempt_disable#1\ncall bpf_preempt_enable#1\n${OUT}`,
    parts: { type: "sched_cls" },
  },
  {
    code: "CALL_ARG_TYPE",
    does: /^pass a pointer of a kind that the call takes/,
    refused: `r1 = 0\nr2 = r10\nr2 += -4\ncall bpf_map_lookup_elem\n${OUT}`,
    mended: `*(u32 *)(r10 - 4) = 0\nr1 = map[a8] ll\nr2 = r10\nr2 += -4\ncall bpf_map_lookup_elem\n${OUT}`,
    parts: ARRAYS,
  },
  {
    code: "CALL_ARG_TYPE",
    does: /^compare the pointer with 0 before the call$/,
    refused: `${LOOKUP}r2 = r0\nr1 = map[h] ll\ncall bpf_map_delete_elem\n${END}`,
    mended: `${FOUND}r2 = r0\nr1 = map[h] ll\ncall bpf_map_delete_elem\n${END}`,
    parts: { maps: [ARRAY_8, HASH] },
  },
  {
    code: "CALL_ARG_SIZE",
    does: /^mask the size, or compare it unsigned with the buffer's size$/,
    refused: `r6 = r1\n${RANDOM}w4 = w7\nr4 |= 1\nr1 = r6\nr2 = 0\nr3 = r10\nr3 += -16\ncall bpf_skb_load_bytes\n${OUT}`,
    mended: `r6 = r1\n${RANDOM}r4 = r7\nr4 &= 15\nr4 |= 1\nr1 = r6\nr2 = 0\nr3 = r10\nr3 += -16\ncall bpf_skb_load_bytes\n${OUT}`,
  },
  {
    code: "CALL_ARG_SIZE",
    does: /^check that the size is 1 at least/,
    refused: `r6 = r1\n${RANDOM}r4 = r7\nr4 &= 15\nr1 = r6\nr2 = 0\nr3 = r10\nr3 += -16\ncall bpf_skb_load_bytes\n${OUT}`,
    mended: `r6 = r1\n${RANDOM}r4 = r7\nr4 &= 15\nif r4 == 0 goto e\nr1 = r6\nr2 = 0\nr3 = r10\nr3 += -16\ncall bpf_skb_load_bytes\n${END}`,
  },
  {
    code: "CALL_ARG_CONST",
    does: /^pass a constant$/,
    refused: `${RANDOM}r1 = map[rb] ll\nr2 = r7\nr3 = 0\ncall bpf_ringbuf_reserve\n${OUT}`,
    mended: `${RANDOM}r1 = map[rb] ll\nr2 = 8\nr3 = 0\ncall bpf_ringbuf_reserve\nif r0 == 0 goto e\nr1 = r0\nr2 = 0\ncall bpf_ringbuf_submit\n${END}`,
    parts: { maps: [RINGBUF] },
  },
  {
    code: "CALL_HELPER_LICENSE",
    does: /^declare a GPL-compatible license/,
    refused: `call bpf_ktime_get_ns\nr1 = r10\nr1 += -8\n*(u64 *)(r10 - 8) = 0\nr2 = 8\ncall bpf_trace_printk\n${OUT}`,
    mended: `call bpf_ktime_get_ns\nr1 = r10\nr1 += -8\n*(u64 *)(r10 - 8) = 0\nr2 = 8\ncall bpf_trace_printk\n${OUT}`,
    parts: { license: "MIT" },
    mendedParts: { license: "GPL" },
  },
  {
    code: "CALL_HELPER_PROG",
    does: /or another program type/,
    refused: `r2 = 0\ncall bpf_xdp_adjust_head\n${OUT}`,
    mended: `r2 = 0\ncall bpf_xdp_adjust_head\n${OUT}`,
    parts: {},
    mendedParts: XDP,
  },
  {
    code: "REG_RETURN_RANGE",
    does: /^set r0 to an allowed value on every path/,
    refused: "r0 = 7\nexit",
    mended: "r0 = 1\nexit",
    parts: { type: "cgroup_sock" },
  },
  {
    code: "LIMIT_LOOP",
    does: /^change a counter in each round and compare it/,
    refused: "r0 = 0\nl: if r0 == 1 goto e\ngoto l\ne: exit",
    mended: "r0 = 0\nr1 = 0\nl: if r0 == 1 goto e\nr1 += 1\nif r1 < 9 goto l\ne: exit",
  },
  {
    code: "LIMIT_STACK",
    does: /call one after the other/,
    refused: "*(u64 *)(r10 - 400) = 0\ncall f\nexit\nf: *(u64 *)(r10 - 120) = 0\nr0 = 0\nexit",
    mended:
      "call g\ncall f\nexit\ng: *(u64 *)(r10 - 400) = 0\nr0 = 0\nexit\nf: *(u64 *)(r10 - 120) = 0\nr0 = 0\nexit",
  },
  {
    code: "CFG_UNREACHABLE",
    does: /^remove the instruction/,
    refused: "r0 = 0\nexit\nr0 = 1\nexit",
    mended: "r0 = 0\nexit",
  },
  {
    code: "CFG_FALL_THROUGH",
    does: /^end the function with exit/,
    refused: "r0 = 0\nif r0 == 0 goto l\nl: r0 = 1",
    mended: "r0 = 0\nif r0 == 0 goto l\nl: r0 = 1\nexit",
  },
  {
    code: "REG_FP_READ_ONLY",
    does: /^copy r10 to another register/,
    refused: `r10 += -8\n*(u64 *)(r10 + 0) = 0\n${OUT}`,
    mended: `r2 = r10\nr2 += -8\n*(u64 *)(r2 + 0) = 0\n${OUT}`,
  },
];

describe("suggestions", () => {
  it.each(MENDED)("$code: $does", ({ code, does, refused, mended, parts, mendedParts, options }) => {
    const verdict = judge(refused, parts, options);
    expect(verdict.code).toBe(code);
    expect(verdict.suggestion).toMatch(does);
    expect(judge(mended, mendedParts ?? parts, options).message).toBe("");
  });

  it("cover the most common refusals", () => {
    expect(new Set(MENDED.map((one) => one.code)).size).toBeGreaterThanOrEqual(15);
  });
});
