import { beforeEach, describe, expect, it } from "vitest";
import { Repl, VERBS } from "../src/index.ts";
import { createHost, last, pipe } from "./support.ts";
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
  });
});

describe("commands of the shell", () => {
  it("are refused where the host has none", async () => {
    expect(await say("!ls")).toContain(
      "run where they are typed at a terminal; --shell allows them elsewhere",
    );
  });

  it("run where they are typed, in scripts only when allowed", async () => {
    const run: string[] = [];
    const shell = async (command: string) => run.push(command) - 1;
    const host = createHost({ shell });
    host.written.set("s.txt", "r0 = 1\n!from a script\n");
    const repl = new Repl({ host, isInteractive: true });
    expect(await last(["!first | one"], repl)).toBe("");
    expect(await last(["! second"], repl)).toBe("exit status 1\n");
    expect(await last(["!"], repl)).toContain("!COMMAND");
    expect(await last([".source s.txt"], repl)).toContain("REPL_UNSUPPORTED");
    const open = createHost({ shell, allowsShellInScripts: true });
    open.written.set("s.txt", "!from a script\n");
    await last([".source s.txt"], new Repl({ host: open }));
    expect(run).toEqual(["first | one", "second", "from a script"]);
  });

  it("run without a terminal when --shell says so", async () => {
    expect((await pipe("!true\n", {})).err).toContain("REPL_UNSUPPORTED");
    expect(await pipe("!exit 3\np 5\n", { allowsShell: true })).toMatchObject({
      status: 0,
      out: "exit status 3\n5\n",
    });
  });
});
