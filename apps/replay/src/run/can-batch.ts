import { canRunBatch } from "@tsbpf/jit";
import type { Prog } from "@tsbpf/vm";

/** Helpers that read the clock, which a batch does not set for every packet. */
const CLOCKS = /ktime|jiffies/;

/** Says whether a program may run on packets where they lie in the file's bytes, many in one call. */
export function canBatch(prog: Prog, cpu = 0): boolean {
  if (prog.linked.spec.type !== "xdp" || !canRunBatch(prog.engineProg, prog.machine(cpu), prog.budget))
    return false;
  for (const target of prog.linked.targets.values()) {
    if ("helper" in target && CLOCKS.test(target.helper.proto.name)) return false;
  }
  return true;
}
