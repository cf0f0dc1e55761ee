import { beforeEach, describe, expect, it } from "vitest";
import { VERBS } from "../src/index.ts";
import { LOOK_CASES } from "./verb-cases-look.ts";
import { RUN_CASES } from "./verb-cases-run.ts";
import { renewWorld, say } from "./verb-world.ts";

/** One test a verb; a verb without one fails. */
const CASES = { ...RUN_CASES, ...LOOK_CASES };

beforeEach(renewWorld);

describe("every verb", () => {
  it.each(VERBS.map((verb) => verb.name))(".%s", async (name) => {
    expect(Object.keys(CASES)).toContain(name);
    await CASES[name]?.();
  });

  it("has a name, alias or word of its own", () => {
    const names = VERBS.flatMap((verb) => [verb.name, ...(verb.aliases ?? [])]);
    expect(new Set(names).size).toBe(names.length);
    const words = VERBS.flatMap((verb) => verb.words ?? []);
    expect(new Set(words).size).toBe(words.length);
  });

  it("is suggested when it is misspelt", async () => {
    expect(await say(".stpe")).toContain("did you mean step?");
    expect(await say("!ls")).toContain("REPL_UNSUPPORTED");
  });
});
