import { makeCbpf } from "@tsbpf/cbpf";
import { describe, expect, it } from "vitest";
import { judgeProgram, randomPacket, randomProgram } from "../src/cbpf-programs.ts";
import { evaluateClassic } from "../src/cbpf-reference.ts";
import { Random } from "../src/random.ts";

/* More of them, and filters beside tcpdump: src/cbpf-main.ts. */

describe("classic programs", () => {
  it("do in both forms and on both engines what an evaluator of its own says", () => {
    for (let seed = 1; seed <= 60; seed++) {
      const random = new Random(seed);
      const insns = randomProgram(random);
      const packets = Array.from({ length: 4 }, () => randomPacket(random));
      expect(judgeProgram(insns, packets), `seed ${seed}`).toEqual([]);
    }
  });

  it("that were evaluated wrongly would be told", () => {
    const ldLen = [makeCbpf(0x80), makeCbpf(0x16)];
    const packet = new Uint8Array(60);
    expect(evaluateClassic(ldLen, packet, { isLinux: true, wireBytes: 60 })).toBe(60);
    expect(evaluateClassic(ldLen, packet, { isLinux: true, wireBytes: 61 })).toBe(61);
    expect(judgeProgram(ldLen, [packet])).toEqual([]);
  });
});
