import { canRunBatch } from "@tsbpf/jit";
import type { Prog } from "@tsbpf/vm";
import { isToCome } from "./breather.ts";

/** Helpers that read the clock, which a batch does not set for every packet. */
const CLOCKS = /ktime|jiffies/;

const readsClock = ({ linked }: Prog): boolean =>
  [...linked.targets.values()].some((target) => "helper" in target && CLOCKS.test(target.helper.proto.name));

/** Says whether {@link canBatch} may come to say yes, when the program has been compiled beside its runs. */
export const mayBatchLater = (prog: Prog): boolean =>
  isToCome(prog) && prog.linked.spec.type === "xdp" && !readsClock(prog);

/** Says whether a program may run on packets where they lie in the file's bytes, many in one call. */
export function canBatch(prog: Prog, cpu = 0): boolean {
  return (
    prog.linked.spec.type === "xdp" &&
    canRunBatch(prog.engineProg, prog.machine(cpu), prog.budget) &&
    !readsClock(prog)
  );
}
