import { describe, expect, it } from "vitest";
import { protoOf } from "../../abi/src/index.ts";
import { defineHelper } from "../../plugin/src/index.ts";
import { codeSpace } from "../src/loop.gen.ts";
import { placeCode, SCRATCH_WORDS } from "../src/placement.ts";
import type { Code } from "../src/predecode.ts";
import { Harness } from "./support.ts";

/** A program that is only long. */
const filler = (words: number) =>
  ({ words: new Int32Array(words), placedAt: 0, placedIn: 0 }) as unknown as Code;

const ALL = codeSpace.length - SCRATCH_WORDS;
const sum = (n: number): string => `r0 = 0; r1 = ${n}; L: r0 += r1; r1 -= 1; if r1 != 0 goto L; exit`;

describe("the space that the loop runs code in", () => {
  it("holds the largest program, and takes the others back when they run again", () => {
    const harness = new Harness();
    const [first, second] = [harness.prepare(sum(10)), harness.prepare(sum(4))];
    for (let i = 0; i < 3; i++) {
      expect(harness.r0(first)).toBe(55n);
      expect(harness.r0(second)).toBe(10n);
      expect(placeCode(filler(ALL))).toBe(SCRATCH_WORDS);
    }
  });

  it("keeps a program for as long as nothing needs its place", () => {
    const code = filler(8);
    const at = placeCode(code);
    placeCode(filler(8));
    expect(placeCode(code)).toBe(at);
    placeCode(filler(ALL));
    expect(placeCode(code)).toBe(SCRATCH_WORDS);
  });

  it("gives a program its place back after a helper of it ran others", () => {
    const inner = new Harness();
    const long = inner.prepare(`${"r2 = 7; ".repeat(200)} ${sum(10)}`);
    let inside: bigint[] = [];
    const helper = defineHelper({
      proto: protoOf(5)!,
      summary: "Runs another program, for which there is no room.",
      raw(regs) {
        const { placedAt, words } = outer.code;
        expect(placedAt).toBe(SCRATCH_WORDS);
        if (inside.length === 0) placeCode(filler(codeSpace.length - placedAt - words.length));
        inside = [inner.r0(long), inner.r0(sum(4))];
        regs[0] = 100;
        regs[1] = 0;
      },
    });
    const harness = new Harness({ helpers: [helper], isProven: true });
    const outer = harness.prepare("r6 = 3; call ktime_get_ns; r6 += r0; r0 = r6; r0 += 1000; exit");
    placeCode(filler(ALL));
    expect(harness.r0(outer)).toBe(1103n);
    expect(inside).toEqual([55n, 10n]);
    expect(harness.r0(outer)).toBe(1103n);
  });
});
