import type { MapSpec, ProgSpec, ProgTypeName } from "@tsbpf/abi";
import { kfuncByName, protoByName } from "@tsbpf/abi";
import { type AsmDiagnostic, AsmError, type AssembledProg, tryAssemble } from "@tsbpf/asm";
import type { Vm } from "@tsbpf/vm";

/** Name of the label behind the last instruction of a line; execution stops there. */
const END = "__repl_end";

/** What the assembler may know of a session. */
export interface LineContext {
  readonly vm: Vm;
  readonly progType: ProgTypeName;
  /** Texts of functions that were defined at the prompt, by name. */
  readonly funcs: ReadonlyMap<string, string>;
  /** What `_` stands for. */
  readonly last: bigint;
}

/** A line that was assembled. */
export interface CompiledLine {
  readonly spec: ProgSpec;
  /** Slot behind its last instruction. */
  readonly endSlot: number;
}

export type LineResult =
  | { readonly kind: "ok"; readonly line: CompiledLine }
  /** Jumps to labels that later lines may define. */
  | { readonly kind: "open"; readonly error: AsmError }
  | { readonly kind: "error"; readonly error: AsmError };

const UNDERSCORE = /(?<![\w.$])_(?![\w.$])/g;

/** Assembles a text with what a session knows. */
export function assembleText(text: string, context: LineContext, file = "input") {
  const { helpersByName, kfuncsByName } = context.vm.registry;
  return tryAssemble(
    text.replace(UNDERSCORE, () => `${BigInt.asIntN(64, context.last)}`),
    {
      symbols: {
        helperIdOf: (name) =>
          helpersByName.get(name)?.proto.id ??
          helpersByName.get(`bpf_${name}`)?.proto.id ??
          protoByName(name)?.id,
        // Kernel functions have no numbers here: the linker finds them by name.
        kfuncOf: (name) =>
          kfuncsByName.has(name) || kfuncByName(name) !== undefined ? { btfId: 0 } : undefined,
        callNames: [...helpersByName.keys(), ...kfuncsByName.keys()],
        mapNames: context.vm.maps.keys(),
      },
      semicolon: "separator",
      file,
      entryName: "input",
    },
  );
}

/** Makes a program of what was assembled. */
export function toSpec(made: AssembledProg, context: LineContext, name: string): ProgSpec {
  const maps: MapSpec[] = made.mapNames.flatMap((one) => context.vm.maps.get(one)?.spec ?? []);
  return {
    name,
    type: context.progType,
    attachType: 0,
    flags: 0,
    license: "GPL",
    insns: made.insns,
    maps,
    mapRefs: made.mapRefs.map((ref) => ({
      slot: ref.slot,
      mapIdx: maps.findIndex((map) => map.name === ref.name),
    })),
    kernelRefs: made.kernelRefs.map((ref) => ({ ...ref, isWeak: false })),
    funcs: [],
    lines: [],
    autoload: true,
  };
}

const isOpen = (diagnostics: readonly AsmDiagnostic[]): boolean =>
  diagnostics.every(({ code }) => code === "ASM_LABEL_UNKNOWN");

/** Functions of the prompt that a text calls, directly or not, as text. */
export function funcsFor(text: string, funcs: ReadonlyMap<string, string>): string {
  const taken = new Map<string, string>();
  const visit = (body: string): void => {
    for (const [name, code] of funcs) {
      if (
        taken.has(name) ||
        !new RegExp(`(?:call|func|&)\\s*${name.replace(/[.$]/g, "\\$&")}(?![\\w.$])`).test(body)
      )
        continue;
      taken.set(name, code);
      visit(code);
    }
  };
  visit(text);
  return [...taken.values()].join("\n");
}

/** Assembles a line, or several, to be executed at once. */
export function compileLine(text: string, context: LineContext): LineResult {
  const funcs = funcsFor(text, context.funcs);
  const made = assembleText(`${text}\n${END}: exit\n${funcs}`, context);
  if (!made.ok) {
    return { kind: isOpen(made.error.diagnostics) ? "open" : "error", error: ownPart(made.error, text) };
  }
  const spec = toSpec(made.prog, context, "input");
  return { kind: "ok", line: { spec, endSlot: made.prog.labels.get(END) ?? 0 } };
}

/** Leaves out what a mistake in the user's lines made of ours. */
function ownPart(error: AsmError, text: string): AsmError {
  const lineCount = text.split("\n").length;
  const own = error.diagnostics.filter(({ line }) => line <= lineCount);
  return new AsmError(own.length === 0 ? error.diagnostics : own, error.file);
}

const LABEL = /^\s*([A-Za-z_.$][\w.$]*):/;

/** Returns the name of the label that a line starts with. */
export const labelOf = (line: string): string | undefined => LABEL.exec(line)?.[1];

/** Says whether a text leaves its function at its end. */
export const endsFunction = (text: string): boolean => {
  const last = text.trimEnd().split(/[\n;]/).at(-1) ?? "";
  return /^\s*(?:[\w.$]+:\s*)?exit\s*(?:\/\/.*)?$/.test(last);
};
