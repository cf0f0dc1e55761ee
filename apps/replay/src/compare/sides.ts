import { InputError } from "@tsbpf/base";
import type { TraceDefinitions } from "@tsbpf/trace";
import type { EngineName, VerifyMode } from "@tsbpf/vm";
import type { ReplayIo } from "../io.ts";
import { type MachineOptions, MachineSide } from "./machine-side.ts";
import type { OpenSide } from "./side.ts";
import { TraceSide } from "./trace-side.ts";

const ENGINES: readonly EngineName[] = ["interpreter", "jit", "auto"];
const MODES: readonly VerifyMode[] = ["strict", "warn", "off"];
const KEYS = ["engine", "verify", "plugin", "prog", "cpus", "fuel"] as const;

/** What side B is: something that runs here, the running kernel, or what a trace recorded. */
export type SideChoice =
  | { readonly kind: "machine"; readonly options: MachineOptions }
  | { readonly kind: "kernel" }
  | { readonly kind: "trace" };

/**
 * Parses what a program is compared with: each word changes one thing of side A. A path is another object;
 * `engine=jit`, `verify=off`, `plugin=FILE` (in the place of all plugins), `prog=NAME`, `cpus=N`, `fuel=N` change a
 * setting; `live` asks anew what traces answer; `kernel` is the running kernel, `trace` what the trace recorded.
 *
 * @throws OPTION_AGAINST (InputError) for words that do not go together.
 */
export function parseAgainst(words: readonly string[], a: MachineOptions): SideChoice {
  const special = words.find((word) => word === "kernel" || word === "trace");
  if (special !== undefined) {
    if (words.length === 1) return { kind: special as "kernel" | "trace" };
    const other = words.find((word) => word !== special) ?? special;
    throw new InputError("OPTION_AGAINST", `--against ${special} and ${other} found, ${special} goes alone`);
  }
  let options = a;
  let plugins: string[] | undefined;
  for (const word of words) {
    const at = word.indexOf("=");
    const key = KEYS.find((one) => one === word.slice(0, Math.max(0, at)));
    if (key === undefined) {
      options = word === "live" ? { ...options, asksAnew: true } : { ...options, object: word };
      continue;
    }
    const value = word.slice(at + 1);
    if (key === "plugin") {
      plugins ??= [];
      if (value !== "") plugins.push(value);
    } else options = { ...options, ...settingOf(key, value) };
  }
  return { kind: "machine", options: plugins === undefined ? options : { ...options, plugins } };
}

function settingOf(key: Exclude<(typeof KEYS)[number], "plugin">, value: string): Partial<MachineOptions> {
  const oneOf = <T extends string>(allowed: readonly T[]): T => {
    const found = allowed.find((one) => one === value);
    if (found !== undefined) return found;
    throw new InputError(
      "OPTION_AGAINST",
      `--against ${key}=${value} found, one of ${allowed.join(", ")} needed`,
    );
  };
  const count = (): number => {
    if (/^\d+$/.test(value) && Number.isSafeInteger(Number(value))) return Number(value);
    throw new InputError("OPTION_AGAINST", `--against ${key}=${value} found, a whole number needed`);
  };
  switch (key) {
    case "engine":
      return { engine: oneOf(ENGINES) };
    case "verify":
      return { verify: oneOf(MODES) };
    case "prog":
      return { prog: value };
    case "cpus":
      return { cpuCount: count() };
    case "fuel":
      return { budget: count() };
  }
}

/** Makes both sides openable. */
export async function openersOf(
  choice: SideChoice,
  a: MachineOptions,
  io: ReplayIo,
  definitions: readonly TraceDefinitions[],
): Promise<{ readonly a: OpenSide; readonly b: OpenSide }> {
  switch (choice.kind) {
    case "machine":
      return {
        a: () => MachineSide.open(a, io, definitions),
        b: () => MachineSide.open(choice.options, io, definitions),
      };
    case "trace":
      if (definitions.length === 0) {
        throw new InputError(
          "OPTION_AGAINST",
          "--against trace found, none of the inputs is a trace: tsbpf record makes one",
        );
      }
      return { a: () => MachineSide.open(a, io, definitions), b: async () => new TraceSide() };
    case "kernel": {
      const { KernelSide, kernelCpus } = await import("../kernel/kernel-side.ts");
      const cpus = await kernelCpus(io);
      // As many CPUs as the kernel has, and the same one: maps that are split over CPUs behave by their number.
      const here: MachineOptions = { ...a, isTestRun: true, cpuCount: cpus.count, fixedCpu: cpus.cpu };
      return {
        a: () => MachineSide.open(here, io, definitions),
        b: () => KernelSide.open(here, io, cpus),
      };
    }
  }
}
