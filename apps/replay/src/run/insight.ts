import { toEngineProg } from "@tsbpf/runtime";
import type { EngineName, LiveObject, Prog } from "@tsbpf/vm";
import type { ReplayIo } from "../io.ts";
import type { ReplayOptions } from "../options.ts";
import { LineCoverage } from "../report/coverage.ts";
import { InsnHistogram } from "../report/histogram.ts";
import { PacketLines } from "../report/packet-lines.ts";
import { StackProfile } from "../report/profile.ts";
import type { StepLog } from "../report/step-log.ts";
import { PacketWatch } from "./packet-watch.ts";

/** All that a session learns of its runs besides verdicts. */
export interface Insight {
  readonly watch: PacketWatch;
  readonly lines: PacketLines;
  readonly histogram: InsnHistogram | undefined;
  readonly profile: StackProfile | undefined;
  readonly coverage: LineCoverage | undefined;
  /** Takes every instruction; undefined when nobody wants them. */
  readonly stepLog: StepLog | undefined;
}

/** What makes a session listen to each instruction, for people; undefined when nothing does. */
export function reasonToListen(options: ReplayOptions): string | undefined {
  if (options.profile !== undefined) return "--profile";
  if (options.coverage !== undefined) return "--coverage";
  if (options.stepLog !== undefined) return "--trace-json";
  if (options.trace !== "none") return "--trace";
  return options.verbosity >= 2 ? `-${"v".repeat(options.verbosity)}` : undefined;
}

/** Returns the engine that can tell what the options ask for; says so where it is not the one that was named. */
export function engineFor(options: ReplayOptions, io: Pick<ReplayIo, "err">): EngineName {
  const reason = reasonToListen(options);
  if (reason === undefined || options.engine === "interpreter") return options.engine;
  if (options.engine === "auto") return "interpreter";
  io.err(
    `note: ${reason} needs every instruction, which only the interpreter tells of: it runs the program, not the ${options.engine}\n`,
  );
  return "interpreter";
}

export function createInsight(
  options: ReplayOptions,
  object: LiveObject,
  prog: Prog,
  stepLog?: StepLog,
): Insight {
  const profile = options.profile === undefined ? undefined : new StackProfile();
  const coverage = options.coverage === undefined ? undefined : new LineCoverage();
  if (coverage !== undefined) includeProgs(coverage, object, prog);
  return {
    watch: new PacketWatch(options, object, { profile, coverage, stepLog }),
    lines: new PacketLines(options),
    histogram: options.histogram === true ? new InsnHistogram() : undefined,
    profile,
    coverage,
    stepLog,
  };
}

/** A program's lines count as not covered when nothing ran them; so do those of programs that it may tail-call. */
function includeProgs(coverage: LineCoverage, object: LiveObject, prog: Prog): void {
  coverage.include(prog.linked);
  for (const { progSlots, spec } of object.maps.values()) {
    if (progSlots === undefined) continue;
    for (let index = 0; index < spec.maxEntries; index++) {
      const stored = toEngineProg(progSlots.progAt(index));
      if (stored !== undefined) coverage.include(stored.prog);
    }
  }
}

/** Writes profile and coverage where the options say. */
export async function writeInsight(
  { profile, coverage }: Insight,
  options: ReplayOptions,
  io: ReplayIo,
): Promise<void> {
  if (profile !== undefined && options.profile !== undefined) {
    await writeText(io, options.profile, profile.print());
  }
  if (coverage === undefined || options.coverage === undefined) return;
  if (!coverage.hasLines) {
    io.err(
      `warning: ${options.coverage} is empty: the programs have no line info, which clang writes with -g\n`,
    );
  }
  const text = coverage.print(options.object, await pathFinder(coverage.fileNames(), options, io));
  await writeText(io, options.coverage, text);
}

async function writeText(io: ReplayIo, path: string, text: string): Promise<void> {
  const sink = await io.write(path);
  await sink.write(new TextEncoder().encode(text));
  await sink.close();
}

/**
 * Finds source files: beside the object or in a folder above it, else under the name that the compiler was given. A
 * file that is nowhere keeps its name.
 */
async function pathFinder(
  names: readonly string[],
  { object }: ReplayOptions,
  io: ReplayIo,
): Promise<(name: string) => string> {
  const found = new Map<string, string>();
  const folders = foldersAbove(object);
  for (const name of names) {
    const tail = name.startsWith("/") ? (name.split("/").at(-1) ?? name) : name;
    const candidates = [...folders.map((folder) => `${folder}${tail}`), name].map(normalize);
    if (name.startsWith("/")) candidates.unshift(name);
    for (const candidate of candidates) {
      if (!(await exists(io, candidate))) continue;
      found.set(name, candidate);
      break;
    }
  }
  return (name) => found.get(name) ?? normalize(name);
}

/** `a/`, `` for `a/b.o`; `/a/b/`, `/a/`, `/` for `/a/b/c.o`. */
function foldersAbove(path: string): string[] {
  const parts = path.split("/").slice(0, -1);
  return parts.map((_, idx) => `${parts.slice(0, parts.length - idx).join("/")}/`);
}

/** Takes `.` and `a/..` out of a path. */
function normalize(path: string): string {
  const parts: string[] = [];
  for (const part of path.split("/")) {
    if (part === "." || (part === "" && parts.length > 0)) continue;
    if (part === ".." && parts.length > 0 && parts.at(-1) !== ".." && parts.at(-1) !== "") parts.pop();
    else parts.push(part);
  }
  return parts.join("/");
}

async function exists(io: ReplayIo, path: string): Promise<boolean> {
  try {
    const file = await io.open(path);
    await file?.close();
    return file !== undefined;
  } catch {
    return false;
  }
}
