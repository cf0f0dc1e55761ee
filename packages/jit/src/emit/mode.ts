import type { Inlining } from "../ir/graph.ts";

/** What a generated module does beyond the bare program. */
export interface Mode {
  /** Range-checks every access, as programs without proofs need. */
  readonly isChecked: boolean;
  /** Ends the run when the budget is used up. */
  readonly hasFuel: boolean;
  /** Counts and checks the budget at every instruction; runs the last stretch of a budget only. */
  readonly isExact: boolean;
  /** Checks the depth of frames at calls, because the code alone does not bound it. */
  readonly isDeep: boolean;
  /** Sends every helper call through the runtime, whose hooks listen. */
  readonly isHooked: boolean;
  /** Holds the loop over the packets of a batch. */
  readonly isBatch: boolean;
  /** Its main function takes over frames above the machine's first, as tail calls from functions make it. */
  readonly isMoved: boolean;
  /** What may be done with all of a context that is a region of its own, as bits of `PERM`; 0 where it is not one. */
  readonly ctxPerm: number;
  /** The memory is shared, so atomics must be real. */
  readonly isShared: boolean;
}

/** A number that tells modes apart. */
export const modeKey = (mode: Mode): number =>
  (mode.isChecked ? 1 : 0) |
  (mode.hasFuel ? 2 : 0) |
  (mode.isExact ? 4 : 0) |
  (mode.isDeep ? 8 : 0) |
  (mode.isHooked ? 16 : 0) |
  (mode.isShared ? 32 : 0) |
  (mode.isBatch ? 64 : 0) |
  (mode.isMoved ? 128 : 0) |
  (mode.ctxPerm << 8);

/** What may stand in the place of calls: depth must not be counted at them, and hooks not listen to them. */
export const inliningOf = ({ isDeep, isHooked }: Mode): Inlining => ({
  calls: !isDeep,
  rounds: !isDeep && !isHooked,
  lookups: !isHooked,
});
