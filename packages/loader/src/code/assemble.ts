import type { KernelRef, MapRef, MapSpec } from "@tsbpf/abi";
import { InputError } from "@tsbpf/base";
import { type Insn, isWide, SLOT_BYTES } from "@tsbpf/isa";
import { LOADER_LIMITS } from "../elf/constants.ts";
import { elfError } from "../elf/errors.ts";
import type { ElfRelocation } from "../elf/relocations.ts";
import type { Defect } from "../object/externs.ts";
import type { RelocatedCode } from "./core-relocations.ts";
import type { CodeFunction, CodeSection } from "./functions.ts";
import { type InsnTarget, type Linkage, localTargetOf, PSEUDO, targetOf } from "./targets.ts";

/** A reference from within a function; slots count from the function's start. */
interface Ref {
  readonly slot: number;
  readonly target: InsnTarget;
}

/** A function placed in a program. */
export interface PlacedFunction {
  readonly func: CodeFunction;
  /** First slot within the program. */
  readonly slot: number;
}

/** The code of one program, all functions included. */
export interface Assembled {
  readonly insns: readonly Insn[];
  readonly layout: readonly PlacedFunction[];
  readonly maps: readonly MapSpec[];
  readonly mapRefs: readonly MapRef[];
  readonly kernelRefs: readonly KernelRef[];
  readonly defect: Defect | undefined;
}

/** What assembling needs to know of an object. */
export interface AssemblyInput {
  readonly link: Linkage;
  readonly relocationsOf: (code: CodeSection) => readonly ElfRelocation[];
  /** Code after CO-RE relocation. */
  readonly core: Pick<RelocatedCode, "insnsOf" | "defectsOf">;
  /** A function that runs on exceptions and need not be called (L-43). */
  readonly exceptionCallbackOf: (entry: CodeFunction) => CodeFunction | undefined;
}

/** Assembles programs; references are resolved once per function however many programs use it. */
export interface Assembler {
  /**
   * Puts together an entry function and all that it needs.
   *
   * Functions follow in the order in which a depth-first walk of references meets them, each once (L-40).
   *
   * @throws ELF_RELOC ELF_CALL; LIMIT_SLOTS when all programs together grow past the limit.
   */
  assemble(entry: CodeFunction): Assembled;
}

function relocationsBySlot(input: AssemblyInput, code: CodeSection): ReadonlyMap<number, ElfRelocation> {
  const bySlot = new Map<number, ElfRelocation>();
  for (const relocation of input.relocationsOf(code)) {
    const slot = Math.floor(relocation.offset / SLOT_BYTES);
    if (bySlot.has(slot)) {
      const place = { section: relocation.from, offset: relocation.offset };
      throw elfError("ELF_RELOC", `two relocations for slot ${slot} of ${code.section.name}`, place);
    }
    bySlot.set(slot, relocation);
  }
  return bySlot;
}

function refsOf(
  input: AssemblyInput,
  func: CodeFunction,
  relocations: ReadonlyMap<number, ElfRelocation>,
): Ref[] {
  const refs: Ref[] = [];
  const defects = input.core.defectsOf(func.section);
  for (let i = 0; i < func.slotCount; i++) {
    const slot = func.slot + i;
    const defect = defects.get(slot);
    if (defect !== undefined) refs.push({ slot: i, target: { kind: "defect", defect } });
    const relocation = relocations.get(slot);
    const target =
      relocation === undefined
        ? localTargetOf(input.link, func.section, slot)
        : targetOf(input.link, func.section, slot, relocation);
    const insn = func.section.insns[slot];
    const needsTwo = insn !== undefined && isWide(insn);
    if (target !== undefined) {
      if (needsTwo && i + 1 >= func.slotCount) {
        const place = { section: func.section.section.name, offset: slot * SLOT_BYTES };
        throw elfError("ELF_RELOC", `wide load at the end of ${func.name} lacks its second slot`, place);
      }
      refs.push({ slot: i, target });
    }
    // The second slot of a wide load is no instruction, whatever its bytes look like.
    if (needsTwo) i++;
  }
  return refs;
}

const calledBy = ({ target }: Ref): CodeFunction | undefined =>
  target.kind === "call" || target.kind === "func" ? target.func : undefined;

