import type { MapSpec } from "@tsbpf/abi";
import { describe, expect, it } from "vitest";
import { type Verdict, verifyProg } from "../src/index.ts";
import { progOf } from "./prog.ts";

const LOCKED: MapSpec = {
  name: "locked",
  type: "array",
  keyBytes: 4,
  valueBytes: 8,
  maxEntries: 1,
  flags: 0,
  btfKeyTypeId: 1,
  btfValueTypeId: 3,
  valueFields: [{ kind: "bpf_spin_lock", offset: 4, sizeBytes: 4 }],
};

/** Judges a call with a lock held; a kernel function without a name has the id 0. */
function judgeLocked(call: string, isNamed = true): Verdict {
  const text = `
    *(u32 *)(r10 - 4) = 0
    r2 = r10
    r2 += -4
    r1 = map[locked] ll
    call bpf_map_lookup_elem
    if r0 == 0 goto out
    r6 = r0
    r1 = r6
    r1 += 4
    call bpf_spin_lock
    ${call}
    r1 = r6
    r1 += 4
    call bpf_spin_unlock
  out: r0 = 0
    exit`;
  const spec = progOf(text, { type: "sched_cls", maps: [LOCKED] });
  const insns = spec.insns.map((insn) => (insn.op === 0x85 && insn.src === 2 ? { ...insn, imm: 0 } : insn));
  return verifyProg(isNamed ? spec : { ...spec, insns, kernelRefs: [] }, { logLevel: 2 });
}

const REFUSED = "function calls are not allowed while holding a lock";

describe("calls with a lock held (H-78)", () => {
  it("are refused for helpers, known or not", () => {
    expect(judgeLocked("call bpf_ktime_get_ns").message).toBe(REFUSED);
    expect(judgeLocked("call 9999").message).toBe(REFUSED);
  });

  it("are refused for kernel functions, named or not", () => {
    expect(judgeLocked("call bpf_rcu_read_lock#1").message).toBe(REFUSED);
    expect(judgeLocked("call bpf_rcu_read_lock#1", false).message).toBe(REFUSED);
  });

  it("are taken for iterators of numbers", () => {
    const loop = "r1 = r10\nr1 += -16\nr2 = 0\nr3 = 1\ncall bpf_iter_num_new#1";
    expect(judgeLocked(`${loop}\nr1 = r10\nr1 += -16\ncall bpf_iter_num_destroy#1`).message).not.toBe(
      REFUSED,
    );
  });
});
