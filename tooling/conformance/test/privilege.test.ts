import { isBpfAllowed } from "@tsbpf/kernel";
import { describe, expect, it } from "vitest";
import { compareRandom } from "../src/random-progs.ts";
import { readSelftests } from "../src/selftests/read.ts";
import { runSelftests } from "../src/selftests/run.ts";

// Linux walks speculative paths of loaders without CAP_PERFMON; S-191, S-192, C-160.
const FILES = ["value_ptr_arith.c", "atomic_fetch.c", "unpriv.c", "var_off.c"];

describe.skipIf(!isBpfAllowed("bpf"))("without CAP_PERFMON", () => {
  it.each(FILES)("%s", async (file) => {
    const outcomes = await runSelftests(readSelftests(file), "bpf");
    const compared = outcomes.flatMap(({ comparison }) => (comparison === undefined ? [] : [comparison]));
    const differing = compared.filter((one) => !one.isErrnoSame || one.isCountSame === false);
    expect(differing.map((one) => one.name)).toEqual([]);
  });

  it("agrees on random programs", async () => {
    const all = await compareRandom(100, 40, "bpf");
    const differing = all.filter((one) => !one.isErrnoSame || one.isCountSame === false);
    expect(differing.map((one) => one.name)).toEqual([]);
    expect(all.length).toBeGreaterThan(0);
  });
});
