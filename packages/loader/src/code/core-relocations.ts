import { hiOf, InputError, loOf, toU64 } from "@tsbpf/base";
import {
  type Btf,
  type BtfExt,
  type CoreAnswer,
  type CoreKind,
  type CoreRelo,
  createCoreResolver,
} from "@tsbpf/btf";
import { type Insn, isWide, SLOT_BYTES, wideImm } from "@tsbpf/isa";
import { elfError } from "../elf/errors.ts";
import type { Defect } from "../object/externs.ts";
import type { CodeSection } from "./functions.ts";

/** What became of one CO-RE relocation, for people. */
export interface CoreReport {
  readonly section: string;
  /** Slot within the section. */
  readonly slot: number;
  readonly kind: CoreKind;
  /** The object's type, e.g. `struct task_struct`. */
  readonly typeName: string;
  readonly access: string;
  readonly local: bigint;
  /** Undefined when the target has nothing that fits and the instruction was made to fail. */
  readonly target: bigint | undefined;
  readonly targetTypeId: number | undefined;
}

/** The code of an object after CO-RE relocation. */
export interface RelocatedCode {
  insnsOf(code: CodeSection): readonly Insn[];
  /** Instructions that could not be relocated, by slot; programs that hold one cannot be loaded. */
  defectsOf(code: CodeSection): ReadonlyMap<number, Defect>;
  readonly report: readonly CoreReport[];
}

/** A call that fails only when the verifier reaches it. @source linux tools/lib/bpf/relo_core.c bpf_core_poison_insn */
const POISON: Insn = { op: 0x85, dst: 0, src: 0, off: 0, imm: 195_896_080 };

const CLASS_MASK = 0x07;
const SIZE_MASK = 0x18;
const SOURCE_REGISTER = 0x08;
const CLASS = { ld: 0, ldx: 1, st: 2, stx: 3, alu: 4, alu64: 7 } as const;
/** Size bits of memory opcodes by bytes. */
const SIZE_BITS: Readonly<Record<number, number>> = { 4: 0x00, 2: 0x08, 1: 0x10, 8: 0x18 };

const refuse = (text: string) => new InputError("BTF_CORE_INSN", text);

function checkOld(answer: CoreAnswer, found: bigint): void {
  const { value, isExact } = answer.local;
  if (!isExact || toU64(found) === toU64(value)) return;
  throw refuse(`the instruction holds ${found}, the object's types say ${value}`);
}

/** Only pointers and unsigned integers read rightly with another width. */
function mayResize(answer: CoreAnswer): boolean {
  const from = answer.local.access?.type;
  const to = answer.target?.access?.type;
  if (from?.kind === "ptr" && to?.kind === "ptr") return true;
  return from?.kind === "int" && to?.kind === "int" && from.encoding !== "signed" && to.encoding !== "signed";
}

/** Rewrites a load or store (L-98). @returns undefined when it must be made to fail. */
function patchMemory(insn: Insn, answer: CoreAnswer, value: bigint): Insn | undefined {
  checkOld(answer, BigInt(insn.off));
  if (value > 0x7fffn) throw refuse(`offset ${value} does not fit 16 bits`);
  const from = answer.local.access?.sizeBytes ?? 0;
  const to = answer.target?.access?.sizeBytes ?? 0;
  if (from === to) return { ...insn, off: Number(value) };
  if (!mayResize(answer)) return undefined;
  if (SIZE_BITS[from] !== (insn.op & SIZE_MASK)) {
    throw refuse(`the instruction does not access the ${from} bytes of the field`);
  }
  const bits = SIZE_BITS[to];
  if (bits === undefined) throw refuse(`no instruction accesses ${to} bytes`);
  return { ...insn, op: (insn.op & ~SIZE_MASK) | bits, off: Number(value) };
}

