import { ATTACH_TYPES, MAP_TYPES, type MapSpec } from "@tsbpf/abi";
import { type BtfTypeInput, createBtfBuilder, parseBtf } from "@tsbpf/btf";
import { describe, expect, it } from "vitest";
import { hasStructAt, walkStruct } from "../src/btf/struct-walk.ts";
import { verifyProg } from "../src/index.ts";
import { judge, type ProgParts, progOf } from "./prog.ts";

const builder = createBtfBuilder();
const add = (type: BtfTypeInput): number => builder.addType(type);
const member = (name: string, type: number, offset: number) => ({
  name,
  type,
  offsetBits: offset * 8,
  bitfieldBits: 0,
});
const struct = (
  name: string,
  sizeBytes: number,
  members: readonly ReturnType<typeof member>[],
): BtfTypeInput => ({
  kind: "struct",
  name,
  sizeBytes,
  members,
  hasBitfields: false,
});
const ptr = (type: number): number => add({ kind: "ptr", name: "", type });

const INT = add({ kind: "int", name: "int", sizeBytes: 4, encoding: "signed", offsetBits: 0, sizeBits: 32 });
const PEER = add(struct("peer", 4, [member("x", INT, 0)]));
const PTR_PEER = ptr(PEER);
const RCU_PEER = ptr(add({ kind: "type_tag", name: "rcu", type: PEER, isAttribute: false }));
const PTR_VOID = ptr(0);
const INTS = add({ kind: "array", name: "", elem: INT, index: INT, count: 4 });
const UNION = add({
  kind: "union",
  name: "",
  sizeBytes: 8,
  members: [member("one", PTR_PEER, 0), member("other", INT, 0)],
  hasBitfields: false,
});
const BOX = add(
  struct("box", 64, [
    member("inner", PEER, 0),
    member("next", PTR_PEER, 8),
    member("ints", INTS, 16),
    member("raw", PTR_VOID, 32),
    member("either", UNION, 40),
    member("held", RCU_PEER, 48),
  ]),
);
const PTR_BOX = ptr(BOX);
const param = (name: string, type: number) => ({ name, type });
const TRACED = add({
  kind: "func_proto",
  name: "",
  returns: INT,
  params: [param("b", PTR_BOX), param("n", INT), param("raw", PTR_VOID)],
  isVariadic: false,
});
add({ kind: "func", name: "trace_me", type: TRACED, linkage: "static" });
const HIT = add({
  kind: "func_proto",
  name: "",
  returns: 0,
  params: [param("__data", PTR_VOID), param("b", PTR_BOX), param("spare__nullable", PTR_BOX)],
  isVariadic: false,
});
add({ kind: "typedef", name: "btf_trace_hit", type: ptr(HIT) });
const MAP = add(struct("bpf_map", 8, [member("id", INT, 0)]));
const META = add(struct("bpf_iter_meta", 8, [member("seq", PTR_PEER, 0)]));
const ITER = add({
  kind: "func_proto",
  name: "",
  returns: INT,
  params: [param("meta", ptr(META)), param("map", ptr(MAP))],
  isVariadic: false,
});
add({ kind: "func", name: "bpf_iter_bpf_map", type: ITER, linkage: "static" });
const KERNEL = parseBtf(builder.encode());

const judgeTraced = (
  text: string,
  attach: keyof typeof ATTACH_TYPES,
  target: string,
  parts: ProgParts = {},
) =>
  verifyProg(
    {
      ...progOf(text, { type: "tracing", attachType: ATTACH_TYPES[attach], ...parts }),
      attachTarget: target,
    },
    { logLevel: 2, kernelBtf: KERNEL },
  );

