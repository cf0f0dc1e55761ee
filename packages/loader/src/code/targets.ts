import type { MapSpec } from "@tsbpf/abi";
import { type Insn, isWide, SLOT_BYTES, wideImm } from "@tsbpf/isa";
import { elfError } from "../elf/errors.ts";
import type { ElfRelocation } from "../elf/relocations.ts";
import type { MapTable } from "../maps/map-table.ts";
import type { Defect, Extern, Externs } from "../object/externs.ts";
import type { CodeFunction, CodeSection, ObjectCode } from "./functions.ts";

/** What an instruction refers to beyond itself. */
export type InsnTarget =
  | { readonly kind: "map"; readonly map: MapSpec }
  /** A variable: bytes from the start of the map's value. */
  | { readonly kind: "data"; readonly map: MapSpec; readonly offset: number }
  | { readonly kind: "call"; readonly func: CodeFunction }
  | { readonly kind: "func"; readonly func: CodeFunction }
  | { readonly kind: "kfunc" | "ksym" | "typed_ksym"; readonly name: string; readonly isWeak: boolean }
  | { readonly kind: "defect"; readonly defect: Defect };

/** Everything that relocations lead to. */
export interface Linkage {
  readonly code: ObjectCode;
  readonly maps: MapTable;
  readonly externs: Externs;
  readonly sectionName: (index: number) => string;
}

/** Opcode of `call` in its immediate form. */
const CALL_OP = 0x85;
/** Source registers of `call` and wide loads. @source linux uapi/linux/bpf.h BPF_PSEUDO_* */
const PSEUDO_CALL = 1;
export const PSEUDO = { mapFd: 1, mapValue: 2, btfId: 3, func: 4, kfunc: 2 } as const;

const isCall = (insn: Insn): boolean => insn.op === CALL_OP;
/** Says whether an instruction calls a function of the program. */
const isPseudoCall = (insn: Insn): boolean => isCall(insn) && insn.src === PSEUDO_CALL;
/** Says whether an instruction loads the address of a function of the program. */
const isPseudoFunc = (insn: Insn): boolean => isWide(insn) && insn.src === PSEUDO.func;

interface Site {
  readonly link: Linkage;
  readonly code: CodeSection;
  readonly slot: number;
  readonly insn: Insn;
}

const placeOf = ({ code, slot }: Site) => ({ section: code.section.name, offset: slot * SLOT_BYTES });

/** Finds the function that starts at a byte of a section. */
function functionAt(site: Site, section: number, offset: number, what: string): CodeFunction {
  const code = site.link.code.sections.get(section);
  const func = offset % SLOT_BYTES === 0 ? code?.functions.get(offset / SLOT_BYTES) : undefined;
  if (func !== undefined) return func;
  const name = site.link.sectionName(section);
  throw elfError(
    "ELF_CALL",
    `${what} leads to byte ${offset} of ${name}, where no function starts`,
    placeOf(site),
  );
}

function externTarget(extern: Extern, site: Site): InsnTarget {
  const use = isCall(site.insn) ? "kfunc" : "ksym";
  switch (extern.kind) {
    case "unknown":
      return { kind: "defect", defect: extern.defect };
    case "by_name":
      return { kind: use, name: extern.name, isWeak: extern.isWeak };
    case "kconfig": {
      const map = site.link.maps.kconfig;
      if (use === "kfunc" || map === undefined) throw badReloc(site, `call of variable ${extern.name}`);
      if (extern.defect !== undefined) return { kind: "defect", defect: extern.defect };
      return { kind: "data", map, offset: extern.offset };
    }
    case "kfunc":
      if (use === "ksym") {
        const kind = extern.isFound ? "typed_ksym" : "ksym";
        return { kind, name: extern.name, isWeak: extern.isWeak };
      }
      return { kind: "kfunc", name: extern.name, isWeak: extern.isWeak };
    case "ksym":
    case "typed_ksym":
      if (use === "kfunc") throw badReloc(site, `call of variable ${extern.name}`);
      return { kind: extern.kind, name: extern.name, isWeak: extern.isWeak };
  }
}

