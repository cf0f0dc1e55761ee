import { describe, expect, it } from "vitest";
import { readOtherWords } from "../src/other-words.ts";

const wordsOf = (text: string): string => {
  const other = readOtherWords(text.split(" "));
  return other.kind === "words" ? other.words.join(" ") : `hint: ${other.hint}`;
};

describe("words of other tools", () => {
  it.each([
    ["prog show a.o", "progs a.o"],
    ["prog list a.o", "progs a.o"],
    ["prog dump xlated a.o --opcodes", "dis a.o --opcodes"],
    ["prog run a.o data_in b", "run a.o data_in b"],
    ["prog load a.o", "verify a.o"],
    ["map dump a.o", "maps a.o"],
    ["map show a.o --json", "maps a.o --json"],
    ["prog a.o", "prog a.o"],
    ["progs show", "progs show"],
    ["version", "--version"],
    ["trace README.md --json", "trace show README.md --json"],
    ["trace verify README.md", "trace verify README.md"],
    ["replay a.o b.pcap tcp", "replay a.o b.pcap tcp"],
  ])("%s is %s", (given, wanted) => {
    expect(wordsOf(given)).toBe(wanted);
  });

  it("that have no verb of their own get a hint", () => {
    expect(wordsOf("compare a b")).toContain("--against");
    expect(wordsOf("filter tcp")).toContain("replay -d");
    expect(wordsOf("toString")).toBe("toString");
  });
});
