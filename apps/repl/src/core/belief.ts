import type { ProgSpec } from "@tsbpf/abi";
import { toS64 } from "@tsbpf/base";
import {
  KIND,
  printReg,
  REG,
  type Reg,
  type Scalar,
  type Slot,
  type State,
  type VerifyOptions,
  verifyProg,
} from "@tsbpf/verifier";

/** What the verifier believed of one register or stack slot on one path. */
export interface Belief {
  /** As its log prints it. */
  readonly text: string;
  /** Says whether a value is one that it thought possible; undefined where it says nothing of values. */
  holds(value: bigint): boolean | undefined;
}

/** Beliefs by place, `R1` or `fp-8`, on one path that reached an instruction. */
export type Believed = ReadonlyMap<string, Belief>;

/** The states in which the verifier looked at an instruction. */
export interface Beliefs {
  readonly paths: readonly Believed[];
  /** Whether together they are all that a run can be in: nothing was given up and no limit was met. */
  readonly isWhole: boolean;
  /** Whether there were more paths than are kept. */
  readonly isCut: boolean;
  /** Why the verifier did not come to its end; empty when it did. */
  readonly refusal: string;
}

const PATHS_MAX = 10_000;
/** Paths that a new one is compared with, to keep it once. */
const RECENT = 8;
const UNKNOWN: Belief = { text: "not known", holds: () => undefined };

/** Registers and stack of the innermost frame at one visit; what they hold never changes. */
interface Visit {
  readonly regs: readonly Reg[];
  readonly stack: readonly Slot[];
  readonly frameno: number;
}

const isSame = (a: Visit, b: Visit): boolean =>
  a.frameno === b.frameno &&
  a.stack.length === b.stack.length &&
  a.regs.every((reg, n) => reg === b.regs[n]) &&
  a.stack.every((slot, n) => slot === b.stack[n]);

/** Collects the states at one instruction. */
class Visits {
  readonly list: Visit[] = [];
  isCut = false;

  add({ frames }: State): void {
    const frame = frames.at(-1);
    if (frame === undefined) return;
    const visit = { regs: frame.regs.slice(), stack: frame.stack.slice(), frameno: frame.frameno };
    if (this.list.slice(-RECENT).some((one) => isSame(one, visit))) return;
    if (this.list.length < PATHS_MAX) this.list.push(visit);
    else this.isCut = true;
  }
}

/**
 * Asks the verifier for its states before an instruction. Paths join only where all that is known agrees, so that the
 * states together hold for every run; where that takes too long, they join as Linux joins them.
 */
export function collectBeliefs(
  spec: ProgSpec,
  slot: number,
  options: Pick<VerifyOptions, "helpers" | "kfuncs" | "kernelBtf" | "insnLimit">,
): Beliefs {
  const walk = (pruning: "complete" | "linux") => {
    const visits = new Visits();
    const verdict = verifyProg(spec, {
      ...options,
      pruning,
      onState: (at, state) => {
        if (at === slot) visits.add(state);
      },
    });
    return { visits, verdict, pruning };
  };
  const whole = walk("complete");
  const isLimited = !whole.verdict.isAccepted && whole.verdict.code.startsWith("LIMIT_");
  const { visits, verdict, pruning } = isLimited ? walk("linux") : whole;
  return {
    paths: visits.list.map(toBelieved),
    isWhole: verdict.isAccepted && !visits.isCut && pruning === "complete",
    isCut: visits.isCut,
    refusal: verdict.isAccepted ? "" : verdict.message,
  };
}

function toBelieved({ regs, stack, frameno }: Visit): Believed {
  const believed = new Map<string, Belief>();
  regs.forEach((reg, n) => {
    if (reg.type !== REG.notInit) believed.set(`R${n}`, ofReg(reg, frameno));
  });
  stack.forEach((slot, n) => {
    if (slot.kinds !== "????????") believed.set(`fp${-8 * (n + 1)}`, ofSlot(slot, frameno));
  });
  return believed;
}

const ofReg = (reg: Reg, frameno: number): Belief => ({
  text: printReg(reg, frameno),
  holds: (value) => (reg.type === REG.scalar ? isInScalar(value, reg.val) : undefined),
});

const ZEROS = KIND.zero.repeat(8);

function ofSlot({ kinds, reg }: Slot, frameno: number): Belief {
  if (reg !== null && kinds[7] === KIND.spill) {
    const isWhole = kinds[0] === KIND.spill;
    const belief = ofReg(reg, frameno);
    const text = `${kinds.slice(0, kinds.indexOf(KIND.spill))}${belief.text}`;
    return { text, holds: (value) => (isWhole ? belief.holds(value) : undefined) };
  }
  return { text: kinds, holds: (value) => (kinds === ZEROS ? value === 0n : undefined) };
}

/** Says whether a number lies in what is known of a scalar: its bits, and its bounds in 64 and 32 bits. */
function isInScalar(value: bigint, known: Scalar): boolean {
  const signed = toS64(value);
  const low = Number(BigInt.asUintN(32, value));
  return (
    (value & ~known.tnum.mask) === known.tnum.value &&
    signed >= known.smin &&
    signed <= known.smax &&
    value >= known.umin &&
    value <= known.umax &&
    (low | 0) >= known.s32min &&
    (low | 0) <= known.s32max &&
    low >= known.u32min &&
    low <= known.u32max
  );
}

/** What was believed of a place, each answer once. */
export function beliefsOf({ paths }: Pick<Beliefs, "paths">, place: string): Belief[] {
  const byText = new Map<string, Belief>();
  for (const path of paths) {
    const belief = path.get(place) ?? UNKNOWN;
    if (!byText.has(belief.text)) byText.set(belief.text, belief);
  }
  return [...byText.values()];
}
