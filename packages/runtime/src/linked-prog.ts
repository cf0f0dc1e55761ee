import type { ProgSpec, VerifiedFacts } from "@tsbpf/abi";
import type { Insn } from "@tsbpf/isa";
import type { BpfMap, HelperPlugin, ProgTypePlugin } from "@tsbpf/plugin";
import type { Target } from "./target.ts";

/** A function of a linked program. */
export interface LinkedFunc {
  readonly idx: number;
  readonly name: string;
  /** First slot. */
  readonly start: number;
  /** One past the last slot. */
  readonly end: number;
}

/**
 * A program whose every call site and wide load is resolved; what an engine compiles or runs. `linkProg` makes it and
 * refuses what an engine could not run, so an engine may assume, verified or not:
 *
 * - every slot decodes to a row with allowed fields, and registers are r0..r10; nothing writes r10;
 * - every wide load is a plain constant (source 0) followed by its second half;
 * - the functions cover the code without gaps, the first starts at slot 0, and there are at most 256;
 * - every jump leads to the start of an instruction of its own function;
 * - every function ends in `exit` or an unconditional jump, so execution never leaves it downwards;
 * - `targets` has an entry for every call, and a pseudo call leads to the start of a function;
 * - legacy packet loads occur only in programs whose context is a `__sk_buff`.
 *
 * What only the verifier proves (initialised registers, pointers, bounds, helper arguments, termination) holds only
 * when `facts` is present.
 */
export interface LinkedProg {
  readonly spec: ProgSpec;
  readonly progType: ProgTypePlugin;
  /** The code with wide loads turned to plain constants: map addresses, value addresses, function pointers. */
  readonly insns: readonly Insn[];
  /** Target of the call at a slot. */
  readonly targets: ReadonlyMap<number, Target>;
  readonly maps: readonly BpfMap[];
  readonly funcs: readonly LinkedFunc[];
  /** Present when the verifier accepted the program; absent means "run with checks". */
  readonly facts?: VerifiedFacts;
  readonly helpersById: ReadonlyMap<number, HelperPlugin>;
  /** High half that `addr_space_cast` to the user's view adds to a pointer; 0 when a cast keeps 32 bits only. */
  readonly arenaUserHi: number;
  /** Whether any instruction names r10. */
  readonly usesStack: boolean;
}

/** Returns the function that holds a slot. */
export function funcAt(prog: Pick<LinkedProg, "funcs">, slot: number): LinkedFunc | undefined {
  const { funcs } = prog;
  let low = 0;
  let high = funcs.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    const func = funcs[middle];
    if (func !== undefined && func.start <= slot) low = middle + 1;
    else high = middle;
  }
  const found = funcs[low - 1];
  return found !== undefined && slot < found.end ? found : undefined;
}

/** Says whether a function starts at a slot. */
export const isFuncStart = (prog: Pick<LinkedProg, "funcs">, slot: number): boolean =>
  funcAt(prog, slot)?.start === slot;