describe("arguments of traced functions", () => {
  const fentry = (text: string) => judgeTraced(text, "trace_fentry", "trace_me");

  it("types pointers, leaves numbers and void pointers scalars (P-2)", () => {
    const verdict = fentry(
      "r2 = *(u64 *)(r1 + 0)\nr3 = *(u64 *)(r1 + 8)\nr4 = *(u64 *)(r1 + 16)\nr0 = 0\nexit",
    );
    expect(verdict.isAccepted).toBe(true);
    expect(verdict.log).toContain("func 'trace_me' arg0 has btf_id");
    expect(verdict.log).toContain("R2=ptr_box()");
    expect(verdict.log).toContain("R3=scalar()");
  });

  it.each([
    ["r2 = *(u64 *)(r1 + 24)\nr0 = 0\nexit", "func 'trace_me' doesn't have 4-th argument"],
    ["r2 = *(u64 *)(r1 + 40)\nr0 = 0\nexit", "func 'trace_me' doesn't have 5-th argument"],
    ["r2 = *(u32 *)(r1 + 0)\nr0 = 0\nexit", "func 'trace_me' size 4 must be 8"],
    ["r2 = *(u32 *)(r1 + 4)\nr0 = 0\nexit", "func 'trace_me' offset 4 is not multiple of 8"],
    ["r2 = 0\n*(u64 *)(r1 + 0) = r2\nr0 = 0\nexit", "invalid bpf_context access off=0 size=8"],
  ])("refuses %j", (text, line) => {
    const verdict = fentry(text);
    expect(verdict.isAccepted).toBe(false);
    expect(verdict.errnoName).toBe("EACCES");
    expect(verdict.message).toMatch(/invalid bpf_context access/);
    expect(verdict.log).toContain(line);
  });

  it("shows the result behind the arguments on exit only", () => {
    const text = "r2 = *(u64 *)(r1 + 24)\nr0 = 0\nexit";
    expect(judgeTraced(text, "trace_fexit", "trace_me").isAccepted).toBe(true);
  });

  it("trusts what raw tracepoints pass, unless it may be NULL", () => {
    const log = judgeTraced(
      "r2 = *(u64 *)(r1 + 0)\nr3 = *(u64 *)(r1 + 8)\nr0 = 0\nexit",
      "trace_raw_tp",
      "hit",
    ).log;
    expect(log).toContain("R2=trusted_ptr_box()");
    expect(log).toContain("R3=trusted_ptr_or_null_box(id=1)");
  });

  it("knows that iterators pass NULL at the end", () => {
    const log = judgeTraced(
      "r2 = *(u64 *)(r1 + 0)\nr3 = *(u64 *)(r1 + 8)\nr0 = 0\nexit",
      "trace_iter",
      "bpf_map",
    ).log;
    expect(log).toContain("R2=trusted_ptr_bpf_iter_meta()");
    expect(log).toContain("R3=trusted_ptr_or_null_bpf_map(id=1)");
  });
});

describe("struct walks (A-113)", () => {
  const box = KERNEL.type(BOX) as never;
  const at = (off: number, size: number) => walkStruct(KERNEL, box, { off, size });

  it("finds numbers, inner structs, arrays and pointers", () => {
    expect(at(0, 4)).toEqual({ kind: "scalar" });
    expect(at(20, 8)).toEqual({ kind: "scalar" });
    expect(at(32, 8)).toEqual({ kind: "mem" });
    expect(at(8, 8)).toMatchObject({ kind: "ptr", field: "next", flags: 0 });
  });

  it("marks pointers in unions and behind tags", () => {
    const inUnion = at(40, 8) as { readonly flags: number };
    const tagged = at(48, 8) as { readonly flags: number };
    expect(inUnion.flags).not.toBe(0);
    expect(tagged.flags).not.toBe(0);
    expect(inUnion.flags).not.toBe(tagged.flags);
  });

  it.each([
    [8, 4, "cannot access ptr member next with moff 8 in struct box with off 8 size 4"],
    [62, 4, "access beyond struct box at off 62 size 4"],
    [4, 4, "struct box doesn't have field at offset 4"],
    [28, 8, "access beyond the end of member ints (mend:32) in struct box with off 28 size 8"],
  ])("refuses %i, %i bytes", (off, size, text) => {
    expect(at(off, size)).toMatchObject({ kind: "error", text });
  });

  it("recognises structs at the start of others", () => {
    expect(hasStructAt(KERNEL, box, 0, "box")).toBe(true);
    expect(hasStructAt(KERNEL, box, 0, "peer")).toBe(true);
    expect(hasStructAt(KERNEL, box, 8, "peer")).toBe(false);
  });
});

