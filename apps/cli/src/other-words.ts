import { existsSync } from "node:fs";

/** What words of other tools stand for: other words, or a hint. */
export type OtherWords =
  | { readonly kind: "words"; readonly words: readonly string[] }
  | { readonly kind: "hint"; readonly hint: string };

type Mirror = Readonly<Record<string, readonly string[]>>;

/** bpftool's second words, behind `prog` and `map`. */
const PROG_WORDS: Mirror = {
  show: ["progs"],
  list: ["progs"],
  load: ["verify"],
  run: ["run"],
  dump: ["dis"],
};
const MAP_WORDS: Mirror = { show: ["maps"], list: ["maps"], dump: ["maps"] };

const HINTS: Readonly<Record<string, string>> = {
  btf: "tsbpf maps OBJECT --json has the types of maps; bpftool btf dump file OBJECT prints all",
  compare: "tsbpf replay OBJECT CAPTURE --against OTHER compares",
  diff: "tsbpf replay OBJECT CAPTURE --against OTHER compares",
  filter: "tsbpf replay -d EXPRESSION prints a filter, tsbpf replay OBJECT CAPTURE EXPRESSION uses it",
  debug: "tsbpf repl OBJECT steps through a program",
  show: "tsbpf progs OBJECT, tsbpf maps OBJECT and tsbpf trace show TRACE show what files hold",
};
const TRACE_WORDS: ReadonlySet<string> = new Set(["show", "cut", "merge", "convert", "verify", "help"]);

/**
 * Reads bpftool's `prog show`, `map dump` and so on as the verbs that do the same with files, and knows what people
 * look for under other names. Files win: `prog show` means a file named show where there is one.
 */
export function readOtherWords(words: readonly string[]): OtherWords {
  const [verb = "", second = "", ...rest] = words;
  const mirror = verb === "prog" ? PROG_WORDS : verb === "map" ? MAP_WORDS : undefined;
  if (mirror !== undefined && Object.hasOwn(mirror, second) && !existsSync(second)) {
    // `prog dump xlated FILE`: there is one kind of instructions in a file.
    const files = second === "dump" ? rest.filter((word) => word !== "xlated") : rest;
    return { kind: "words", words: [...(mirror[second] ?? []), ...files] };
  }
  if (verb === "version") return { kind: "words", words: ["--version"] };
  if (
    verb === "trace" &&
    second !== "" &&
    !second.startsWith("-") &&
    !TRACE_WORDS.has(second) &&
    existsSync(second)
  )
    return { kind: "words", words: ["trace", "show", second, ...rest] };
  if (Object.hasOwn(HINTS, verb)) return { kind: "hint", hint: HINTS[verb] ?? "" };
  return { kind: "words", words };
}
