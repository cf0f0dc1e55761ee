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
