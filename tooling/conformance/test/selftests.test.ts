import { isBpfAllowed } from "@tsbpf/kernel";
import { describe, expect, it } from "vitest";
import { readSelftests } from "../src/selftests/read.ts";
import { type Outcome, runSelftests } from "../src/selftests/run.ts";
import { installedReleases } from "../src/selftests/source.ts";
import { isFalseRefusal, isUnsound, type Tally, tallyOf } from "../src/tally.ts";

const canRun = isBpfAllowed() && installedReleases().length > 0;
const runsAll = process.env.TSBPF_SELFTESTS !== undefined;

/** Programs that we accept and the kernel refuses, each with the reason why that stands. */
const KNOWN_UNSOUND: Readonly<Record<string, string>> = {};

const share = (hits: number, all: number): number => (all === 0 ? 1 : hits / all);
const compared = (outcomes: readonly Outcome[]) =>
  outcomes.flatMap((one) => (one.comparison === undefined ? [] : [one.comparison]));

/** Shares may rise above these, never fall below. */
function holdRatchet(
  tally: Tally,
  least: Readonly<Record<"verdict" | "errno" | "message" | "count", number>>,
): void {
  expect(share(tally.verdict, tally.cases)).toBeGreaterThanOrEqual(least.verdict);
  expect(share(tally.errno, tally.cases)).toBeGreaterThanOrEqual(least.errno);
  expect(share(tally.message, tally.messages)).toBeGreaterThanOrEqual(least.message);
  expect(share(tally.count, tally.counts)).toBeGreaterThanOrEqual(least.count);
  expect(tally.crashes).toBe(0);
}

describe.skipIf(!canRun)("Linux's verifier selftests against the running kernel", () => {
  it("agrees on every program of calls.c", async () => {
    const outcomes = await runSelftests(readSelftests("calls.c"));
    const all = compared(outcomes);
    expect(all.length).toBeGreaterThan(80);
    expect(all.filter((one) => !one.isVerdictSame).map((one) => one.name)).toEqual([]);
    holdRatchet(tallyOf(all), { verdict: 1, errno: 1, message: 1, count: 1 });
  });

  it("says why it cannot ask about a test", async () => {
    const skipped = (await runSelftests(readSelftests("calls.c"))).filter(
      (one) => one.comparison === undefined,
    );
    for (const one of skipped)
      expect(one.skipReason).toMatch(/the kernel's BTF has no func|refuses before verifying/);
  });

  it.skipIf(!runsAll)(
    "accepts nothing that the kernel refuses, in all files",
    { timeout: 600_000 },
    async () => {
      const all = compared(await runSelftests(readSelftests()));
      expect(all.length).toBeGreaterThan(1300);
      const unsound = all.filter(isUnsound).map((one) => one.name);
      expect(unsound.filter((name) => KNOWN_UNSOUND[name] === undefined)).toEqual([]);
      expect(Object.keys(KNOWN_UNSOUND).filter((name) => !unsound.includes(name))).toEqual([]);
      expect(all.filter(isFalseRefusal).map((one) => one.name)).toEqual([]);
      holdRatchet(tallyOf(all), { verdict: 1, errno: 1, message: 0.996, count: 1 });
    },
  );
});
