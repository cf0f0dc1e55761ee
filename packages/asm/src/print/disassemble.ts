import { classifyCall, type Insn, isWide, rowOf, slotsOf, targetSlotOf } from "@tsbpf/isa";
import { isPrintable, type PrintOptions, printInsn } from "./print.ts";
import { isPrintableName } from "./symbols.ts";

export interface DisassembleOptions extends PrintOptions {
  /** Whether jumps and calls lead to labels (the default) or print distances. */
  readonly labels?: boolean;
}

/** Returns the slots at which instructions start; second halves of wide loads are left out. */
export function insnSlots(insns: readonly Insn[]): number[] {
  const slots: number[] = [];
  for (let slot = 0; slot < insns.length; ) {
    slots.push(slot);
    const insn = insns[slot];
    slot += insn !== undefined && isPrintable(insns, slot) ? slotsOf(insn) : 1;
  }
  return slots;
}

/** Collects where jumps and calls lead; `true` marks the start of a function. */
function targetsOf(insns: readonly Insn[], starts: readonly number[]): Map<number, boolean> {
  const startSet = new Set(starts);
  const targets = new Map<number, boolean>();
  for (const slot of starts) {
    const insn = insns[slot];
    if (insn === undefined || !isPrintable(insns, slot)) continue;
    const target = targetSlotOf(insn, slot);
    if (target === undefined || !startSet.has(target)) continue;
    const isFunc = isWide(insn) || classifyCall(insn) !== undefined;
    targets.set(target, isFunc || (targets.get(target) ?? false));
  }
  return targets;
}

/** Names every target: the given name when it can be read back, or one that no given name has. */
function nameTargets(
  insns: readonly Insn[],
  targets: ReadonlyMap<number, boolean>,
  given: (slot: number) => string | undefined,
): Map<number, string> {
  const names = new Map<number, string>();
  const used = new Set<string>();
  for (let slot = 0; slot < insns.length; slot++) {
    const name = given(slot);
    if (name === undefined || !isPrintableName(name) || used.has(name)) continue;
    names.set(slot, name);
    used.add(name);
  }
  for (const [slot, isFunc] of [...targets].sort(([a], [b]) => a - b)) {
    if (names.has(slot)) continue;
    let name = `${isFunc ? "func_" : "L"}${slot}`;
    while (used.has(name)) name += "_";
    names.set(slot, name);
    used.add(name);
  }
  return names;
}

const rawText = ({ op, dst, src, off, imm }: Insn): string =>
  `.insn 0x${op.toString(16).padStart(2, "0")}, ${dst}, ${src}, ${off}, ${imm}`;

/**
 * Prints a program as a text that {@link assemble} reads back as the same slots, whatever they hold.
 *
 * Targets of jumps and calls get labels; slots that are no instruction print as `.insn`, with what Linux would say
 * of them in a comment. Named maps, symbols and kernel functions read back as references by name.
 */
export function disassemble(insns: readonly Insn[], options: DisassembleOptions = {}): string {
  const starts = insnSlots(insns);
  const given = options.symbols?.labelName ?? (() => undefined);
  const wantsLabels = options.labels ?? true;
  const names = wantsLabels ? nameTargets(insns, targetsOf(insns, starts), given) : new Map<number, string>();
  const symbols = { ...options.symbols, labelName: (slot: number) => names.get(slot) };
  const lines: string[] = [];
  for (const slot of starts) {
    const insn = insns[slot];
    if (insn === undefined) continue;
    const name = names.get(slot);
    if (name !== undefined) lines.push(`${name}:`);
    const isInsn = rowOf(insn) !== undefined && isPrintable(insns, slot);
    const text = isInsn
      ? printInsn(insns, slot, { ...options, symbols })
      : `${rawText(insn)} // ${printInsn(insns, slot)}`;
    lines.push(`\t${text}`);
  }
  return lines.map((line) => `${line}\n`).join("");
}