/** Returns what takes the place of an instruction: one slot, or two of a wide load. */
function patched(insns: readonly Insn[], slot: number, answer: CoreAnswer): readonly Insn[] {
  const insn = insns[slot];
  if (insn === undefined) throw refuse("no instruction there");
  const second = insns[slot + 1];
  const poisoned = isWide(insn) && second !== undefined ? [POISON, POISON] : [POISON];
  if (answer.target === undefined) return poisoned;
  const { value } = answer.target;
  switch (insn.op & CLASS_MASK) {
    case CLASS.alu:
    case CLASS.alu64:
      if ((insn.op & SOURCE_REGISTER) !== 0) throw refuse("an arithmetic instruction with a constant needed");
      checkOld(answer, BigInt(insn.imm));
      return [{ ...insn, imm: loOf(value) }];
    case CLASS.ldx:
    case CLASS.st:
    case CLASS.stx: {
      const access = patchMemory(insn, answer, value);
      return access === undefined ? poisoned : [access];
    }
    case CLASS.ld:
      if (!isWide(insn) || insn.src !== 0 || insn.off !== 0 || second === undefined || second.op !== 0) break;
      checkOld(answer, wideImm(insns, slot));
      return [
        { ...insn, imm: loOf(value) },
        { ...second, imm: hiOf(value) },
      ];
  }
  throw refuse(`opcode 0x${insn.op.toString(16)} cannot hold a relocated value`);
}

interface Relocated {
  readonly insns: Insn[];
  readonly defects: Map<number, Defect>;
}

function slotOf(relo: CoreRelo, section: string, slotCount: number): number {
  const slot = relo.insnOffset / SLOT_BYTES;
  if (Number.isInteger(slot) && slot < slotCount) return slot;
  const text = `CO-RE relocation for byte ${relo.insnOffset}, the section has ${slotCount} slots of ${SLOT_BYTES} bytes`;
  throw elfError("BTF_CORE_INSN", text, { section, offset: relo.insnOffset });
}

/**
 * Applies the CO-RE relocations of an object (L-90..L-102).
 *
 * A relocation that contradicts the types or is ambiguous makes a defect of the programs that hold it.
 *
 * @param target - types to run on; the object's own when undefined (L-100).
 * @throws BTF_CORE_INSN when a record lies outside its section.
 */
export function relocateCore(
  btf: Btf,
  ext: BtfExt,
  target: Btf | undefined,
  sections: Iterable<CodeSection>,
): RelocatedCode {
  const byName = new Map<string, CodeSection>();
  for (const code of sections) if (!byName.has(code.section.name)) byName.set(code.section.name, code);
  const resolver = createCoreResolver(btf, target);
  const relocated = new Map<CodeSection, Relocated>();
  const report: CoreReport[] = [];
  for (const { section, records } of ext.coreRelos) {
    const code = byName.get(section);
    // A linker may leave records of functions that it replaced.
    if (code === undefined) continue;
    const into = relocated.get(code) ?? { insns: [...code.insns], defects: new Map<number, Defect>() };
    relocated.set(code, into);
    for (const relo of records) {
      const slot = slotOf(relo, section, code.insns.length);
      const question = { kind: relo.kind, typeId: relo.typeId, access: btf.stringAt(relo.accessOffset) };
      try {
        const answer = resolver.resolve(question);
        for (const [i, insn] of patched(into.insns, slot, answer).entries()) into.insns[slot + i] = insn;
        report.push(reportOf(btf, section, slot, question, answer));
      } catch (error) {
        if (!(error instanceof InputError)) throw error;
        const text = `CO-RE relocation ${relo.kind} at slot ${slot} of ${section}: ${error.message}`;
        into.defects.set(slot, { code: error.code, text });
      }
    }
  }
  const none: ReadonlyMap<number, Defect> = new Map();
  return {
    report,
    insnsOf: (code) => relocated.get(code)?.insns ?? code.insns,
    defectsOf: (code) => relocated.get(code)?.defects ?? none,
  };
}

function reportOf(
  btf: Btf,
  section: string,
  slot: number,
  question: { readonly kind: CoreKind; readonly typeId: number; readonly access: string },
  answer: CoreAnswer,
): CoreReport {
  const { kind, name } = btf.type(question.typeId);
  return {
    section,
    slot,
    kind: question.kind,
    typeName: kind === "typedef" ? name : `${kind} ${name === "" ? "(anonymous)" : name}`,
    access: question.access,
    local: answer.local.value,
    target: answer.target?.value,
    targetTypeId: answer.spec?.rootId,
  };
}
