import { describe, expect, it } from "vitest";
import { judge } from "./prog.ts";

/** Functions that each call the next one many times, behind a branch that no path takes. */
function countlessChains(levels: number, calls: number, last: string): string {
  const callAll = (name: string): string => Array<string>(calls).fill(`call ${name}`).join("\n");
  const funcs = Array.from(
    { length: levels - 1 },
    (_, i) => `f${i + 1}: ${callAll(`f${i + 2}`)}\nr0 = 0\nexit`,
  );
  return `r0 = 0\nif r0 == 0 goto e\n${callAll("f1")}\ne: r0 = 0\nexit\n${funcs.join("\n")}\nf${levels}: ${last}\nr0 = 0\nexit`;
}

describe("call chains", () => {
  // 40^7 of them: each step of the walk over them is done once.
  it("are not counted one by one (C-101)", () => {
    expect(judge(countlessChains(7, 40, "r0 = 1"), {}, { logLevel: 0 }).message).toBe("");
  });

  it("are refused where one of them is too deep (C-55)", () => {
    const verdict = judge(countlessChains(8, 40, "r0 = 1"), {}, { logLevel: 0 });
    expect(verdict.message).toBe("the call stack of 8 frames is too deep !");
    expect(verdict.errnoName).toBe("E2BIG");
    expect(verdict.insnIdx).toBeUndefined();
  });
});

describe("live registers", () => {
  // Each block leads back to the one before: sweep by sweep a register would come one block further.
  it("are found without a sweep for each loop (X-17)", () => {
    const count = 6000;
    const blocks = Array.from({ length: count }, (_, k) =>
      k === 0 ? "b0: r0 = r9" : `b${k}: if r1 == ${k} goto b${k - 1}`,
    );
    const text = `r9 = 1\n${blocks.join("\n")}\nr0 = 0\nexit`;
    const live: number[] = [];
    judge(text, {}, { logLevel: 2, insnLimit: 10, onState: () => undefined })
      .log.split("\n")
      .forEach((line) => {
        const found = /^ +(?:\d+ +)?(\d+): ([.0-9]{10}) /.exec(line);
        if (found?.[2]?.includes("9")) live.push(Number(found[1]));
      });
    // From the block that reads r9 on it is live in all that may come back to it.
    expect(live).toEqual(Array.from({ length: count }, (_, k) => k + 1));
  });
});
