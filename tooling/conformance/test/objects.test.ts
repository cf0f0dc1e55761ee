import { isBpfAllowed } from "@tsbpf/kernel";
import { describe, expect, it } from "vitest";
import { buildSelftestObjects, missingTools } from "../src/objects/build.ts";
import { compareAll, readCases } from "../src/objects/run.ts";
import { isUnsound, tallyOf } from "../src/tally.ts";

/** Compiling and asking takes minutes: only when asked for. */
const canRun = process.env.TSBPF_SELFTESTS !== undefined && isBpfAllowed() && missingTools().length === 0;

describe.skipIf(!canRun)("Linux's C selftests against the running kernel", () => {
  it("accepts none of the annotated ones that the kernel refuses", { timeout: 1_200_000 }, async () => {
    const { compared } = await compareAll(readCases(buildSelftestObjects("verifier_")));
    expect(compared.length).toBeGreaterThan(1000);
    expect(compared.filter(isUnsound).map((one) => one.name)).toEqual([]);
    const tally = tallyOf(compared);
    expect(tally.crashes).toBe(0);
    expect(tally.verdict / tally.cases).toBeGreaterThanOrEqual(0.998);
    expect(tally.message / tally.messages).toBeGreaterThanOrEqual(0.99);
    expect(tally.count / tally.counts).toBeGreaterThanOrEqual(0.99);
  });
});
