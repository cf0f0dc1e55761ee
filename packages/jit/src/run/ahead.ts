import type { EngineProg, Machine } from "@tsbpf/runtime";
import type { CompileReport, InBackground } from "./cache.ts";
import { stateOf } from "./machine-state.ts";
import { JitProg } from "./prog.ts";

export interface Ahead extends InBackground {
  readonly hasBudget: boolean;
}

/** Says what compiling a program cost so far, a report for each form; nothing for programs of other engines. */
export function compileReports(prog: EngineProg): readonly CompileReport[] {
  return prog instanceof JitProg ? prog.forms.reports() : [];
}

/**
 * Compiles the form in which a program runs on a machine without hooks, in slices with other work in between. Nothing
 * may run on the machine when this is called; later runs may, and may ask for the same form: then they compile it at
 * once. Programs without proofs are compiled for the input that the machine's last run had.
 *
 * @param hasBudget - in the options: whether runs have a budget.
 * @throws UNSUPPORTED_JIT_SIZE (UnsupportedError) as the first run would; what is no program of the jit is left alone.
 */
export async function compileAhead(prog: EngineProg, machine: Machine, how: Ahead): Promise<void> {
  if (!(prog instanceof JitProg)) return;
  const mode = { ...prog.forms.modeFor(machine, 1, 0), hasFuel: how.hasBudget, isHooked: false };
  await prog.forms.compileAhead(stateOf(machine), mode, how);
}
