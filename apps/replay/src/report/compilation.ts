import type { Prog } from "@tsbpf/vm";
import { isToCome } from "../run/breather.ts";
import { printByteCount } from "./progress-bar.ts";

/** A module that the jit made of a program, as JSON shows it. */
export interface CompiledModule {
  /** Milliseconds for writing the module and until WebAssembly had accepted it. */
  readonly ms: number;
  readonly bytes: number;
  /** Whether a module of the same bytes was there, so that none was compiled. */
  readonly reused: boolean;
}

/** What compiling a program cost, as JSON shows it. */
export interface Compilation {
  /** What runs the program now. */
  readonly engine: "interpreter" | "jit";
  /** How far the jit has come where the interpreter began. */
  readonly state?: "waiting" | "compiling" | "done" | "refused";
  /** One for each form that runs asked for. */
  readonly modules: readonly CompiledModule[];
}

const MS_DIGITS = 1000;

/** Says what compiling a program cost so far; undefined for one that only the interpreter runs. */
export function compilationOf(prog: Prog): Compilation | undefined {
  const { compiling, compileReports } = prog;
  const isJit = prog.engineProg.engine === "jit";
  if (!isJit && compiling === undefined) return undefined;
  return {
    engine: isJit ? "jit" : "interpreter",
    ...(compiling === undefined ? {} : { state: compiling.state }),
    modules: compileReports.map(({ generateMs, compileMs, wasmBytes, isReused }) => ({
      ms: Math.round((generateMs + compileMs) * MS_DIGITS) / MS_DIGITS,
      bytes: wasmBytes,
      reused: isReused,
    })),
  };
}

/** Prints what compiling a program cost so far, a line for each module; nothing for one that only the interpreter runs. */
export function printCompilation(prog: Prog): string {
  const { compiling } = prog;
  const slots = prog.linked.spec.insns.length;
  if (isToCome(prog))
    return `interpreter to the end: the jit had not compiled the ${slots} slots of ${prog.name} yet\n`;
  if (compiling?.state === "refused") {
    const { reason } = compiling;
    return `interpreter to the end: ${reason instanceof Error ? reason.message : String(reason)}\n`;
  }
  const beside = compiling === undefined ? "" : ", beside the interpreter";
  return (compilationOf(prog)?.modules ?? [])
    .map(
      ({ ms, bytes, reused }) =>
        `jit: ${slots} slots of ${prog.name} to ${printByteCount(bytes)} in ${ms.toFixed(1)} ms${beside}${reused ? ", as compiled before" : ""}\n`,
    )
    .join("");
}
