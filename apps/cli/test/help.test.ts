import { describe, expect, it } from "vitest";
import { tsbpf } from "./cli.ts";

/** The verbs that `tsbpf --help` lists. */
const VERBS = [...tsbpf(["--help"]).stdout.matchAll(/^ {2}([a-z]+)(?: \[| {2})/gm)]
  .map(([, verb]) => verb as string)
  .filter((verb) => verb !== "help");

describe("help", () => {
  it("lists the verbs", () => {
    expect(VERBS).toEqual(expect.arrayContaining(["replay", "record", "trace", "verify", "run", "repl"]));
  });

  it.each(VERBS)("of %s begins with examples and shows no default that is nothing", (verb) => {
    const { stdout, status } = tsbpf([verb, "--help"]);
    expect(status).toBe(0);
    expect(stdout).toMatch(/^Examples:\n {2}\$ .*tsbpf /);
    expect(stdout).toContain(`Usage: tsbpf ${verb}`);
    expect(stdout).not.toContain("default: []");
  });
});
