import { type Insn, rowOf } from "@tsbpf/isa";
import type { LinkedProg, Machine, RunHooks } from "@tsbpf/runtime";

/** How often a program's instructions ran. */
interface ProgCounts {
  /** By slot. */
  readonly runs: Float64Array;
  /** By slot of a conditional jump: how often it jumped. */
  readonly jumps: Float64Array;
  /** By slot: 1 where a conditional jump stands. */
  readonly isBranch: Uint8Array;
}

interface LineCounts {
  runs: number;
  readonly branches: [number, number][];
}

/** What is known of a source file. */
interface FileCounts {
  readonly lines: Map<number, LineCounts>;
  readonly funcs: Map<string, { readonly line: number; calls: number }>;
}

/**
 * Counts which source lines ran, from the line info of BTF. Where a line's instructions ran unequally often, the line
 * counts as often as the most frequent of them; a function that several programs hold counts for all of them.
 */
export class LineCoverage {
  private readonly progs = new Map<LinkedProg, ProgCounts>();
  private current: LinkedProg | undefined;
  private counts: ProgCounts | undefined;
  /** The conditional jump that ran last, and in which frame. */
  private branchSlot = -1;
  private branchDepth = 0;

  /** Lists a program's lines even if none of them ever runs. */
  include(prog: LinkedProg): ProgCounts {
    let counts = this.progs.get(prog);
    if (counts === undefined) {
      const { length } = prog.insns;
      counts = {
        runs: new Float64Array(length),
        jumps: new Float64Array(length),
        isBranch: Uint8Array.from(prog.insns, (insn) => (isBranch(insn) ? 1 : 0)),
      };
      this.progs.set(prog, counts);
    }
    return counts;
  }

  /** Says whether any program has line info. */
  get hasLines(): boolean {
    return [...this.progs.keys()].some(({ spec }) => spec.lines.length > 0);
  }

  /** Source files as line info names them. */
  fileNames(): string[] {
    return [
      ...new Set([...this.progs.keys()].flatMap(({ spec }) => spec.lines.map(({ fileName }) => fileName))),
    ];
  }

  /** Listeners for a run. */
  hooks(): RunHooks {
    this.branchSlot = -1;
    return { onStep: (machine, prog, slot) => this.step(machine, prog, slot) };
  }

  private step(machine: Machine, prog: LinkedProg, slot: number): void {
    if (prog !== this.current || this.counts === undefined) {
      this.current = prog;
      this.counts = this.include(prog);
      this.branchSlot = -1;
    }
    const { runs, jumps } = this.counts;
    runs[slot] = (runs[slot] as number) + 1;
    const { branchSlot } = this;
    if (branchSlot >= 0 && this.branchDepth === machine.depth && slot !== branchSlot + 1) {
      jumps[branchSlot] = (jumps[branchSlot] as number) + 1;
    }
    this.branchSlot = this.counts.isBranch[slot] === 1 ? slot : -1;
    this.branchDepth = machine.depth;
  }

  /**
   * Prints a tracefile as lcov and genhtml read it.
   *
   * @param pathOf - where a file that line info names is found.
   * @source lcov geninfo(1) "FILES"
   */
  print(testName: string, pathOf: (fileName: string) => string): string {
    const files = new Map<string, FileCounts>();
    for (const [prog, counts] of this.progs) addProg({ files, pathOf }, prog, counts);
    const name = testName.replace(/\W/g, "_");
    return [...files]
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([path, file]) => printFile(name, path, file))
      .join("");
  }
}

/** Where a program's counts go: files by the path that they are found at. */
interface Files {
  readonly files: Map<string, FileCounts>;
  readonly pathOf: (fileName: string) => string;
}

function fileOf({ files, pathOf }: Files, fileName: string): FileCounts {
  const path = pathOf(fileName);
  let file = files.get(path);
  if (file === undefined) {
    file = { lines: new Map(), funcs: new Map() };
    files.set(path, file);
  }
  return file;
}

function addProg(into: Files, prog: LinkedProg, counts: ProgCounts): void {
  for (const { fileName, line, runs, branches } of linesOf(prog, counts)) {
    const { lines } = fileOf(into, fileName);
    const known = lines.get(line);
    if (known === undefined) lines.set(line, { runs, branches });
    else {
      known.runs += runs;
      known.branches.push(...branches);
    }
  }
  for (const { name, start, end } of prog.funcs) {
    const line = prog.spec.lines.find((one) => one.slot >= start && one.slot < end && one.line > 0);
    if (line === undefined) continue;
    const { funcs } = fileOf(into, line.fileName);
    const calls = counts.runs[start] ?? 0;
    const known = funcs.get(name);
    if (known === undefined) funcs.set(name, { line: line.line, calls });
    else known.calls += calls;
  }
}

/** The source lines of one program: what lies between two records of line info belongs to the first. */
function linesOf(prog: LinkedProg, counts: ProgCounts) {
  const { lines } = prog.spec;
  const found = new Map<string, LineCounts & { readonly fileName: string; readonly line: number }>();
  lines.forEach(({ fileName, line, slot }, idx) => {
    if (line <= 0) return;
    const key = `${line} ${fileName}`;
    const mine = found.get(key) ?? { fileName, line, runs: 0, branches: [] };
    found.set(key, mine);
    const end = lines[idx + 1]?.slot ?? prog.insns.length;
    for (let at = slot; at < end; at++) {
      const runs = counts.runs[at] ?? 0;
      if (runs > mine.runs) mine.runs = runs;
      if (counts.isBranch[at] !== 1) continue;
      const jumps = counts.jumps[at] ?? 0;
      mine.branches.push([runs - jumps, jumps]);
    }
  });
  return found.values();
}

const isBranch = (insn: Insn): boolean => {
  const kind = rowOf(insn)?.action.kind;
  return kind === "branch" || kind === "may_goto";
};

function printFile(testName: string, path: string, { lines, funcs }: FileCounts): string {
  const sorted = [...lines].sort(([a], [b]) => a - b);
  const branches = sorted.flatMap(([line, { runs, branches }]) =>
    branches.flatMap((pair, block) =>
      pair.map((count, idx) => ({
        line,
        block,
        idx,
        count: runs === 0 ? "-" : `${count}`,
        isHit: count > 0,
      })),
    ),
  );
  return [
    `TN:${testName}`,
    `SF:${path}`,
    ...[...funcs].map(([name, { line }]) => `FN:${line},${name}`),
    ...[...funcs].map(([name, { calls }]) => `FNDA:${calls},${name}`),
    `FNF:${funcs.size}`,
    `FNH:${[...funcs.values()].filter(({ calls }) => calls > 0).length}`,
    ...branches.map(({ line, block, idx, count }) => `BRDA:${line},${block},${idx},${count}`),
    `BRF:${branches.length}`,
    `BRH:${branches.filter(({ isHit }) => isHit).length}`,
    ...sorted.map(([line, { runs }]) => `DA:${line},${runs}`),
    `LF:${sorted.length}`,
    `LH:${sorted.filter(([, { runs }]) => runs > 0).length}`,
    "end_of_record",
    "",
  ].join("\n");
}
