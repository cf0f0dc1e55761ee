import { toS64 } from "@tsbpf/base";

/** What the verifier believed of registers and stack slots on one path that reached an instruction. */
export type Believed = ReadonlyMap<string, string>;

const INSN = /^(\d+): \(([0-9a-f]{2})\) /;
const WHOLE = /^(?:from \d+ to )?\d+: ?(?:frame\d+:)? ?(?=R\d+=|fp-?\d+=|$)/;
const PLACE = /(?:^|\s)(R\d+|fp-?\d+)=/g;
const PATHS_MAX = 10_000;
const CALL = "85";
const SCRATCH = ["R1", "R2", "R3", "R4", "R5"];

/** Splits `R1=ctx() R2=scalar(…)` into its parts; values hold no blanks outside parentheses. */
function parseState(text: string): Map<string, string> {
  const state = new Map<string, string>();
  const found = [...text.matchAll(PLACE)];
  found.forEach((place, idx) => {
    const from = (place.index ?? 0) + place[0].length;
    const value = text.slice(from, found[idx + 1]?.index ?? text.length).trim();
    state.set(place[1] ?? "", value.replace(/ (?:refs=|cb\b|async_cb\b).*$/, ""));
  });
  return state;
}

/** A state as a whole one and the changes since, which are read only where somebody asks. */
class Reading {
  private state = new Map<string, string>();
  private changes: string[] = [];

  setWhole(text: string): void {
    this.changes = [];
    this.state = parseState(text);
  }
  change(text: string): void {
    if (text !== "") this.changes.push(text);
  }
  now(): Believed {
    for (const text of this.changes) {
      if (text === CALL) for (const reg of SCRATCH) this.state.delete(reg);
      else for (const [place, value] of parseState(text)) this.state.set(place, value);
    }
    this.changes = [];
    return new Map(this.state);
  }
}

/** The states in which the verifier looked at an instruction, each path once. */
export interface Beliefs {
  readonly paths: readonly Believed[];
  /** Whether there were more paths than are kept. */
  readonly isCut: boolean;
  /** Whether paths were given up somewhere because they were like earlier ones; their states are not in the log. */
  readonly isPruned: boolean;
}

/**
 * Reads from a log of level 2 what the verifier believed before an instruction. Computes one pass over the log;
 * states are built for the wanted slot only.
 */
export function readBeliefs(log: string, slot: number): Beliefs {
  const reading = new Reading();
  const wanted = String(slot);
  const paths: Believed[] = [];
  let isCut = false;
  let isPruned = false;
  let awaitsWhole = false;
  for (let at = 0; at < log.length; ) {
    const end = log.indexOf("\n", at);
    const line = log.slice(at, end < 0 ? log.length : end);
    at = end < 0 ? log.length : end + 1;
    isPruned ||= line.endsWith(": safe");
    const insn = INSN.exec(line);
    if (insn !== null) {
      if (insn[1] === wanted) {
        if (paths.length < PATHS_MAX) paths.push(reading.now());
        else isCut = true;
      }
      if (insn[2] === CALL) reading.change(CALL);
      const comment = line.indexOf("; ");
      if (comment >= 0) reading.change(line.slice(comment + 2).replace(/^frame\d+: ?/, ""));
      continue;
    }
    const whole = WHOLE.exec(line);
    if (whole !== null) {
      reading.setWhole(line.slice(whole[0].length));
      awaitsWhole = false;
    } else if (/^(?:caller|callee|to caller at \d+|returning from callee):$/.test(line)) {
      awaitsWhole = true;
    } else if (awaitsWhole && /^ (?:frame\d+: ?)?R/.test(line)) {
      reading.setWhole(line.replace(/^ frame\d+:/, ""));
    }
  }
  return { paths, isCut, isPruned };
}

/** What was believed of a place, each answer once. */
export const beliefsOf = ({ paths }: Beliefs, place: string): string[] => [
  ...new Set(paths.map((state) => state.get(place) ?? "not known")),
];

const FIELD = /(smin|smax|umin|umax|smin32|smax32|umin32|umax32)=/;

/** Reads `smin=umin=1,umax=255,…` into bounds by name. */
function boundsOf(text: string): Map<string, bigint> {
  const bounds = new Map<string, bigint>();
  for (const part of text.split(",")) {
    const names = part.split("=");
    const value = names.pop() ?? "";
    if (!/^-?(?:0x[0-9a-f]+|\d+)$/.test(value)) continue;
    const number = value.startsWith("-") ? -BigInt(value.slice(1)) : BigInt(value);
    for (const name of names) if (FIELD.test(`${name}=`)) bounds.set(name, number);
  }
  return bounds;
}

/**
 * Says whether a value is one that the verifier thought possible; undefined where its text says nothing of values.
 */
export function isWithin(belief: string, value: bigint): boolean | undefined {
  const text = belief.replace(/^P/, "");
  if (/^-?(?:0x[0-9a-f]+|\d+)$/.test(text)) {
    const number = text.startsWith("-") ? -BigInt(text.slice(1)) : BigInt(text);
    return BigInt.asUintN(64, number) === value;
  }
  const scalar = /^scalar\((.*)\)$/.exec(text);
  if (scalar === null) return undefined;
  const body = scalar[1] ?? "";
  const bounds = boundsOf(body.replace(/var_off=\([^)]*\)/, ""));
  const tnum = /var_off=\((0x[0-9a-f]+); (0x[0-9a-f]+)\)/.exec(body);
  const [signed, w] = [toS64(value), BigInt.asUintN(32, value)];
  const sw = BigInt.asIntN(32, value);
  const least = (name: string, one: bigint): boolean => (bounds.get(name) ?? one) <= one;
  const most = (name: string, one: bigint): boolean => (bounds.get(name) ?? one) >= one;
  const inTnum =
    tnum === null || (value & ~BigInt(tnum[2] ?? 0) & ((1n << 64n) - 1n)) === BigInt(tnum[1] ?? 0);
  return (
    inTnum &&
    least("smin", signed) &&
    most("smax", signed) &&
    least("umin", value) &&
    most("umax", value) &&
    least("smin32", sw) &&
    most("smax32", sw) &&
    least("umin32", w) &&
    most("umax32", w)
  );
}
