import { LIMITS } from "@tsbpf/base";
import type { Plan } from "./plan.ts";

/**
 * Says whether a program leaves its own code only for maps, and by tail calls: nothing then looks at the machine while
 * it runs, so runs may follow each other inside generated code, if that holds of what the tail calls reach as well.
 */
export function isSealed({ prog, lowered, funcs }: Plan): boolean {
  for (const [slot, target] of prog.targets) {
    const kind = lowered.get(slot)?.kind;
    if (target.kind !== "subprog" && (kind === undefined || kind === "words")) return false;
  }
  return funcs.every(({ chain }) => chain <= LIMITS.callFrames);
}
