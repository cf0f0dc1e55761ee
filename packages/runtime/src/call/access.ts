import { checkRange } from "@tsbpf/memory";
import type { Machine } from "../machine.ts";
import { trap } from "../trap.ts";

/** An address range that an argument names. */
export interface Span {
  readonly lo: number;
  readonly hi: number;
  readonly sizeBytes: number;
  /** Bits of `PERM`. */
  readonly perm: number;
}

/**
 * Checks memory that a helper is about to touch for a program without proofs.
 *
 * @param who - helper and argument, for the text.
 * @throws RUN_BOUNDS and its kin (TrapError) naming region and offset.
 */
export function checkArgSpan(machine: Machine, span: Span, who: string): void {
  const fault = checkRange(machine.env.memory, span, span.sizeBytes, span.perm);
  if (fault === undefined) return;
  throw trap(fault.code, `${who}: ${fault.text}`, {
    region: fault.region?.name,
    offset: fault.region === undefined ? undefined : (span.lo >>> 0) - fault.region.start,
    lo: span.lo >>> 0,
    hi: span.hi >>> 0,
    sizeBytes: span.sizeBytes,
  });
}

/** Reads a register as a size: its value below 2^32, or infinity when it is larger. */
export function sizeIn(regs: Int32Array, reg: number): number {
  return regs[2 * reg + 1] === 0 ? (regs[2 * reg] as number) >>> 0 : Number.POSITIVE_INFINITY;
}
