import { printTable } from "../report/table.ts";
import type { Comparison } from "./compare.ts";
import type { Example, Group } from "./groups.ts";
import type { CompareOptions } from "./options.ts";

/** Prints what a comparison found, for people or as one JSON document. */
export function printComparison(
  comparison: Comparison,
  options: Pick<CompareOptions, "json" | "pretty" | "isQuiet" | "captures">,
): string {
  if (options.json) {
    return `${JSON.stringify(toJson(comparison), null, options.pretty ? 2 : undefined)}\n`;
  }
  if (options.isQuiet) return "";
  const { a, b, groups, packets, notes, shown } = comparison;
  const different = shown.size;
  const lines = [
    `A  ${a.title}`,
    `B  ${b.title}`,
    `${packets} packets: ${packets - different} alike, ${different} different`,
    ...notes.map((note) => `note: ${note}`),
  ];
  if (groups.isEmpty) return `${lines.join("\n")}\n`;
  const listed = groups.list();
  const table = printTable(
    [
      { title: "what" },
      { title: "difference, A -> B" },
      { title: "times", align: "right" },
      { title: "first" },
    ],
    listed.map(({ aspect, name, count, examples }) => [
      aspect,
      name,
      `${count}`,
      placeOf(examples[0], options.captures),
    ]),
  );
  const examples = listed.flatMap((group) => printGroup(group, options.captures));
  return `${[...lines, "", table, "", ...examples].join("\n")}\n`;
}

function printGroup({ aspect, name, examples }: Group, captures: readonly string[]): string[] {
  return examples.flatMap((example) => [
    `${placeOf(example, captures)} ${aspect}${name === aspect ? "" : `, ${name}`}`,
    `  A ${example.a}`,
    `  B ${example.b}`,
  ]);
}

const placeOf = (example: Example | undefined, captures: readonly string[]): string =>
  example === undefined
    ? ""
    : example.packet === 0
      ? "the end"
      : `${captures.length > 1 ? `${example.path} ` : ""}#${example.packet}`;

function toJson({ a, b, groups, packets, notes, shown }: Comparison): unknown {
  return {
    a: { title: a.title, ...a.facts },
    b: { title: b.title, ...b.facts },
    packets,
    different: shown.size,
    notes,
    differences: groups.list().map(({ aspect, name, count, examples }) => ({
      what: aspect,
      difference: name,
      times: count,
      examples: examples.map(({ path, packet, ...sides }) => ({ capture: path, packet, ...sides })),
    })),
  };
}
