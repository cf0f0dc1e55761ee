import type { Effect } from "@tsbpf/plugin";
import type { Execution, Prog } from "@tsbpf/vm";

/** Why a run has no result. */
export interface Failure {
  /** `trap`: it ended by rule; `refused`: the program type does not take the input. */
  readonly kind: "trap" | "refused";
  readonly code: string;
  readonly message: string;
}

/** What one side did to one packet. What is undefined is not known, and then not compared. */
export interface Outcome {
  /** Name of the result, e.g. `XDP_PASS`; `trap` or `not run` after a failure. */
  readonly verdict?: string | undefined;
  readonly failure?: Failure | undefined;
  /** The packet afterwards, metadata in front. */
  readonly packet?: Uint8Array | undefined;
  /** Bytes and checksum of the packet, where the packet itself is not there. */
  readonly packetDigest?: Digest | undefined;
  /** The context afterwards, packet pointers as offsets. */
  readonly ctx?: Uint8Array | undefined;
  readonly effects?: readonly Effect[] | undefined;
  /** Kinds of effects that are known; all when omitted. Of these, the order of different maps is not known then. */
  readonly effectKinds?: ReadonlySet<Effect["kind"]> | undefined;
  readonly insns?: number | undefined;
  /** What was recorded and not asked. */
  readonly unasked?: string | undefined;
}

export interface Digest {
  readonly bytes: number;
  readonly crc: number;
}

const TRAP = "trap";
export const NOT_RUN = "not run";

/** Makes the outcome of a failure. */
export const failed = (failure: Failure): Outcome => ({
  verdict: failure.kind === "trap" ? TRAP : NOT_RUN,
  failure,
});

/** Takes what a run left in its machine; bytes are copies. */
export function outcomeOf(prog: Prog, execution: Execution, cpu: number): Outcome {
  const { trap, verdict, effects, insnCount } = execution;
  if (trap !== undefined) {
    const { code, message } = trap;
    return { ...failed({ kind: "trap", code, message }), effects, insns: insnCount };
  }
  const context = prog.context(cpu);
  return {
    verdict,
    ...(context.packet === undefined ? {} : { packet: context.readPacket() }),
    ctx: context.readCtx(),
    effects,
    insns: insnCount,
  };
}
