import type { VerifiedFacts } from "@tsbpf/abi";

/** Counters of the walk, as the kernel's last log line gives them. */
export interface VerifyStats {
  readonly processedInsns: number;
  readonly maxStatesPerInsn: number;
  readonly totalStates: number;
  readonly peakStates: number;
  /** Stack bytes of each function. */
  readonly stackBytes: readonly number[];
}

/** Kinds of refusal, for people. */
export type RejectCategory =
  | "structure"
  | "register type"
  | "memory"
  | "resource lifetime"
  | "call"
  | "execution context"
  | "policy"
  | "limit";

/** The answer of the verifier. */
export interface Verdict {
  readonly isAccepted: boolean;
  /** Positive error number; 0 when accepted. */
  readonly errno: number;
  readonly errnoName: string;
  /** Stable code of the refusal, e.g. `REG_UNINIT`; empty when accepted. */
  readonly code: string;
  /** One line for people. */
  readonly summary: string;
  /** The kernel's last line that says why; empty when accepted. */
  readonly message: string;
  readonly category: RejectCategory | undefined;
  /** The fact that was missing. */
  readonly reason: string;
  readonly suggestion: string;
  /** Slot of the refused instruction; undefined when it is not one instruction's fault. */
  readonly insnIdx: number | undefined;
  /** Instructions that shaped what was refused, oldest first. */
  readonly history: readonly HistoryStep[];
  /** Log in the kernel's format. */
  readonly log: string;
  readonly stats: VerifyStats;
  /** What engines may rely on; only of accepted programs. */
  readonly facts: VerifiedFacts | undefined;
}

/** One instruction on the way to a refusal. */
export interface HistoryStep {
  readonly slot: number;
  readonly text: string;
  /** `file:line text` from the program's line records. */
  readonly source?: string;
}
