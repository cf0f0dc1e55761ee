import { Option } from "commander";

/** `--engine`, the same wherever an engine may be named. */
export const engineOption = (): Option =>
  new Option("--engine <name>", "what runs the program; auto is the jit, while it compiles the interpreter")
    .choices(["interpreter", "jit", "auto"])
    .default("interpreter");

/** `--verify`. */
export const verifyOption = (): Option =>
  new Option("--verify <mode>", "what a refusal of the verifier means")
    .choices(["strict", "warn", "off"])
    .default("strict");
