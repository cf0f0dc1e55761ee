import type { ProgSpec } from "@tsbpf/abi";
import { joinU64, printHex } from "@tsbpf/base";
import { interpreter } from "@tsbpf/interpreter";
import type { RunInput } from "@tsbpf/plugin";
import { FRAME, framePointerOf, type LinkedProg, type Machine, type RunHooks } from "@tsbpf/runtime";
import {
  type Frame,
  printReg,
  type Reg,
  type Slot,
  type State,
  type Verdict,
  type VerifyOptions,
  verifyProg,
} from "@tsbpf/verifier";
import { Prog, type Vm } from "@tsbpf/vm";
import { outsideOfFrame, type RunPlace } from "./inside.ts";

/** What the verifier knew before one visit of an instruction. */
type Snapshot = readonly Pick<Frame, "regs" | "stack" | "callsite" | "inCallback" | "subprog">[];

/** All that the verifier knew of a program, by slot. */
export interface ExploredStates {
  /** Of the normal walk. */
  readonly verdict: Verdict;
  /** In the order of the walk; undefined when the walk that knows all came to its limit. */
  readonly bySlot: ReadonlyMap<number, readonly Snapshot[]> | undefined;
  /** Why there are no states; empty when there are. */
  readonly gap: string;
}

/** A moment of a run that the verifier did not foresee. */
export interface SoundnessViolation {
  readonly prog: string;
  readonly slot: number;
  readonly what: "never walked" | "outside" | "trap";
  readonly text: string;
}

export interface SoundnessOptions {
  readonly verify?: VerifyOptions;
  /** Instructions walked before a program is left out; 100,000 when omitted. */
  readonly insnLimit?: number;
  /** Violations kept; 5 when omitted. */
  readonly violationsMax?: number;
  /** Instructions that one run may execute; 200,000 when omitted. */
  readonly budget?: number;
}

const INSN_LIMIT = 100_000;
const VIOLATIONS_MAX = 5;
/** States of a slot that a new one is compared with, to keep it once. */
const RECENT = 8;
const BUDGET = 200_000;

const isSame = (a: Snapshot, b: Snapshot): boolean =>
  a.length === b.length &&
  a.every((frame, i) => {
    const other = b[i];
    return (
      other !== undefined &&
      frame.callsite === other.callsite &&
      frame.stack.length === other.stack.length &&
      frame.regs.every((reg, regno) => reg === other.regs[regno]) &&
      frame.stack.every((slot, spi) => slot === other.stack[spi])
    );
  });

const snapshotOf = (state: State): Snapshot =>
  state.frames.map(({ regs, stack, callsite, inCallback, subprog }) => ({
    regs: regs.slice(),
    stack: stack.slice(),
    callsite,
    inCallback,
    subprog,
  }));

/**
 * Collects what the verifier knows before each instruction, of a walk whose paths join only where all that is known
 * agrees: Linux's own pruning leaves out what is not needed for safety, so its states alone hold for no run.
 */
export function exploreStates(spec: ProgSpec, options: SoundnessOptions = {}): ExploredStates {
  const bySlot = new Map<number, Snapshot[]>();
  const verdict = verifyProg(spec, options.verify);
  if (!verdict.isAccepted) return { verdict, bySlot: undefined, gap: whyNot(verdict) };
  const whole = verifyProg(spec, {
    ...options.verify,
    pruning: "complete",
    insnLimit: options.insnLimit ?? INSN_LIMIT,
    onState: (slot, state) => {
      const shot = snapshotOf(state);
      const known = bySlot.get(slot);
      if (known === undefined) bySlot.set(slot, [shot]);
      else if (!known.slice(-RECENT).some((one) => isSame(one, shot))) known.push(shot);
    },
  });
  return whole.isAccepted ? { verdict, bySlot, gap: "" } : { verdict, bySlot: undefined, gap: whyNot(whole) };
}

const whyNot = (verdict: Verdict): string => `${verdict.code}: ${verdict.message}`;

/**
 * Compares runs with what the verifier knew: every register and stack slot before every instruction lies inside some
 * state of that instruction. Works for all programs that a run enters by tail calls.
 */
export class SoundnessOracle {
  readonly violations: SoundnessViolation[] = [];
  /** Instructions compared. */
  stepCount = 0;
  /** Programs whose states are not known, with the reason; of accepted ones only slots and traps are judged. */
  readonly skipped = new Map<string, string>();
  readonly hooks: RunHooks;
  private readonly explored = new Map<ProgSpec, ExploredStates | undefined>();
  private readonly lastMatch = new Map<readonly Snapshot[], number>();
  private readonly options: SoundnessOptions;

  constructor(options: SoundnessOptions = {}) {
    this.options = options;
    this.hooks = { onStep: (machine, prog, slot, regs) => this.onStep(machine, prog, slot, regs) };
  }

  /** Explores a program, once; undefined when the verifier refuses it. */
  statesOf(spec: ProgSpec): ExploredStates | undefined {
    if (this.explored.has(spec)) return this.explored.get(spec);
    const states = exploreStates(spec, this.options);
    if (states.gap !== "") this.skipped.set(spec.name, states.gap);
    const kept = states.verdict.isAccepted ? states : undefined;
    this.explored.set(spec, kept);
    return kept;
  }

