import type { Btf } from "@tsbpf/btf";
import type { KernelCase } from "@tsbpf/kernel";
import { Random } from "../random.ts";
import { HOSTILE_KINDS, type HostileKind, hostileCase } from "./case.ts";
import { type HostileOutcome, judgeHostile } from "./judge.ts";

/** A program of a run that stands out. */
export interface Standout {
  readonly kind: HostileKind;
  readonly seed: number;
  readonly value: number;
}

/** What a run over hostile programs found. */
export interface HostileRun {
  programs: number;
  /** Programs by kind and end, e.g. `mutated accepted`. */
  readonly ends: Map<string, number>;
  readonly codes: Map<string, number>;
  readonly problems: (Standout & { readonly text: string })[];
  /** Most instructions walked, and longest time in milliseconds where a clock was given. */
  mostWalked: Standout;
  slowest: Standout;
  /** Programs that ended at the limit of instructions. */
  atLimit: number;
  longestLogChars: number;
}

/** What a run is made of. */
export interface HostileRunOptions {
  readonly first: number;
  readonly count: number;
  readonly kinds?: readonly HostileKind[];
  readonly seeds: readonly KernelCase[];
  readonly kernelBtf?: Btf;
  /** Instructions walked before giving up; Linux's million when omitted. */
  readonly insnLimit?: number;
  /** Milliseconds since some time; without it nothing is timed. */
  readonly clock?: () => number;
  /** Milliseconds of the clock after which no further program is begun. */
  readonly until?: number;
  /** Is told of each program before it is judged. */
  readonly onProgram?: (kind: HostileKind, seed: number) => void;
}

const NOBODY: Standout = { kind: "bytes", seed: 0, value: 0 };

/** Makes the program of a number, as runs do. */
export function programOf(
  kind: HostileKind,
  seed: number,
  seeds: readonly KernelCase[],
): { readonly one: KernelCase; readonly privilege: "all" | "bpf"; readonly withTypes: boolean } {
  const random = new Random(Math.imul(seed, 0x9e37_79b1) ^ HOSTILE_KINDS.indexOf(kind));
  const privilege = random.chance(20) ? "bpf" : "all";
  const withTypes = random.chance(50);
  return { one: hostileCase(kind, random, seeds), privilege, withTypes };
}

/** Judges one program of a run. */
function judgeSeed(kind: HostileKind, seed: number, options: HostileRunOptions): HostileOutcome {
  const { one, privilege, withTypes } = programOf(kind, seed, options.seeds);
  const { kernelBtf, insnLimit } = options;
  return judgeHostile(one, {
    privilege,
    ...(withTypes && kernelBtf !== undefined ? { kernelBtf } : {}),
    ...(insnLimit === undefined ? {} : { insnLimit }),
  });
}

/** Judges `count` programs, kinds taking turns. */
export function runHostile(options: HostileRunOptions): HostileRun {
  const kinds = options.kinds ?? HOSTILE_KINDS;
  const run: HostileRun = {
    programs: 0,
    ends: new Map(),
    codes: new Map(),
    problems: [],
    mostWalked: NOBODY,
    slowest: NOBODY,
    atLimit: 0,
    longestLogChars: 0,
  };
  for (let seed = options.first; seed < options.first + options.count; seed++) {
    const kind = kinds[seed % kinds.length] ?? "bytes";
    const start = options.clock?.() ?? 0;
    if (options.until !== undefined && start > options.until) break;
    options.onProgram?.(kind, seed);
    const outcome = judgeSeed(kind, seed, options);
    note(run, { kind, seed, value: (options.clock?.() ?? 0) - start }, outcome);
  }
  return run;
}

const countIn = (map: Map<string, number>, key: string): void => void map.set(key, (map.get(key) ?? 0) + 1);

function note(run: HostileRun, at: Standout, outcome: HostileOutcome): void {
  run.programs++;
  countIn(run.ends, `${at.kind} ${outcome.end}`);
  if (outcome.code !== "") countIn(run.codes, outcome.code);
  if (outcome.problem !== "") run.problems.push({ ...at, text: outcome.problem });
  if (outcome.code === "LIMIT_INSNS") run.atLimit++;
  if (outcome.processed > run.mostWalked.value) run.mostWalked = { ...at, value: outcome.processed };
  if (at.value > run.slowest.value) run.slowest = at;
  run.longestLogChars = Math.max(run.longestLogChars, outcome.logChars);
}
