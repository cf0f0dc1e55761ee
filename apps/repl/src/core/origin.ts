import type { Stepper, StepView, StopReason } from "@tsbpf/interpreter";
import { defsOf, type Insn } from "@tsbpf/isa";

const CALL_MASK = 0xf7;
const CALL_OP = 0x85;
const PSEUDO_CALL = 1;
const SAVED_FIRST = 6;
const FRAMES_TRIED_MAX = 1000;

/** Says whether an instruction writes a register; a helper writes r0 alone, a call of a function writes none itself. */
function writes(insn: Insn | undefined, reg: number): boolean {
  if (insn === undefined) return false;
  if ((insn.op & CALL_MASK) === CALL_OP) return reg === 0 && insn.src !== PSEUDO_CALL;
  return ((defsOf(insn) >> reg) & 1) !== 0;
}

/**
 * Goes back to the instruction that gave a register its value, in whatever frame it stands: arguments come from the
 * caller, r0 from the function that returned. What a function that has returned wrote to its own r6..r9 is passed
 * over, since they were put back.
 */
export function backToWrite(stepper: Stepper, reg: number): StopReason {
  const now = stepper.insnCount;
  let depth = stepper.machine.depth;
  const isWrite = (view: StepView): boolean =>
    (reg < SAVED_FIRST || view.depth <= depth) && writes(view.prog.insns[view.slot], reg);
  for (let tried = 0; tried < FRAMES_TRIED_MAX; tried++) {
    const stop = stepper.backUntil(isWrite);
    if (stop.kind !== "until" || reg < SAVED_FIRST) return stop;
    const found = stepper.insnCount;
    const foundDepth = stepper.machine.depth;
    const left = stepper.runUntil((view) => view.depth < foundDepth, { limit: now - found });
    const hasReturned = left.kind === "until" && stepper.insnCount <= now;
    stepper.goTo(found);
    if (!hasReturned) return { kind: "until" };
    depth = Math.min(depth, foundDepth);
  }
  return stepper.stop;
}