describe("trust of loaded pointers (A-115)", () => {
  it("stays plain behind plain pointers, is lost behind trusted ones outside RCU lists", () => {
    const fentry = "r2 = *(u64 *)(r1 + 0)\nr3 = *(u64 *)(r2 + 8)\nr0 = 0\nexit";
    expect(judgeTraced(fentry, "trace_fentry", "trace_me").log).toContain("R3=ptr_peer()");
    const tagged = "r2 = *(u64 *)(r1 + 0)\nr3 = *(u64 *)(r2 + 48)\nr0 = 0\nexit";
    expect(judgeTraced(tagged, "trace_raw_tp", "hit").log).toContain("R3=rcu_ptr_or_null_peer(id=1)");
    const raw = "r2 = *(u64 *)(r1 + 0)\nr3 = *(u64 *)(r2 + 32)\nr0 = 0\nexit";
    expect(judgeTraced(raw, "trace_fentry", "trace_me").log).toContain("R3=rdonly_untrusted_mem(sz=0)");
  });
});

describe("socket maps (H-23)", () => {
  const sockmap: MapSpec = {
    name: "s",
    type: "sockmap",
    keyBytes: 4,
    valueBytes: 8,
    maxEntries: 1,
    flags: 0,
  };
  const update = (value: string) =>
    `r6 = r1\n*(u32 *)(r10 - 4) = 0\nr2 = r10\nr2 += -4\n${value}\nr1 = map[s] ll\nr4 = 0\ncall map_update_elem\nr0 = 0\nexit`;

  it("takes no bytes as a value", () => {
    expect(MAP_TYPES[sockmap.type]).toBe(15);
    const verdict = judge(update("*(u64 *)(r10 - 16) = 0\nr3 = r10\nr3 += -16"), {
      type: "sched_cls",
      maps: [sockmap],
    });
    expect(verdict.message).toMatch(
      /^R3 type=fp expected=sock_common, sock, tcp_sock, xdp_sock, ptr_, trusted_ptr_$/,
    );
  });

  it("may be deleted from by some programs only", () => {
    const text =
      "*(u32 *)(r10 - 4) = 0\nr2 = r10\nr2 += -4\nr1 = map[s] ll\ncall map_delete_elem\nr0 = 0\nexit";
    expect(judge(text, { type: "sched_cls", maps: [sockmap] }).isAccepted).toBe(true);
    expect(judge(text, { type: "kprobe", maps: [sockmap] }).message).toBe(
      "cannot pass map_type 15 into func bpf_map_delete_elem#3",
    );
  });
});

describe("sleepable programs (H-88)", () => {
  const SLEEPABLE = 16;
  const judgeAs = (attach: keyof typeof ATTACH_TYPES, target: string) =>
    judgeTraced("r0 = 0\nexit", attach, target, { attachType: ATTACH_TYPES[attach], flags: SLEEPABLE });

  it("may be attached to functions and iterators, not to raw tracepoints", () => {
    expect(judgeAs("trace_fentry", "trace_me").isAccepted).toBe(true);
    expect(judgeAs("trace_iter", "bpf_map").isAccepted).toBe(true);
    expect(judgeAs("trace_raw_tp", "hit").code).toBe("CALL_SLEEPABLE");
  });
});

describe("objects that are not set up yet", () => {
  const ZERO = [8, 16, 24, 32, 40, 48].map((off) => `*(u64 *)(r10 - ${off}) = 0`).join("\n");
  const ALLOC = `${ZERO}\nr2 = r10\nr2 += -48\nr3 = 12\nr4 = r10\nr4 += -16\nr5 = 16\ncall bpf_xdp_ct_alloc#1\nif r0 == 0 goto e\n`;
  it("are no other struct, though their bytes are the same", () => {
    const change = (name: string): string => `${ALLOC}r1 = r0\nr2 = 10\ncall ${name}#1\ne: r0 = 0\nexit`;
    expect(judge(change("bpf_ct_change_timeout"), { type: "xdp" }).message).toBe(
      "kernel function bpf_ct_change_timeout args#0 expected pointer to STRUCT nf_conn but R1 has a pointer to STRUCT nf_conn___init",
    );
    // The other function takes them, and what is left is to insert them.
    expect(judge(change("bpf_ct_set_timeout"), { type: "xdp" }).code).toBe("REF_LEAK");
  });
});
