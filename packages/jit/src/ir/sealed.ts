import { LIMITS } from "@tsbpf/base";
import type { Plan } from "./plan.ts";

/**
 * Says whether a program leaves its own code only for maps: nothing then looks at the machine while it runs, so runs
 * may follow each other inside generated code.
 */
export function isSealed({ prog, lowered, funcs }: Plan): boolean {
  for (const [slot, target] of prog.targets) {
    const kind = lowered.get(slot)?.kind;
    if (target.kind !== "subprog" && (kind === undefined || kind === "words")) return false;
  }
  return funcs.every(({ mayTailCall, chain }) => !mayTailCall && chain <= LIMITS.callFrames);
}
