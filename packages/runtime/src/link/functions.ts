import type { ProgSpec } from "@tsbpf/abi";
import { LIMITS } from "@tsbpf/base";
import { targetSlotOf } from "@tsbpf/isa";
import type { LinkedFunc } from "../linked-prog.ts";
import { mayBe } from "./op-kinds.ts";
import { refuse } from "./refuse.ts";

/**
 * Finds the functions of a program: the entry, every target of a pseudo call or function pointer, and those that the
 * program's own records name. A function reaches to the start of the next (C-10, C-15).
 *
 * @throws CALL_TARGET, LINK_FUNC, LINK_SUBPROGS (InputError).
 */
export function findFunctions(spec: ProgSpec): LinkedFunc[] {
  const names = new Map(spec.funcs.map((func) => [func.slot, func.name]));
  const starts = new Set([0]);
  for (const func of spec.funcs) {
    if (func.linkage === "extern") continue;
    if (!Number.isInteger(func.slot) || func.slot < 0 || func.slot >= spec.insns.length) {
      throw refuse(
        "LINK_FUNC",
        spec,
        func.slot,
        `function ${func.name} starts outside the program of ${spec.insns.length} slots`,
      );
    }
    starts.add(func.slot);
  }
  for (const [slot, target] of callTargets(spec)) {
    if (target < 0 || target >= spec.insns.length) {
      throw refuse("CALL_TARGET", spec, slot, `call to slot ${target}, 0..${spec.insns.length - 1} allowed`, {
        target,
      });
    }
    starts.add(target);
  }
  if (starts.size > LIMITS.subprogs) {
    throw refuse("LINK_SUBPROGS", spec, 0, `${starts.size} functions found, ${LIMITS.subprogs} allowed`);
  }
  const sorted = [...starts].sort((a, b) => a - b);
  return sorted.map((start, idx) => ({
    idx,
    name: names.get(start) ?? (idx === 0 ? spec.name : (spec.labels?.get(start) ?? `func_${start}`)),
    start,
    end: sorted[idx + 1] ?? spec.insns.length,
  }));
}

/** Lists calls and function pointers with the slots they lead to. */
function* callTargets({ insns }: ProgSpec): Generator<readonly [slot: number, target: number]> {
  for (const [slot, insn] of insns.entries()) {
    if (!mayBe(insn, "call") && !mayBe(insn, "wide")) continue;
    const target = targetSlotOf(insn, slot);
    if (target !== undefined) yield [slot, target];
  }
}
