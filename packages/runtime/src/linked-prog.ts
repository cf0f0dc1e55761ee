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

/** A program whose every call site and wide load is resolved; what an engine compiles or runs. */
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
}