  /**
   * Runs a program on the interpreter with all checks and compares each step. Nothing runs when the program is refused.
   *
   * @returns whether it ran.
   */
  run(vm: Vm, { linked }: Pick<Prog, "linked">, inputs: readonly RunInput[]): boolean {
    if (this.statesOf(linked.spec) === undefined) return false;
    const engineProg = interpreter.prepare(linked, { isChecked: true });
    const prog = new Prog({ engineProg, verdict: undefined, machines: vm.machines, limits: {} });
    for (const input of inputs) {
      const { trap } = prog.execute(input, { hooks: this.hooks, budget: this.options.budget ?? BUDGET });
      if (trap === undefined || trap.code === "RUN_BUDGET") continue;
      const { slot } = trap.details;
      const text = `${trap.code}: ${trap.message}`;
      this.report({ prog: linked.spec.name, slot: Number(slot ?? -1), what: "trap", text });
    }
    return true;
  }

  report(violation: SoundnessViolation): void {
    if (this.violations.length < (this.options.violationsMax ?? VIOLATIONS_MAX)) {
      this.violations.push(violation);
    }
  }

  private onStep(machine: Machine, linked: LinkedProg, slot: number, regs: Int32Array): void {
    const states = this.statesOf(linked.spec);
    if (states === undefined) return;
    this.stepCount++;
    const prog = linked.spec.name;
    const known = states.bySlot?.get(slot);
    const isWalked = states.verdict.facts?.reached[slot] === 1;
    if (!isWalked || (states.bySlot !== undefined && known === undefined)) {
      this.report({ prog, slot, what: "never walked", text: "the run is at a slot that was never walked" });
      return;
    }
    if (known === undefined) return;
    // Runs meet the states of a loop in the order of the walk: the next one is the likeliest.
    const last = this.lastMatch.get(known) ?? -1;
    for (let i = 1; i <= known.length; i++) {
      const idx = (last + i) % known.length;
      if (outsideOf(known[idx] as Snapshot, machine, linked, regs, 1)?.length !== 0) continue;
      this.lastMatch.set(known, idx);
      return;
    }
    this.report({ prog, slot, what: "outside", text: describe(known, machine, linked, regs) });
  }
}

/** Names what lies outside a state, up to `max` places; undefined when the machine did not come this way. */
function outsideOf(
  shot: Snapshot,
  machine: Machine,
  linked: LinkedProg,
  regs: Int32Array,
  max: number,
): string[] | undefined {
  const base = machine.depth - shot.length + 1;
  if (!isSameWay(shot, machine, base)) return undefined;
  const place: RunPlace = { machine, linked, base };
  const outside: string[] = [];
  for (let j = shot.length - 1; j >= 0 && outside.length < max; j--) {
    const live = j === shot.length - 1 ? regs : undefined;
    for (const name of outsideOfFrame(shot[j] as Snapshot[number], base + j, live, place, max)) {
      outside.push(`frame ${j} ${name}`);
    }
  }
  return outside;
}

/** Says whether the machine's frames from `base` on were entered by the calls of a state. */
function isSameWay(shot: Snapshot, machine: Machine, base: number): boolean {
  if (base < machine.progBase || (shot[0]?.subprog === 0 && base !== machine.progBase)) return false;
  for (let j = 1; j < shot.length; j++) {
    const frame = shot[j] as Snapshot[number];
    const returnSlot = machine.frames.words[(base + j - 1) * FRAME.words + FRAME.returnSlot] as number;
    if (returnSlot < 0 ? !frame.inCallback : returnSlot !== frame.callsite + 1) return false;
  }
  return true;
}

/** Shows the state that comes closest, and what the machine holds in its place. */
function describe(
  known: readonly Snapshot[],
  machine: Machine,
  linked: LinkedProg,
  regs: Int32Array,
): string {
  let best: { readonly shot: Snapshot; readonly outside: readonly string[] } | undefined;
  for (const shot of known) {
    const outside = outsideOf(shot, machine, linked, regs, Number.MAX_SAFE_INTEGER);
    if (outside === undefined) continue;
    if (best === undefined || outside.length < best.outside.length) best = { shot, outside };
  }
  if (best === undefined) return `none of ${known.length} states has the machine's ${machine.depth} frames`;
  const { shot } = best;
  const base = machine.depth - shot.length + 1;
  const items = best.outside.map((name) => {
    const [, j, what = ""] = name.split(" ");
    const frame = shot[Number(j)];
    const depth = base + Number(j);
    const [abstract, value] = what.startsWith("r")
      ? ofReg(frame?.regs[Number(what.slice(1))], Number(what.slice(1)), depth, machine, regs)
      : ofSlot(frame?.stack[Number(what.slice(2)) / -8 - 1], Number(what.slice(2)), depth, machine);
    return `${name} is ${printHex(value)}, known as ${abstract}`;
  });
  return `${items.join("; ")} (closest of ${known.length})`;
}

function ofReg(
  reg: Reg | undefined,
  regno: number,
  depth: number,
  machine: Machine,
  regs: Int32Array,
): [string, bigint] {
  const words = depth === machine.depth ? regs : machine.frames.words;
  const at = depth === machine.depth ? 2 * regno : depth * FRAME.words + FRAME.saved + 2 * (regno - 6);
  return [
    reg === undefined ? "nothing" : printReg(reg, 0),
    joinU64(words[at] as number, words[at + 1] as number),
  ];
}

function ofSlot(slot: Slot | undefined, off: number, depth: number, machine: Machine): [string, bigint] {
  const value = machine.env.memory.view.getBigUint64(framePointerOf(machine, depth) + off, true);
  const kinds = slot?.kinds ?? "nothing";
  const reg = slot?.reg ?? undefined;
  return [reg === undefined ? kinds : `${kinds} ${printReg(reg, 0)}`, value];
}
