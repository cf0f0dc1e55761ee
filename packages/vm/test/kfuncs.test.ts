import { arg, defineKfunc, ret } from "@tsbpf/plugin";
import { describe, expect, it } from "vitest";
import { createVm, type EngineName } from "../src/index.ts";

const ENGINES: readonly EngineName[] = ["interpreter", "jit"];

/** Adds up 3..6 with an open-coded iterator, as `bpf_for` compiles to. */
const COUNTING = `
  r6 = 0
  r1 = r10
  r1 += -8
  r2 = 3
  r3 = 7
  call bpf_iter_num_new
next:
  r1 = r10
  r1 += -8
  call bpf_iter_num_next
  if r0 == 0 goto done
  r1 = *(u32 *)(r0 + 0)
  r6 += r1
  goto next
done:
  r1 = r10
  r1 += -8
  call bpf_iter_num_destroy
  r0 = r6
  exit
`;

/** Reads the first byte of a packet through a slice of a dynptr. */
const SLICING = `
  r2 = 0
  r3 = r10
  r3 += -16
  call bpf_dynptr_from_skb
  r1 = r10
  r1 += -16
  r2 = 0
  r3 = 0
  r4 = 14
  call bpf_dynptr_slice
  if r0 == 0 goto out
  r0 = *(u8 *)(r0 + 12)
out:
  exit
`;

const PACKET = new Uint8Array(64).fill(0x45, 12, 13);

describe.each(ENGINES)("kernel functions with the %s", (engine) => {
  it("count", () => {
    const prog = createVm().load(COUNTING, { engine, progType: "sched_cls" });
    expect(prog.run({ packet: PACKET }).retval).toBe(18);
  });

  it("slice packets", () => {
    const prog = createVm().load(SLICING, { engine, progType: "sched_cls" });
    expect(prog.run({ packet: PACKET }).retval).toBe(0x45);
  });

  it("are replaced by those of the options", () => {
    const mine = defineKfunc({
      name: "bpf_mine",
      summary: "Doubles.",
      args: [arg.u64("value")],
      returns: ret.u64(),
      call: ({ value }) => value * 2n,
    });
    const vm = createVm({ kfuncs: [mine] });
    const prog = vm.load("r1 = 21\ncall bpf_mine\nexit", { engine, progType: "sched_cls", verify: "off" });
    expect(prog.run({ packet: PACKET }).retval).toBe(42);
  });
});

const seen: bigint[] = [];

/** One of each kind of argument that kernel functions have. */
const sum = defineKfunc({
  name: "my_sum",
  summary: "Adds up the bytes of a buffer, at most a few of them.",
  args: [
    arg.ctx("ctx"),
    arg.memIn("buf", { size: "len" }),
    arg.size("len", { min: 1n, max: 16n }),
    arg.u64("seed", { max: 9n }),
  ],
  returns: ret.u64(),
  progTypes: ["xdp"],
  call({ buf, seed }) {
    let total = seed;
    for (const byte of buf) total += BigInt(byte);
    seen.push(total);
    return total;
  },
});

const CALL_SUM = (setup: string) => `
  *(u64 *)(r10 - 8) = 0x01010101
  r6 = r1
  r2 = r10
  r2 += -8
  r3 = 8
  r4 = 2
  ${setup}
  call my_sum
  r0 &= 63
  exit
`;

describe.each(ENGINES)("kernel functions of a plugin with the %s", (engine) => {
  const load = (setup: string, progType: "xdp" | "sched_cls" = "xdp") =>
    createVm({ kfuncs: [sum] }).load(CALL_SUM(setup), { engine, progType });

  it("are proven and run", () => {
    seen.length = 0;
    expect(load("").run({ packet: PACKET }).retval).toBe(6);
    expect(seen).toEqual([6n]);
  });

  it.each([
    ["a pointer for a number", "r4 = r10", /R4 is not a scalar/],
    ["a number too large", "r4 = 10", /seed must be proven to lie in/],
    ["a size of 0", "r3 = 0", /len must be proven to lie in 1..16/],
    ["a size past the stack", "r3 = 16", /arg#1 arg#2 memory, len pair leads to invalid memory access/],
    ["a number for memory", "r2 = 5", /arg#1 arg#2 memory, len pair/],
    ["NULL for memory", "r2 = 0", /Possibly NULL pointer passed to trusted arg1/],
    ["the stack for the context", "r1 = r10", /arg#0 expected pointer to ctx, but got fp/],
  ])("refuse %s", (_what, setup, text) => {
    expect(() => load(setup)).toThrow(text);
  });

  it("refuse other program types", () => {
    expect(() => load("", "sched_cls")).toThrow(/calling kernel function my_sum is not allowed/);
  });

  it("say which kinds of arguments only helpers have", () => {
    const odd = defineKfunc({
      name: "my_odd",
      summary: "Takes a key.",
      args: [arg.map("map"), arg.mapKey("key", { of: "map" })],
      returns: ret.errno(),
      call: () => 0,
    });
    const vm = createVm({ kfuncs: [odd] });
    expect(() => vm.load("call my_odd\nr0 = 0\nexit", { engine })).toThrow(
      expect.objectContaining({ code: "UNSUPPORTED_KFUNC" }),
    );
  });
});
