import type { Engine } from "@tsbpf/runtime";
import { type CompileReport, ModuleCache } from "./run/cache.ts";
import { JitProg } from "./run/prog.ts";

export interface JitOptions {
  /** Told what each compilation cost. */
  readonly onCompile?: (report: CompileReport) => void;
}

/**
 * Makes the engine that compiles programs to WebAssembly.
 *
 * A program without facts always runs with checks, whatever the options say. Modules are made when a program first
 * runs, since they depend on what the run asks for: a budget, hooks, shared memory.
 */
export function createJit(options: JitOptions = {}): Engine {
  const cache = new ModuleCache(() => performance.now(), options.onCompile);
  return {
    name: "jit",
    prepare: (prog, { isChecked }) => new JitProg(prog, isChecked || prog.facts === undefined, cache),
  };
}