/** Creates an assembler for one object. */
export function createAssembler(input: AssemblyInput): Assembler {
  const relocations = new Map<CodeSection, ReadonlyMap<number, ElfRelocation>>();
  const refs = new Map<CodeFunction, readonly Ref[]>();
  let slotsLeft: number = LOADER_LIMITS.totalSlots;

  const refsFrom = (func: CodeFunction): readonly Ref[] => {
    const known = refs.get(func);
    if (known !== undefined) return known;
    let bySlot = relocations.get(func.section);
    if (bySlot === undefined) {
      bySlot = relocationsBySlot(input, func.section);
      relocations.set(func.section, bySlot);
    }
    const found = refsOf(input, func, bySlot);
    refs.set(func, found);
    return found;
  };

  const layOut = (entry: CodeFunction): PlacedFunction[] => {
    const layout: PlacedFunction[] = [];
    const placed = new Set<CodeFunction>();
    let slot = 0;
    const add = (func: CodeFunction) => {
      placed.add(func);
      layout.push({ func, slot });
      slot += func.slotCount;
      slotsLeft -= func.slotCount;
      if (slotsLeft >= 0) return;
      throw new InputError(
        "LIMIT_SLOTS",
        `the object's programs take more than ${LOADER_LIMITS.totalSlots} slots together, at ${entry.name}`,
        { details: { program: entry.name } },
      );
    };
    // An explicit stack, because a chain of calls may be as long as the object has functions.
    const walk = (root: CodeFunction) => {
      add(root);
      const stack = [{ refs: refsFrom(root), next: 0 }];
      for (let top = stack.at(-1); top !== undefined; top = stack.at(-1)) {
        const ref = top.refs[top.next++];
        if (ref === undefined) {
          stack.pop();
          continue;
        }
        const func = calledBy(ref);
        if (func === undefined || placed.has(func)) continue;
        add(func);
        stack.push({ refs: refsFrom(func), next: 0 });
      }
    };
    walk(entry);
    const callback = input.exceptionCallbackOf(entry);
    if (callback !== undefined && !placed.has(callback)) walk(callback);
    return layout;
  };

  return {
    assemble(entry) {
      const layout = layOut(entry);
      return patch(input, layout, refsFrom);
    },
  };
}

/** Copies the functions one after the other and writes what their references lead to. */
function patch(
  input: AssemblyInput,
  layout: readonly PlacedFunction[],
  refsFrom: (func: CodeFunction) => readonly Ref[],
): Assembled {
  const starts = new Map(layout.map(({ func, slot }) => [func, slot]));
  const insns: Insn[] = [];
  const maps = new Map<MapSpec, number>();
  const mapRefs: MapRef[] = [];
  const kernelRefs: KernelRef[] = [];
  let defect: Defect | undefined;
  for (const { func, slot: start } of layout) {
    const code = input.core.insnsOf(func.section);
    for (let i = 0; i < func.slotCount; i++) insns.push(code[func.slot + i] ?? UNREACHED);
    for (const { slot: offset, target } of refsFrom(func)) {
      const slot = start + offset;
      switch (target.kind) {
        case "map":
        case "data": {
          const mapIdx = maps.get(target.map) ?? maps.size;
          maps.set(target.map, mapIdx);
          mapRefs.push({ slot, mapIdx });
          const isData = target.kind === "data";
          setWide(insns, slot, isData ? PSEUDO.mapValue : PSEUDO.mapFd, 0, isData ? target.offset : 0);
          break;
        }
        case "call":
          setFields(insns, slot, { imm: (starts.get(target.func) ?? 0) - slot - 1 });
          break;
        case "func":
          setWide(insns, slot, PSEUDO.func, (starts.get(target.func) ?? 0) - slot - 1, 0);
          break;
        case "kfunc":
          kernelRefs.push({ slot, ...kernelRef(target) });
          setFields(insns, slot, { src: PSEUDO.kfunc, imm: 0, off: 0 });
          break;
        case "ksym":
        case "typed_ksym":
          kernelRefs.push({ slot, ...kernelRef(target) });
          setWide(insns, slot, target.kind === "ksym" ? 0 : PSEUDO.btfId, 0, 0);
          break;
        case "defect":
          defect ??= target.defect;
      }
    }
  }
  return { insns, layout, maps: [...maps.keys()], mapRefs, kernelRefs, defect };
}

const kernelRef = ({ name, kind, isWeak }: Omit<KernelRef, "slot">) => ({ name, kind, isWeak });

// Never used: functions lie within their section.
const UNREACHED: Insn = { op: 0, dst: 0, src: 0, off: 0, imm: 0 };

function setFields(insns: Insn[], slot: number, fields: Partial<Insn>): void {
  const insn = insns[slot];
  if (insn !== undefined) insns[slot] = { ...insn, ...fields };
}

function setWide(insns: Insn[], slot: number, src: number, low: number, high: number): void {
  setFields(insns, slot, { src, imm: low });
  setFields(insns, slot + 1, { imm: high });
}
