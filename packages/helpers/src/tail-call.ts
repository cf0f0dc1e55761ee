import { kernelHelper } from "./define.ts";
import { setS32 } from "./regs.ts";

const EXHAUSTED = -1;

/**
 * Runs when the jump did not happen: the slot is empty or out of range, or the chain is too long. The runtime replaces
 * the program when it does happen.
 */
const tailCall = kernelHelper(12, "Goes on with another program; returns only when it cannot.", (regs) =>
  setS32(regs, EXHAUSTED),
);

/** Helpers that leave the program. */
export const tailCallHelpers = [tailCall] as const;
