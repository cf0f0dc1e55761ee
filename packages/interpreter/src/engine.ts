import type { Engine } from "@tsbpf/runtime";
import { InterpreterProg } from "./prog.ts";

/**
 * The reference engine: exact, steppable, and the oracle of the others.
 *
 * A program without facts always runs with checks, whatever the options say.
 */
export const interpreter: Engine = {
  name: "interpreter",
  prepare: (prog, options) => new InterpreterProg(prog, options.isChecked || prog.facts === undefined),
};