const badReloc = (site: Site, text: string) => elfError("ELF_RELOC", text, placeOf(site));

/** Resolves what a relocation of an instruction names (L-30..L-38). */
export function targetOf(
  link: Linkage,
  code: CodeSection,
  slot: number,
  relocation: ElfRelocation,
): InsnTarget {
  const insn = code.insns[slot];
  const { symbol } = relocation;
  if (insn === undefined || relocation.offset % SLOT_BYTES !== 0 || !(isCall(insn) || isWide(insn))) {
    const text = `relocation against ${symbol.name} for byte ${relocation.offset}, a call or wide load needed`;
    throw elfError("ELF_RELOC", text, { section: code.section.name, offset: relocation.offset });
  }
  const site = { link, code, slot, insn };
  const extern = link.externs.bySymbol.get(symbol.index);
  if (extern !== undefined) return externTarget(extern, site);
  if (symbol.section === undefined) {
    const text = `relocation against ${symbol.name} in special section ${symbol.sectionIndex}; forgot to initialize a global variable?`;
    throw badReloc(site, text);
  }
  if (isCall(insn)) return callTarget(site, relocation, symbol.section);
  return loadTarget(site, relocation, symbol.section);
}

function callTarget(site: Site, { symbol, addend }: ElfRelocation, section: number): InsnTarget {
  const { insn } = site;
  if (insn.src !== PSEUDO_CALL) {
    throw badReloc(site, `relocation against ${symbol.name} for a call with source ${insn.src}, 1 needed`);
  }
  // In the place itself the addend is stored as a distance: -1 for the symbol's own address.
  const offset = symbol.value + (addend ?? (insn.imm + 1) * SLOT_BYTES);
  return { kind: "call", func: functionAt(site, section, offset, `call of ${symbol.name}`) };
}

function loadTarget(site: Site, { symbol, addend }: ElfRelocation, section: number): InsnTarget {
  const { link, insn, code, slot } = site;
  const offset = symbol.value + (addend ?? insn.imm);
  const map = link.maps.definedAt(section, offset);
  if (map !== undefined) return { kind: "map", map };
  const data = link.maps.dataBySection.get(section);
  if (data !== undefined) return dataTarget(site, data, offset);
  if (link.code.sections.has(section)) {
    const func = functionAt(site, section, offset, `address of ${symbol.name}`);
    return { kind: "func", func };
  }
  const name = link.sectionName(section);
  const low = BigInt.asIntN(64, wideImm(code.insns, slot));
  const text = `relocation against ${symbol.name} + ${low} in section ${name}, which holds no map, variable or function there`;
  if (name === ".addr_space.1" || name === ".jumptables") {
    return {
      kind: "defect",
      defect: { code: "UNSUPPORTED_SECTION", text: `section ${name} is not supported` },
    };
  }
  throw badReloc(site, text);
}

function dataTarget(site: Site, map: MapSpec, offset: number): InsnTarget {
  // Compilers may form addresses before a variable's start; anything that fits the field is the verifier's question.
  if (offset < -0x8000_0000 || offset > 0xffff_ffff) {
    throw badReloc(site, `offset ${offset} into ${map.dataSection ?? map.name} does not fit 32 bits`);
  }
  return { kind: "data", map, offset: offset | 0 };
}

/** Resolves calls that compilers leave without relocation: those within a section (L-41). */
export function localTargetOf(link: Linkage, code: CodeSection, slot: number): InsnTarget | undefined {
  const insn = code.insns[slot];
  if (insn === undefined) return undefined;
  const site = { link, code, slot, insn };
  const offset = (slot + 1 + insn.imm) * SLOT_BYTES;
  if (isPseudoCall(insn)) {
    return { kind: "call", func: functionAt(site, code.section.index, offset, "call") };
  }
  if (isPseudoFunc(insn)) {
    return { kind: "func", func: functionAt(site, code.section.index, offset, "address") };
  }
  return undefined;
}
