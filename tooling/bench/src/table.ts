import { printTable } from "@tsbpf/replay";
import { geometricMean } from "./statistics.ts";

/** What was measured of one program. */
export interface Row {
  readonly name: string;
  /** Medians of all rounds. */
  readonly nsPerRun: {
    readonly interpreter: number;
    /** Repeated in generated code. */
    readonly jit: number;
    /** One call from JavaScript a run. */
    readonly jitCall: number;
    /** Over packets in memory, where the program can. */
    readonly jitBatch?: number;
    /** Without proofs: checks and a budget. */
    readonly jitChecked: number;
    readonly kernel?: number;
  };
  /** Medians of the quotients of each round. */
  readonly ratios: {
    readonly jitToKernel?: number;
    readonly jitToInterpreter: number;
    readonly interpreterToKernel?: number;
    readonly jitCallToKernel?: number;
    readonly jitBatchToKernel?: number;
    readonly jitCheckedToKernel?: number;
  };
}

type RatioName = keyof Row["ratios"];

/** Geometric means of each ratio over all programs but the empty one. */
export function geometricMeans(rows: readonly Row[]): Partial<Record<RatioName, number>> {
  const means: Partial<Record<RatioName, number>> = {};
  for (const name of RATIOS) {
    const all = rows.filter((row) => row.name !== "empty").flatMap((row) => row.ratios[name] ?? []);
    if (all.length > 0) means[name] = geometricMean(all);
  }
  return means;
}

const RATIOS: readonly RatioName[] = [
  "jitToKernel",
  "jitToInterpreter",
  "interpreterToKernel",
  "jitCallToKernel",
  "jitBatchToKernel",
  "jitCheckedToKernel",
];

const ns = (value: number | undefined): string =>
  value === undefined ? "-" : value < 100 ? value.toFixed(1) : value.toFixed(0);
const ratio = (value: number | undefined): string => (value === undefined ? "-" : value.toFixed(2));

/** Prints a table for people. */
export function printRows(rows: readonly Row[]): string {
  const means = geometricMeans(rows);
  const body = rows.map(({ name, nsPerRun, ratios }) => [
    name,
    ns(nsPerRun.interpreter),
    ns(nsPerRun.jit),
    ns(nsPerRun.jitCall),
    ns(nsPerRun.jitBatch),
    ns(nsPerRun.jitChecked),
    ns(nsPerRun.kernel),
    ...COLUMNS.map(([, name]) => ratio(ratios[name])),
  ]);
  body.push(["geometric mean", "", "", "", "", "", "", ...COLUMNS.map(([, name]) => ratio(means[name]))]);
  const columns = [
    "program",
    "interp ns",
    "jit",
    "call",
    "batch",
    "checked",
    "kernel",
    ...COLUMNS.map(([title]) => title),
  ];
  const table = printTable(
    columns.map((title, i) => ({ title, align: i === 0 ? ("left" as const) : ("right" as const) })),
    body,
  );
  return `${table}\n`;
}

const COLUMNS: readonly (readonly [title: string, name: RatioName])[] = [
  ["jit/kernel", "jitToKernel"],
  ["call/k", "jitCallToKernel"],
  ["batch/k", "jitBatchToKernel"],
  ["checked/k", "jitCheckedToKernel"],
  ["jit/interp", "jitToInterpreter"],
  ["interp/k", "interpreterToKernel"],
];
