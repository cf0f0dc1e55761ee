import { describe, expect, it } from "vitest";
import { SKB_STATE } from "../../abi/src/index.ts";
import { Harness } from "./support.ts";

/** The context of these tests needs the words after the uapi fields. */
class SkbHarness extends Harness {
  constructor() {
    super({ progType: "sched_cls" });
    const bytes = Uint8Array.from({ length: 64 }, (_, idx) => idx + 1);
    this.packet.load(bytes);
    this.memory.view.setUint32(this.ctx + SKB_STATE.macHeader, this.packet.dataStart, true);
    this.memory.view.setUint32(this.ctx + SKB_STATE.networkHeader, this.packet.dataStart + 14, true);
  }
}
const harness = new SkbHarness();
const load = (text: string): string => `r6 = r1; r7 = 5; ${text}; exit`;

describe("legacy packet loads (ISA-110 to ISA-112)", () => {
  const CASES: readonly (readonly [rule: string, text: string, r0: bigint])[] = [
    ["ISA-110 byte", "r0 = *(u8 *)skb[4]", 5n],
    ["ISA-110 half, big endian", "r0 = *(u16 *)skb[4]", 0x0506n],
    ["ISA-110 word", "r0 = *(u32 *)skb[60]", 0x3d3e_3f40n],
    ["ISA-110 indirect", "r0 = *(u16 *)skb[r7 + 3]", 0x090an],
    ["ISA-112 network header", "r0 = *(u8 *)skb[-1048576]", 15n],
    ["ISA-112 link header", "r0 = *(u16 *)skb[-2097150]", 0x0304n],
  ];
  for (const [rule, text, r0] of CASES) it(rule, () => expect(harness.r0(load(text))).toBe(r0));

  it("ISA-110: zero-extends and leaves nothing in r1..r5", () => {
    expect(harness.r0(`r6 = r1; r2 = 9; r0 = *(u32 *)skb[60]; r0 += r1; r0 += r2; exit`)).toBe(0x3d3e_3f40n);
  });

  it("ISA-111: a miss exits with 0", () => {
    for (const at of [
      "r0 = *(u8 *)skb[64]",
      "r0 = *(u32 *)skb[61]",
      "r0 = *(u8 *)skb[-4096]",
      "r0 = *(u8 *)skb[-4194304]",
    ]) {
      expect(harness.r0(load(`r0 = 7; ${at}; r0 = 7`))).toBe(0n);
    }
  });

  it("ISA-111: in a function a miss returns 0 to the caller", () => {
    expect(harness.r0("r6 = r1; call f; r0 += 5; exit\nf: r6 = r1; r0 = *(u8 *)skb[64]; r0 = 7; exit")).toBe(
      5n,
    );
  });

  it("takes an offset computed from a register as 32 bits, signed", () => {
    expect(harness.r0("r6 = r1; r7 = 0xfffffffffffffff0 ll; r0 = *(u8 *)skb[r7 + 17]; exit")).toBe(2n);
    expect(harness.r0("r6 = r1; r7 = 0xff00000000 ll; r0 = *(u8 *)skb[r7 + 1]; exit")).toBe(2n);
  });

  it("traps when r6 is not the context", () => {
    expect(harness.trap("r6 = 0; r0 = *(u8 *)skb[0]; exit").code).toBe("RUN_ARGUMENT");
  });
});
