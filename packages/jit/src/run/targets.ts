import { type EngineProg, type Machine, toEngineProg } from "@tsbpf/runtime";
import type { JitProg } from "./prog.ts";

/** Slots of program arrays that are looked at; larger arrays are taken for arrays of anything. */
const SLOTS_MAX = 1024;

/**
 * Says whether a program and all that its tail calls may reach as the program arrays stand are programs of this engine
 * (`isOurs`) about which something holds.
 */
export function everyReached(
  prog: JitProg,
  isOurs: (one: EngineProg) => one is JitProg,
  holds: (one: JitProg) => boolean,
): boolean {
  const seen = new Set<EngineProg>([prog]);
  for (const one of seen) {
    if (!isOurs(one) || !holds(one)) return false;
    for (const lowered of one.hasTails ? one.plan.lowered.values() : []) {
      if (lowered.kind !== "tail") continue;
      const { spec, progSlots } = lowered.map;
      if (spec.maxEntries > SLOTS_MAX) return false;
      for (let i = 0; i < spec.maxEntries; i++) {
        const stored = progSlots?.progAt(i);
        if (stored === undefined) continue;
        const next = toEngineProg(stored);
        if (next === undefined) return false;
        seen.add(next);
      }
    }
  }
  return true;
}

/** Whether the effects of a machine's tail calls are recorded, one by one. */
export const recordsTails = (prog: JitProg, machine: Machine): boolean =>
  prog.hasTails && machine.env.effects.isOn;
