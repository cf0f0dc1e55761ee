import { TsbpfError } from "@tsbpf/base";
import { compileFilter, LINK_LAYERS } from "@tsbpf/cbpf";
import { runToolCommand } from "@tsbpf/testkit";
import { askOurs } from "../../../packages/cbpf/test/ours.ts";
import { randomFilter, seeded } from "../../../packages/cbpf/test/random-filter.ts";
import { askTcpdump, hasTcpdump } from "../../../packages/cbpf/test/tcpdump.ts";
import { judgeProgram, randomPacket, randomProgram } from "./cbpf-programs.ts";
import { Random } from "./random.ts";

const USAGE = `usage: cbpf-main.ts [--filters N] [--programs N] [--texts N] [--seed S]

Classic BPF: random filters must compile to tcpdump's code or be refused by both, random programs must do on both engines, in
both forms, what an evaluator of its own says, and damaged texts must end in an error that names a place. Ends with 1 otherwise.
`;

const PACKETS = 6;
const CHARACTERS = [
  ..."()[]!&|<>=+-*/%^:. \\'0129afxz",
  " and ",
  " or ",
  " not ",
  "host",
  "port",
  "proto",
  "net",
];

/** How many filters both compile alike, both refuse, and what differs. */
function fuzzFilters(first: number, count: number): { same: number; refused: number; problems: string[] } {
  const tally = { same: 0, refused: 0, problems: [] as string[] };
  if (!hasTcpdump()) return tally;
  for (let seed = first; seed < first + count; seed++) {
    const random = seeded(seed);
    const filter = randomFilter(random, 1 + random.below(7));
    const link =
      random.below(3) > 0 ? "EN10MB" : (LINK_LAYERS[random.below(LINK_LAYERS.length)]?.name ?? "RAW");
    const isOptimized = random.below(4) > 0;
    const theirs = askTcpdump(filter, { link, isOptimized });
    const ours = askOurs(filter, { link, isOptimized });
    if (theirs.isOk && ours.isOk && theirs.text === ours.text) tally.same += 1;
    else if (!theirs.isOk && !ours.isOk) tally.refused += 1;
    else
      tally.problems.push(
        `filter ${seed}: -y ${link}${isOptimized ? "" : " -O"} '${filter}'\n  tcpdump: ${theirs.text.slice(0, 300)}\n  ours: ${ours.text.slice(0, 300)}`,
      );
  }
  return tally;
}

function fuzzPrograms(first: number, count: number): string[] {
  const problems: string[] = [];
  for (let seed = first; seed < first + count; seed++) {
    const random = new Random(seed);
    const insns = randomProgram(random);
    const packets = Array.from({ length: PACKETS }, () => randomPacket(random));
    try {
      problems.push(...judgeProgram(insns, packets).map((text) => `program ${seed}: ${text}`));
    } catch (error) {
      problems.push(`program ${seed}: ${error instanceof Error ? (error.stack ?? "") : String(error)}`);
    }
  }
  return problems;
}

/** Filters with characters and words put in, taken out and swapped. */
function fuzzTexts(first: number, count: number): string[] {
  const problems: string[] = [];
  for (let seed = first; seed < first + count; seed++) {
    const random = seeded(seed);
    let text = randomFilter(random, 1 + random.below(4));
    for (let edits = 1 + random.below(5); edits > 0; edits--) {
      const at = random.below(text.length + 1);
      const piece = CHARACTERS[random.below(CHARACTERS.length)] ?? "";
      text = text.slice(0, at) + (random.below(3) === 0 ? "" : piece) + text.slice(at + random.below(3));
    }
    try {
      compileFilter(text);
    } catch (error) {
      if (error instanceof TsbpfError && error.code.startsWith("FILTER_")) continue;
      problems.push(
        `text ${seed}: '${text}': ${error instanceof Error ? (error.stack ?? "") : String(error)}`,
      );
    }
  }
  return problems;
}

await runToolCommand({
  usage: USAGE,
  options: {
    filters: { type: "string", default: "1000" },
    programs: { type: "string", default: "1000" },
    texts: { type: "string", default: "5000" },
    seed: { type: "string", default: "1" },
  },
  run({ values }) {
    const seed = Number(values.seed);
    const found = fuzzFilters(seed, Number(values.filters));
    const problems = [
      ...found.problems,
      ...fuzzPrograms(seed, Number(values.programs)),
      ...fuzzTexts(seed, Number(values.texts)),
    ];
    for (const text of problems) process.stdout.write(`PROBLEM ${text}\n`);
    process.stdout.write(
      `seeds from ${seed}: ${values.filters} filters (${found.same} like tcpdump's, ${found.refused} refused by both), ` +
        `${values.programs} programs, ${values.texts} damaged texts, ${problems.length} problems\n`,
    );
    return problems.length === 0 ? 0 : 1;
  },
});
