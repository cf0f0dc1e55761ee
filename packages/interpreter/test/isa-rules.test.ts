import { INSN_ROWS } from "@tsbpf/isa";
import { describe, expect, it } from "vitest";
import { OP } from "../src/ops.gen.ts";
import { RULES } from "./rules.ts";
import { addArray, Harness } from "./support.ts";

const harness = new Harness();

describe("rules of reference/isa.md", () => {
  for (const [rule, code, r0] of RULES) it(rule, () => expect(harness.r0(code)).toBe(r0));

  it("ISA-4: unaligned accesses are plain accesses", () => {
    addArray(harness, { name: "bytes", valueBytes: 16, maxEntries: 1 });
    const code =
      "r1 = map_value[bytes]; r2 = 0x1122334455667788 ll; *(u64 *)(r1 + 3) = r2; r0 = *(u64 *)(r1 + 5); exit";
    expect(harness.r0(code)).toBe(0x1122_3344_5566n);
  });

  it("ISA-84: may_goto falls through 8388608 times in one frame, chained ones share the counter", () => {
    const { end, insnCount } = harness.run("r0 = 0; r0 += 1; may_goto +1; goto -3; exit", 100_000_000);
    expect(end).toEqual({ kind: "exit", r0: 8_388_609n });
    expect(insnCount).toBe(1 + 8_388_608 * 3 + 2 + 1);
    const chained = "r0 = 0; r0 += 1; may_goto +2; may_goto +1; goto -4; exit";
    expect(harness.run(chained, 100_000_000).end).toEqual({ kind: "exit", r0: 4_194_305n });
  });

  it("ISA-84: a function has a counter of its own", () => {
    const code = `
      call f
      r6 = r0
      call f
      r0 -= r6
      exit
    f:
      r0 = 0
    again:
      r0 += 1
      may_goto done
      goto again
    done:
      exit`;
    expect(harness.run(code, 100_000_000).end).toEqual({ kind: "exit", r0: 0n });
  });

  it("ISA-86: r1..r5 and, in a function, r0 and r6..r9 hold nothing that was there before", () => {
    const code = `
      r1 = 1; r2 = 2; r6 = 6; r7 = 7; r8 = 8; r9 = 9; r0 = 10
      call f
      r0 += r1; r0 += r2; r0 += r3; r0 += r4; r0 += r5
      exit
    f:
      r0 += r6; r0 += r7; r0 += r8; r0 += r9
      r1 = 11; r2 = 12; r3 = 13; r4 = 14; r5 = 15
      exit`;
    expect(harness.r0(code)).toBe(0n);
  });
});

describe("the loop has a case for every row", () => {
  it("names each row, or one case for rows that share it", () => {
    const shared = /^(wide\.|ld(abs|ind)\d|call|gotol$|atomic\d+\.(load_acquire|store_release)$)/;
    for (const { id } of INSN_ROWS) expect(id in OP || shared.test(id), id).toBe(true);
  });
});
