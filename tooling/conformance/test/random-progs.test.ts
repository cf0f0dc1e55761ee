import { isBpfAllowed } from "@tsbpf/kernel";
import { describe, expect, it } from "vitest";
import { compareRandom } from "../src/random-progs.ts";
import { isUnsound, tallyOf } from "../src/tally.ts";

/** First seed and number of programs; more of them by TSBPF_RANDOM_PROGS. */
const FIRST = 1;
const COUNT = Number(process.env.TSBPF_RANDOM_PROGS ?? 40);

describe.skipIf(!isBpfAllowed())("random programs against the running kernel", () => {
  it("accepts none that the kernel refuses", { timeout: 60_000 + COUNT * 1000 }, async () => {
    const all = await compareRandom(FIRST, COUNT);
    expect(all).toHaveLength(COUNT);
    expect(all.filter(isUnsound).map((one) => one.name)).toEqual([]);
    expect(all.filter((one) => one.crash !== "").map((one) => one.crash)).toEqual([]);
    const tally = tallyOf(all);
    expect(tally.verdict / tally.cases).toBeGreaterThanOrEqual(0.99);
    expect(tally.message / Math.max(1, tally.messages)).toBeGreaterThanOrEqual(0.9);
    expect(tally.count / Math.max(1, tally.counts)).toBeGreaterThanOrEqual(0.95);
  });
});
