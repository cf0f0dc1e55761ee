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
