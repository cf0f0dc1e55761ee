import { toS64 } from "@tsbpf/base";

/** What the verifier believed of one register or stack slot on the paths that reached an instruction. */
export type Believed = ReadonlyMap<string, string>;

const LINE = /^(\d+): \(([0-9a-f]{2})\) [^;]*(?:;\s*(?:frame\d+:)?(.*))?$/;
const STATE = /^(?:(?:from \d+ to )?(\d+)): ?(?:frame\d+:)?((?: ?(?:R\d+|fp-?\d+)=.*)?)$/;
const PLACE = /(?:^|\s)(R\d+|fp-?\d+)=/g;
const PATHS_MAX = 8;
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

/** The states in which the verifier looked at each instruction, read from its log. */
export class Beliefs {
  private readonly bySlot = new Map<number, Believed[]>();

  /** @param log - a log of level 2. */
  constructor(log: string) {
    let state = new Map<string, string>();
    let awaitsWhole = false;
    for (const line of log.split("\n")) {
      const insn = LINE.exec(line);
      if (insn !== null) {
        this.add(Number(insn[1]), state);
        if (insn[2] === CALL) for (const reg of SCRATCH) state.delete(reg);
        for (const [place, value] of parseState(insn[3] ?? "")) state.set(place, value);
        continue;
      }
      const whole = STATE.exec(line);
      if (whole !== null) {
        state = parseState(whole[2] ?? "");
        awaitsWhole = false;
      } else if (/^(?:caller|callee|to caller at \d+|returning from callee):$/.test(line)) {
        awaitsWhole = true;
      } else if (awaitsWhole && /^ (?:frame\d+: ?)?R/.test(line)) {
        state = parseState(line.replace(/^ frame\d+:/, ""));
      }
    }
  }

  /** Whether the verifier reached the instruction at all. */
  isReached(slot: number): boolean {
    return this.bySlot.has(slot);
  }

  at(slot: number): readonly Believed[] {
    return this.bySlot.get(slot) ?? [];
  }

  /** What was believed of a place, each answer once. */
  ofPlace(slot: number, place: string): string[] {
    return [...new Set(this.at(slot).map((state) => state.get(place) ?? "not known"))];
  }

  private add(slot: number, state: ReadonlyMap<string, string>): void {
    const known = this.bySlot.get(slot);
    if (known === undefined) this.bySlot.set(slot, [new Map(state)]);
    else if (known.length < PATHS_MAX) known.push(new Map(state));
  }
}

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
